/**
 * One connection at work: the port of its statechart, and the listener of its transport.
 *
 * It has more than thirty members, since the machine's port alone has twenty-two. What they do is done by its parts:
 * `Handshaking` up to the answer, `Reading` from chunks to messages, `Sending` from messages to the transport, `Deadlines`,
 * and the `Recipient`, which is the user's side.
 */
import type { PeerCertificate } from 'node:tls';
import { type Fault, type FaultName, type FaultRow, fault, faults } from '../io/faults.ts';
import { encodeClosePayload, isWireCloseCode, NO_STATUS } from '../io/frames/close-payload.ts';
import { PING, PONG } from '../io/frames/frame-encoder.ts';
import { type HttpResponse, refusal } from '../io/http/http-response.ts';
import type { Transport, TransportListener, TransportName } from '../io/transports/transport.ts';
import { takeOver } from '../machines/connection-actor.ts';
import type { ConnectionActor } from '../machines/connection-machine.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionPort,
  ConnectionState,
  Decision,
} from '../machines/connection-ports.ts';
import { Interpreter } from '../machines/interpreter.ts';
import { Deadlines, type Timed } from './deadlines.ts';
import { type Accepted, Handshaking, refused } from './handshaking.ts';
import { Heartbeat } from './heartbeat.ts';
import type { Host } from './host.ts';
import { LateEnd } from './late-end.ts';
import { type Holder, processBudget } from './memory-budget.ts';
import { Rates } from './rate-limit.ts';
import { Reading } from './reading.ts';
import type { Recipient } from './recipient.ts';
import { Sending } from './sending.ts';
import { type ConnectionStats, statsOf } from './stats.ts';

const NOTHING = new Uint8Array(0);

export class Session implements ConnectionPort, TransportListener, Timed, Holder {
  readonly id: number;
  /** What runs the statechart, or hands events on to its actor. */
  readonly machine: Interpreter;
  readonly recipient: Recipient;
  readonly reading: Reading;
  readonly sending: Sending;
  readonly deadlines: Deadlines;
  /** Of the socket; of the client behind a named proxy once the head is read. */
  remoteAddress: string;
  state: ConnectionState = 'handshaking';
  /** What the handshake agreed on. */
  accepted: Accepted | undefined;
  report: CloseReport | undefined;
  countedBytes = 0;
  readonly bornTick: number;

  readonly #host: Host<Session>;
  readonly #transport: Transport;
  #actor: ConnectionActor | undefined;
  #handshaking: Handshaking<Session> | undefined;
  #heartbeat: Heartbeat | undefined;
  #lateEnd: LateEnd | undefined;
  /** Made when somebody asks for its signal. */
  #abort: AbortController | undefined;
  #saidGoodbye = false;

  constructor(host: Host<Session>, transport: Transport, id: number) {
    this.id = id;
    this.#host = host;
    this.#transport = transport;
    this.bornTick = host.ticker.tick;
    this.remoteAddress = transport.remoteAddress;
    this.sending = new Sending(this, host, transport);
    this.#handshaking = new Handshaking(this, host);
    this.reading = new Reading(this, host, transport);
    this.recipient = host.recipientOf(this);
    this.machine = new Interpreter(this, host.actor);
    if (host.inspected) this.#actor = takeOver(this.machine, host.actor);
    this.deadlines = new Deadlines(host.ticker, host.settings, this);
  }

  /** What carries this connection. */
  get transport(): TransportName {
    return this.#transport.name;
  }

  /** The peer's certificate, where TLS has verified one. */
  peerCertificate(): PeerCertificate | undefined {
    return this.#transport.peerCertificate?.();
  }

  /** Bytes may come from here on. */
  attach(): void {
    this.#transport.attach(this);
  }

  /** XState's actor of this connection; made at the first call, and from then on it runs the statechart. */
  get actor(): ConnectionActor {
    this.#actor ??= takeOver(this.machine, this.#host.actor);
    return this.#actor;
  }

  get inspected(): boolean {
    return this.#host.inspected;
  }

  /** Round-trip time of the last heartbeat in milliseconds; undefined before the first. */
  get rtt(): number | undefined {
    return this.#heartbeat?.rtt;
  }

