/**
 * Reading of one connection: chunks to frames, frames to the user, and who holds that back.
 *
 * The hot path is `read` -> `#loop` -> `Recipient.whole` -> the user's handler. The loop ends at a frame that changes the
 * state, after a handler that gave a command, and when nothing more may be read. It goes on when the machine calls
 * `readOn`. While messages are held back, frames are still decoded: control frames are handled at once, and messages
 * wait in `ReadAhead`, up to `readAhead` bytes.
 */
import { type Fault, type FaultRow, fault, faults } from '../io/faults.ts';
import { readClosePayload } from '../io/frames/close-payload.ts';
import { Decoded, type FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { FairTurn } from '../io/time/fair-turns.ts';
import type { Transport } from '../io/transports/transport.ts';
import { reports } from '../machines/connection-machine.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionState,
  FrameName,
} from '../machines/connection-ports.ts';
import { Holding } from './holding.ts';
import type { Shared } from './host.ts';
import type { Side } from './memory-budget.ts';
import type { Rates } from './rate-limit.ts';
import { ReadAhead, type Waiting } from './read-ahead.ts';
import type { Fragment, Recipient } from './recipient.ts';

const CONTINUE: ConnectionEvent = { type: 'read.continue' };
/** Frames of one connection that are handled in one turn of the event loop, at most. More wait for the next turn. */
export const FRAMES_A_TURN = 256;
/** After so many frames of a turn, and again after so many more, it is asked whether the turn has time left. */
export const FRAMES_A_LOOK = 32;

/** What reading needs of its connection. */
export interface ReadingOwner {
  readonly recipient: Recipient;
  readonly state: ConnectionState;
  /** Frames are still read and delivered. */
  readonly readsOn: boolean;
  /** Somebody observes the statechart: every frame is an event of its own. */
  readonly inspected: boolean;
  readonly sending: { seal(): void };
  readonly deadlines: {
    lastByteTick: number;
    insideMessage(isInside: boolean, messages: number): void;
  };
  /** Bytes of memory held for the request head until the handshake is answered. */
  readonly headBytes: number;
  readonly memory: { countReading(side: Side): void };
  shed(): void;
  tell(event: ConnectionEvent): void;
  fault(happened: Fault): void;
  answerPing(payload: Uint8Array): void;
  takePong(payload: Uint8Array): void;
  /** The end is known, and how: the peer has said goodbye. */
  ends(report: CloseReport): void;
  readingStopped(): void;
  readingResumed(): void;
  /** Nothing that came before the end waits any more. */
  exhausted(): void;
}

/**
 * What is read of one connection.
 *
 * Many members: the machine, the transport, handlers and iterators all hold reading back or let it go on.
 */
export class Reading implements FairTurn, Side {
  messages = 0;
  bytes = 0;
  /** Only where an option limits how fast the peer may send. */
  rates: Rates | undefined;

  readonly #session: ReadingOwner;
  readonly #host: Shared;
  readonly #transport: Transport;
  /** Lent by the server while bytes are under way, so that an idle connection holds none. */
  #lent: FrameDecoder | undefined;
  /** Made when somebody holds messages back. */
  #holding: Holding | undefined;
  #ahead: ReadAhead | undefined;
  /** Frames decoded, and waiting messages delivered, in this turn. */
  #frames = 0;
  /** Bytes of memory of the chunk that is not decoded to its end, as of the last `keepRest`. */
  #restBytes = 0;
  #countedBytes = 0;
  #transportPaused = false;
  /** The user does not want to be given more for now: the deadlines of what comes in stand still. */
  #isStopped = false;
  #isLooping = false;
  /** A command of a handler is in the mailbox: it comes before the next frame. */
  #commanded = false;
  /** Events of ours in the mailbox that end with `readOn`: nothing is decoded before they have come out. */
  #owed = 0;
  /** Nothing is delivered any more, not even what waits. */
  #isOver = false;

  constructor(session: ReadingOwner, host: Shared, transport: Transport) {
    this.#session = session;
    this.#host = host;
    this.#transport = transport;
  }

