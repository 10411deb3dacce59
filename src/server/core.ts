/**
 * One server at work: the port of its statechart, and the host of its connections. Each thing that they ask for is done by
 * the part whose subject it is.
 */
import { type Actor, type AnyEventObject, createActor, type InspectionEvent } from 'xstate';
import type { Handover } from '../connection/handover.ts';
import type { Host } from '../connection/host.ts';
import { Budget } from '../connection/memory-budget.ts';
import type { Recipient } from '../connection/recipient.ts';
import type { Session } from '../connection/session.ts';
import { zlibOfThisRuntime } from '../io/extensions/choose-zlib.ts';
import { Deflate, type DeflateSettings, type DeflateTerms } from '../io/extensions/deflate.ts';
import { PerMessageDeflate } from '../io/extensions/per-message-deflate.ts';
import { type Fault, fault } from '../io/faults.ts';
import { FrameDecoder } from '../io/frames/frame-decoder.ts';
import { nextTurn } from '../io/time/clock.ts';
import { FairTurns } from '../io/time/fair-turns.ts';
import { Ticker } from '../io/time/ticker.ts';
import type { TlsHandshakeFailure } from '../io/transports/tls.ts';
import type { ServerTlsOptions } from '../io/transports/tls-identity.ts';
import type { Address, Transport } from '../io/transports/transport.ts';
import { WriteTurn } from '../io/writing/write-turn.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import type { Parent } from '../machines/interpreter.ts';
import { serverMachine } from '../machines/server-machine.ts';
import type { ServerEvent, ServerPort, ServerState } from '../machines/server-ports.ts';
import { AdmissionControl, type AdmissionHost } from './admission.ts';
import { Attaching, type AttachingHost } from './attaching.ts';
import { Counters, type ServerStats } from './counters.ts';
import { type Deferred, deferred } from './deferred.ts';
import { Listening, type ListeningHost } from './listening.ts';
import type { ServerRecipient } from './recipient.ts';
import type { ServerSettings } from './settings.ts';
import { Stopping, type StoppingHost, type StopReport, type StopRequest } from './stopping.ts';
import { turnAway, whyNot } from './turn-away.ts';

const STOPPED_EARLY = 'the server was stopped before it listened';

/**
 * One server at work.
 *
 * Many members: it is the machine's port and the host of the connections; nearly all of them are one line.
 */
