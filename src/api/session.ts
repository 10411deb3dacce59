/**
 * One connection's port in production: it does what the machine's actions say, and tells the machine what happens.
 *
 * Everything of a connection meets here and nowhere else: the transport below, the codec, the actor that runs the
 * machine, and the user's callbacks above. No callback of the user's can throw through it: a throw or a rejection
 * becomes `callback.failed`. While a chunk is read, the hot path is `read` → `#loop` → `#deliverMessage` → the handler.
 */
import { encodeClosePayload, isWireCloseCode, NO_STATUS, readClosePayload } from '../io/close-payload.ts';
import { Decoded, type FrameDecoder } from '../io/frame-decoder.ts';
import { PING, PONG } from '../io/frame-encoder.ts';
import { encodeHttpResponse, type HttpResponse } from '../io/http-response.ts';
import { Outbox, type OutboxOwner } from '../io/outbox.ts';
import { TICK_MS } from '../io/ticker.ts';
import type { Transport, TransportListener } from '../io/transports/transport.ts';
import type { ConnectionActor } from '../machines/connection-machine.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionPort,
  ConnectionState,
  Decision,
  FrameName,
} from '../machines/connection-ports.ts';
import type { Codec } from './codec.ts';
import { Connection } from './connection.ts';
import { Deadlines, type Timed } from './deadlines.ts';
import {
  ConnectionLostError,
  HandshakeError,
  InternalError,
  InvalidMessageError,
  LimitError,
  NoMessageHandlerError,
  ProtocolError,
} from './errors.ts';
import type { Fragment, Message } from './handlers.ts';
import { type Accepted, type Admission, Handshaking, isThenable, type Outcome } from './handshaking.ts';
import { type ConnectionStats, connectionChannels } from './inspection.ts';
import { type Holder, processBudget } from './memory-budget.ts';
import type { Path } from './path.ts';
import { Rates } from './rate-limit.ts';
import type { Host } from './server.ts';
import { Stream } from './streams.ts';

/** A handler that failed is called again at most this often in a row. */
const MAX_RETRIES = 3;
const CONTINUE: ConnectionEvent = { type: 'read.continue' };
const NOTHING = new Uint8Array(0);
const BROKEN: HttpResponse = { status: 500, body: 'The server could not decide.\n' };

/** The streams of a connection, each made when somebody asks for it. */
interface SessionStreams {
  messages?: Stream<Message>;
  fragments?: Stream<Fragment>;
  pings?: Stream<Uint8Array>;
  pongs?: Stream<Uint8Array>;
  drain?: Stream<void>;
  state?: Stream<ConnectionState>;
  closed?: Stream<CloseReport>;
}

export class Session implements ConnectionPort, TransportListener, OutboxOwner, Timed, Holder, Admission {
  readonly id: number;
  readonly actor: ConnectionActor;
  readonly connection: Connection;
  /** Of the socket; of the client behind a named proxy once the head is read. */
  remoteAddress: string;
  readonly outbox: Outbox;
  state: ConnectionState = 'handshaking';
  accepted: Accepted | undefined;
  path: Path | undefined;
  /** What its messages mean; undefined for plain ones. */
  codec: Codec | undefined;
  report: CloseReport | undefined;
  /** Round-trip time of the last heartbeat in milliseconds. */
  rtt: number | undefined;
  countedBytes = 0;
  messagesIn = 0;
  bytesIn = 0;
  /** Settles when the last message begun by `sendFragments` is out. */
  fragmentsTurn: Promise<void> | undefined;

  readonly #host: Host;
  readonly #transport: Transport;
  /** Lent by the server while bytes are under way, so that an idle connection holds none. */
  #lent: FrameDecoder | undefined;
  readonly #deadlines: Deadlines;
  #handshaking: Handshaking | undefined;
  #streams: SessionStreams | undefined;

