/**
 * One connection's port in production: it does what the machine's actions say, and tells the machine what happens.
 *
 * Everything of a connection meets here: the transport below, the machine that decides, the handshake, the
 * outbox and the deadlines; `reading` turns chunks into frames, and `delivery` tells the user what they brought.
 */

import { Connection } from '../api/connection/connection.ts';
import { succeed } from '../api/connection/connection-actor.ts';
import { type ConnectionStreams, Delivery } from '../api/connection/delivery.ts';
import { ConnectionLostError, HandshakeError, InternalError, LimitError } from '../api/errors.ts';
import { type ConnectionStats, connectionChannels } from '../api/inspection/inspection.ts';
import type { Path } from '../api/paths/path.ts';
import { encodeClosePayload, isWireCloseCode, NO_STATUS } from '../io/frames/close-payload.ts';
import { PING, PONG } from '../io/frames/frame-encoder.ts';
import { encodeHttpResponse, type HttpResponse } from '../io/http/http-response.ts';
import { TICK_MS } from '../io/time/ticker.ts';
import type { Transport, TransportListener } from '../io/transports/transport.ts';
import { Outbox, type OutboxOwner } from '../io/writing/outbox.ts';
import type { ConnectionActor } from '../machines/connection-machine.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionPort,
  ConnectionState,
} from '../machines/connection-ports.ts';
import { Interpreter } from '../machines/interpreter.ts';
import { Deadlines, type Timed } from './deadlines.ts';
import { type Accepted, type Admission, Handshaking, isThenable, type Outcome } from './handshaking.ts';
import type { Host } from './host.ts';
import { type Holder, processBudget } from './memory-budget.ts';
import { Rates } from './rate-limit.ts';
import { Reading } from './reading.ts';

const NOTHING = new Uint8Array(0);
const BROKEN: HttpResponse = { status: 500, body: 'The server could not decide.\n' };

export class Session implements ConnectionPort, TransportListener, OutboxOwner, Timed, Holder, Admission {
  readonly id: number;
  /** What runs it, or hands on to its actor. */
  readonly machine: Interpreter;
  readonly connection: Connection;
  /** Of the socket; of the client behind a named proxy once the head is read. */
  remoteAddress: string;
  readonly outbox: Outbox;
  readonly reading: Reading;
  readonly delivery: Delivery;
  state: ConnectionState = 'handshaking';
  accepted: Accepted | undefined;
  path: Path | undefined;
  report: CloseReport | undefined;
  /** Round-trip time of the last heartbeat in milliseconds. */
  rtt: number | undefined;
  countedBytes = 0;
  /** Settles when the last message begun by `sendFragments` is out. */
  fragmentsTurn: Promise<void> | undefined;

  readonly #host: Host;
  readonly #transport: Transport;
  readonly #deadlines: Deadlines;
  #actor: ConnectionActor | undefined;
  #handshaking: Handshaking | undefined;
  #closeRequested = false;
  #drainWaiters: (() => void)[] | undefined;
  readonly #bornTick: number;
  #pingNumber = 0;
  #pingMs = 0;

  constructor(host: Host, transport: Transport, id: number) {
    this.id = id;
    this.#host = host;
    this.#bornTick = host.ticker.tick;
    this.#transport = transport;
    this.remoteAddress = transport.remoteAddress;
    this.outbox = new Outbox(transport, host.settings, host.turn, this);
    this.#handshaking = new Handshaking(host.settings, host.match, this.remoteAddress);
    this.reading = new Reading(this, host, transport);
    this.delivery = new Delivery(this, host);
    this.connection = new Connection(this);
    this.machine = new Interpreter(this, host.actor);
    if (host.inspected) this.#actor = succeed(this.machine, host.actor);
    this.#deadlines = new Deadlines(host.ticker, host.settings, this);
  }

  /** Bytes may come from here on. */
  attach(): void {
    this.#transport.attach(this);
  }

  /** XState's actor of this connection; made at the first call, and from then on it runs the connection. */
  get actor(): ConnectionActor {
    this.#actor ??= succeed(this.machine, this.#host.actor);
    return this.#actor;
  }

  get inspected(): boolean {
    return this.#host.inspected;
  }

  // ------------------------------------------------------------------ what the transport tells

  onBytes(chunk: Uint8Array, shared: boolean): void {
    const { turn, ticker } = this.#host;
    const { reading } = this;
    this.#deadlines.lastByteTick = ticker.tick;
    if (!reading.count(chunk.length)) return;
    turn.begin();
    this.machine.send({ type: 'socket.bytes', chunk, shared });
    reading.rest(shared);
    turn.end();
  }

  onDrain(): void {
    this.outbox.onDrain();
    this.#deadlines.writing(this.outbox.waiting);
    this.countMemory();
  }