  /** Aborts when the connection has ended, or the peer has said that it will. The reason is the report, where there is one. */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.report !== undefined || this.#saidGoodbye) this.#abort.abort(this.report);
    }
    return this.#abort.signal;
  }

  /** Frames are still read and delivered: the connection has neither failed nor ended. */
  get readsOn(): boolean {
    const { state } = this;
    if (state === 'open' || state === 'fragmenting') return true;
    return state === 'closing' && this.machine.matches({ closing: 'local' });
  }

  // ------------------------------------------------------------------ what the transport and the deadlines tell

  onBytes(chunk: Uint8Array, shared: boolean): void {
    const { turn, ticker } = this.#host;
    const { reading } = this;
    this.deadlines.lastByteTick = ticker.tick;
    if (!reading.count(chunk.length)) return;
    turn.begin();
    this.machine.send({ type: 'socket.bytes', chunk, shared });
    reading.keepRest(shared);
    turn.end();
  }

  onDrain(): void {
    this.sending.transportDrained();
  }

  onEnd(): void {
    this.saidGoodbye();
    this.tell({ type: 'socket.end' });
  }

  onError(error: Error): void {
    this.tell({ type: 'socket.error', error });
  }

  onClosed(): void {
    this.tell({ type: 'socket.closed' });
  }

  onTimeout(event: Extract<ConnectionEvent, { type: `timeout.${string}` }>): void {
    this.tell(event);
  }

  onAged(): void {
    const { code, reason } = faults.maxAge;
    this.#host.breached('maxAge');
    this.requestClose(code, reason);
  }

  /** Nothing is read from the transport. */
  get held(): boolean {
    return this.reading.isHeld;
  }

  readingStopped(): void {
    this.deadlines.readingStopped();
  }

  readingResumed(): void {
    this.deadlines.readingResumed();
  }

  // ------------------------------------------------------------------ events for the machine

  /** Sends an event to the machine; one that has ended hears nothing. */
  tell(event: ConnectionEvent): void {
    if (this.report === undefined) this.machine.send(event);
  }

  /** An event that must be processed before the next frame. */
  command(event: ConnectionEvent): void {
    this.reading.commanded();
    this.reading.goOn(() => this.tell(event));
  }

  requestClose(code: number, reason: string): void {
    this.sending.seal();
    // The peer is going already: who closes now wants nothing more of it.
    if (!this.readsOn && this.state !== 'handshaking') this.reading.forget();
    this.command({ type: 'connection.close', code, reason });
  }

  requestTerminate(): void {
    this.sending.seal();
    this.reading.forget();
    this.exhausted();
    this.command({ type: 'connection.terminate' });
  }

  /** A callback of the user's failed; `decision` is what `onError` says. */
  callbackFailed(decision: Decision): void {
    this.command({ type: 'callback.failed', decision });
  }

  /** A message does not fit the path's codec: the connection is failed. */
  refuseMessage(): void {
    const { code, reason } = faults.invalidMessage;
    this.command({ type: 'protocol.failed', code, reason });
  }

  requestPause(): void {
    this.command({ type: 'connection.pause' });
  }

  requestResume(): void {
    this.command({ type: 'connection.resume' });
  }

  /** A limit was passed by what we send or hold: tells the user, and fails the connection. */
  fail(breach: Fault): void {
    this.sending.seal();
    this.reading.forget();
    if (this.state !== 'closing') this.fault(breach);
    this.command({ type: 'limit.breached', code: breach.code, reason: breach.reason });
  }

  // ------------------------------------------------------------------ the handshake

  readHead(chunk: Uint8Array, shared: boolean): void {
    this.#handshaking?.readHead(chunk, shared);
  }

  holdBytes(chunk: Uint8Array, shared: boolean): void {
    this.#handshaking?.holdBytes(chunk, shared);
  }

  acceptHandshake(): void {
    this.reading.rates = Rates.of(this.#host.settings, this.#host.ticker);
    this.#handshaking?.accept();
    this.#endHandshake();
    this.#host.opened(this);
  }

  refuseHandshake(response: HttpResponse): void {
    this.#handshaking?.refuse(response);
    this.#endHandshake();
    this.endSocket();
    this.deadlines.enterClosing();
  }

  refuseFor(name: FaultName): void {
    this.refuseHandshake(refusal(fault(name)));
  }

  /** There is no room for this handshake any more. */
  refuse(full: Fault): void {
    this.#handshaking?.settle(refused(full));
  }

  #endHandshake(): void {
    if (this.#handshaking === undefined) return;
    this.#handshaking.end();
    this.#handshaking = undefined;
    this.#host.handshaken(this);
  }

  // ------------------------------------------------------------------ reading and delivering

  read(chunk: Uint8Array): void {
    this.reading.read(chunk);
  }

  readOn(): void {
    this.reading.readOn();
  }

  continueReading(): void {
    this.reading.takeEvent();
  }

  deliverOpening(): void {
    this.recipient.opened();
    this.reading.resumeTransport();
  }

  deliverFragment(): void {
    this.reading.deliverFragment();
  }

  deliverMessage(): void {
    this.reading.deliverMessage();
  }

  pauseReading(): void {
    this.reading.pause();
  }

  resumeReading(): void {
    this.reading.resume();
  }

  dropMessages(): void {
    this.reading.forget();
  }

  retryCallback(): void {
    this.recipient.retry();
  }

  /** 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response". */
  answerPing(payload: Uint8Array): void {
    this.sending.outbox.control(PONG, payload);
    this.recipient.ping(payload);
  }

  /** A Pong that answers our heartbeat is not told. */
  takePong(payload: Uint8Array): void {
    if (this.#heartbeat?.isAnswer(payload, this.#host.settings.clock.now())) return;
    this.recipient.pong(payload);
  }

  sendHeartbeat(): void {
    this.#heartbeat ??= new Heartbeat();
    this.sending.outbox.control(PING, this.#heartbeat.next(this.#host.settings.clock.now()));
    this.deadlines.pinged();
  }

  // ------------------------------------------------------------------ closing

  sendClose(code: number, reason: string): void {
    this.sending.outbox.close(encodeClosePayload(code, reason), false);
    // A pause of the user's would keep the peer's Close from us.
    this.reading.resume();
  }

  answerClose(code: number): void {
    // 5.5.1: "typically echos the status code it received"; an empty Close is answered by an empty one.
    const payload = isWireCloseCode(code) ? encodeClosePayload(code) : NOTHING;
    this.sending.outbox.close(code === NO_STATUS ? NOTHING : payload, false);
    this.endSocket();
  }

  failConnection(code: number, reason: string): void {
    this.sending.outbox.close(encodeClosePayload(code, reason), true);
    this.endSocket();
  }

  endSocket(): void {
    this.reading.drop();
    this.countMemory();
    this.sending.outbox.end();
    this.reading.discardInput();
  }

  /** The peer has said that it goes: work for it may stop. */
  saidGoodbye(): void {
    this.#saidGoodbye = true;
    this.#abort?.abort();
  }

  announce(state: ConnectionState, event: ConnectionEvent['type']): void {
    const from = this.state;
    this.state = state;
    this.#host.moved(from, state);
    this.deadlines.enter(state);
    if (state === 'closing' || state === 'closed') this.sending.seal();
    this.recipient.changed(from, state, event);
  }

  finish(report: CloseReport): void {
    if (this.report !== undefined) return;
    this.report = report;
    this.#endHandshake();
    this.#destroyTransport();
    this.reading.drop();
    this.reading.keepRest(false);
    this.sending.release();
    this.countMemory();
    this.#abort?.abort(report);
    if (this.reading.hasWaiting)
      this.#lateEnd = new LateEnd(this.#host.ticker, () => this.#tellEnd(report, true));
    else this.#tellEnd(report, false);
  }

  /** Until this, the connection counts as one of the server's, and a stop waits for it. */
  #tellEnd(report: CloseReport, hasMore: boolean): void {
    this.#host.closed(this);
    this.recipient.ended(report, hasMore);
  }

  /** Whether the user was told of the end. */
  get isEndTold(): boolean {
    return this.report !== undefined && this.#lateEnd?.isTold !== false;
  }

  /** Whether no message follows any more. */
  get isExhausted(): boolean {
    return this.report !== undefined && this.#lateEnd === undefined;
  }

  /** Nothing that came before the end waits any more. */
  exhausted(): void {
    const late = this.#lateEnd;
    if (late === undefined || this.report === undefined) return;
    this.#lateEnd = undefined;
    if (late.cancel()) this.#tellEnd(this.report, false);
    else this.recipient.exhausted();
  }

  #destroyTransport(): void {
    try {
      this.#transport.destroy();
    } catch (error) {
      this.recipient.broke(error);
    }
  }

  // ------------------------------------------------------------------ faults

  reportFault(name: FaultName): void {
    this.fault(fault(name));
  }

  reportLoss(error: Error): void {
    this.fault(fault('connectionLost', { message: error.message }), error);
  }

  /** Counts the limit that was passed, and tells the user where the ladder says so. */
  fault(happened: Fault, error?: Error): void {
    const row: FaultRow = faults[happened.name];
    if (row.limit !== undefined) this.#host.breached(row.limit);
    if (row.error !== undefined) this.recipient.faulted(happened, error);
  }

  /** The machine or this port threw: the connection fails with 1011, the process goes on. */
  broke(cause: unknown): void {
    if (this.report !== undefined) return;
    const { code, reason } = faults.broken;
    this.reading.forget();
    // Before the handshake is answered, a Close frame would be no answer.
    if (this.#handshaking !== undefined) this.#handshaking.refuse(refusal(fault('callbackUndecided')));
    else if (this.state !== 'handshaking') this.sending.outbox.close(encodeClosePayload(code, reason), true);
    this.sending.outbox.flush();
    this.recipient.broke(cause);
    this.announce('closed', 'socket.error');
    this.finish({ code, reason, wasClean: false, initiator: 'server' });
  }

  // ------------------------------------------------------------------ memory, and being seen

  stats(): ConnectionStats {
    return statsOf(this, this.#host.ticker);
  }

  shed(): void {
    this.fail(fault('memoryBudget'));
  }

  /** Counts what this connection makes the process hold. */
  countMemory(): void {
    const { waiting, bufferedAmount, queuedBytes } = this.sending.outbox;
    const queued = waiting ? bufferedAmount : queuedBytes;
    const bytes = this.report === undefined ? this.reading.heldBytes + queued : 0;
    processBudget.count(this, bytes, this.#host.settings.memoryBudget);
  }

  /** What an inspector shows in place of this port. */
  toJSON() {
    const { id, remoteAddress, transport } = this;
    return { id, path: this.accepted?.head.path ?? '', remoteAddress, transport };
  }
}