export class Core
  implements ServerPort, Host<Session>, AdmissionHost, AttachingHost, ListeningHost, StoppingHost
{
  readonly settings: ServerSettings;
  readonly recipient: ServerRecipient;
  readonly ticker: Ticker;
  readonly budget: Budget;
  readonly turn: WriteTurn;
  readonly turns: FairTurns;
  readonly actor: Actor<typeof serverMachine>;
  readonly parent: Parent = { send: (event) => this.#hearOfEnd(event) };
  /** Takes requests from the HTTP servers that this one is attached to. */
  readonly attaching = new Attaching(this);
  /** Every connection that was accepted and has not ended. */
  readonly sessions: ReadonlySet<Session>;
  /** Somebody observes the statecharts: then every frame is an event of its own. */
  inspected = false;
  state: ServerState = 'stopped';

  /** Decoders that no connection is using. */
  readonly #decoders: FrameDecoder[] = [];
  /** What compresses, for each set of options that paths have; made when the first client agrees. */
  readonly #deflates = new WeakMap<DeflateSettings, Deflate>();
  readonly #counters = new Counters();
  readonly #admission: AdmissionControl;
  readonly #listening: Listening;
  readonly #stopping: Stopping;
  /** What `start()` answers, until a stop or a failure makes it void. */
  #starting: Deferred<void> | undefined;
  #startsAfterStop = false;
  #wasStarted = false;

  constructor(
    settings: ServerSettings,
    recipient: ServerRecipient,
    inspect?: (event: InspectionEvent) => void,
  ) {
    this.settings = settings;
    this.recipient = recipient;
    this.budget = settings.sharedBudget ?? new Budget(settings.memoryBudget);
    this.turn = new WriteTurn((task) => process.nextTick(task), this.budget.blocks, nextTurn);
    this.ticker = new Ticker(settings.clock);
    this.turns = new FairTurns(() => settings.clock.now(), nextTurn);
    this.#admission = new AdmissionControl(this, this.#counters);
    this.sessions = this.#admission.sessions;
    this.#listening = new Listening(this);
    this.#stopping = new Stopping(this, this.#admission, this.#listening);
    this.inspected = inspect !== undefined;
    this.actor = createActor(serverMachine, {
      input: { port: this },
      id: 'server',
      ...(inspect === undefined ? {} : { inspect }),
    });
    this.actor.start();
  }

  // ------------------------------------------------------------------ starting and stopping

  start(): Promise<void> {
    this.#wasStarted = true;
    this.#starting ??= deferred<void>();
    const { promise } = this.#starting;
    this.actor.send({ type: 'server.start' });
    return promise;
  }

  stop(request: StopRequest): Promise<StopReport> {
    return this.#stopping.stop(request);
  }

  addresses(): Address[] {
    return this.isStopping ? [] : this.#listening.addresses();
  }

  renewTls(changes: ServerTlsOptions): boolean {
    return this.#listening.renewTls(changes);
  }

  get isStopping(): boolean {
    return this.state === 'draining';
  }

  // ------------------------------------------------------------------ what the machine asks for

  listen(): void {
    this.#listening.open();
    this.ticker.start();
  }

  closeListener(): void {
    this.#listening.close();
  }

  closeConnections(code: number, reason: string): void {
    this.#stopping.closeConnections(code, reason);
  }

  terminateConnections(): void {
    this.#stopping.terminateConnections();
  }

  endLatecomers(): void {
    this.#stopping.endLatecomers();
  }

  connectionEnded(): void {
    this.#stopping.tellProgress();
  }

  connectionBroke(_error: unknown): void {
    // The session has reported the error, where it could; this is the record that its actor has ended.
    this.#stopping.tellProgress();
  }

  settleStart(): void {
    this.#starting?.settle();
  }

  rejectStart(error = new Error(STOPPED_EARLY)): void {
    this.#starting?.settle(error);
    this.#starting = undefined;
    this.#startsAfterStop = false;
  }

  startAfterStop(): void {
    this.#startsAfterStop = true;
  }

  settleStop(): void {
    this.#stopping.settle();
    if (!this.#startsAfterStop) return;
    this.#startsAfterStop = false;
    this.actor.send({ type: 'server.start' });
  }

  announce(state: ServerState, error?: Error): void {
    const from = this.state;
    this.state = state;
    this.recipient.changed(from, state, error);
    if (state === 'stopped' || state === 'failed') this.ticker.stop();
  }

  /** In every state the machine answers a connection's end with `connectionEnded`. Without a detour by XState it costs nothing. */
  #hearOfEnd(event: AnyEventObject): void {
    if (event.type === 'xstate.done.actor.connection' && !this.inspected) this.connectionEnded();
    else this.actor.send(event as ServerEvent);
  }

  // ------------------------------------------------------------------ what the port tells

  get accepts(): boolean {
    return this.actor.getSnapshot().hasTag('accepting');
  }

  readonly accept = (transport: Transport, refusal?: Fault): void => {
    this.#admission.accept(transport, refusal);
  };

  takeOver(transport: Transport, handover: Handover): void {
    if (this.accepts) this.#admission.accept(transport, undefined, handover);
    else this.#turnAway(transport, handover);
  }

  #turnAway(transport: Transport, handover: Handover): void {
    const { clock, closeDeadline: ms } = this.settings;
    const why = whyNot(this.recipient, handover, this.#wasStarted ? this.state : 'new');
    turnAway(transport, handover, why, { clock, ms });
    this.#counters.lost(undefined);
    this.recipient.lost(why, transport.remoteAddress);
  }

  handshakeLost(failure: TlsHandshakeFailure): void {
    this.#counters.lost(failure.limit);
    const { message, remoteAddress, cause } = failure;
    this.recipient.lost(fault('tlsHandshake', { message }), remoteAddress, (cause as Error) ?? failure);
  }

  portClosed(): void {
    this.actor.send({ type: 'listener.closed', connections: this.sessions.size });
  }

  // ------------------------------------------------------------------ what connections ask for

  recipientOf(session: Session): Recipient {
    return this.recipient.recipientOf(session);
  }

  lendDecoder(): FrameDecoder {
    return this.#decoders.pop() ?? new FrameDecoder(this.settings);
  }

  takeBack(decoder: FrameDecoder): void {
    decoder.recycle();
    this.#decoders.push(decoder);
  }

  compress(settings: DeflateSettings, terms: DeflateTerms): PerMessageDeflate {
    let deflate = this.#deflates.get(settings);
    if (deflate === undefined) {
      deflate = new Deflate(settings, this.settings, this.budget, zlibOfThisRuntime());
      this.#deflates.set(settings, deflate);
    }
    return new PerMessageDeflate(deflate, terms);
  }

  full(session: Session): Fault | undefined {
    return this.#admission.full(session);
  }

  deciding(session: Session): void {
    this.#admission.deciding(session);
  }

  handshaken(session: Session): void {
    this.#admission.handshaken(session);
  }

  opened(session: Session): void {
    this.#admission.opened(session);
  }

  closed(session: Session): void {
    this.#admission.left(session);
    this.#stopping.left(session);
  }

  moved(from: ConnectionState, to: ConnectionState): void {
    this.#counters.moved(from, to);
  }

  breached(limit: string): void {
    this.#counters.breached(limit);
  }

  get handlerWarning(): number {
    return this.settings.handlerWarning;
  }

  handlerBegan(): number {
    return this.#stopping.handlerBegan();
  }

  handlerEnded(began: number): void {
    this.#stopping.handlerEnded(began);
  }

  // ------------------------------------------------------------------ being seen

  stats(): ServerStats {
    return this.#counters.stats(this.state, this.sessions, this.#listening.acceptErrors.counts);
  }

  /** What an inspector shows in place of this port. */
  toJSON() {
    return { state: this.state, connections: this.sessions.size };
  }
}