  get decoder(): FrameDecoder {
    this.#lent ??= this.#host.lendDecoder();
    return this.#lent;
  }

  /** Bytes of memory that this connection holds because of what its peer sent. */
  get heldBytes(): number {
    const message = this.#lent === undefined ? 0 : this.#lent.heldBytes + this.#restBytes;
    const waiting = this.#ahead === undefined ? 0 : this.#ahead.heldBytes;
    return message + waiting + this.#session.headBytes;
  }

  /** Messages that came and do not wait. */
  get completed(): number {
    return this.messages - (this.#ahead?.messages ?? 0);
  }

  /** Bytes that have come of the head, or of the message, that is not complete. */
  get movedBytes(): number {
    return this.#lent === undefined ? this.#session.headBytes : this.#lent.receivedBytes;
  }

  /** The server is short of memory. */
  shed(): void {
    this.#session.shed();
  }

  /** Counts what is held in the server's memory budget. */
  countMemory(): void {
    const { heldBytes } = this;
    if (heldBytes === 0 && this.#countedBytes === 0) return;
    this.#countedBytes = heldBytes;
    this.#session.memory.countReading(this);
  }

  /** Nothing is read from the transport: silence is our own doing. */
  get isHeld(): boolean {
    return this.#transportPaused;
  }

  /** Whether messages still reach the user. */
  get delivers(): boolean {
    return !this.#isOver;
  }

  /** A `for await` loop takes the messages: a pending handler holds none back. */
  get isIterated(): boolean {
    return (this.#holding?.iterators ?? 0) > 0;
  }

  /** Messages wait for the user, or for the codec to say what they are. */
  get hasWaiting(): boolean {
    return this.#ahead?.isEmpty === false || this.#holding?.decoding === true;
  }

  /** Bytes that are not decoded, or messages that are not delivered. */
  get #hasWork(): boolean {
    return this.#lent?.hasMore === true || this.#ahead?.isEmpty === false;
  }

  /** A chunk came; false when it is more than `maxBytesPerSecond` allows, and the connection fails. */
  count(bytes: number): boolean {
    this.bytes += bytes;
    if (this.rates === undefined || this.rates.bytes(bytes, this.#host.ticker) !== false) return true;
    return this.#tooFast('maxBytesPerSecond');
  }

  // ------------------------------------------------------------------ what the machine asks for

  read(chunk: Uint8Array): void {
    this.decoder.append(chunk);
    this.#frames = 0;
    this.#loop();
  }

  /** Goes on with what lies here, once every event of ours has come out of the mailbox. */
  readOn(): void {
    if (this.#owed === 0 && (this.#commanded || this.#hasWork)) this.#loop();
  }

  /** An event of ours has come out of the mailbox. */
  takeEvent(): void {
    this.#owed = Math.max(0, this.#owed - 1);
  }

  pause(): void {
    this.#hold().paused = true;
    this.pauseTransport();
  }

  resume(): void {
    if (this.#holding !== undefined) this.#holding.paused = false;
    this.resumeTransport();
  }

  /** Delivers the first fragment of a message. */
  deliverFragment(): void {
    this.takeEvent();
    this.#fragment(this.decoder);
  }

  /** Delivers the last fragment of a message, and the message with it. */
  deliverMessage(): void {
    this.takeEvent();
    const { decoder } = this;
    const { recipient } = this.#session;
    const fragment = recipient.wantsFragments ? fragmentOf(decoder) : undefined;
    const message = decoder.assemble ? decoder.takeMessage() : undefined;
    const bytes = message?.length ?? decoder.payloadBytes;
    if (this.#mustWait) this.#wait({ kind: 'last', fragment, message, bytes });
    else recipient.last(fragment, message);
  }

  // ------------------------------------------------------------------ frames

  /** A command of the user's is in the mailbox. */
  commanded(): void {
    this.#commanded = true;
  }

  #loop(): void {
    this.#isLooping = true;
    this.#decode(this.decoder);
    this.#isLooping = false;
  }

  /** Decodes and delivers until the chunk is done, a frame changes the state, or somebody asked for something else. */
  #decode(decoder: FrameDecoder): void {
    for (;;) {
      if (this.#commanded) {
        this.#commanded = false;
        this.#continue(CONTINUE);
        return;
      }
      if (this.#ahead !== undefined && this.#canDeliver) {
        if (this.#mustWaitForTurn()) return;
        this.#deliverNext();
        continue;
      }
      if (this.#holding !== undefined && this.#mustStop(this.#holding)) return;
      if (decoder.hasMore && this.#mustWaitForTurn()) return;
      const decoded = decoder.next();
      if (!this.#handle(decoded, decoder)) return;
      if (this.#session.inspected) {
        this.#commanded = false;
        const opcode = frameName(decoded, decoder.text);
        this.#continue({ type: 'read.continue', opcode, byteLength: decoder.payloadBytes });
        return;
      }
    }
  }

  /** Handles one frame that changes no state; false where the loop ends. */
  #handle(decoded: Decoded, decoder: FrameDecoder): boolean {
    if (decoded === Decoded.MESSAGE) {
      if (!this.#countMessage()) return false;
      this.messages++;
      if (this.#mustWait)
        this.#wait({ kind: 'whole', message: decoder.message, bytes: decoder.payloadBytes });
      else this.#session.recipient.whole(decoder.message);
    } else if (decoded === Decoded.FRAGMENT && !decoder.first && !decoder.final) {
      this.#fragment(decoder);
    } else if (decoded === Decoded.PING) {
      if (!this.#countMessage()) return false;
      this.#session.answerPing(decoder.control);
    } else if (decoded === Decoded.PONG) {
      if (!this.#countMessage()) return false;
      this.#session.takePong(decoder.control);
    } else {
      this.#raise(decoded, decoder);
      return false;
    }
    return true;
  }

  /** A frame of a fragmented message; the first one settles whether the message is put together. */
  #fragment(decoder: FrameDecoder): void {
    const { recipient } = this.#session;
    if (decoder.first) decoder.assemble = recipient.wantsMessages || !recipient.wantsFragments;
    if (!recipient.wantsFragments) return;
    const fragment = fragmentOf(decoder);
    if (this.#mustWait) this.#wait({ kind: 'fragment', fragment, bytes: decoder.payloadBytes });
    else recipient.fragment(fragment);
  }

  /** What comes now must wait: messages are held back, or others wait already. */
  get #mustWait(): boolean {
    return this.#holding !== undefined && (this.#holding.delivery || this.#ahead?.isEmpty === false);
  }

  #wait(item: Waiting): void {
    this.#ahead ??= new ReadAhead();
    this.#ahead.push(item);
  }

  /** A message waits, and the user may be given it now. */
  get #canDeliver(): boolean {
    if (this.#ahead?.isEmpty !== false) return false;
    return this.#holding?.delivery !== true && this.#holding?.behind !== true;
  }

  /** Gives the user the next message that waits; false when none does, or it must go on waiting. */
  #deliverNext(): boolean {
    if (!this.#canDeliver) return false;
    const item = this.#ahead?.shift();
    if (item === undefined) return false;
    this.#give(item);
    return true;
  }

  #give(item: Waiting): void {
    const { recipient } = this.#session;
    if (item.kind === 'fragment') recipient.fragment(item.fragment);
    else if (item.kind === 'last') recipient.last(item.fragment, item.message);
    else recipient.whole(item.message);
  }

  /** Whether no more frames may be decoded now; then the transport is told, too. */
  #mustStop(holding: Holding): boolean {
    holding.full = holding.delivery && (this.#ahead?.bytes ?? 0) >= this.#host.settings.readAhead;
    if (!holding.wire) return false;
    if (holding.stopped) this.pauseTransport();
    return true;
  }

  /** What the loop ends for: the chunk's end, or a frame that changes the state. */
  #raise(decoded: Decoded, decoder: FrameDecoder): void {
    if (decoded === Decoded.NEED_MORE) return;
    if (decoded === Decoded.FRAGMENT) {
      if (decoder.final && !this.#countMessage()) return;
      if (decoder.final) this.messages++;
      const type = decoder.first ? 'fragment.begin' : 'fragment.end';
      const opcode = decoder.first ? (decoder.text ? 'text' : 'binary') : 'continuation';
      this.#continue({ type, byteLength: decoder.payloadBytes, opcode });
      return;
    }
    // Nothing is decoded after these: the state that they lead to discards what comes.
    this.#owed++;
    if (decoded === Decoded.CLOSE) this.#readClose(decoder.control);
    else this.#failed(decoder.fault as Fault); // set with FAULT
  }

  /** Sends an event that ends with `readOn`. */
  #continue(event: ConnectionEvent): void {
    this.#owed++;
    this.#session.tell(event);
  }

  #readClose(control: Uint8Array): void {
    const payload = readClosePayload(control);
    if ('fault' in payload) {
      this.#failed(payload.fault);
      return;
    }
    const event = { type: 'close.received', ...payload } as const;
    const { state } = this.#session;
    this.#session.tell(event);
    this.#session.ends(state === 'closing' ? reports.noteTheirAnswer(event) : reports.noteTheirClose(event));
  }

  /** The peer broke a rule or a limit. */
  #failed(fault: Fault): void {
    const { code, reason } = fault;
    const row: FaultRow = faults[fault.name];
    this.#session.fault(fault);
    this.#session.tell({
      type: row.limit === undefined ? 'protocol.failed' : 'limit.breached',
      code,
      reason,
    });
  }

  /** Counts one message, Ping or Pong; false when it is one too many, and the connection fails. */
  #countMessage(): boolean {
    if (this.rates === undefined || this.rates.message(this.#host.ticker) !== false) return true;
    return this.#tooFast('maxMessagesPerSecond');
  }

  /** True where that changes nothing any more: after our Close we read on until the deadline. */
  #tooFast(limit: 'maxBytesPerSecond' | 'maxMessagesPerSecond'): boolean {
    const { state } = this.#session;
    if (state === 'closing' || state === 'closed') return true;
    this.#session.sending.seal();
    this.forget();
    this.#failed(fault(limit));
    return false;
  }

  // ------------------------------------------------------------------ holding back

  #hold(): Holding {
    this.#holding ??= new Holding();
    return this.#holding;
  }

  /** An async iterator has come (+1) or gone (-1). */
  iterating(change: 1 | -1): void {
    this.#hold().iterators += change;
    this.readAgain();
  }

  /** An iterator waits for a message (+1) or has got one (-1). */
  pulling(change: 1 | -1): void {
    this.#hold().pulls += change;
    if (change > 0) this.readAgain();
  }

  /** A handler's promise is pending (+1) or settled (-1); `readAgain` follows the latter. */
  handling(change: 1 | -1): void {
    const holding = this.#hold();
    holding.handlers += change;
    if (holding.handlers === 0) holding.asking?.clear();
  }

  /** A handler's promise is pending. */
  get isHandling(): boolean {
    return this.#holding?.isHandling === true;
  }

  /** A subscription made in a pending handler awaits messages, until the handler has settled; `readAgain` follows. */
  ask(subscription: object): void {
    const holding = this.#hold();
    holding.asking ??= new Set();
    holding.asking.add(subscription);
  }

  /** A subscription has ended. */
  askNoMore(subscription: object): void {
    this.#holding?.asking?.delete(subscription);
  }

  /** The codec has not yet said what a message is (true), or it has. */
  decoding(isPending: boolean): void {
    this.#hold().decoding = isPending;
    this.handling(isPending ? 1 : -1);
  }

  /** A reason to hold messages back has gone: goes on with what lies here. */
  readAgain(): void {
    if (!this.#session.readsOn) {
      this.#deliverAfterEnd();
      return;
    }
    const holding = this.#holding;
    if (holding === undefined || holding.delivery || holding.behind) return;
    holding.full = false;
    if (this.#hasWork) this.goOn(() => this.#continue(CONTINUE));
    this.resumeTransport();
  }

  /** The peer has said goodbye: what came before is still delivered, at the pace of its handlers. */
  #deliverAfterEnd(): void {
    while (this.#deliverNext());
    this.countMemory();
    if (!this.hasWaiting) this.#session.exhausted();
  }

  /** Drops what waits; nothing more is delivered. */
  forget(): void {
    this.#isOver = true;
    this.#ahead?.clear();
    this.countMemory();
  }

  /**
   * Tells the machine what may make it read what lies here, as a chunk would: the frames that this makes the user send
   * leave in one write, and what is left afterwards is kept and counted.
   */
  goOn(tell: () => void): void {
    if (this.#isLooping || !this.#hasWork) {
      tell();
      return;
    }
    this.#host.turn.begin();
    tell();
    this.keepRest(false);
    this.#host.turn.end();
  }

  /**
   * Counts one frame, or one message that waited. True when there were enough of them in this turn: the rest is handled in
   * a later one, in turn with other connections.
   */
  #mustWaitForTurn(): boolean {
    const frames = this.#frames++;
    if (frames === 0 || frames % FRAMES_A_LOOK !== 0) return false;
    const { turns } = this.#host;
    if (frames < FRAMES_A_TURN && !turns.isOver()) return false;
    this.#hold().behind = true;
    this.#pauseSocket();
    turns.wait(this);
    return true;
  }

  /** It is this connection's turn again. */
  onTurn(): void {
    const holding = this.#hold();
    if (!holding.behind) return;
    holding.behind = false;
    this.#frames = 0;
    if (!this.#session.readsOn) {
      this.#deliverAfterEnd();
      return;
    }
    // What lies here came from the peer: it was not silent.
    this.#session.deadlines.lastByteTick = this.#host.ticker.tick;
    this.goOn(() => this.#continue(CONTINUE));
    this.resumeTransport();
  }

  // ------------------------------------------------------------------ the chunk's end, and the transport

  /** The chunk is done for now: what is left is copied where its memory is shared; an idle decoder is given back. */
  keepRest(shared: boolean): void {
    const decoder = this.#lent;
    if (decoder !== undefined) this.#settle(decoder, shared);
    this.countMemory();
  }

  #settle(decoder: FrameDecoder, shared: boolean): void {
    this.#session.deadlines.insideMessage(decoder.insideMessage, this.messages);
    if (decoder.idle) {
      this.#host.takeBack(decoder);
      this.#lent = undefined;
      return;
    }
    if (shared && decoder.hasMore) decoder.keepRest();
    decoder.settle();
    this.#restBytes = decoder.restBytes;
  }

  /** Nothing more is decoded: the connection is over, or its input is discarded. */
  drop(): void {
    this.#lent?.discard();
    this.#restBytes = 0;
    this.countMemory();
  }

  /** Reads no more for the user's sake: from here on the peer cannot be late. */
  pauseTransport(): void {
    if (!this.#isStopped) {
      this.#isStopped = true;
      this.#session.readingStopped();
    }
    this.#pauseSocket();
  }

  #pauseSocket(): void {
    if (this.#transportPaused) return;
    this.#transportPaused = true;
    this.rates?.paused(this.#host.ticker);
    this.#transport.pause();
  }

  /** Lets the transport read again, unless somebody holds that back. */
  resumeTransport(): void {
    if (this.#isStopped && this.#holding?.stopped !== true) {
      this.#isStopped = false;
      this.#session.readingResumed();
    }
    if (!this.#transportPaused || this.#holding?.wire === true) return;
    this.#transportPaused = false;
    this.rates?.resumed(this.#host.ticker);
    this.#transport.resume();
  }

  /** What still comes is read and dropped: unread bytes would turn our FIN into a reset. */
  discardInput(): void {
    this.drop();
    if (!this.#transportPaused) return;
    this.#transportPaused = false;
    this.#transport.resume();
  }
}

/** The fragment that was just read. */
function fragmentOf(decoder: FrameDecoder): Fragment {
  const { first, final, text } = decoder;
  return { data: decoder.takeFragment(), opcode: text ? 'text' : 'binary', first, final };
}

/** The frame that was just read. */
function frameName(decoded: Decoded, text: boolean): FrameName {
  if (decoded === Decoded.PING) return 'ping';
  if (decoded === Decoded.PONG) return 'pong';
  if (decoded === Decoded.FRAGMENT) return 'continuation';
  return text ? 'text' : 'binary';
}
