/**
 * Turns bytes into frames and messages (RFC 6455 5), for the role of a server or of a client. The bytes may be split
 * anywhere.
 *
 * `push` gives it a chunk. Each call of `next` returns a small number that says what was found; the details are in public
 * fields, valid until the following call. So nothing is allocated except what the user keeps. It never throws because
 * of what a peer sent: a violation is the result FAULT.
 *
 *   a whole message in one chunk       MESSAGE             `message` is the text or the bytes
 *   a frame of a fragmented message    FRAGMENT            `first`, `final`; `takeFragment()`, and `takeMessage()` after the last
 *   a control frame                    PING, PONG, CLOSE   `control` is the payload
 *   a violation                        FAULT               `fault` is a row of `faults.ts` with its values
 *   an extension has done much         GIVE_WAY            others may do something before the next call
 */
import { Buffer } from 'node:buffer';
import type { Extension } from '../extensions/extension.ts';
import { CLOSE, CONTINUATION, MAX_CONTROL_BYTES, PING, PONG, TEXT } from './frame-encoder.ts';
import { type DecoderLimits, HeaderReader } from './frame-header.ts';
import { Block, type Role, rotateKey, SIMD_FROM_BYTES, unmaskInto } from './masking.ts';
import { MessageBuffer } from './message-buffer.ts';
import { copyUnmasked } from './message-memory.ts';
import { toBlock } from './read-buffer.ts';
import { decodeUtf8 } from './utf8.ts';

export type { DecoderLimits } from './frame-header.ts';

export const Decoded = {
  NEED_MORE: 0,
  MESSAGE: 1,
  FRAGMENT: 2,
  PING: 3,
  PONG: 4,
  CLOSE: 5,
  FAULT: 6,
  GIVE_WAY: 7,
} as const;
export type Decoded = (typeof Decoded)[keyof typeof Decoded];

/** Texts up to this length are unmasked in this memory, shared by all decoders, before they become strings. */
const SCRATCH_BYTES = 64 * 1024;
const scratch = new Block(Buffer.allocUnsafeSlow(SCRATCH_BYTES));
/** An extension is given so much at a time: one that inflates may make a thousand times as much of it. */
const PIECE_BYTES = 4 * 1024;
/** After so many bytes of output, of whatever connections, others get their turn. */
const GIVE_WAY_BYTES = 256 * 1024;
/** A byte of input counts as so many of output: to read what inflates to nothing may take as long. */
const INPUT_COUNTS = 8;
/** What extensions have done since one that gave way went on: bytes of output, and of input by `INPUT_COUNTS`. */
let extendedBytes = 0;
const EMPTY = new Uint8Array(0);
const NO_BLOCK = new Block(EMPTY);

/**
 * Decodes the frames of one direction of a connection.
 *
 * Many members: what was decoded is left in fields and not in an object, so that no frame allocates one.
 */
export class FrameDecoder extends HeaderReader {
  /** After MESSAGE: the text or the bytes. */
  message: string | Uint8Array = EMPTY;
  /** After PING, PONG, CLOSE: the payload, valid until the next call. */
  control: Uint8Array = EMPTY;
  /** After MESSAGE, FRAGMENT: whether the message is text. */
  text = false;
  /** After FRAGMENT: whether it is the first one of its message. `final` says whether it is the last one. */
  first = false;

  #chunk: Uint8Array = EMPTY;
  #block = NO_BLOCK;
  #at = 0;
  /** The payload of a message that is not complete. */
  #buffer: MessageBuffer | undefined;
  #control: Block | undefined;
  #controlBytes = 0;
  /** It was time for others, who have had their turn when the next call comes. */
  #gaveWay = false;

  constructor(limits: DecoderLimits, role: Role = 'server') {
    super(limits, role);
  }

  /** True while bytes of the last chunk have not been decoded. */
  get hasMore(): boolean {
    return this.#at < this.#chunk.length;
  }

