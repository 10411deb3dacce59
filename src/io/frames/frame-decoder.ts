/**
 * Bytes to frames (RFC 6455 5), as a client sends them: masked, in order, split anywhere.
 *
 * The decoder is a pure machine with registers. `push` gives it a chunk; each `next` answers one of a few small
 * numbers, and what it found stands in the registers until the following call. Nothing is allocated on the way
 * but what the user keeps. It never throws on a peer's bytes: a violation is the answer FAULT, with its close code.
 *
 *   whole message in the chunk      MESSAGE    `message` is the text or the bytes
 *   frame of a fragmented message   FRAGMENT   `first`, `final`; `takeFragment()`, and `takeMessage()` after the last
 *   control frame                   PING, PONG, CLOSE    `control` is the payload
 *
 * One law per branch, checked as soon as the byte that can break it is here.
 */
import { Buffer, constants } from 'node:buffer';
import type { Fault } from './close-payload.ts';
import { BINARY, CLOSE, CONTINUATION, MAX_CONTROL_BYTES, PING, PONG, TEXT } from './frame-encoder.ts';
import { Block, type MaskingKey, rotateKey, SIMD_FROM_BYTES, unmaskInto } from './masking.ts';
import { MessageBuffer } from './message-buffer.ts';
import { copyUnmasked } from './message-memory.ts';
import { toBlock } from './read-buffer.ts';
import { decodeUtf8 } from './utf8.ts';

export const Decoded = {
  NEED_MORE: 0,
  MESSAGE: 1,
  FRAGMENT: 2,
  PING: 3,
  PONG: 4,
  CLOSE: 5,
  FAULT: 6,
} as const;
export type Decoded = (typeof Decoded)[keyof typeof Decoded];

export interface DecoderLimits {
  /** Bytes of a message, whole or fragmented. */
  readonly cap: number;
  /** Frames of one fragmented message, empty ones included. */
  readonly maxFragments: number;
}

/** A header is at most 2 + 8 + 4 bytes. */
const MAX_HEADER_BYTES = 14;
/** Texts up to this length are unmasked in shared scratch memory before they become strings. */
const SCRATCH_BYTES = 64 * 1024;
const scratch = new Block(Buffer.allocUnsafeSlow(SCRATCH_BYTES));
const EMPTY = new Uint8Array(0);
const NO_BLOCK = new Block(EMPTY);

export class FrameDecoder {
  /** MESSAGE: the text or the bytes. */
  message: string | Uint8Array = EMPTY;
  /** PING, PONG, CLOSE: the payload, valid until the next call. */
  control: Uint8Array = EMPTY;
  /** FAULT: why, with its close code. */
  fault: Fault | undefined;
  /** MESSAGE, FRAGMENT: whether the message is text. */
  text = false;
  /** FRAGMENT: whether it begins, and whether it ends its message. */
  first = false;
  final = false;
  /** Payload bytes of the last frame. */
  payloadBytes = 0;

  /** False when only fragments are wanted: then no message is assembled. */
  assemble = true;

  readonly #limits: DecoderLimits;
  #chunk: Uint8Array = EMPTY;
  #block = NO_BLOCK;
  #at = 0;

  // A header that a chunk's end has cut.
  #cut: Uint8Array | undefined;
  #cutBytes = 0;

  // The frame under way.
  #opcode = 0;
  #key: MaskingKey = 0;
  #missing = -1; // payload bytes still to come, -1 between frames

  // The fragmented message under way.
  #messageOpcode = 0; // 0: none
  #messageBytes = 0;
  #fragments = 0;
  #buffer: MessageBuffer | undefined;
  #control: Block | undefined;
  #controlBytes = 0;

  constructor(limits: DecoderLimits) {
    this.#limits = limits;
  }

  /** True while bytes of the last chunk remain undecoded. */
  get hasMore(): boolean {
    return this.#at < this.#chunk.length;
  }

  /** True when nothing is under way: another connection may use this decoder. */
  get idle(): boolean {
    return this.#missing < 0 && this.#messageOpcode === 0 && this.#cutBytes === 0 && !this.hasMore;
  }

  /** True inside a fragmented message (RFC 6455 5.4). */
  get fragmenting(): boolean {
    return this.#messageOpcode !== 0;
  }