  // Reading: who holds it back, and whether the transport was told.
  #paused = false;
  #pendingHandlers = 0;
  #iterators = 0;
  #pulls = 0;
  /** A codec has not yet said what a message means. */
  #decoding = false;
  #transportPaused = false;
  /** A command waits in the mailbox: it comes before the next frame. */
  #commanded = false;
  /** A frame's own event waits in the mailbox, and words to read on: nothing is decoded before those are handled. */
  #raised = false;
  #continues = 0;
  #closeRequested = false;
  /** Failed handlers that `onError` wants to be called again. */
  #retries: (() => void)[] | undefined;
  /** Only where an option limits how fast the peer may send. */
  #rates: Rates | undefined;
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
    this.connection = new Connection(this);
    this.actor = host.newActor(this);
    this.#deadlines = new Deadlines(host.ticker, host.settings, this);
    transport.attach(this);
  }

  get #decoder(): FrameDecoder {
    this.#lent ??= this.#host.lendDecoder();
    return this.#lent;
  }

  /** Gives the decoder back when nothing is under way. */
  #returnDecoder(): void {
    if (this.#lent?.idle !== true) return;
    this.#host.takeBack(this.#lent);
    this.#lent = undefined;
  }

  get inspected(): boolean {
    return this.#host.inspected;
  }

  // ------------------------------------------------------------------ what the transport tells

  onBytes(chunk: Uint8Array, shared: boolean): void {
    const { turn, ticker } = this.#host;
    this.#deadlines.lastByteTick = ticker.tick;
    this.bytesIn += chunk.length;
    if (this.#rates !== undefined && !this.#countBytes(chunk.length)) return;
    turn.begin();
    this.actor.send({ type: 'socket.bytes', chunk, shared });
    if (shared && this.#lent?.hasMore) this.#lent.keepRest();
    this.#returnDecoder();
    turn.end();
  }

  onDrain(): void {
    this.outbox.onDrain();
    this.#deadlines.writing(this.outbox.waiting);
    this.#countMemory();
  }

  onEnd(): void {
    this.tell({ type: 'socket.end' });
  }

  onError(error: Error): void {
    if (this.state === 'open' || this.state === 'fragmenting') {
      this.#report(new ConnectionLostError(error.message, { cause: error }));
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
      this.#report(new LimitError('messageDeadline', 1008, 'a fragmented message took too long'));
    } else if (event.type === 'timeout.pong') {
      this.#host.breached('pongDeadline');
      this.#report(new ConnectionLostError('no sign of life within pongDeadline after a ping'));
    } else if (event.type === 'timeout.write' && this.state !== 'closing') {
      this.#host.breached('writeDeadline');
      this.#report(new ConnectionLostError('the peer accepted nothing within writeDeadline'));
    } else if (event.type === 'timeout.handshake') {
      this.#host.breached('handshakeDeadline');
      this.#report(new HandshakeError(408, 'handshakeDeadline passed'));
    } else if (event.type === 'timeout.close') {
      this.#host.breached('closeDeadline');
    }
    this.tell(event);
  }

  /** Sends an event to the machine; an ended one hears nothing. */
  tell(event: ConnectionEvent): void {
    if (this.report === undefined) this.actor.send(event);
  }

  /** An event that must come before the next frame. */
  #command(event: ConnectionEvent): void {
    this.#commanded = true;
    this.tell(event);
  }

  // ------------------------------------------------------------------ handshake

  readHead(chunk: Uint8Array, shared: boolean): void {
    const handshaking = this.#handshaking as Handshaking; // lives while the state is handshaking
    const outcome = handshaking.push(chunk, this);
    if (outcome === undefined) return;
    if (handshaking.rest.length > 0) {
      this.#decoder.push(shared ? handshaking.rest.slice() : handshaking.rest);
    }
    if (!isThenable(outcome)) {
      this.#settleHandshake(outcome);
      return;
    }
    this.#host.deciding(this);
    this.actor.send({ type: 'handshake.pending' });
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
      this.codec = outcome.path.codecs?.for(outcome.subprotocol);
      this.tell({ type: 'handshake.accepted' });
      return;
    }
    const { response, cause, path, advice } = outcome;
    if (cause !== undefined) {
      this.#stopToDebug(cause);
      this.#report(cause, path);
    } else if (response.status >= 400) {
      const why = typeof response.body === 'string' ? response.body.trim() : `status ${response.status}`;
      this.#report(new HandshakeError(response.status, why, advice));
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
    this.#decoder.append(shared ? chunk.slice() : chunk);
    // Reading goes on for a while, so that a peer that hangs up is noticed.
    handshaking.earlyBytes += chunk.length;
    if (handshaking.earlyBytes > this.#host.settings.maxHeadBytes) this.#pauseTransport();
  }

  acceptHandshake(): void {
    const accepted = this.accepted as Accepted; // set before handshake.accepted is sent
    const { path } = accepted;
    this.#endHandshake();
    const { settings, ticker } = this.#host;
    this.#rates = Rates.of(settings, ticker);
    this.outbox.raw(accepted.answer);
    accepted.answer = NOTHING;
    path.opened(this.connection);
    this.#host.opened(this.connection);
  }

  refuseHandshake(response: HttpResponse): void {
    this.#handshaking?.abort();
    this.outbox.raw(encodeHttpResponse(response, { omitBody: this.#handshaking?.omitBody ?? false }));
    this.#endHandshake();
    this.#lent?.discard();
    this.endSocket();
    this.#deadlines.enterClosing();
  }

  #endHandshake(): void {
    if (this.#handshaking === undefined) return;
    this.#handshaking = undefined;
    this.#host.handshaken(this);
  }

  // ------------------------------------------------------------------ reading

  /** Reading stands still: by `pause`, for a handler's promise, or for an iterator that was not asked for more. */
  get held(): boolean {
    if (this.#paused) return true;
    if (this.#iterators > 0) return this.#pulls < this.#iterators || this.#decoding;
    return this.#pendingHandlers > 0;
  }

  read(chunk: Uint8Array, _shared: boolean): void {
    this.#decoder.append(chunk);
    if (this.held) this.#pauseTransport();
    else this.#loop();
  }

  readOn(by: ConnectionEvent['type']): void {
    if (by === 'read.continue') this.#continues = Math.max(0, this.#continues - 1);
    else if (by === 'fragment.begin' || by === 'fragment.end') this.#raised = false;
    if (this.#raised || this.#continues > 0) return;
    if (this.#lent?.hasMore || this.#commanded) this.#loop();
  }

  /** Decodes and delivers until the chunk is done, a frame changes the state, or a handler asked for something. */
  #loop(): void {
    const decoder = this.#decoder;
    let decoded: Decoded;
    for (;;) {
      if (this.#commanded) {
        this.#commanded = false;
        this.#continue(CONTINUE);
        return;
      }
      if (this.held) {
        // What the peer sends next, its FIN too, comes after the frames that wait here.
        if (decoder.hasMore) this.#pauseTransport();
        return;
      }
      decoded = decoder.next();
      switch (decoded) {
        case Decoded.NEED_MORE:
          if (decoder.heldBytes !== this.countedBytes) this.#countMemory();
          return;
        case Decoded.MESSAGE:
          if (this.#rates !== undefined && !this.#countMessage()) return;
          this.messagesIn++;
          this.#deliverWhole(decoder.message);
          break;
        case Decoded.FRAGMENT:
          if (decoder.first || decoder.final) {
            if (this.#rates !== undefined && decoder.final && !this.#countMessage()) return;
            const type = decoder.first ? 'fragment.begin' : 'fragment.end';
            const opcode = decoder.first ? (decoder.text ? 'text' : 'binary') : 'continuation';
            this.#raised = true;
            this.actor.send({ type, byteLength: decoder.payloadBytes, opcode });
            return;
          }
          this.#deliverFragment();
          break;
        case Decoded.PING:
          if (this.#rates !== undefined && !this.#countMessage()) return;
          this.#deliverPing(decoder.control);
          break;
        case Decoded.PONG:
          if (this.#rates !== undefined && !this.#countMessage()) return;
          this.#deliverPong(decoder.control);
          break;
        case Decoded.CLOSE:
          this.#raised = true;
          this.#readClose(decoder.control);
          return;
        case Decoded.FAULT:
          this.#raised = true;
          this.#fail();
          return;
      }
      if (this.inspected) {
        this.#commanded = false;
        this.#continue({
          type: 'read.continue',
          opcode: frameName(decoded, decoder.text),
          byteLength: decoder.payloadBytes,
        });
        return;
      }
    }
  }

  /** Counts one message, Ping or Pong; false when it is one too many, and the connection fails. */
  #countMessage(): boolean {
    if (this.#rates?.message(this.#host.ticker) !== false) return true;
    return this.#tooFast('maxMessagesPerSecond', 'too many messages a second');
  }

  #countBytes(bytes: number): boolean {
    if (this.#rates?.bytes(bytes, this.#host.ticker) !== false) return true;
    return this.#tooFast('maxBytesPerSecond', 'too many bytes a second');
  }

  /** True when that changes nothing any more: what comes before the peer's Close is read up to the deadline. */
  #tooFast(limit: string, reason: string): boolean {
    if (this.state === 'closing' || this.state === 'closed') return true;
    this.#closeRequested = true;
    this.#report(new LimitError(limit, 1008, reason));
    this.tell({ type: 'limit.breached', code: 1008, reason });
    return false;
  }

  /** Puts the word to read on behind what waits in the mailbox. */
  #continue(event: ConnectionEvent): void {
    this.#continues++;
    this.actor.send(event);
  }

  #readClose(control: Uint8Array): void {
    const payload = readClosePayload(control);
    if ('fault' in payload) {
      this.#report(new ProtocolError(payload.fault.code, payload.fault.reason));
      this.tell({ type: 'protocol.failed', ...payload.fault });
    } else {
      this.tell({ type: 'close.received', ...payload });
    }
  }

  #fail(): void {
    const { code, reason } = this.#decoder.fault ?? { code: 1002, reason: '' };
    if (code === 1009 || code === 1008) {
      this.#report(new LimitError(code === 1009 ? 'cap' : 'maxFragments', code, reason));
      this.tell({ type: 'limit.breached', code, reason });
    } else {
      this.#report(new ProtocolError(code, reason));
      this.tell({ type: 'protocol.failed', code, reason });
    }
  }

  pauseReading(): void {
    this.#paused = true;
    this.#pauseTransport();
  }

  resumeReading(): void {
    this.#paused = false;
    this.#resumeTransport();
  }

  /** An async iterator has come (+1) or gone (-1). */
  iterating(change: 1 | -1): void {
    this.#iterators += change;
    this.#readAgain();
  }

  /** An iterator waits for a message (+1) or has got one (-1). */
  pulling(change: 1 | -1): void {
    this.#pulls += change;
    if (change > 0) this.#readAgain();
  }

  /** A reason to hold reading back has gone: goes on with what lies here. */
  #readAgain(): void {
    if (this.held || this.report !== undefined) return;
    if (this.#lent?.hasMore) {
      this.#host.turn.begin();
      this.#continue(CONTINUE);
      this.#returnDecoder();
      this.#host.turn.end();
    }
    this.#resumeTransport();
  }

  #pauseTransport(): void {
    if (this.#transportPaused) return;
    this.#transportPaused = true;
    this.#rates?.paused(this.#host.ticker);
    this.#transport.pause();
  }

  #resumeTransport(): void {
    if (!this.#transportPaused || this.held) return;
    this.#transportPaused = false;
    this.#deadlines.lastByteTick = this.#host.ticker.tick;
    this.#rates?.resumed(this.#host.ticker);
    this.#transport.resume();
  }

  // ------------------------------------------------------------------ delivering

  deliver(event: ConnectionEvent): void {
    if (event.type === 'handshake.accepted') {
      this.#deliverOpen();
    } else if (event.type === 'fragment.begin') {
      this.#deliverFragment();
      this.#countMemory();
    } else if (event.type === 'fragment.end') {
      this.messagesIn++;
      this.#deliverFragment();
      if (this.#decoder.assemble) this.#deliverMessage(this.#decoder.takeMessage());
      this.#countMemory();
    }
  }

  #deliverOpen(): void {
    const { path } = this.accepted as Accepted; // open only after it was accepted
    path.streams.connections.next(this.connection);
    this.#host.streams.connections.next(this.connection);
    if (path.handlers.onOpen !== undefined) this.#callOpen();
    this.#resumeTransport();
  }

  #callOpen(attempts = 0): void {
    try {
      const result = this.path?.handlers.onOpen?.(this.connection);
      if (result !== undefined) this.#settle(result, () => this.#callOpen(attempts + 1), attempts);
    } catch (error) {
      this.#callbackFailed(error, () => this.#callOpen(attempts + 1), attempts);
    }
  }

  /** A message that came in one frame: to those who want fragments, it is one, first and final. */
  #deliverWhole(message: Message): void {
    if (this.#wantsFragments()) {
      const opcode = typeof message === 'string' ? 'text' : 'binary';
      this.#giveFragment({ data: message, opcode, first: true, final: true });
      if (!this.#wantsMessages()) return;
    }
    this.#deliverMessage(message);
  }

  #deliverMessage(message: Message): void {
    if (this.codec === undefined) this.#giveMessage(message);
    else this.#decode(this.codec, message);
  }

  /** A codec says what a message means; while it thinks, reading waits as for a handler. */
  #decode(codec: Codec, message: Message): void {
    const give = (value: unknown): void => this.#giveMessage(value as Message); // of the type that the codec says
    try {
      const value = codec.decode(message);
      if (isThenable(value)) this.#awaitDecoded(value, give);
      else give(value);
    } catch (error) {
      this.#doesNotFit(error);
    }
  }

  #awaitDecoded(decoded: PromiseLike<unknown>, give: (value: unknown) => void): void {
    this.#decoding = true;
    this.#pendingHandlers++;
    this.#host.handlerPending(1);
    // The peer's end comes after this message, too.
    this.#pauseTransport();
    const settled =
      (act: (value: unknown) => void) =>
      (value: unknown): void => {
        this.#decoding = false;
        this.#pendingHandlers--;
        if (this.#listens) act(value);
        this.#host.handlerPending(-1);
        this.#readAgain();
      };
    Promise.resolve(decoded).then(
      settled(give),
      settled((error) => this.#doesNotFit(error)),
    );
  }

  /** Messages are still taken: the connection has neither failed nor ended. */
  get #listens(): boolean {
    const { state } = this;
    if (state === 'open' || state === 'fragmenting') return true;
    return state === 'closing' && this.actor.getSnapshot().matches({ closing: 'local' });
  }

  /** 7.4.1: 1007 is for "data within a message that was not consistent with the type of the message". */
  #doesNotFit(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    const error = cause instanceof InvalidMessageError ? cause : new InvalidMessageError(why, { cause });
    const decision = this.#report(error);
    const goesOn = this.path?.codecs?.asks === true && decision !== 'close';
    if (goesOn || !this.sendable) return;
    this.#command({ type: 'protocol.failed', code: 1007, reason: 'message does not fit' });
  }

  #giveMessage(message: Message): void {
    const path = this.path as Path; // open only after it was accepted
    let taken = path.handlers.onMessage !== undefined;
    if (taken) this.#callMessage(message);
    const own = this.#streams?.messages;
    if (own?.observed) {
      taken = true;
      own.next(message);
    }
    if (path.streams.messages.observed) {
      taken = true;
      path.streams.messages.next({ connection: this.connection, message });
    }
    if (this.#host.streams.messages.observed) {
      taken = true;
      this.#host.streams.messages.next({ connection: this.connection, message });
    }
    if (!taken) this.#callbackFailed(new NoMessageHandlerError(path.pattern));
  }

  #callMessage(message: Message, attempts = 0): void {
    try {
      const result = this.path?.handlers.onMessage?.(this.connection, message);
      if (result !== undefined)
        this.#settle(result, () => this.#callMessage(message, attempts + 1), attempts);
    } catch (error) {
      this.#callbackFailed(error, () => this.#callMessage(message, attempts + 1), attempts);
    }
  }

  #wantsFragments(): boolean {
    return this.path?.handlers.onFragment !== undefined || this.#streams?.fragments?.observed === true;
  }

  #wantsMessages(): boolean {
    return (
      this.path?.handlers.onMessage !== undefined ||
      this.#streams?.messages?.observed === true ||
      this.path?.streams.messages.observed === true ||
      this.#host.streams.messages.observed
    );
  }

  #deliverFragment(): void {
    const decoder = this.#decoder;
    if (decoder.first) decoder.assemble = this.#wantsMessages() || !this.#wantsFragments();
    if (!this.#wantsFragments()) return;
    this.#giveFragment({
      data: decoder.takeFragment(),
      opcode: decoder.text ? 'text' : 'binary',
      first: decoder.first,
      final: decoder.final,
    });
  }

  #giveFragment(fragment: Fragment): void {
    this.#callFragment(fragment);
    this.#streams?.fragments?.next(fragment);
  }

  #callFragment(fragment: Fragment, attempts = 0): void {
    try {
      const result = this.path?.handlers.onFragment?.(this.connection, fragment);
      if (result !== undefined)
        this.#settle(result, () => this.#callFragment(fragment, attempts + 1), attempts);
    } catch (error) {
      this.#callbackFailed(error, () => this.#callFragment(fragment, attempts + 1), attempts);
    }
  }

  /** 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response". */
  #deliverPing(payload: Uint8Array): void {
    this.outbox.control(PONG, payload);
    if (this.#streams?.pings?.observed) this.#streams.pings.next(payload.slice());
  }

  #deliverPong(payload: Uint8Array): void {
    if (payload.length === 4 && readNumber(payload) === this.#pingNumber && this.#pingNumber > 0) {
      this.rtt = this.#host.settings.clock.now() - this.#pingMs;
      return;
    }
    if (this.#streams?.pongs?.observed) this.#streams.pongs.next(payload.slice());
  }

  /** A handler may answer with a promise: reading waits for it. */
  #settle(result: unknown, retry: () => void, attempts: number): void {
    if (!isThenable(result)) return;
    this.#pendingHandlers++;
    this.#host.handlerPending(1);
    const settled = (): void => {
      this.#pendingHandlers--;
      this.#host.handlerPending(-1);
    };
    // A thenable may throw, or settle twice; a promise made of it does neither.
    Promise.resolve(result).then(
      () => {
        settled();
        this.#readAgain();
      },
      (error: unknown) => {
        settled();
        this.#callbackFailed(error, retry, attempts);
        this.#readAgain();
      },
    );
  }

  // ------------------------------------------------------------------ what goes wrong

  /** A subscriber of a stream threw. */
  subscriberFailed(error: unknown): void {
    this.#callbackFailed(error);
  }

  /** With `debugOnError`, a debugger stops here, and without one the process ends with the handler's own stack. */
  #stopToDebug(error: unknown): void {
    if (!this.#host.settings.debugOnError) return;
    // biome-ignore lint/suspicious/noDebugger: this is what debugOnError is for
    debugger;
    queueMicrotask(() => {
      throw error;
    });
  }

  /** `retry` calls the handler once more; it has been called again `attempts` times already. */
  #callbackFailed(error: unknown, retry?: () => void, attempts = 0): void {
    this.#stopToDebug(error);
    let decision = this.#report(error);
    if (decision === 'retry') {
      if (retry === undefined) decision = 'continue';
      else if (attempts >= MAX_RETRIES) decision = 'close';
      else {
        this.#retries ??= [];
        this.#retries.push(retry);
      }
    }
    this.#command({ type: 'callback.failed', decision });
  }

  retryCallback(): void {
    this.#retries?.shift()?.();
  }

  /** Tells an error to `onError` and to `errors$`; the answer is `onError`'s, or `'close'`. */
  #report(error: unknown, path = this.path): Decision {
    if (error instanceof LimitError) this.#host.breached(error.limit);
    const heard = this.#publish(error, path);
    const onError = this.path?.handlers.onError;
    if (onError === undefined) {
      if (!heard) this.#host.unheard(error);
      return 'close';
    }
    const onErrorFailed = (second: unknown): void => {
      if (!this.#publish(second, path)) this.#host.unheard(second);
    };
    try {
      const decision: unknown = onError(this.connection, error);
      if (isThenable(decision)) Promise.resolve(decision).then(undefined, onErrorFailed);
      return decision === 'continue' || decision === 'retry' ? decision : 'close';
    } catch (second) {
      onErrorFailed(second);
      return 'close';
    }
  }

  /** Tells an error to `errors$`; false when nobody is subscribed. */
  #publish(error: unknown, path: Path | undefined): boolean {
    const failure = { connection: this.path === undefined ? undefined : this.connection, error };
    let heard = false;
    for (const errors of [path?.streams.errors, this.#host.streams.errors]) {
      if (!errors?.observed) continue;
      heard = true;
      errors.next(failure);
    }
    return heard;
  }

  /** The transport threw in a call. */
  onBroken(error: unknown): void {
    this.onError(error instanceof Error ? error : new Error(String(error)));
  }

  /** The machine or this port broke: the connection fails with 1011, the process lives. */
  broke(cause: unknown): void {
    if (this.report !== undefined) return;
    // Before the handshake is answered, a Close frame would be no answer.
    if (this.#handshaking !== undefined) this.outbox.raw(encodeHttpResponse(BROKEN));
    else if (this.state !== 'handshaking')
      this.outbox.close(encodeClosePayload(1011, 'internal error'), true);
    this.outbox.flush();
    this.#report(new InternalError(cause));
    this.announce('closed', 'socket.error');
    this.finish({ code: 1011, reason: 'internal error', wasClean: false, initiator: 'server' });
  }

  onOverflow(): void {
    const { sendLimit } = this.#host.settings;
    const reason = 'peer reads too slowly';
    this.#closeRequested = true;
    this.#report(new LimitError('sendLimit', 1013, `more than ${sendLimit} bytes would wait for the peer`));
    this.#command({ type: 'limit.breached', code: 1013, reason });
  }

  shed(): void {
    const reason = 'server is short of memory';
    this.#closeRequested = true;
    if (this.state !== 'closing') {
      this.#report(new LimitError('memoryBudget', 1013, 'this connection held the most'));
    }
    this.#command({ type: 'limit.breached', code: 1013, reason });
  }

  #countMemory(): void {
    const held = this.#lent?.heldBytes ?? 0;
    const { waiting, bufferedAmount, queuedBytes } = this.outbox;
    const bytes = this.report === undefined ? held + (waiting ? bufferedAmount : queuedBytes) : 0;
    processBudget.count(this, bytes, this.#host.settings.memoryBudget);
  }

  // ------------------------------------------------------------------ sending and closing

  /** Whether a message may still be sent. */
  get sendable(): boolean {
    return !this.#closeRequested && (this.state === 'open' || this.state === 'fragmenting');
  }

  onWaiting(): void {
    this.#deadlines.writing(true);
    this.#countMemory();
  }

  onQueued(): void {
    this.#countMemory();
  }

  requestClose(code: number, reason: string): void {
    this.#closeRequested = true;
    this.#command({ type: 'connection.close', code, reason });
  }

  requestTerminate(): void {
    this.#closeRequested = true;
    this.#command({ type: 'connection.terminate' });
  }

  requestPause(): void {
    this.#command({ type: 'connection.pause' });
  }

  requestResume(): void {
    this.#command({ type: 'connection.resume' });
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
    // A pause of the user's would keep the peer's Close from us.
    if (this.#paused) this.resumeReading();
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
    this.#lent?.discard();
    this.#countMemory();
    this.outbox.end();
    // What still comes is read and dropped: unread bytes would turn our FIN into a reset.
    if (this.#transportPaused) {
      this.#transportPaused = false;
      this.#transport.resume();
    }
  }

  announce(state: ConnectionState, event: ConnectionEvent['type']): void {
    const from = this.state;
    this.state = state;
    this.#host.moved(from, state);
    this.#deadlines.enter(state);
    if (state === 'closing' || state === 'closed') this.path?.left(this.connection);
    this.#streams?.state?.next(state);
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
    this.#lent?.discard();
    this.#returnDecoder();
    this.#countMemory();
    this.#host.closed(this);
    if (this.accepted !== undefined) this.#reportEnd(report, this.accepted.path);
    this.#settleDrained();
    const streams = this.#streams;
    if (streams === undefined) return;
    for (const name of ['messages', 'fragments', 'pings', 'pongs', 'drain', 'state'] as const) {
      streams[name]?.complete();
    }
    streams.closed?.next(report);
    streams.closed?.complete();
  }

  #destroyTransport(): void {
    try {
      this.#transport.destroy();
    } catch (error) {
      this.#publish(error, this.path);
    }
  }

  #reportEnd(report: CloseReport, path: Path): void {
    try {
      const result = path.handlers.onClose?.(this.connection, report);
      if (!isThenable(result as PromiseLike<unknown> | undefined)) return;
      this.#host.handlerPending(1);
      Promise.resolve(result).then(
        () => this.#host.handlerPending(-1),
        (error: unknown) => {
          this.#host.handlerPending(-1);
          this.#callbackFailed(error);
        },
      );
    } catch (error) {
      this.#callbackFailed(error);
    }
  }

  // ------------------------------------------------------------------ being seen

  stats(): ConnectionStats {
    return {
      messagesIn: this.messagesIn,
      messagesOut: this.outbox.messages,
      dropped: this.outbox.dropped,
      bytesIn: this.bytesIn,
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
    this.#streams?.drain?.next();
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
  stream<Name extends keyof SessionStreams>(name: Name): NonNullable<SessionStreams[Name]> {
    this.#streams ??= {};
    let stream = this.#streams[name];
    if (stream === undefined) {
      const report = () => (this.#streams?.closed?.completed ? this.report : undefined);
      const present = { state: () => this.state, closed: report }[name as string];
      const guard = (error: unknown) => this.subscriberFailed(error);
      stream = new Stream(guard, present as () => undefined) as unknown as NonNullable<SessionStreams[Name]>;
      this.#streams[name] = stream;
      if (this.report !== undefined) stream.complete();
    }
    return stream as NonNullable<SessionStreams[Name]>;
  }

  ping(payload: Uint8Array): boolean {
    return this.sendable && this.outbox.control(PING, payload);
  }

  pong(payload: Uint8Array): boolean {
    return this.sendable && this.outbox.control(PONG, payload);
  }
}

/** The frame that was just read. */
function frameName(decoded: Decoded, text: boolean): FrameName {
  if (decoded === Decoded.PING) return 'ping';
  if (decoded === Decoded.PONG) return 'pong';
  if (decoded === Decoded.FRAGMENT) return 'continuation';
  return text ? 'text' : 'binary';
}

function readNumber(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0);
}