  /** True between two messages, when all bytes are decoded: another connection may use this decoder. */
  get idle(): boolean {
    return this.missing < 0 && this.messageOpcode === 0 && this.cutBytes === 0 && !this.hasMore;
  }

  /** True inside a fragmented message (RFC 6455 5.4). */
  get fragmenting(): boolean {
    return this.messageOpcode !== 0;
  }

  /** True when a part of a message has come, be it of a frame's header, and its end has not. */
  get insideMessage(): boolean {
    return this.messageOpcode !== 0 || this.missing >= 0 || this.cutBytes > 0;
  }

  /**
   * Bytes of memory held for an incomplete message: at most 64, or twice what has arrived of it, and what an extension needs
   * to read it.
   */
  get heldBytes(): number {
    const extensionBytes = this.extended && this.extension !== undefined ? this.extension.heldBytes : 0;
    return this.#buffer === undefined ? extensionBytes : this.#buffer.capacity + extensionBytes;
  }

  /** Bytes of memory of a chunk that is not decoded to its end. */
  get restBytes(): number {
    return this.hasMore ? this.#chunk.length : 0;
  }

  /** Bytes that have come of the message that is not complete. */
  get receivedBytes(): number {
    return this.extended ? this.messageBytes : this.messageBytes - Math.max(this.missing, 0);
  }

  /** Gives the next chunk. The last one must have been decoded completely. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#block = chunk.length === 0 ? NO_BLOCK : toBlock(chunk);
    this.#at = 0;
  }

  /** Copies what is left of the chunk, because the transport will use the chunk's memory again. */
  keepRest(): void {
    this.push(new Uint8Array(this.#chunk.subarray(this.#at))); // not slice: that of a Buffer is a view
  }

  /** The caller pauses between two chunks: an incomplete message moves to memory of its own, the last one is let go. */
  settle(): void {
    this.message = EMPTY;
    this.#buffer?.settle();
  }

  /** Adds a chunk after bytes that are not decoded yet. */
  append(chunk: Uint8Array): void {
    if (!this.hasMore) {
      this.push(chunk);
      return;
    }
    const rest = this.#chunk.length - this.#at;
    const joined = new Uint8Array(rest + chunk.length);
    joined.set(this.#chunk.subarray(this.#at));
    joined.set(chunk, rest);
    this.push(joined);
  }

  /** Forgets the rest of the chunk and the incomplete message: the connection is over. */
  discard(): void {
    this.extension?.discard();
    this.#endMessage();
    this.missing = -1;
    this.cutBytes = 0;
    this.recycle();
  }

  /** Releases what the last message left, and what belongs to one connection. Only for an idle decoder. */
  recycle(): void {
    this.#chunk = EMPTY;
    this.#block = NO_BLOCK;
    this.#at = 0;
    this.#dropBuffer();
    this.message = EMPTY;
    this.assemble = true;
    this.extension = undefined;
  }

  /** Decodes up to the next result. */
  next(): Decoded {
    if (this.missing < 0) {
      const header = this.cutBytes > 0 ? this.#resumeHeader() : this.readHeader(this.#chunk, this.#at);
      if (header < 0) return Decoded.FAULT;
      if (header === 0) return this.#cutHeader();
      if (this.cutBytes > 0) this.cutBytes = 0;
      else this.#at += header;
      if (this.missing <= this.#chunk.length - this.#at && this.final && this.#isWholeMessage()) {
        return this.#readMessage();
      }
      this.#beginPayload();
    }
    if (this.opcode >= CLOSE) return this.#readControl();
    return this.extended ? this.#readExtended() : this.#readData();
  }

  /** The data of the fragment just decoded. Text ends at a whole character; the rest of it comes with the next fragment. */
  takeFragment(): string | Uint8Array {
    const fragment = this.#buffer?.takeFragment(this.text) ?? this.#nothing;
    // When nobody takes the message, what is left of it is released with its last fragment.
    if (this.final && !this.assemble) this.#dropBuffer();
    return fragment;
  }

  /** The whole message, after its final fragment. */
  takeMessage(): string | Uint8Array {
    const message = this.#buffer?.takeMessage(this.text) ?? this.#nothing;
    this.#buffer = undefined; // takeMessage has released it
    return message;
  }

  get #nothing(): string | Uint8Array {
    return this.text ? '' : new Uint8Array(0);
  }

  #dropBuffer(): void {
    this.#buffer?.release();
    this.#buffer = undefined;
  }

  #isWholeMessage(): boolean {
    return this.opcode < CLOSE && this.opcode !== CONTINUATION && !this.rsv1;
  }

