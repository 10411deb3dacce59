/**
 * The inside of a server: the machine that starts and stops it, and its parts, wired together. It is the port of that
 * machine and the host of every connection; what they ask for is done by the part whose subject it is.
 */
import { type Actor, createActor, type InspectionEvent } from 'xstate';
import type { Connection } from '../api/connection/connection.ts';
import {
  Inspection,
  type ServerStats,
  serverChannels,
  type Watchable,
} from '../api/inspection/inspection.ts';
import { readOptions, type ServerOptions, type Settings } from '../api/options/options.ts';
import type { Handlers } from '../api/paths/handlers.ts';
import { Path, Streams } from '../api/paths/path.ts';
import { type Match, Router } from '../api/paths/router.ts';
import type { Session } from '../connection/session.ts';
import { FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { HttpResponse } from '../io/http/http-response.ts';
import { Ticker } from '../io/time/ticker.ts';
import type { Transport } from '../io/transports/transport.ts';
import { WriteTurn } from '../io/writing/write-turn.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import { serverMachine } from '../machines/server-machine.ts';
import type { ServerPort, ServerState } from '../machines/server-ports.ts';
import { AdmissionControl, type AdmissionHost } from './admission.ts';
import { Counters } from './counters.ts';
import { type Deferred, deferred } from './deferred.ts';
import { Listening, type ListeningHost } from './listening.ts';
import { type StopOptions, Stopping, type StoppingHost, type StopReport } from './stopping.ts';
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
  #starting: Deferred<void> | undefined;

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

  async start(): Promise<void> {
    // A start during a stop begins when that has ended, unless another stop is called for meanwhile.
    const stops = this.#stopping.calls;
    while (this.#stopping.underWay !== undefined) await this.#stopping.underWay;
    if (this.#stopping.calls !== stops) throw new Error(STOPPED_EARLY);
    if (this.#starting === undefined) {
      this.#starting = deferred<void>();
      this.actor.send({ type: 'server.start' });
    }
    return this.#starting.promise;
  }

  stop(options: StopOptions): Promise<StopReport> {
    return this.#stopping.stop(options);
  }

  address() {
    return this.isStopping ? null : this.#listening.address();
  }

  get isStopping(): boolean {
    return this.#stopping.underWay !== undefined;
  }

  // ------------------------------------------------------------------ what the machine asks for

  listen(): void {
    this.#listening.open();
    this.ticker.start();
  }

  closeListener(): void {
    this.#stopping.closeListener();
  }

  closeConnections(code: number, reason: string): void {
    this.#stopping.closeConnections(code, reason);
  }

  terminateConnections(): void {
    this.#stopping.terminateConnections();
  }

  connectionEnded(): void {
    this.#stopping.checkGone();
  }

  connectionBroke(_error: unknown): void {
    // The session has reported it, where it could; this is the record that its actor has ended.
    this.#stopping.checkGone();
  }

  announce(state: ServerState, error?: Error): void {
    const from = this.state;
    this.state = state;
    if (serverChannels[state].hasSubscribers) {
      const at = this.settings.clock.epochMs();
      const change = { server: this.#face, from, to: state, at };
      serverChannels[state].publish(error === undefined ? change : { ...change, error });
    }
    if (state === 'listening') this.#starting?.settle();
    if (state === 'failed') {
      const failure = error ?? new Error('the server failed');
      this.#listening.lost();
      this.ticker.stop();
      this.#starting?.settle(failure);
      this.#starting = undefined;
      this.#stopping.settle();
    }
    if (state === 'stopped') {
      this.ticker.stop();
      this.#starting?.settle(new Error(STOPPED_EARLY));
      this.#starting = undefined;
      this.#stopping.settle();
    }
  }

  // ------------------------------------------------------------------ what the port tells

  get accepts(): boolean {
    return this.state === 'listening' || (this.state === 'draining' && this.#listening.isOpen);
  }

  accept(transport: Transport): void {
    this.#admission.accept(transport);
  }

  portClosed(): void {
    this.#stopping.checkGone();
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
