/**
 * A server: options, paths, the machine that starts and stops it, and the connections below it.
 */
import type { Observable } from 'rxjs';
import { type Actor, createActor, type InspectionEvent } from 'xstate';
import { type CloseKeyword, encodeClosePayload, toCloseCode } from '../io/close-payload.ts';
import { FrameDecoder } from '../io/frame-decoder.ts';
import type { HttpResponse } from '../io/http-response.ts';
import { refusal } from '../io/http-response.ts';
import { Ticker, type Waiting } from '../io/ticker.ts';
import { HandleTcpListener } from '../io/transports/handle-tcp.ts';
import { TcpListener } from '../io/transports/tcp.ts';
import type { Listener, Transport } from '../io/transports/transport.ts';
import { WriteTurn } from '../io/write-turn.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import { serverMachine } from '../machines/server-machine.ts';
import type { ServerPort, ServerState } from '../machines/server-ports.ts';
import type { AnyCodec, Incoming, Outgoing, Typing } from './codec.ts';
import type { Connection } from './connection.ts';
import { HandshakeError, InternalError, PeerError, warn } from './errors.ts';
import type { Handlers } from './handlers.ts';
import {
  Inspection,
  type InspectionObserver,
  type ServerStats,
  serverChannels,
  type Watchable,
  watchables,
} from './inspection.ts';
import { readOptions, type ServerOptions, type Settings } from './options.ts';
import { Pacing } from './pacing.ts';
import { type Failure, type Lifecycle, Path, type Received, Streams } from './path.ts';
import { type Match, type ParamsOf, Router } from './router.ts';
import { Session } from './session.ts';

/** How a server stops. */
export interface StopOptions {
  /** Close code for the connections. Default 1001, going away. */
  readonly code?: CloseKeyword | number | undefined;
  /** At most 123 bytes of UTF-8. Default: none. */
  readonly reason?: string | undefined;
  /** Milliseconds for their closing; what is left then is destroyed. Default: the option `closeDeadline`. */
  readonly deadline?: number | undefined;
  /**
   * Connections asked to close every 50 ms, spread by ±50 %, so that their clients do not all come back at once; more
   * where half of the deadline would not suffice. 1 to Infinity, all at once. Default 500.
   */
  readonly batch?: number | undefined;
}

/** What a stop did. */
export interface StopReport {
  /** Connections that were there. */
  readonly connections: number;
  /** Of those, the ones that had to be destroyed at the deadline. */
  readonly terminated: number;
  /** Handshakes answered with 503 meanwhile. */
  readonly refused: number;
  /** Handlers that were still under way at the deadline, and are waited for no longer. */
  readonly handlers: number;
}

/** What a session needs of its server. @internal */
export interface Host {
  readonly settings: Settings;
  readonly ticker: Ticker;
  readonly turn: WriteTurn;
  readonly streams: Streams;
  readonly inspected: boolean;
  readonly match: (path: string) => Match<Path> | undefined;
  readonly actor: Actor<typeof serverMachine>;
  lendDecoder(): FrameDecoder;
  takeBack(decoder: FrameDecoder): void;
  full(session: Session): HttpResponse | undefined;
  /** The head of this one is read; `authorize` decides. */
  deciding(session: Session): void;
  /** The handshake was answered, or is over. */
  handshaken(session: Session): void;
  /** The client of this one is at another address than its socket. */
  moveTo(session: Session, remoteAddress: string): void;
  /** A limit or a deadline was passed. */
  breached(limit: string): void;
  opened(connection: Connection): void;
  closed(session: Session): void;
  moved(from: ConnectionState, to: ConnectionState): void;
  handlerPending(change: 1 | -1): void;
  unheard(error: unknown): void;
}

/** Connections over `maxConnections` that may wait for their 503 at a time; more are dropped unanswered. */
const REFUSALS_AT_A_TIME = 1024;
const STOPPED_EARLY = 'the server was stopped before it listened';
const RETRY_AFTER = { 'Retry-After': '5' };
const NOTHING_STOPPED: StopReport = Object.freeze({ connections: 0, terminated: 0, refused: 0, handlers: 0 });
/** Connections that a stop asks to close in a tick. */
const STOP_BATCH = 500;
let nextConnectionId = 1;

