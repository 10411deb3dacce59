/**
 * The inside of a server: the machine that starts and stops it, and its parts, wired together. It is the port of that
 * machine and the host of every connection; what they ask for is done by the part whose subject it is.
 */
import { type Actor, createActor, type InspectionEvent } from 'xstate';
import { FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { HttpResponse } from '../io/http/http-response.ts';
import { Ticker } from '../io/time/ticker.ts';
import type { Transport } from '../io/transports/transport.ts';
import { WriteTurn } from '../io/writing/write-turn.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import { serverMachine } from '../machines/server-machine.ts';
import type { ServerPort, ServerState } from '../machines/server-ports.ts';
import { AdmissionControl, type AdmissionHost } from './admission.ts';
import type { Connection } from '../api/connection/connection.ts';
import { Counters } from './counters.ts';
import { type Deferred, deferred } from './deferred.ts';
import type { Handlers } from '../api/paths/handlers.ts';
import { Inspection, type ServerStats, serverChannels, type Watchable } from '../api/inspection/inspection.ts';
import { Listening, type ListeningHost } from './listening.ts';
import { readOptions, type ServerOptions, type Settings } from '../api/options/options.ts';
import type { StopRequest } from '../api/options/stop-options.ts';
import { Path, Streams } from '../api/paths/path.ts';
import { type Match, Router } from '../api/paths/router.ts';
import type { Session } from '../connection/session.ts';
import { Stopping, type StoppingHost, type StopReport } from './stopping.ts';
import { Unheard } from './unheard.ts';

const STOPPED_EARLY = 'the server was stopped before it listened';

export class Core implements ServerPort, AdmissionHost, ListeningHost, StoppingHost, Watchable {
  readonly settings: Settings;
  readonly ticker: Ticker;
  readonly turn = new WriteTurn((task) => process.nextTick(task));
  readonly streams: Streams;
  readonly actor: Actor<typeof serverMachine>;
  readonly sessions: ReadonlySet<Session>;
  readonly open: ReadonlySet<Connection>;
  readonly inspection: Inspection;
  state: ServerState = 'stopped';

  /** The server as its user has it. */
  readonly #face: object;
  readonly #defaults: Handlers;
  readonly #router = new Router<Path>();
  readonly #paths = new Map<string, Path>();
  /** Decoders that no connection is using. */
  readonly #decoders: FrameDecoder[] = [];
  readonly #counters = new Counters();
  readonly #unheard = new Unheard();
  readonly #admission: AdmissionControl;
  readonly #listening: Listening;
  readonly #stopping: Stopping;
  /** What `start()` answers, until a stop or a failure makes it void. */
  #starting: Deferred<void> | undefined;
  #startsAfterStop = false;

  constructor(options: ServerOptions, face: object) {
    this.#face = face;
    this.settings = readOptions(options);
    this.#defaults = pickHandlers(options);
    this.ticker = new Ticker(this.settings.clock);
    this.streams = new Streams((error, connection) => this.#subscriberFailed(error, connection));
    this.#admission = new AdmissionControl(this, this.#counters);
    this.sessions = this.#admission.sessions;
    this.open = this.#admission.open;
    this.#listening = new Listening(this);
    this.#stopping = new Stopping(this, this.#admission, this.#listening);
    const { inspect } = this.settings;
    this.inspection = new Inspection(this);
    if (inspect !== undefined) this.inspection.begin(inspect);
    this.actor = createActor(serverMachine, {
      input: { port: this },
      id: 'server',
      ...(inspect === undefined ? {} : { inspect: this.inspection.hear }),
    });
    this.actor.start();
  }

  path(pattern: string, handlers: Handlers): Path {
    let path = this.#paths.get(pattern);
    if (path === undefined) {
      const streams = new Streams((error, connection) => this.#subscriberFailed(error, connection));
      path = new Path(pattern, this.#defaults, streams).handle(handlers);
      this.#router.add(pattern, path);
      this.#paths.set(pattern, path);
      return path;
    }
    return path.handle(handlers);
  }

  readonly match = (path: string): Match<Path> | undefined => this.#router.match(path);

  // ------------------------------------------------------------------ starting and stopping

  start(): Promise<void> {
    this.#starting ??= deferred<void>();
    const { promise } = this.#starting;
    this.actor.send({ type: 'server.start' });
    return promise;
  }

  stop(request: StopRequest): Promise<StopReport> {
    return this.#stopping.stop(request);
  }

  address() {
    return this.isStopping ? null : this.#listening.address();
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
    if (serverChannels[state].hasSubscribers) {
      const at = this.settings.clock.epochMs();
      const change = { server: this.#face, from, to: state, at };
      serverChannels[state].publish(error === undefined ? change : { ...change, error });
    }
    if (state === 'stopped' || state === 'failed') this.ticker.stop();
  }

  // ------------------------------------------------------------------ what the port tells

  get accepts(): boolean {
    return this.actor.getSnapshot().hasTag('accepting');
  }

  accept(transport: Transport): void {
    this.#admission.accept(transport);
  }

  portClosed(): void {
    this.actor.send({ type: 'listener.closed', connections: this.sessions.size });
  }

  // ------------------------------------------------------------------ what connections ask for

  get inspected(): boolean {
    return this.inspection.active;
  }

  lendDecoder(): FrameDecoder {
    return this.#decoders.pop() ?? new FrameDecoder(this.settings);
  }

  takeBack(decoder: FrameDecoder): void {
    decoder.recycle();
    this.#decoders.push(decoder);
  }

  full(session: Session): HttpResponse | undefined {
    return this.#admission.full(session);
  }

  deciding(session: Session): void {
    this.#admission.deciding(session);
  }

  handshaken(session: Session): void {
    this.#admission.handshaken(session);
  }

  moveTo(session: Session, remoteAddress: string): void {
    this.#admission.moveTo(session, remoteAddress);
  }

  opened(connection: Connection): void {
    this.#admission.opened(connection);
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

  handlerBegan(): number {
    return this.#stopping.handlerBegan();
  }

  handlerEnded(began: number): void {
    this.#stopping.handlerEnded(began);
  }

  // ------------------------------------------------------------------ what goes wrong

  #subscriberFailed(error: unknown, connection: Connection | undefined): void {
    for (const session of this.sessions) {
      if (session.connection !== connection) continue;
      session.delivery.failed(error);
      return;
    }
    this.report(error);
  }

  /** An error that is no connection's. */
  report(error: unknown): void {
    if (this.streams.errors.observed) this.streams.errors.next({ connection: undefined, error });
    else this.unheard(error);
  }

  unheard(error: unknown): void {
    this.#unheard.tell(error);
  }

  // ------------------------------------------------------------------ being seen

  stats(): ServerStats {
    return this.#counters.stats(this.state, this.sessions);
  }

  listenIn(hear: (event: InspectionEvent) => void): () => void {
    const { system } = this.actor;
    const subscription = system.inspect(hear);
    return () => subscription.unsubscribe();
  }

  *actors(): Iterable<InspectionEvent> {
    const rootId = this.actor.sessionId;
    yield { type: '@xstate.actor', actorRef: this.actor, rootId };
    for (const { actor } of this.sessions) yield { type: '@xstate.actor', actorRef: actor, rootId };
  }

  observerFailed(error: unknown): void {
    this.unheard(error);
  }

  /** What stands for this port where an inspector writes out the machine's context. */
  toJSON() {
    return { state: this.state, connections: this.sessions.size };
  }
}

function pickHandlers(options: ServerOptions): Handlers {
  const { onOpen, onMessage, onClose, onError, onFragment, authorize, subprotocols } = options;
  return { onOpen, onMessage, onClose, onError, onFragment, authorize, subprotocols };
}
