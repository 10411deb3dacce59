/**
 * Reading of one connection: chunks to frames, and frames to the user.
 *
 * The hot path is `read` -> `#loop` -> `#decode` -> `Recipient.whole` -> the user's handler. The loop ends at a frame that
 * changes the state, after a handler that gave a command, and when nothing more may be read. It goes on when the machine
 * calls `readOn`. While messages are held back, frames are still decoded: control frames are handled at once, and messages
 * wait in `WaitingMessages`, up to `readAhead` bytes.
 */
import { type Fault, fault } from '../io/faults.ts';
import { Decoded, type FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { FairTurn } from '../io/time/fair-turns.ts';
import type { Transport } from '../io/transports/transport.ts';
import type { ConnectionEvent } from '../machines/connection-ports.ts';
import {
  type FrameOwner,
  fragmentEvent,
  fragmentOf,
  inspectedEvent,
  tellClose,
  tellFailure,
} from './frame-events.ts';
import type { Shared } from './host.ts';
import type { Rates } from './rate-limit.ts';
import { type MemoryOwner, ReadingMemory } from './reading-memory.ts';
import type { Recipient } from './recipient.ts';
import { type PauseOwner, TransportPause } from './transport-pause.ts';
import type { WaitingMessages } from './waiting-messages.ts';

const CONTINUE: ConnectionEvent = { type: 'read.continue' };
/** Frames of one connection that are handled in one turn of the event loop, at most. More wait for the next turn. */
export const FRAMES_A_TURN = 256;
/** After so many frames of a turn, and again after so many more, it is asked whether the turn has time left. */
export const FRAMES_A_LOOK = 32;

/** What reading needs of its connection. */
export interface ReadingOwner extends FrameOwner, MemoryOwner, PauseOwner {
  readonly recipient: Recipient;
  /** Frames are still read and delivered. */
  readonly readsOn: boolean;
  /** Somebody observes the statechart: every frame is an event of its own. */
  readonly inspected: boolean;
  readonly sending: MemoryOwner['sending'] & { seal(): void };
  readonly deadlines: MemoryOwner['deadlines'] & { lastByteTick: number };
  answerPing(payload: Uint8Array): void;
  takePong(payload: Uint8Array): void;
  /** Nothing that came before the end waits any more. */
  exhausted(): void;
}

/**
 * What is read of one connection.
 *
 * Many members: the machine, the transport, handlers and iterators all hold reading back or let it go on.
 */
export class Reading extends ReadingMemory<ReadingOwner> implements FairTurn {
  bytes = 0;
  /** Only where an option limits how fast the peer may send. */
  rates: Rates | undefined;

  readonly #transport: Transport;
  /** Made when the transport is first paused. */
  #pause: TransportPause | undefined;
  /** Frames decoded, and waiting messages delivered, in this turn. */
  #frames = 0;
  #isLooping = false;
  /** A command of a handler is in the mailbox: it comes before the next frame. */
  #commanded = false;
  /** Events of ours in the mailbox that end with `readOn`: nothing is decoded before they have come out. */
  #owed = 0;
  /** Nothing is delivered any more, not even what waits. */
  #isOver = false;

  constructor(session: ReadingOwner, host: Shared, transport: Transport) {
    super(session, host);
    this.#transport = transport;
  }

  /** Nothing is read from the transport: silence is our own doing. */
  get isHeld(): boolean {
    return this.#pause?.isPaused === true;
  }

  /** Whether messages still reach the user. */
  get delivers(): boolean {
    return !this.#isOver;
  }

  /** Bytes that are not decoded, or messages that are not delivered. */
  get #hasWork(): boolean {
    return this.lent?.hasMore === true || this.waiting?.isEmpty === false;
  }

  /** A chunk came; false when it is more than `maxBytesPerSecond` allows, and the connection fails. */
  count(bytes: number): boolean {
    this.bytes += bytes;
    if (this.rates === undefined || this.rates.bytes(bytes, this.host.ticker) !== false) return true;
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
    this.hold().holding.paused = true;
    this.pauseTransport();
  }

  resume(): void {
    if (this.waiting !== undefined) this.waiting.holding.paused = false;
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
    const { recipient } = this.session;
    const fragment = recipient.wantsFragments ? fragmentOf(decoder) : undefined;
    const message = decoder.assemble ? decoder.takeMessage() : undefined;
    const waiting = this.waiting;
    if (waiting?.mustWait) waiting.add({ kind: 'last', fragment, message });
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
      const waiting = this.waiting;
      if (waiting !== undefined) {
        if (waiting.canDeliver) {
          if (this.#mustWaitForTurn()) return;
          waiting.deliverNext(this.session.recipient);
          continue;
        }
        if (this.#mustStop(waiting)) return;
      }
      if (decoder.hasMore && this.#mustWaitForTurn()) return;
      const decoded = decoder.next();
      if (!this.#handle(decoded, decoder)) return;
      if (this.session.inspected && decoded !== Decoded.GIVE_WAY) {
        this.#commanded = false;
        this.#continue(inspectedEvent(decoded, decoder));
        return;
      }
    }
  }

  /** Handles one frame that changes no state; false where the loop ends. */
  #handle(decoded: Decoded, decoder: FrameDecoder): boolean {
    if (decoded === Decoded.MESSAGE) {
      if (!this.#countMessage()) return false;
      this.messages++;
      const waiting = this.waiting;
      if (waiting?.mustWait) waiting.add({ kind: 'whole', message: decoder.message });
      else this.session.recipient.whole(decoder.message);
    } else if (decoded === Decoded.FRAGMENT && !decoder.first && !decoder.final) {
      this.#fragment(decoder);
    } else if (decoded === Decoded.PING) {
      if (!this.#countMessage()) return false;
      this.session.answerPing(decoder.control);
    } else if (decoded === Decoded.PONG) {
      if (!this.#countMessage()) return false;
      this.session.takePong(decoder.control);
    } else if (decoded === Decoded.GIVE_WAY) {
      // As much work as many frames: it is asked at once whether the turn has time left.
      this.#frames = (Math.floor(this.#frames / FRAMES_A_LOOK) + 1) * FRAMES_A_LOOK;
    } else {
      this.#raise(decoded, decoder);
      return false;
    }
    return true;
  }

  /** A frame of a fragmented message; the first one settles whether the message is put together. */
  #fragment(decoder: FrameDecoder): void {
    const { recipient } = this.session;
    if (decoder.first) decoder.assemble = recipient.wantsMessages || !recipient.wantsFragments;
    if (!recipient.wantsFragments) return;
    const fragment = fragmentOf(decoder);
    const waiting = this.waiting;
    if (waiting?.mustWait) waiting.add({ kind: 'fragment', fragment });
    else recipient.fragment(fragment);
  }

  /** Whether no more frames may be decoded now; then the transport is told, too. */
  #mustStop(waiting: WaitingMessages): boolean {
    if (!waiting.mustStop(this.host.settings.readAhead)) return false;
    if (waiting.holding.stopped) this.pauseTransport();
    return true;
  }

  /** What the loop ends for: the chunk's end, or a frame that changes the state. */
  #raise(decoded: Decoded, decoder: FrameDecoder): void {
    if (decoded === Decoded.NEED_MORE) return;
    if (decoded === Decoded.FRAGMENT) {
      if (decoder.final && !this.#countMessage()) return;
      if (decoder.final) this.messages++;
      this.#continue(fragmentEvent(decoder));
      return;
    }
    // Nothing is decoded after these: the state that they lead to discards what comes.
    this.#owed++;
    if (decoded === Decoded.CLOSE) tellClose(this.session, decoder.control);
    else tellFailure(this.session, decoder.fault as Fault); // set with FAULT
  }

  /** Sends an event that ends with `readOn`. */
  #continue(event: ConnectionEvent): void {
    this.#owed++;
    this.session.tell(event);
  }

  /** Counts one message, Ping or Pong; false when it is one too many, and the connection fails. */
  #countMessage(): boolean {
    if (this.rates === undefined || this.rates.message(this.host.ticker) !== false) return true;
    return this.#tooFast('maxMessagesPerSecond');
  }

  /** True where that changes nothing any more: after our Close we read on until the deadline. */
  #tooFast(limit: 'maxBytesPerSecond' | 'maxMessagesPerSecond'): boolean {
    const { state } = this.session;
    if (state === 'closing' || state === 'closed') return true;
    this.session.sending.seal();
    this.forget();
    tellFailure(this.session, fault(limit));
    return false;
  }

  // ------------------------------------------------------------------ holding back

  /** A reason to hold messages back has gone: goes on with what lies here. */
  readAgain(): void {
    this.afterDelivery(() => this.#readAgain());
  }

  #readAgain(): void {
    if (!this.session.readsOn) {
      this.#deliverAfterEnd();
      return;
    }
    const holding = this.waiting?.holding;
    if (holding === undefined || holding.delivery || holding.behind) return;
    holding.full = false;
    if (this.#hasWork) this.goOn(() => this.#continue(CONTINUE));
    this.resumeTransport();
  }

  /** The peer has said goodbye: what came before is still delivered, at the pace of its handlers. */
  #deliverAfterEnd(): void {
    const { waiting } = this;
    waiting?.deliver(() => {
      while (waiting.deliverNext(this.session.recipient));
    });
    this.countMemory();
    if (!this.hasWaiting) this.session.exhausted();
  }

  /** The user holds back what came before the end, or no longer. */
  pauseRest(isPaused: boolean): void {
    this.hold().holding.paused = isPaused;
    if (!isPaused) this.readAgain();
  }

  /** Runs a command at once, or when all have got the message that is given to them outside of the machine's steps. */
  afterDelivery(run: () => void): void {
    if (this.waiting === undefined) run();
    else this.waiting.command(run);
  }

  /** Drops what waits; nothing more is delivered. */
  forget(): void {
    this.#isOver = true;
    this.waiting?.clear();
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
    this.host.turn.begin();
    tell();
    this.keepRest(false);
    this.host.turn.end();
  }

  /**
   * Counts one frame, or one message that waited. True when there were enough of them in this turn: the rest is handled in
   * a later one, in turn with other connections.
   */
  #mustWaitForTurn(): boolean {
    const frames = this.#frames++;
    return frames % FRAMES_A_LOOK === 0 && frames !== 0 && this.#isTurnOver(frames);
  }

  /** Apart from the count, so that this stays small enough to be inlined for each frame. */
  #isTurnOver(frames: number): boolean {
    const { turns } = this.host;
    if (frames < FRAMES_A_TURN && !turns.isOver()) return false;
    this.hold().holding.behind = true;
    this.#pausing().pause(this.rates);
    turns.wait(this);
    return true;
  }

  /** It is this connection's turn again. */
  onTurn(): void {
    const { waiting } = this;
    if (waiting?.holding.behind !== true) return;
    waiting.holding.behind = false;
    // Without it, each frame costs less.
    if (waiting.isIdle) this.waiting = undefined;
    this.#frames = 0;
    if (!this.session.readsOn) {
      this.#deliverAfterEnd();
      return;
    }
    // What lies here came from the peer: it was not silent.
    this.session.deadlines.lastByteTick = this.host.ticker.tick;
    this.goOn(() => this.#continue(CONTINUE));
    this.resumeTransport();
  }

  // ------------------------------------------------------------------ the transport

  #pausing(): TransportPause {
    this.#pause ??= new TransportPause(this.session, this.#transport, this.host.ticker);
    return this.#pause;
  }

  /** Reads no more for the user's sake: from here on the peer cannot be late. */
  pauseTransport(): void {
    this.#pausing().stop(this.rates);
  }

  /** Lets the transport read again, unless somebody holds that back. */
  resumeTransport(): void {
    this.#pause?.resume(this.rates, this.waiting?.holding);
  }

  /** What still comes is read and dropped: unread bytes would turn our FIN into a reset. */
  discardInput(): void {
    this.drop();
    this.#pause?.release();
  }
}