  onEnd(): void {
    this.tell({ type: 'socket.end' });
  }

  onError(error: Error): void {
    if (this.state === 'open' || this.state === 'fragmenting') {
      this.delivery.report(new ConnectionLostError(error.message, { cause: error }));
    }
    this.tell({ type: 'socket.error', error });
  }

  onClosed(): void {
    this.tell({ type: 'socket.closed' });
  }

  onAged(): void {
    this.#host.breached('maxAge');
    this.requestClose(1001, 'connection reached its age limit');
  }

  onTimeout(event: Extract<ConnectionEvent, { type: `timeout.${string}` }>): void {
    if (event.type === 'timeout.message') {
      this.delivery.report(new LimitError('messageDeadline', 1008, 'a fragmented message took too long'));
    } else if (event.type === 'timeout.pong') {
      this.#host.breached('pongDeadline');
      this.delivery.report(new ConnectionLostError('no sign of life within pongDeadline after a ping'));
    } else if (event.type === 'timeout.write' && this.state !== 'closing') {
      this.#host.breached('writeDeadline');
      this.delivery.report(new ConnectionLostError('the peer accepted nothing within writeDeadline'));
    } else if (event.type === 'timeout.handshake') {
      this.#host.breached('handshakeDeadline');
      this.delivery.report(new HandshakeError(408, 'handshakeDeadline passed'));
    } else if (event.type === 'timeout.close') {
      this.#host.breached('closeDeadline');
    }
    this.tell(event);
  }

  /** Sends an event to the machine; an ended one hears nothing. */
  tell(event: ConnectionEvent): void {
    if (this.report === undefined) this.machine.send(event);
  }

  /** An event that must come before the next frame. */
  command(event: ConnectionEvent): void {
    this.reading.commanded();
    this.reading.goOn(() => this.tell(event));
  }

  // ------------------------------------------------------------------ handshake

  readHead(chunk: Uint8Array, shared: boolean): void {
    const handshaking = this.#handshaking as Handshaking; // lives while the state is handshaking
    const outcome = handshaking.push(chunk, this);
    if (outcome === undefined) return;
    if (handshaking.rest.length > 0) {
      this.reading.decoder.push(shared ? handshaking.rest.slice() : handshaking.rest);
    }
    if (!isThenable(outcome)) {
      this.#settleHandshake(outcome);
      return;
    }
    this.#host.deciding(this);
    this.machine.send({ type: 'handshake.pending' });
    outcome.then((settled) => {
      // A verdict that comes too late, behind a 408, a 503 or the peer's end, is void.
      if (this.#handshaking !== handshaking) return;
      const full = settled.kind === 'accepted' ? this.#host.full(this) : undefined;
      this.#settleHandshake(full === undefined ? settled : { kind: 'refused', response: full });
    });
  }

  #settleHandshake(outcome: Outcome): void {
    if (outcome.kind === 'accepted') {
      this.accepted = outcome;
      this.path = outcome.path;
      this.delivery.codec = outcome.path.codecs?.for(outcome.subprotocol);
      this.tell({ type: 'handshake.accepted' });
      return;
    }
    const { response, cause, path, advice } = outcome;
    if (cause !== undefined) {
      this.delivery.stopToDebug(cause);
      this.delivery.report(cause, path);
    } else if (response.status >= 400) {
      const why = typeof response.body === 'string' ? response.body.trim() : `status ${response.status}`;
      this.delivery.report(new HandshakeError(response.status, why, advice));
    }
    this.tell({ type: 'handshake.refused', response });
  }

  admit(remoteAddress: string): HttpResponse | undefined {
    if (remoteAddress !== this.remoteAddress) this.#host.moveTo(this, remoteAddress);
    return this.#host.full(this);
  }

  /** There is no room for this handshake any more. */
  crowdOut(response: HttpResponse): void {
    this.#settleHandshake({ kind: 'refused', response });
  }

