/**
 * Reading of one connection: chunks to frames, who holds it back, and how fast the peer may be.
 *
 * The hot path is `read` → `#loop` → `Delivery.whole` → the handler. The loop stops behind a frame that changes the
 * state, behind a handler that gave a command, and while somebody holds reading back; it goes on when the machine says
 * `readOn`. Nothing is decoded while a frame's own event, or a word to read on, waits in the mailbox.
 */

import { LimitError, ProtocolError } from '../api/errors.ts';
import { type Fault, type FaultRow, faults } from '../io/faults.ts';
import { readClosePayload } from '../io/frames/close-payload.ts';
import { Decoded, type FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { Transport } from '../io/transports/transport.ts';
import type { ConnectionEvent, FrameName } from '../machines/connection-ports.ts';
import type { Host } from './host.ts';
import type { Rates } from './rate-limit.ts';
import type { Session } from './session.ts';

const CONTINUE: ConnectionEvent = { type: 'read.continue' };

export class Reading {
  messages = 0;
  bytes = 0;
  /** Only where an option limits how fast the peer may send. */
  rates: Rates | undefined;

  readonly #session: Session;
  readonly #host: Host;
  readonly #transport: Transport;
  /** Lent by the server while bytes are under way, so that an idle connection holds none. */
  #lent: FrameDecoder | undefined;

  // Who holds it back, and whether the transport was told.
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

  constructor(session: Session, host: Host, transport: Transport) {
    this.#session = session;
    this.#host = host;
    this.#transport = transport;
  }

  get decoder(): FrameDecoder {
    this.#lent ??= this.#host.lendDecoder();
    return this.#lent;
  }

  /** Bytes of memory that hold an unfinished message. */
  get heldBytes(): number {
    return this.#lent?.heldBytes ?? 0;
  }

  /** Reading stands still: by `pause`, for a handler's promise, or for an iterator that was not asked for more. */
  get held(): boolean {
    if (this.#paused) return true;
    if (this.#iterators > 0) return this.#pulls < this.#iterators || this.#decoding;
    return this.#pendingHandlers > 0;
  }

  /** A chunk came; false when it is more than `maxBytesPerSecond` allows, and the connection fails. */
  count(bytes: number): boolean {
    this.bytes += bytes;
    if (this.rates === undefined || this.rates.bytes(bytes, this.#host.ticker) !== false) return true;
    return this.#tooFast('maxBytesPerSecond', 'too many bytes a second');
  }

  read(chunk: Uint8Array): void {
    this.decoder.append(chunk);
    if (this.held) this.pauseTransport();
    else this.#loop();
  }

  readOn(by: ConnectionEvent['type']): void {
    if (by === 'read.continue') this.#continues = Math.max(0, this.#continues - 1);
    else if (by === 'fragment.begin' || by === 'fragment.end') this.#raised = false;
    if (this.#raised || this.#continues > 0) return;
    if (this.#lent?.hasMore || this.#commanded) this.#loop();
  }

  /** A command of the user's is in the mailbox. */
  commanded(): void {
    this.#commanded = true;
  }

  /** The chunk is done for now: what is left of it is copied where its memory is shared, an idle decoder given back. */
  rest(shared: boolean): void {
    const decoder = this.#lent;
    if (decoder === undefined) return;
    if (decoder.idle) {
      this.#host.takeBack(decoder);
      this.#lent = undefined;
    } else {
      if (shared && decoder.hasMore) decoder.keepRest();
      decoder.settle();
    }
    if (this.heldBytes !== this.#session.countedBytes) this.#session.countMemory();
  }

  /** Nothing more is decoded: the connection is over, or its input is discarded. */
  drop(): void {
    this.#lent?.discard();
  }

  // ------------------------------------------------------------------ frames

  /** Decodes and delivers until the chunk is done, a frame changes the state, or a handler asked for something. */
  #loop(): void {
    const { decoder } = this;
    const { delivery } = this.#session;
    let decoded: Decoded;
    for (;;) {
      if (this.#commanded) {
        this.#commanded = false;
        this.#continue(CONTINUE);
        return;
      }
      if (this.held) {
        // What the peer sends next, its FIN too, comes after the frames that wait here.
        if (decoder.hasMore) this.pauseTransport();
        return;
      }
      decoded = decoder.next();
      if (decoded === Decoded.MESSAGE) {
        if (!this.#countMessage()) return;
        this.messages++;
        delivery.whole(decoder.message);
      } else if (decoded === Decoded.FRAGMENT && !decoder.first && !decoder.final) {
        delivery.fragment(decoder);
      } else if (decoded === Decoded.PING) {
        if (!this.#countMessage()) return;
        delivery.ping(decoder.control);
      } else if (decoded === Decoded.PONG) {
        if (!this.#countMessage()) return;
        delivery.pong(decoder.control);
      } else {
        this.#raise(decoded, decoder);
        return;
      }
      if (this.#session.inspected) {
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

  /** What the loop stops for: the chunk's end, or a frame that changes the state. */
  #raise(decoded: Decoded, decoder: FrameDecoder): void {
    if (decoded === Decoded.NEED_MORE) return;
    if (decoded === Decoded.FRAGMENT) {
      if (decoder.final && !this.#countMessage()) return;
      if (decoder.final) this.messages++;
      this.#raised = true;
      const type = decoder.first ? 'fragment.begin' : 'fragment.end';
      const opcode = decoder.first ? (decoder.text ? 'text' : 'binary') : 'continuation';
      this.#session.tell({ type, byteLength: decoder.payloadBytes, opcode });
      return;
    }
    this.#raised = true;
    if (decoded === Decoded.CLOSE) this.#readClose(decoder.control);
    else this.#fail(decoder.fault as Fault); // set with FAULT
  }

  /** Puts the word to read on behind what waits in the mailbox. */
  #continue(event: ConnectionEvent): void {
    this.#continues++;
    this.#session.tell(event);
  }

  #readClose(control: Uint8Array): void {
    const payload = readClosePayload(control);
    if ('fault' in payload) this.#fail(payload.fault);
    else this.#session.tell({ type: 'close.received', ...payload });
  }

  #fail({ name, code, reason }: Fault): void {
    const { limit }: FaultRow = faults[name];
    if (limit === undefined) this.#violated(code, reason);
    else this.#breached(limit, code, reason);
  }

  #violated(code: number, reason: string): void {
    this.#session.delivery.report(new ProtocolError(code, reason));
    this.#session.tell({ type: 'protocol.failed', code, reason });
  }

  #breached(limit: string, code: number, reason: string): void {
    this.#session.delivery.report(new LimitError(limit, code, reason));
    this.#session.tell({ type: 'limit.breached', code, reason });
  }

  /** Counts one message, Ping or Pong; false when it is one too many, and the connection fails. */
  #countMessage(): boolean {
    if (this.rates === undefined || this.rates.message(this.#host.ticker) !== false) return true;
    return this.#tooFast('maxMessagesPerSecond', 'too many messages a second');
  }

  /** True when that changes nothing any more: what comes before the peer's Close is read up to the deadline. */
  #tooFast(limit: string, reason: string): boolean {
    const { state } = this.#session;
    if (state === 'closing' || state === 'closed') return true;
    this.#session.seal();
    this.#breached(limit, 1008, reason);
    return false;
  }

  // ------------------------------------------------------------------ holding back

  pause(): void {
    this.#paused = true;
    this.pauseTransport();
  }

  resume(): void {
    this.#paused = false;
    this.resumeTransport();
  }

  /** A pause of the user's would keep the peer's Close from us. */
  endPause(): void {
    if (this.#paused) this.resume();
  }

  /** An async iterator has come (+1) or gone (-1). */
  iterating(change: 1 | -1): void {
    this.#iterators += change;
    this.readAgain();
  }

  /** An iterator waits for a message (+1) or has got one (-1). */
  pulling(change: 1 | -1): void {
    this.#pulls += change;
    if (change > 0) this.readAgain();
  }

  /** A handler's promise is pending (+1) or settled (-1); `readAgain` follows the latter. */
  handling(change: 1 | -1): void {
    this.#pendingHandlers += change;
  }

  /** A codec thinks (true) or has said what the message means. */
  decoding(thinks: boolean): void {
    this.#decoding = thinks;
    this.handling(thinks ? 1 : -1);
    // The peer's end comes after this message, too.
    if (thinks) this.pauseTransport();
  }

  /** A reason to hold reading back has gone: goes on with what lies here. */
  readAgain(): void {
    if (this.held || this.#session.report !== undefined) return;
    if (this.#lent?.hasMore) this.goOn(() => this.#continue(CONTINUE));
    this.resumeTransport();
  }

  /** Tells the machine what may make it read what lies here, as a chunk would: one turn, and a rest behind it. */
  goOn(tell: () => void): void {
    if (this.#lent?.hasMore !== true) {
      tell();
      return;
    }
    this.#host.turn.begin();
    tell();
    this.rest(false);
    this.#host.turn.end();
  }

  pauseTransport(): void {
    if (this.#transportPaused) return;
    this.#transportPaused = true;
    this.rates?.paused(this.#host.ticker);
    this.#transport.pause();
  }

  /** Lets the transport read again, unless somebody holds reading back. */
  resumeTransport(): void {
    if (!this.#transportPaused || this.held) return;
    this.#transportPaused = false;
    this.#session.readsAgain();
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

/** The frame that was just read. */
function frameName(decoded: Decoded, text: boolean): FrameName {
  if (decoded === Decoded.PING) return 'ping';
  if (decoded === Decoded.PONG) return 'pong';
  if (decoded === Decoded.FRAGMENT) return 'continuation';
  return text ? 'text' : 'binary';
}
