/**
 * One connection at work: the port of its statechart, and the listener of its transport.
 *
 * What it does is done by its parts: `Handshaking` up to the answer, `Reading` from chunks to messages, `Sending` from
 * messages to the transport, `Deadlines`, and the `Recipient`, which is the user's side.
 */
import { type Fault, type FaultName, type FaultRow, fault, faults } from '../io/faults.ts';
import { encodeClosePayload, isWireCloseCode, NO_STATUS } from '../io/frames/close-payload.ts';
import { PING, PONG } from '../io/frames/frame-encoder.ts';
import { canonicalAddress } from '../io/http/addresses.ts';
import { type HttpResponse, refusal } from '../io/http/http-response.ts';
import type { Transport } from '../io/transports/transport.ts';
import { takeOver } from '../machines/connection-actor.ts';
import type { ConnectionActor } from '../machines/connection-machine.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionPort,
  ConnectionState,
} from '../machines/connection-ports.ts';
import { Interpreter } from '../machines/interpreter.ts';
import { Deadlines } from './deadlines.ts';
import { Ending } from './ending.ts';
import type { Handover } from './handover.ts';
import { type Accepted, type Asked, Handshaking, refused } from './handshaking.ts';
import { Heartbeat } from './heartbeat.ts';
import { HeldMemory } from './held-memory.ts';
import type { Host } from './host.ts';
import { Rates } from './rate-limit.ts';
import { Reading } from './reading.ts';
import type { Recipient } from './recipient.ts';
import { Sending } from './sending.ts';
import { SessionEvents } from './session-events.ts';
import { type ConnectionStats, statsOf } from './stats.ts';

const NOTHING = new Uint8Array(0);
/** The number of the next connection, of whichever server. */
let nextId = 1;

/**
 * One connection at work.
 *
 * Many members: the machine's port alone has more than twenty. What they do is in the parts.
 */
export class Session extends SessionEvents implements ConnectionPort {
  /** What runs the statechart, or hands events on to its actor. */
  readonly machine: Interpreter;
  readonly recipient: Recipient;
  readonly reading: Reading;
  readonly sending: Sending;
  readonly deadlines: Deadlines;
  /** Of the socket, in canonical form; of the client behind a named proxy once that is known. */
  remoteAddress: string;
  asked: Asked = 'nothing';
  state: ConnectionState = 'handshaking';
  /** What the handshake agreed on. */
  accepted: Accepted | undefined;
  report: CloseReport | undefined;
  /** Made when the end is certain, or when somebody asks for the signal. */
  ending: Ending | undefined;
  readonly memory: HeldMemory;
  readonly bornTick: number;
  readonly transport: Transport;

  protected readonly host: Host<Session>;
  #actor: ConnectionActor | undefined;
  #handshaking: Handshaking<Session> | undefined;
  #heartbeat: Heartbeat | undefined;
  #id = 0;

  constructor(host: Host<Session>, transport: Transport, handover?: Handover) {
    super();
    this.host = host;
    this.transport = transport;
    this.bornTick = host.ticker.tick;
    this.remoteAddress = canonicalAddress(transport.remoteAddress) ?? transport.remoteAddress;
    this.memory = new HeldMemory(host.budget);
    this.sending = new Sending(this, host, transport);
    this.#handshaking = new Handshaking(this, host, handover);
    this.reading = new Reading(this, host, transport);
    this.recipient = host.recipientOf(this);
    this.machine = new Interpreter(this, host.parent);
    if (host.inspected) this.#actor = takeOver(this.machine, host.actor);
    this.deadlines = new Deadlines(host.ticker, host.settings, this);
  }

  /** Bytes may come from here on. A head that was read elsewhere is judged at once. */
  attach(): void {
    this.transport.attach(this);
    const handover = this.#handshaking?.handover;
    if (handover === undefined) return;
    this.reading.count(handover.headBytes);
    this.onBytes(handover.early, false);
  }

  /** No other connection of this process has it. Given when it opens, or when somebody asks: plain requests use up none. */
  get id(): number {
    if (this.#id === 0) this.#id = nextId++;
    return this.#id;
  }

  /** XState's actor of this connection; made at the first call, and from then on it runs the statechart. */
  get actor(): ConnectionActor {
    this.#actor ??= takeOver(this.machine, this.host.actor);
    return this.#actor;
  }

  get inspected(): boolean {
    return this.host.inspected;
  }

  /** Round-trip time of the last heartbeat in milliseconds; undefined before the first. */
  get rtt(): number | undefined {
    return this.#heartbeat?.rtt;
  }

  /**
   * Aborts when the connection has ended, or as soon as its end is certain: the peer said goodbye, or the connection
   * failed. The reason is the report.
   */
  get signal(): AbortSignal {
    return this.#end.signal;
  }

  get #end(): Ending {
    this.ending ??= new Ending(this, this.host.ticker);
    return this.ending;
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
    this.reading.rates = Rates.of(this.host.settings, this.host.ticker);
    this.accepted = this.#handshaking?.accept();
    void this.id; // its number is given now
    this.#endHandshake();
    this.host.opened(this);
  }