  /** True when a part of a message has come, be it of a frame's header, and its end has not. */
  get insideMessage(): boolean {
    return this.#messageOpcode !== 0 || this.#missing >= 0 || this.#cutBytes > 0;
  }

  /** Bytes of memory held for an unfinished message: at most 4 KiB, or twice what has come of it. */
  get heldBytes(): number {
    return this.#buffer === undefined ? 0 : this.#buffer.capacity;
  }

  /** Gives the next chunk. All of the last one must have been decoded. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk;
    this.#block = chunk.length === 0 ? NO_BLOCK : toBlock(chunk);
    this.#at = 0;
  }

  /** Copies what is left of the chunk, for a transport that will reuse its memory. */
  keepRest(): void {
    this.push(new Uint8Array(this.#chunk.subarray(this.#at))); // not slice: a Buffer's is a view
  }

  /** The chunk is done for now: what is unfinished needs memory of its own. */
  settle(): void {
    this.#buffer?.settle();
  }

  /** Adds a chunk behind bytes that are not decoded yet. */
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

  /** Forgets the rest of the chunk and the message under way: the connection is over. */
  discard(): void {
    this.#messageOpcode = 0;
    this.#messageBytes = 0;
    this.#fragments = 0;
    this.#missing = -1;
    this.#cutBytes = 0;
    this.recycle();
  }

  /** Lets go of what the last frame left, once nothing is under way. */
  recycle(): void {
    this.#chunk = EMPTY;
    this.#block = NO_BLOCK;
    this.#at = 0;
    this.#dropBuffer();
    this.message = EMPTY;
    this.assemble = true;
  }

  /** Decodes up to the next frame that has an answer. */
  next(): Decoded {
    if (this.#missing < 0) {
      const header = this.#cutBytes > 0 ? this.#resumeHeader() : this.#readHeader(this.#chunk, this.#at);
      if (header < 0) return Decoded.FAULT;
      if (header === 0) return this.#cutHeader();
      if (this.#cutBytes > 0) this.#cutBytes = 0;
      else this.#at += header;
      if (this.#missing <= this.#chunk.length - this.#at && this.final && this.#isWholeMessage()) {
        return this.#readMessage();
      }
      this.#beginPayload();
    }
    return this.#opcode >= CLOSE ? this.#readControl() : this.#readData();
  }

  /** The data of the fragment just decoded; text without the bytes of a character that the next one completes. */
  takeFragment(): string | Uint8Array {
    const fragment = this.#buffer?.takeFragment(this.text) ?? this.#nothing;
    // Where nobody takes the message, what is left of it goes with its last fragment.
    if (this.final && !this.assemble) this.#dropBuffer();
    return fragment;
  }

  /** The whole message, after its final fragment. */
  takeMessage(): string | Uint8Array {
    const message = this.#buffer?.takeMessage(this.text) ?? this.#nothing;
    this.#buffer = undefined; // it has released itself
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
    return this.#opcode === TEXT || this.#opcode === BINARY;
  }

  #fail(code: number, reason: string): -1 {
    this.fault = { code, reason };
    return -1;
  }

  /**
   * Reads a header at `at`; its length, 0 for "need more", -1 for a fault. What is here is judged even when the
   * rest is not, so that the first wrong byte fails.
   */
  #readHeader(bytes: Uint8Array, at: number): number {
    const available = bytes.length - at;
    if (available < 1) return 0;
    const b0 = bytes[at] as number;
    const opcode = b0 & 0x0f;
    const final = b0 >= 0x80;
    // 5.2: RSV1-3 "MUST be 0 unless an extension is negotiated that defines meanings for non-zero values".
    if ((b0 & 0x70) !== 0) return this.#fail(1002, 'reserved bits set with no extension negotiated');
    if (opcode >= CLOSE) {
      // 5.2: "If an unknown opcode is received, the receiving endpoint MUST _Fail the WebSocket Connection_."
      if (opcode > PONG) return this.#fail(1002, `reserved opcode ${opcode}`);
      // 5.5: control frames "MUST NOT be fragmented".
      if (!final) return this.#fail(1002, 'fragmented control frame');
    } else if (opcode === CONTINUATION) {
      // 5.4: a continuation only follows a frame that left its message open.
      if (this.#messageOpcode === 0) return this.#fail(1002, 'continuation frame outside a message');
    } else {
      if (opcode > BINARY) return this.#fail(1002, `reserved opcode ${opcode}`);
      // 5.4: "The fragments of one message MUST NOT be interleaved between the fragments of another message".
      if (this.#messageOpcode !== 0) return this.#fail(1002, 'new message inside a fragmented one');
    }
    if (available < 2) return 0;

    const b1 = bytes[at + 1] as number;
    // 5.1: "The server MUST close the connection upon receiving a frame that is not masked."
    if (b1 < 0x80) return this.#fail(1002, 'frame from a client is not masked');
    let length = b1 & 0x7f;
    let size = 2;
    if (length > MAX_CONTROL_BYTES) {
      // 5.5: "All control frames MUST have a payload length of 125 bytes or less".
      if (opcode >= CLOSE) return this.#fail(1002, 'control frame over 125 bytes');
      const wide = length === 127;
      size = wide ? 10 : 4;
      // 5.2: of a 64-bit length "the most significant bit MUST be 0".
      if (wide && available > 2 && (bytes[at + 2] as number) >= 0x80) {
        return this.#fail(1002, 'most significant bit of the length is set');
      }
      if (available < size) return 0;
      length = wide
        ? readUint64(bytes, at + 2)
        : ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
      // 5.2: "the minimal number of bytes MUST be used to encode the length".
      if (length < (wide ? 65_536 : 126)) return this.#fail(1002, 'length is not in its shortest form');
    }
    if (opcode < CLOSE && !this.#withinLimits(opcode, length, final)) return -1;

    if (available < size + 4) return 0;
    const key = at + size;
    this.#key =
      (bytes[key] as number) |
      ((bytes[key + 1] as number) << 8) |
      ((bytes[key + 2] as number) << 16) |
      ((bytes[key + 3] as number) << 24);
    this.#opcode = opcode;
    this.#missing = length;
    this.payloadBytes = length;
    this.final = final;
    return size + 4;
  }

  /** 10.4: limits on frame and message sizes are the server's to set; judged before a byte is kept. */
  #withinLimits(opcode: number, length: number, final: boolean): boolean {
    const { cap, maxFragments } = this.#limits;
    if (this.#messageBytes + length > cap) {
      this.#fail(1009, `message is over the cap of ${cap} bytes`);
      return false;
    }
    // A frame is held whole, a message only where it is assembled; neither can be more than a string can hold.
    if ((this.assemble ? this.#messageBytes + length : length) > constants.MAX_STRING_LENGTH) {
      this.#fail(1009, `message is over ${constants.MAX_STRING_LENGTH} bytes`);
      return false;
    }
    if ((opcode === CONTINUATION || !final) && this.#fragments >= maxFragments) {
      this.#fail(1008, `message has more than ${maxFragments} fragments`);
      return false;
    }
    return true;
  }

  /** Keeps the start of a header that the chunk's end has cut. */
  #cutHeader(): Decoded {
    if (this.#cutBytes === 0 && this.#at < this.#chunk.length) {
      this.#cut ??= new Uint8Array(MAX_HEADER_BYTES);
      this.#cut.set(this.#chunk.subarray(this.#at));
      this.#cutBytes = this.#chunk.length - this.#at;
    }
    this.push(EMPTY);
    return Decoded.NEED_MORE;
  }

  /** Goes on with a cut header, a byte at a time; the answers of `#readHeader`. */
  #resumeHeader(): number {
    const cut = this.#cut as Uint8Array; // set by #cutHeader before #cutBytes became positive
    while (this.#at < this.#chunk.length) {
      cut[this.#cutBytes++] = this.#chunk[this.#at++] as number;
      const header = this.#readHeader(cut.subarray(0, this.#cutBytes), 0);
      if (header !== 0) return header;
    }
    return 0;
  }

  /** The common case: a whole unfragmented message lies in the chunk. */
  #readMessage(): Decoded {
    const start = this.#at;
    const length = this.#missing;
    const end = start + length;
    this.#at = end;
    this.#missing = -1;
    this.text = this.#opcode === TEXT;
    if (!this.text) {
      this.message = copyUnmasked(this.#block, start, end, this.#key);
      return Decoded.MESSAGE;
    }
    const text = this.#decodeText(start, end);
    if (text === undefined) return this.#invalidText();
    this.message = text;
    return Decoded.MESSAGE;
  }

  /** The text of a payload that is all here; undefined when it is not valid UTF-8. */
  #decodeText(start: number, end: number): string | undefined {
    const length = end - start;
    if (length === 0) return '';
    const source = this.#block;
    if (source.unmaskInPlace !== undefined && length >= SIMD_FROM_BYTES) {
      const seen = source.unmaskInPlace(start, end, this.#key);
      return decodeUtf8(source.bytes as Buffer, start, end, seen < 0x80); // only the read buffer has unmaskInPlace
    }
    const target = length <= SCRATCH_BYTES ? scratch : new Block(Buffer.allocUnsafeSlow(length));
    const seen = unmaskInto(source, start, end, this.#key, target, 0);
    return decodeUtf8(target.bytes as Buffer, 0, length, seen < 0x80);
  }

  /** Opens the payload of a control frame, a fragment, or a message that more than one chunk brings. */
  #beginPayload(): void {
    if (this.#opcode >= CLOSE) {
      this.#control ??= new Block(new Uint8Array(MAX_CONTROL_BYTES));
      this.#controlBytes = 0;
      return;
    }
    this.first = this.#opcode !== CONTINUATION;
    if (this.first) {
      this.text = this.#opcode === TEXT;
      this.#dropBuffer();
    }
    if (this.#missing > 0) this.#buffer ??= new MessageBuffer();
    if (this.first && !this.final) this.#messageOpcode = this.#opcode;
    if (!this.first || !this.final) this.#fragments++;
    this.#messageBytes += this.#missing;
    this.#buffer?.beginFragment(this.assemble, this.final);
  }

  #readControl(): Decoded {
    const control = this.#control as Block; // made by #beginPayload
    const take = Math.min(this.#missing, this.#chunk.length - this.#at);
    unmaskInto(this.#block, this.#at, this.#at + take, this.#key, control, this.#controlBytes);
    this.#key = rotateKey(this.#key, take);
    this.#at += take;
    this.#controlBytes += take;
    this.#missing -= take;
    if (!this.hasMore) this.push(EMPTY); // the chunk's memory is not ours to hold
    if (this.#missing > 0) return Decoded.NEED_MORE;
    this.#missing = -1;
    this.control = control.bytes.subarray(0, this.#controlBytes);
    if (this.#opcode === PING) return Decoded.PING;
    return this.#opcode === PONG ? Decoded.PONG : Decoded.CLOSE;
  }

  #readData(): Decoded {
    const take = Math.min(this.#missing, this.#chunk.length - this.#at);
    if (take > 0) {
      const buffer = this.#buffer as MessageBuffer; // made by #beginPayload for every payload that is not empty
      // 8.1: bytes that are not valid UTF-8 fail the connection, here at the first of them.
      const end = this.#at + take;
      if (!buffer.append(this.#block, this.#at, end, this.#key, this.#missing, this.text)) {
        return this.#invalidText();
      }
      this.#key = rotateKey(this.#key, take);
      this.#at = end;
      this.#missing -= take;
    }
    if (!this.hasMore) this.push(EMPTY);
    if (this.#missing > 0) return Decoded.NEED_MORE;
    this.#missing = -1;
    if (!this.final) return Decoded.FRAGMENT;
    if (this.text && this.#buffer !== undefined && !this.#buffer.complete) return this.#invalidText();
    const fragmented = this.#messageOpcode !== 0;
    this.#messageOpcode = 0;
    this.#messageBytes = 0;
    this.#fragments = 0;
    if (fragmented) return Decoded.FRAGMENT;
    this.message = this.takeMessage();
    return Decoded.MESSAGE;
  }

  #invalidText(): Decoded {
    this.#fail(1007, 'text is not valid UTF-8');
    return Decoded.FAULT;
  }
}

/** A 64-bit length; beyond 2^53 it is only larger than every cap, so the lost low bits do not matter. */
function readUint64(bytes: Uint8Array, at: number): number {
  let value = 0;
  for (let i = at; i < at + 8; i++) value = value * 256 + (bytes[i] as number);
  return value;
}