/**
 * A WebSocket server on a port of its own. `createServer` and `newServer` make it.
 */
export class Server {
  readonly #core: Core;

  /** @internal */
  constructor(options: ServerOptions) {
    this.#core = new Core(options, this);
    watchables.set(this, this.#core);
    for (const [pattern, handlers] of Object.entries(options.paths ?? {}))
      this.path(pattern, handlers as Handlers);
  }

  /** `stopped`, `starting`, `listening`, `draining` or `failed`. */
  get state(): ServerState {
    return this.#core.state;
  }

  /**
   * The path of a pattern: `/echo`, `/prices/:symbol`, `/files/*`, or `*`. Exact segments come before parameters, and
   * those before `*`. The first call makes it; handlers given later take the place of those of the same name.
   * With a `codec`, or `codecs` by subprotocol, messages are typed: keep what that call returns.
   * @throws OptionError for a malformed pattern, handler or codec.
   */
  path<
    Data = undefined,
    Pattern extends string = string,
    One extends AnyCodec = never,
    Many extends AnyCodec = never,
  >(
    pattern: Pattern,
    handlers: Typing<One, Many> &
      Handlers<Data, ParamsOf<Pattern>, Incoming<One | Many>, Outgoing<One | Many>> = {},
  ): Path<Data, ParamsOf<Pattern>, Incoming<One | Many>, Outgoing<One | Many>> {
    const path: unknown = this.#core.path(pattern, handlers as unknown as Handlers);
    return path as Path<Data, ParamsOf<Pattern>, Incoming<One | Many>, Outgoing<One | Many>>;
  }

  /**
   * Opens the port; resolves when it listens. While it starts or listens, it is the same promise again.
   * Rejects with the reason when the port cannot be opened; the server has `failed` then and may be started again.
   */
  start(): Promise<this> {
    return this.#core.start().then(() => this);
  }

  /**
   * Answers new handshakes with 503, closes all connections with `code`, in batches, waits for them and for handlers
   * under way up to `deadline`, and destroys what is left. The port is closed when the last of them has gone.
   * A second call while it stops is the same promise; a server that is stopped resolves at once.
   */
  stop(options: StopOptions = {}): Promise<StopReport> {
    return this.#core.stop(options);
  }

  /** Address and port; null while the server is not listening. */
  address(): { address: string; family: string; port: number } | null {
    return this.#core.address();
  }

  /** The connections that are open now. */
  get connections(): ReadonlySet<Connection> {
    return this.#core.open;
  }

  /** Each connection of each path as it opens, before its first message is read. Hot. */
  get connections$(): Observable<Connection> {
    return this.#core.streams.connections.observable;
  }

  /** Each message of each connection; on a path with a codec, what that made of it. Hot. */
  get messages$(): Observable<Received> {
    return this.#core.streams.messages.observable;
  }

  /** Each change of state of each connection. Hot. */
  get lifecycle$(): Observable<Lifecycle> {
    return this.#core.streams.lifecycle.observable;
  }

  /** All that goes wrong. Hot, and never an error itself. */
  get errors$(): Observable<Failure> {
    return this.#core.streams.errors.observable;
  }

  /** Counters since the server was made, and how many connections are in which state. Costs a look at each. */
  stats(): ServerStats {
    return this.#core.stats();
  }

  /**
   * Adds an XState inspection observer while the server runs, as the option `inspect` does from its beginning: it is
   * told of the actors that live, then of every event. Payloads are shown as their `byteLength`. Inspected servers
   * are slow: each frame is an event of its own.
   * Returns what removes it; with the last one gone the server is as fast as before.
   */
  inspect(observer: InspectionObserver): { unsubscribe(): void } {
    return { unsubscribe: this.#core.inspection.attach(observer) };
  }

  /** The XState actor that runs this server. */
  get actor(): Actor<typeof serverMachine> {
    return this.#core.actor;
  }
}

class Core implements Host, ServerPort, Watchable {
  readonly settings: Settings;
  readonly ticker: Ticker;
  readonly turn = new WriteTurn((task) => process.nextTick(task));
  readonly streams: Streams;
  readonly actor: Actor<typeof serverMachine>;
  readonly open = new Set<Connection>();
  readonly inspection: Inspection;
  state: ServerState = 'stopped';

  readonly #defaults: Handlers;
  readonly #router = new Router<Path>();
  /** Decoders that no connection is using. */
  readonly #decoders: FrameDecoder[] = [];
  readonly #paths = new Map<string, Path>();
  readonly #sessions = new Set<Session>();
  readonly #byAddress = new Map<string, number>();
  /** Handshakes whose head is being read, the oldest first, and those that `authorize` decides about. */
  readonly #heads = new Set<Session>();
  readonly #deciding = new Set<Session>();
  readonly #limits: Record<string, number> = {};
  #listener: Listener | undefined;
  #opening: Promise<void> = Promise.resolve();
  /** Settles when the last port that was closed is free. */
  #closed: Promise<void> = Promise.resolve();
  /** Calls of `stop`. */
  #stops = 0;
  #portOpen = false;
  #pendingHandlers = 0;
  #starting: { promise: Promise<void>; settle: (error?: Error) => void } | undefined;
  #stopping: { promise: Promise<StopReport>; settle: (report: StopReport) => void } | undefined;
  #stopReport = { ...NOTHING_STOPPED };
  /** How a stop closes, the first connection that is none of its own, and how many of its own are left. */
  #batch = STOP_BATCH;
  #endTick = 0;
  #pacing: Pacing<Session> | undefined;
  #firstLate = 0;
  #leaving = 0;
  /** Connections by state. */
  readonly #counts = { handshaking: 0, open: 0, fragmenting: 0, closing: 0, closed: 0 };
  readonly #totals = {
    opened: 0,
    closed: 0,
    refused: 0,
    messagesIn: 0,
    messagesOut: 0,
    dropped: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  readonly #server: Server;
  /** Statuses of refusals that were told as a warning. */
  readonly #advised = new Set<number>();

  constructor(options: ServerOptions, server: Server) {
    this.#server = server;
    this.settings = readOptions(options);
    this.#defaults = pickHandlers(options);
    this.ticker = new Ticker(this.settings.clock);
    this.streams = new Streams((error, connection) => this.#subscriberFailed(error, connection));
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
    const stops = this.#stops;
    while (this.#stopping !== undefined) await this.#stopping.promise;
    if (this.#stops !== stops) throw new Error(STOPPED_EARLY);
    if (this.#starting === undefined) {
      this.#starting = deferred<void>();
      this.actor.send({ type: 'server.start' });
    }
    return this.#starting.promise;
  }

  stop({
    code = 1001,
    reason = '',
    deadline = this.settings.closeDeadline,
    batch = STOP_BATCH,
  }: StopOptions): Promise<StopReport> {
    const number = toCloseCode(code);
    encodeClosePayload(number, reason);
    if (!(deadline >= 0))
      throw new RangeError(`deadline is ${String(deadline)}; allowed are 0 or more milliseconds`);
    if (!(batch >= 1)) throw new RangeError(`batch is ${String(batch)}; allowed are 1 or more connections`);
    this.#stops++;
    if (this.#stopping !== undefined) return this.#stopping.promise;
    if (this.state === 'stopped') return Promise.resolve(NOTHING_STOPPED);
    if (this.state === 'failed') {
      this.actor.send({ type: 'server.stop', code: number, reason });
      return Promise.resolve(NOTHING_STOPPED);
    }
    const stopping = deferred<StopReport>();
    this.#stopping = stopping;
    this.#leaving = this.#sessions.size;
    this.#firstLate = nextConnectionId;
    this.#stopReport = { ...NOTHING_STOPPED, connections: this.#leaving };
    this.#batch = batch;
    this.#endTick = this.ticker.tick + Math.floor(Ticker.ticks(deadline) / 2);
    this.#armDrain(deadline);
    this.actor.send({ type: 'server.stop', code: number, reason });
    return stopping.promise;
  }

  address() {
    return this.#stopping === undefined ? (this.#listener?.address() ?? null) : null;
  }

  listen(): void {
    const { listener, port, host, tcp } = this.settings;
    const Tcp = tcp === 'handle' ? HandleTcpListener : TcpListener;
    const opened = listener ?? new Tcp({ port, host });
    this.#listener = opened;
    this.#portOpen = true;
    this.ticker.start();
    // Behind the closing of the port that was lost, if there was one.
    this.#opening = this.#closed.then(() =>
      opened.listen(
        (transport) => this.#accept(transport),
        (error) => this.#listenerErred(error),
      ),
    );
    this.#opening.then(
      () => this.actor.send({ type: 'listener.ready' }),
      (error: Error) => this.actor.send({ type: 'listener.failed', error: explain(error, port) }),
    );
  }

  /** A failed accept is one connection's; a listener that has no address any more is lost. */
  #listenerErred(error: Error): void {
    this.#report(error);
    if (this.#listener?.address() === null) this.actor.send({ type: 'listener.failed', error });
  }

  closeListener(): void {
    // While connections leave, those who come are told so with a 503; a port that is lost tells nobody anything.
    if (this.#stopping === undefined || this.#leaving === 0) this.#closePort();
  }

  #closePort(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listener = undefined;
    const closed = () => {
      if (this.#listener === undefined) this.#portOpen = false;
      this.#checkGone();
    };
    // A port that is being opened can be closed when it is open.
    this.#closed = this.#opening.then(() => listener.close()).then(closed, closed);
  }

  closeConnections(code: number, reason: string): void {
    const close = (session: Session): boolean => {
      if (session.report !== undefined) return false;
      session.requestClose(code, reason);
      return true;
    };
    const isOpen = ({ state }: Session) => state !== 'handshaking';
    const sessions = [...this.#sessions];
    for (const session of sessions) if (!isOpen(session)) close(session);
    const { ticker, settings } = this;
    const pace = { batch: this.#batch, endTick: this.#endTick, items: sessions.filter(isOpen) };
    this.#pacing = new Pacing({ ticker, clock: settings.clock }, pace, close);
    this.#pacing.start();
  }

  terminateConnections(): void {
    this.#pacing?.stop();
    this.#closePort();
    this.#stopReport.terminated = this.#leaving;
    this.#stopReport.handlers = this.#pendingHandlers;
    this.#pendingHandlers = 0;
    for (const session of [...this.#sessions]) session.requestTerminate();
    this.#checkGone();
  }

  connectionEnded(): void {
    this.#checkGone();
  }

  connectionBroke(error: unknown): void {
    // The session has reported it, where it could; this is the record that XState ended an actor.
    this.#checkGone();
    if (this.settings.debugOnError) throw error;
  }

  announce(state: ServerState, error?: Error): void {
    const from = this.state;
    this.state = state;
    if (serverChannels[state].hasSubscribers) {
      const at = this.settings.clock.epochMs();
      const change = { server: this.#server, from, to: state, at };
      serverChannels[state].publish(error === undefined ? change : { ...change, error });
    }
    if (state === 'listening') this.#starting?.settle();
    if (state === 'failed') {
      const failure = error ?? new Error('the server failed');
      this.#listener = undefined;
      this.#portOpen = false;
      this.ticker.stop();
      this.#starting?.settle(failure);
      this.#starting = undefined;
      this.#settleStop();
    }
    if (state === 'stopped') {
      this.ticker.stop();
      this.#starting?.settle(new Error(STOPPED_EARLY));
      this.#starting = undefined;
      this.#settleStop();
    }
  }

  #settleStop(): void {
    const stopping = this.#stopping;
    this.#stopping = undefined;
    stopping?.settle(this.#stopReport);
  }

  #checkGone(): void {
    if (this.state !== 'draining' || this.#leaving > 0 || this.#pendingHandlers > 0) return;
    this.#closePort();
    // Who came meanwhile is told so, and not waited for.
    for (const session of [...this.#sessions]) {
      session.requestClose(1001, '');
      session.requestTerminate();
    }
    if (this.#portOpen || this.#sessions.size > 0) return;
    this.actor.send({ type: 'connections.gone' });
  }

  #armDrain(deadline: number): void {
    const { ticker, actor } = this;
    const drain: Waiting = { dueTick: -1, onDue: () => actor.send({ type: 'timeout.drain' }) };
    ticker.wait(drain, ticker.tick + Ticker.ticks(deadline));
    this.#stopping?.promise.then(() => ticker.forget(drain));
  }

  // ------------------------------------------------------------------ connections

  #accept(transport: Transport): void {
    const most = this.settings.maxConnections + REFUSALS_AT_A_TIME;
    const isOpen = this.state === 'listening' || (this.state === 'draining' && this.#listener !== undefined);
    if (!isOpen || this.#sessions.size >= most) {
      if (isOpen) this.breached('maxConnections');
      transport.destroy();
      return;
    }
    const { handshaking } = this.#counts;
    let session: Session;
    this.#counts.handshaking++;
    try {
      session = new Session(this, transport, nextConnectionId++);
    } catch (error) {
      // A transport of the user's own may throw where none should.
      this.#counts.handshaking = handshaking;
      this.#report(new InternalError(error));
      return;
    }
    this.#sessions.add(session);
    this.#heads.add(session);
    if (this.#countsAddresses) this.#countAddress(session.remoteAddress, 1);
    if (this.#heads.size + this.#deciding.size > this.settings.maxHandshakes) this.#crowdOut();
  }

  /**
   * Too many handshakes: the one that has been sending its head for the longest time makes room. Who shakes hands in
   * earnest is done soon, so under a flood of slow ones newcomers still come through.
   */
  #crowdOut(): void {
    this.breached('maxHandshakes');
    const [oldest] = this.#heads;
    if (oldest === undefined) return;
    const { maxHandshakes } = this.settings;
    const text = `The server has its ${maxHandshakes} handshakes under way (maxHandshakes).`;
    oldest.crowdOut(refusal(503, text, RETRY_AFTER));
    const answered = this.#counts.handshaking - this.#heads.size - this.#deciding.size;
    if (answered > REFUSALS_AT_A_TIME) oldest.requestTerminate();
  }

  deciding(session: Session): void {
    this.#heads.delete(session);
    this.#deciding.add(session);
  }

  handshaken(session: Session): void {
    if (!this.#heads.delete(session)) this.#deciding.delete(session);
  }

  moveTo(session: Session, remoteAddress: string): void {
    if (this.#countsAddresses) this.#countAddress(session.remoteAddress, -1);
    session.remoteAddress = remoteAddress;
    if (this.#countsAddresses) this.#countAddress(remoteAddress, 1);
  }

  get #countsAddresses(): boolean {
    return this.settings.maxConnectionsPerAddress !== Number.POSITIVE_INFINITY;
  }

  #countAddress(address: string, change: 1 | -1): void {
    const count = (this.#byAddress.get(address) ?? 0) + change;
    if (count > 0) this.#byAddress.set(address, count);
    else this.#byAddress.delete(address);
  }

  breached(limit: string): void {
    this.#limits[limit] = (this.#limits[limit] ?? 0) + 1;
  }

  lendDecoder(): FrameDecoder {
    return this.#decoders.pop() ?? new FrameDecoder(this.settings);
  }

  takeBack(decoder: FrameDecoder): void {
    decoder.recycle();
    this.#decoders.push(decoder);
  }

  full(session: Session): HttpResponse | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.settings;
    if (this.#stopping !== undefined) return refusal(503, 'The server is stopping.', RETRY_AFTER);
    if (this.open.size >= maxConnections) {
      this.breached('maxConnections');
      return refusal(503, `The server has its ${maxConnections} connections (maxConnections).`, RETRY_AFTER);
    }
    if ((this.#byAddress.get(session.remoteAddress) ?? 0) > maxConnectionsPerAddress) {
      this.breached('maxConnectionsPerAddress');
      const limit = `${maxConnectionsPerAddress} connections (maxConnectionsPerAddress)`;
      return refusal(503, `Your address has its ${limit}.`, RETRY_AFTER);
    }
    return undefined;
  }

  opened(connection: Connection): void {
    this.open.add(connection);
    this.#totals.opened++;
  }

  moved(from: ConnectionState, to: ConnectionState): void {
    this.#counts[from]--;
    this.#counts[to]++;
  }

  closed(session: Session): void {
    this.#sessions.delete(session);
    if (this.open.delete(session.connection)) this.#totals.closed++;
    else this.#totals.refused++;
    if (this.#stopping !== undefined) {
      if (session.id < this.#firstLate) this.#leaving--;
      if (session.accepted === undefined) this.#stopReport.refused++;
    }
    this.#totals.messagesIn += session.reading.messages;
    this.#totals.messagesOut += session.outbox.messages;
    this.#totals.dropped += session.outbox.dropped;
    this.#totals.bytesIn += session.reading.bytes;
    this.#totals.bytesOut += session.outbox.bytes;
    if (this.#countsAddresses) this.#countAddress(session.remoteAddress, -1);
  }

  handlerPending(change: 1 | -1): void {
    this.#pendingHandlers = Math.max(0, this.#pendingHandlers + change);
    if (change < 0) this.#checkGone();
  }

  // ------------------------------------------------------------------ being seen

  get inspected(): boolean {
    return this.inspection.active;
  }

  get sessions(): ReadonlySet<Session> {
    return this.#sessions;
  }

  stats(): ServerStats {
    const { handshaking, open, fragmenting, closing } = this.#counts;
    const stats = { ...this.#totals, buffered: 0 };
    for (const { reading, outbox } of this.#sessions) {
      stats.dropped += outbox.dropped;
      stats.messagesIn += reading.messages;
      stats.messagesOut += outbox.messages;
      stats.bytesIn += reading.bytes;
      stats.bytesOut += outbox.bytes;
      stats.buffered += outbox.bufferedAmount;
    }
    return {
      state: this.state,
      connections: { handshaking, open, fragmenting, closing },
      ...stats,
      limits: { ...this.#limits },
    };
  }

  listenIn(hear: (event: InspectionEvent) => void): () => void {
    const { system } = this.actor;
    const subscription = system.inspect(hear);
    return () => subscription.unsubscribe();
  }

  *actors(): Iterable<InspectionEvent> {
    const rootId = this.actor.sessionId;
    yield { type: '@xstate.actor', actorRef: this.actor, rootId };
    for (const { actor } of this.#sessions) yield { type: '@xstate.actor', actorRef: actor, rootId };
  }

  observerFailed(error: unknown): void {
    this.unheard(error);
  }

  /** What stands for this port where an inspector writes out the machine's context. */
  toJSON() {
    return { state: this.state, connections: this.#sessions.size };
  }

  #subscriberFailed(error: unknown, connection: Connection | undefined): void {
    for (const session of this.#sessions) {
      if (session.connection !== connection) continue;
      session.delivery.failed(error);
      return;
    }
    this.#report(error);
  }

  #report(error: unknown): void {
    if (this.streams.errors.observed) this.streams.errors.next({ connection: undefined, error });
    else this.unheard(error);
  }

  /** Nobody listens to errors: this program's own faults are not swallowed, the peers' are. */
  unheard(error: unknown): void {
    if (error instanceof HandshakeError && error.advice !== undefined) this.#advise(error);
    if (error instanceof PeerError) return;
    warn(error);
  }

  /** A refusal that a first user is likely to meet: said once for each status, since strangers can cause it too. */
  #advise(error: HandshakeError): void {
    if (this.#advised.has(error.status)) return;
    this.#advised.add(error.status);
    const text = `a handshake was refused with ${error.status}: ${error.message} (Said once; errors$ tells of each.)`;
    process.emitWarning(text, 'PortalWarning');
  }
}

function pickHandlers(options: ServerOptions): Handlers {
  const { onOpen, onMessage, onClose, onError, onFragment, authorize, subprotocols } = options;
  return { onOpen, onMessage, onClose, onError, onFragment, authorize, subprotocols };
}

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  const settle = (outcome?: T | Error) => {
    if (outcome instanceof Error) reject(outcome);
    else resolve(outcome as T);
  };
  return { promise, settle };
}

/** Says what to do about a port that cannot be opened. */
function explain(error: Error, port: number): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    error.message = `port ${port} is in use; stop what listens there or choose another port`;
  if (code === 'EACCES')
    error.message = `port ${port} needs more rights than this process has; choose one above 1023`;
  return error;
}