  /**
   * A peer that has asked for nothing gets no answer: a browser that holds a connection in reserve would take that for the
   * answer to its next request (RFC 9112 9.2).
   */
  refuseHandshake(response: HttpResponse): void {
    if (this.asked !== 'nothing') this.#handshaking?.refuse(response);
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
    this.reading.countMemory();
    this.host.handshaken(this);
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
    if (this.#heartbeat?.isAnswer(payload, this.host.settings.clock.now())) return;
    this.recipient.pong(payload);
  }

  sendHeartbeat(): void {
    this.#heartbeat ??= new Heartbeat();
    this.sending.outbox.control(PING, this.#heartbeat.next(this.host.settings.clock.now()));
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
    // What was sent whole goes before it, as it does where nothing has to be encoded.
    this.sending.encodeNow();
    this.sending.outbox.close(code === NO_STATUS ? NOTHING : payload, false);
    this.endSocket();
  }

  failConnection(code: number, reason: string): void {
    this.ends({ code, reason, wasClean: false, initiator: 'server' });
    this.deadlines.failing();
    this.sending.outbox.close(encodeClosePayload(code, reason), true);
    this.endSocket();
  }

  endSocket(): void {
    this.reading.drop();
    this.sending.outbox.end();
    this.reading.discardInput();
  }

  /** It is certain how the connection will end: work for the peer may stop. */
  ends(report: CloseReport): void {
    this.#end.foresee(report);
  }

  announce(state: ConnectionState, event: ConnectionEvent['type']): void {
    const from = this.state;
    this.state = state;
    this.host.moved(from, state);
    this.deadlines.enter(state);
    if (state === 'closing' || state === 'closed') this.sending.seal();
    this.recipient.changed(from, state, event);
  }

  finish(noted: CloseReport): void {
    if (this.report !== undefined) return;
    const end = this.#end;
    const report = end.sameAs(noted);
    this.report = report;
    this.#endHandshake();
    this.destroyTransport();
    this.reading.drop();
    this.reading.keepRest(false);
    this.sending.release();
    this.countSending();
    end.finish(report, this.reading.hasWaiting);
  }

  /** Until this, the connection counts as one of the server's, and a stop waits for it. */
  tellEnd(report: CloseReport, hasMore: boolean): void {
    this.host.closed(this);
    this.recipient.ended(report, hasMore);
  }

  /** No message waits any more. */
  exhausted(): void {
    this.reading.afterDelivery(() => this.ending?.exhausted());
  }

  destroyTransport(): void {
    try {
      this.transport.destroy();
    } catch (error) {
      this.recipient.broke(error);
    }
  }

  // ------------------------------------------------------------------ faults

  /** The user is not told of a peer that has asked for nothing. */
  reportFault(name: FaultName): void {
    const { limit }: FaultRow = faults[name];
    if (this.asked !== 'nothing') this.fault(fault(name));
    else if (limit !== undefined) this.host.breached(limit);
  }

  reportLoss(error: Error): void {
    this.fault(fault('connectionLost', { message: error.message }), error);
  }

  /** Counts the limit that was passed, and tells the user where the ladder says so. */
  fault(happened: Fault, error?: Error): void {
    const row: FaultRow = faults[happened.name];
    if (row.limit !== undefined) this.host.breached(row.limit);
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
    return statsOf(this, this.host.ticker);
  }

  /** Bytes of memory held for the request head until the handshake is answered. */
  get headBytes(): number {
    return this.#handshaking === undefined ? 0 : this.#handshaking.heldBytes;
  }

  /** Bytes that have come of it. */
  get receivedHeadBytes(): number {
    return this.#handshaking === undefined ? 0 : this.#handshaking.receivedBytes;
  }

  countSending(): void {
    this.memory.countSendingOf(this);
  }

  shed(): void {
    this.memory.shed(this);
  }

  /** The server is short of memory: refuses the handshake, or fails the connection. */
  failForMemory(): void {
    if (this.#handshaking !== undefined) {
      this.host.breached('memoryBudget');
      this.#handshaking.settle(refused(fault('memoryShort')));
    } else if (this.state !== 'handshaking') {
      this.fail(fault('memoryBudget'));
    }
  }

  /** What an inspector shows in place of this port. */
  toJSON() {
    const { id, remoteAddress } = this;
    return { id, path: this.accepted?.head.path ?? '', remoteAddress, transport: this.transport.name };
  }
}