  holdBytes(chunk: Uint8Array, shared: boolean): void {
    const handshaking = this.#handshaking as Handshaking; // lives while a callback decides
    this.reading.decoder.append(shared ? chunk.slice() : chunk);
    // Reading goes on for a while, so that a peer that hangs up is noticed.
    handshaking.earlyBytes += chunk.length;
    if (handshaking.earlyBytes > this.#host.settings.maxHeadBytes) this.reading.pauseTransport();
  }

  acceptHandshake(): void {
    const accepted = this.accepted as Accepted; // set before handshake.accepted is sent
    const { path } = accepted;
    this.#endHandshake();
    const { settings, ticker } = this.#host;
    this.reading.rates = Rates.of(settings, ticker);
    this.outbox.raw(accepted.answer);
    accepted.answer = NOTHING;
    path.opened(this.connection);
    this.#host.opened(this.connection);
  }

  refuseHandshake(response: HttpResponse): void {
    this.#handshaking?.abort();
    this.outbox.raw(encodeHttpResponse(response, { omitBody: this.#handshaking?.omitBody ?? false }));
    this.#endHandshake();
    this.endSocket();
    this.#deadlines.enterClosing();
  }

  #endHandshake(): void {
    if (this.#handshaking === undefined) return;
    this.#handshaking = undefined;
    this.#host.handshaken(this);
  }

  // ------------------------------------------------------------------ reading and delivering

  get held(): boolean {
    return this.reading.held;
  }

  /** Messages are still taken: the connection has neither failed nor ended. */
  get listens(): boolean {
    const { state } = this;
    if (state === 'open' || state === 'fragmenting') return true;
    return state === 'closing' && this.machine.matches({ closing: 'local' });
  }

  read(chunk: Uint8Array, _shared: boolean): void {
    this.reading.read(chunk);
  }

  readOn(by: ConnectionEvent['type']): void {
    this.reading.readOn(by);
  }

  pauseReading(): void {
    this.reading.pause();
  }

  resumeReading(): void {
    this.reading.resume();
  }

  deliver(event: ConnectionEvent): void {
    const { reading, delivery } = this;
    if (event.type === 'handshake.accepted') {
      delivery.open(this.path as Path); // set before handshake.accepted is sent
      reading.resumeTransport();
    } else if (event.type === 'fragment.begin') {
      delivery.fragment(reading.decoder);
      this.countMemory();
    } else if (event.type === 'fragment.end') {
      delivery.fragment(reading.decoder);
      if (reading.decoder.assemble) delivery.message(reading.decoder.takeMessage());
      this.countMemory();
    }
  }

  retryCallback(): void {
    this.delivery.retry();
  }

  /** Reading goes on after it was held back. */
  readsAgain(): void {
    this.#deadlines.readAgain();
  }

  answerPing(payload: Uint8Array): void {
    this.outbox.control(PONG, payload);
  }

  /** Whether a Pong answers the last heartbeat; then the round trip is noted. */
  isHeartbeat(payload: Uint8Array): boolean {
    if (payload.length !== 4 || this.#pingNumber === 0) return false;
    if (new DataView(payload.buffer, payload.byteOffset, 4).getUint32(0) !== this.#pingNumber) return false;
    this.rtt = this.#host.settings.clock.now() - this.#pingMs;
    return true;
  }

  // ------------------------------------------------------------------ what goes wrong

  /** The transport threw in a call. */
  onBroken(error: unknown): void {
    this.onError(error instanceof Error ? error : new Error(String(error)));
  }

  /** The machine or this port broke: the connection fails with 1011, the process lives. */
  broke(cause: unknown): void {
    if (this.report !== undefined) return;
    this.delivery.stopToDebug(cause);
    // Before the handshake is answered, a Close frame would be no answer.
    if (this.#handshaking !== undefined) this.outbox.raw(encodeHttpResponse(BROKEN));
    else if (this.state !== 'handshaking')
      this.outbox.close(encodeClosePayload(1011, 'internal error'), true);
    this.outbox.flush();
    this.delivery.report(new InternalError(cause));
    this.announce('closed', 'socket.error');
    this.finish({ code: 1011, reason: 'internal error', wasClean: false, initiator: 'server' });
  }

  onOverflow(): void {
    const { sendLimit } = this.#host.settings;
    const reason = 'peer reads too slowly';
    this.#closeRequested = true;
    this.delivery.report(
      new LimitError('sendLimit', 1013, `more than ${sendLimit} bytes would wait for the peer`),
    );
    this.command({ type: 'limit.breached', code: 1013, reason });
  }

  shed(): void {
    const reason = 'server is short of memory';
    this.#closeRequested = true;
    if (this.state !== 'closing') {
      this.delivery.report(new LimitError('memoryBudget', 1013, 'this connection held the most'));
    }
    this.command({ type: 'limit.breached', code: 1013, reason });
  }

  /** Counts what this connection makes the process hold. */
  countMemory(): void {
    const { waiting, bufferedAmount, queuedBytes } = this.outbox;
    const queued = waiting ? bufferedAmount : queuedBytes;
    const bytes = this.report === undefined ? this.reading.heldBytes + queued : 0;
    processBudget.count(this, bytes, this.#host.settings.memoryBudget);
  }

  // ------------------------------------------------------------------ sending and closing

  /** Whether a message may still be sent. */
  get sendable(): boolean {
    return !this.#closeRequested && (this.state === 'open' || this.state === 'fragmenting');
  }

  onWaiting(): void {
    this.#deadlines.writing(true);
    this.countMemory();
  }

  onQueued(): void {
    this.countMemory();
  }

  /** Nothing more is sent: the connection is about to fail. */
  seal(): void {
    this.#closeRequested = true;
  }

  requestClose(code: number, reason: string): void {
    this.#closeRequested = true;
    this.command({ type: 'connection.close', code, reason });
  }

  requestTerminate(): void {
    this.#closeRequested = true;
    this.command({ type: 'connection.terminate' });
  }

  requestPause(): void {
    this.command({ type: 'connection.pause' });
  }

  requestResume(): void {
    this.command({ type: 'connection.resume' });
  }

  sendHeartbeat(): void {
    this.#pingNumber = (this.#pingNumber + 1) >>> 0;
    this.#pingMs = this.#host.settings.clock.now();
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, this.#pingNumber);
    this.outbox.control(PING, payload);
    this.#deadlines.pinged();
  }

  sendClose(code: number, reason: string): void {
    this.outbox.close(encodeClosePayload(code, reason), false);
    this.reading.endPause();
  }

  answerClose(code: number): void {
    // 5.5.1: "typically echos the status code it received"; an empty Close is answered by an empty one.
    const payload = isWireCloseCode(code) ? encodeClosePayload(code) : NOTHING;
    this.outbox.close(code === NO_STATUS ? NOTHING : payload, false);
    this.endSocket();
  }

  failConnection(code: number, reason: string): void {
    this.outbox.close(encodeClosePayload(code, reason), true);
    this.endSocket();
  }

  endSocket(): void {
    this.reading.drop();
    this.countMemory();
    this.outbox.end();
    this.reading.discardInput();
  }

  announce(state: ConnectionState, event: ConnectionEvent['type']): void {
    const from = this.state;
    this.state = state;
    this.#host.moved(from, state);
    this.#deadlines.enter(state);
    if (state === 'closing' || state === 'closed') this.path?.left(this.connection);
    this.delivery.state(state);
    const change = () => {
      const at = this.#host.settings.clock.epochMs();
      return { connection: this.connection, from, to: state, event, at };
    };
    if (this.path?.streams.lifecycle.observed) this.path.streams.lifecycle.next(change());
    if (this.#host.streams.lifecycle.observed) this.#host.streams.lifecycle.next(change());
    if (state !== 'handshaking' && connectionChannels[state].hasSubscribers) {
      connectionChannels[state].publish(change());
    }
  }

  finish(report: CloseReport): void {
    if (this.report !== undefined) return;
    this.report = report;
    this.#handshaking?.abort();
    this.#endHandshake();
    this.#destroyTransport();
    this.outbox.release();
    this.reading.drop();
    this.reading.rest(false);
    this.countMemory();
    this.#host.closed(this);
    this.delivery.end(report, this.path);
    this.#settleDrained();
  }

  #destroyTransport(): void {
    try {
      this.#transport.destroy();
    } catch (error) {
      this.delivery.publish(error, this.path);
    }
  }

  // ------------------------------------------------------------------ being seen

  stats(): ConnectionStats {
    return {
      messagesIn: this.reading.messages,
      messagesOut: this.outbox.messages,
      dropped: this.outbox.dropped,
      bytesIn: this.reading.bytes,
      bytesOut: this.outbox.bytes,
      buffered: this.outbox.bufferedAmount,
      age: (this.#host.ticker.tick - this.#bornTick) * TICK_MS,
      rtt: this.rtt,
    };
  }

  /** What stands for this port where an inspector writes out the machine's context. */
  toJSON() {
    const { id, remoteAddress } = this;
    return { id, path: this.accepted?.head.path ?? '', remoteAddress };
  }

  // ------------------------------------------------------------------ draining and streams

  onDrained(): void {
    this.#settleDrained();
    this.delivery.drained();
  }

  /** Resolves when nothing waits for the peer, or the connection has ended. */
  drained(): Promise<void> {
    if (this.report !== undefined || this.outbox.bufferedAmount === 0) return Promise.resolve();
    // What this turn has not written yet may leave at once.
    this.outbox.flush();
    if (!this.outbox.waiting) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  #settleDrained(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = undefined;
    for (const resolve of waiters ?? []) resolve();
  }

  /** The stream of that name, made at the first call. */
  stream<Name extends keyof ConnectionStreams>(name: Name): NonNullable<ConnectionStreams[Name]> {
    return this.delivery.stream(name);
  }

  ping(payload: Uint8Array): boolean {
    return this.sendable && this.outbox.control(PING, payload);
  }

  pong(payload: Uint8Array): boolean {
    return this.sendable && this.outbox.control(PONG, payload);
  }
}