  /** Keeps the beginning of a header that the chunk's end has cut. */
  #cutHeader(): Decoded {
    if (this.cutBytes === 0 && this.hasMore) this.keepHeader(this.#chunk.subarray(this.#at));
    this.push(EMPTY);
    return Decoded.NEED_MORE;
  }

  /** Continues a cut header, byte by byte; returns what `readHeader` does. */
  #resumeHeader(): number {
    while (this.#at < this.#chunk.length) {
      const header = this.continueHeader(this.#chunk[this.#at++] as number);
      if (header !== 0) return header;
    }
    return 0;
  }

  /** The common case: the whole message is one frame, and in this chunk. */
  #readMessage(): Decoded {
    const start = this.#at;
    const end = start + this.missing;
    this.#at = end;
    this.missing = -1;
    this.text = this.opcode === TEXT;
    if (!this.text) {
      this.message = copyUnmasked(this.#block, start, end, this.key);
      return Decoded.MESSAGE;
    }
    const text = this.#decodeText(start, end);
    if (text === undefined) return this.#invalidText();
    this.message = text;
    return Decoded.MESSAGE;
  }

  /** The text of a complete payload; undefined when it is not valid UTF-8. */
  #decodeText(start: number, end: number): string | undefined {
    const length = end - start;
    if (length === 0) return '';
    const source = this.#block;
    if (source.unmaskInPlace !== undefined && length >= SIMD_FROM_BYTES) {
      const seen = source.unmaskInPlace(start, end, this.key);
      return decodeUtf8(source.bytes as Buffer, start, end, seen < 0x80); // only the read buffer has unmaskInPlace
    }
    const target = length <= SCRATCH_BYTES ? scratch : new Block(Buffer.allocUnsafeSlow(length));
    const seen = unmaskInto(source, start, end, this.key, target, 0);
    return decodeUtf8(target.bytes as Buffer, 0, length, seen < 0x80);
  }

  /** Begins the payload of a control frame, of a fragment, or of a message that is not complete in this chunk. */
  #beginPayload(): void {
    if (this.opcode >= CLOSE) {
      this.#control ??= new Block(new Uint8Array(MAX_CONTROL_BYTES));
      this.#controlBytes = 0;
      return;
    }
    this.first = this.opcode !== CONTINUATION;
    if (this.first) {
      this.text = this.opcode === TEXT;
      this.extended = this.rsv1;
      this.#dropBuffer();
    }
    if (this.missing > 0 || this.extended) this.#buffer ??= new MessageBuffer();
    if (this.first && !this.final) this.messageOpcode = this.opcode;
    if (!this.first || !this.final) this.fragments++;
    if (!this.extended) this.messageBytes += this.missing;
    // Nobody knows how much more comes out of an extension, so no fragment of it counts as the last.
    this.#buffer?.beginFragment(this.assemble, this.final && !this.extended);
  }

  #readControl(): Decoded {
    const control = this.#control as Block; // made by #beginPayload
    const take = this.#takePayload(control, this.#controlBytes, MAX_CONTROL_BYTES);
    this.#controlBytes += take;
    if (!this.hasMore) this.push(EMPTY); // the chunk's memory is not ours to hold
    if (this.missing > 0) return Decoded.NEED_MORE;
    this.missing = -1;
    this.control = control.bytes.subarray(0, this.#controlBytes);
    if (this.opcode === PING) return Decoded.PING;
    return this.opcode === PONG ? Decoded.PONG : Decoded.CLOSE;
  }

  /** Copies the next bytes of the payload, unmasked and at most `most`, to `target` at `at`. Returns how many. */
  #takePayload(target: Block, at: number, most: number): number {
    const take = Math.min(this.missing, this.#chunk.length - this.#at, most);
    unmaskInto(this.#block, this.#at, this.#at + take, this.key, target, at);
    this.key = rotateKey(this.key, take);
    this.#at += take;
    this.missing -= take;
    return take;
  }

  #readData(): Decoded {
    const take = Math.min(this.missing, this.#chunk.length - this.#at);
    if (take > 0) {
      const buffer = this.#buffer as MessageBuffer; // made by #beginPayload for every payload that is not empty
      // 8.1: bytes that are not valid UTF-8 fail the connection, here at the first of them.
      const end = this.#at + take;
      if (!buffer.append(this.#block, this.#at, end, this.key, this.missing, this.text)) {
        return this.#invalidText();
      }
      this.key = rotateKey(this.key, take);
      this.#at = end;
      this.missing -= take;
    }
    return this.#endPayload();
  }

  /** The payload of a message that the extension reads: pieces of it go in, and what comes out is kept. */
  #readExtended(): Decoded {
    const extension = this.extension as Extension; // without one, RSV1 is a fault
    do {
      if (this.#mustGiveWay()) return Decoded.GIVE_WAY;
      const take = this.#takePayload(scratch, 0, PIECE_BYTES);
      const last = this.final && this.missing === 0;
      if (take === 0 && !last) break;
      extendedBytes += take * INPUT_COUNTS;
      extension.push(scratch.bytes.subarray(0, take), last, this.missing);
      for (let out = extension.read(); out !== 'more'; out = extension.read()) {
        if (!(out instanceof Uint8Array)) this.fault = out;
        else if (this.#keep(out)) continue;
        return Decoded.FAULT;
      }
    } while (this.missing > 0 && this.hasMore);
    return this.#endPayload();
  }

  /**
   * Whether it is time for others; not in the call after one that said so. Small messages of a thousand connections that
   * come together are as much work as a large one.
   */
  #mustGiveWay(): boolean {
    if (this.#gaveWay) extendedBytes = 0;
    this.#gaveWay = extendedBytes >= GIVE_WAY_BYTES;
    return this.#gaveWay;
  }

  /** Keeps what came out of the extension; false for a fault. */
  #keep(bytes: Uint8Array): boolean {
    if (!this.withinLimits(bytes.length)) return false;
    this.messageBytes += bytes.length;
    extendedBytes += bytes.length;
    const buffer = this.#buffer as MessageBuffer; // made by #beginPayload
    if (buffer.append(new Block(bytes), 0, bytes.length, 0, bytes.length, this.text)) return true;
    this.#invalidText();
    return false;
  }

  /** All that the chunk has of the payload is taken: says whether the frame is complete, and the message. */
  #endPayload(): Decoded {
    if (!this.hasMore) this.push(EMPTY); // the chunk's memory is not ours to hold
    if (this.missing > 0) return Decoded.NEED_MORE;
    this.missing = -1;
    if (!this.final) return Decoded.FRAGMENT;
    if (this.text && this.#buffer !== undefined && !this.#buffer.complete) return this.#invalidText();
    const fragmented = this.messageOpcode !== 0;
    this.#endMessage();
    if (fragmented) return Decoded.FRAGMENT;
    this.message = this.takeMessage();
    return Decoded.MESSAGE;
  }

  #endMessage(): void {
    this.messageOpcode = 0;
    this.messageBytes = 0;
    this.fragments = 0;
    this.extended = false;
  }

  #invalidText(): Decoded {
    this.fail('invalidText');
    return Decoded.FAULT;
  }
}
