/**
 * The payload of a message that has not arrived completely: a fragmented one, or a frame that is in several chunks.
 *
 * The bytes are unmasked into one block, which grows, and text is validated as it arrives. If the complete message fills
 * the block, the user gets the block itself and not a copy. When only fragments are wanted, the block is emptied after
 * each of them.
 *
 * While a chunk is decoded, the block is a shared one. So a message whose fragments arrive in one chunk needs no block of
 * its own: it is assembled in the shared block and then copied once, into what the user keeps. A message that is
 * incomplete at the end of the chunk moves to a block of its own (`settle`).
 */
import { Buffer, isAscii } from 'node:buffer';
import { Block, type MaskingKey, unmaskInto } from './masking.ts';
import { copyUnmasked } from './message-memory.ts';
import { Utf8Validator } from './utf8.ts';

/** A block has at most this many bytes, or twice what has arrived: an announced length costs no memory. */
const FIRST_BYTES = 64;

/** A frame that is longer than this gets a block of its own at once. */
const LONG_BYTES = 64 * 1024;
/** The size of the shared block: what is inflated and then refused, by the usual cap, has cost no other memory. */
const SHARED_BYTES = 1024 * 1024;

const NO_BYTES = Buffer.alloc(0);
const NO_BLOCK = new Block(NO_BYTES);
const sharedBytes = Buffer.allocUnsafeSlow(SHARED_BYTES);
const sharedBlock = new Block(sharedBytes);
/**
 * The one whose message is in the shared block. There may be others at the same time: a handler can cause bytes of another
 * connection to be read.
 */
let borrower: MessageBuffer | undefined;

/** Copies what is not masked; returns less than 0x80 for text that is ASCII. */
function copyInto(bytes: Uint8Array, target: Buffer, at: number, text: boolean): number {
  target.set(bytes, at);
  return text && !isAscii(bytes) ? 0x80 : 0;
}

export class MessageBuffer {
  #block: Buffer = NO_BYTES;
  #target = NO_BLOCK;
  #used = 0;
  /** Where the current frame will end in the block. */
  #wanted = 0;
  #fragmentStart = 0;
  /** The current frame is the last one of its message. */
  #last = true;
  /** All octets of the text so far, OR-ed together: less than 0x80 if all are ASCII. */
  #seen = 0;
  #utf8: Utf8Validator | undefined;

  /** Bytes of memory that this message holds; the shared block does not count. */
  get capacity(): number {
    return borrower === this ? 0 : this.#block.length;
  }

  /** False while the last character of the text is incomplete. */
  get complete(): boolean {
    return this.#utf8 === undefined || this.#utf8.complete;
  }

  /**
   * A fragment begins; `last` if it is the last one of its message. Unless `keep`, the earlier fragments are dropped, except
   * for the bytes of an incomplete character.
   */
  beginFragment(keep: boolean, last: boolean): void {
    this.#last = last;
    if (keep || this.#fragmentStart === 0) return;
    this.#block.copyWithin(0, this.#fragmentStart, this.#used);
    this.#used -= this.#fragmentStart;
    this.#fragmentStart = 0;
  }

  /**
   * Adds `chunk[start..end)`. `missing` is how many bytes of the frame are still to come, these included.
   * Returns false when the text cannot be valid UTF-8 (RFC 6455 8.1).
   */
  append(chunk: Block, start: number, end: number, key: MaskingKey, missing: number, text: boolean): boolean {
    const from = this.#used;
    const to = from + (end - start);
    this.#wanted = from + missing;
    if (to > this.#block.length) this.#makeRoom(to);
    const seen =
      key === 0
        ? copyInto(chunk.bytes.subarray(start, end), this.#block, from, text)
        : unmaskInto(chunk, start, end, key, this.#target, from);
    this.#used = to;
    if (!text) return true;
    this.#seen |= seen;
    if (this.#seen < 0x80) return true;
    this.#utf8 ??= new Utf8Validator();
    return this.#utf8.push(this.#block, from, to);
  }

  /** What was added since the last call. Text ends at a whole character; the other bytes come with the next fragment. */
  takeFragment(text: boolean): string | Uint8Array {
    const start = this.#fragmentStart;
    if (!text) {
      this.#fragmentStart = this.#used;
      return new Uint8Array(this.#block.subarray(start, this.#used));
    }
    const end = this.#used - this.#unfinishedBytes(start);
    this.#fragmentStart = end;
    return this.#block.toString(this.#seen < 0x80 ? 'latin1' : 'utf8', start, end);
  }

  /** The whole message. Releases the buffer. */
  takeMessage(text: boolean): string | Uint8Array {
    const message = text ? this.#text() : this.#bytes();
    this.release();
    return message;
  }

  #text(): string {
    return this.#block.toString(this.#seen < 0x80 ? 'latin1' : 'utf8', 0, this.#used);
  }

  #bytes(): Uint8Array {
    const block = this.#block;
    if (borrower === this) return copyUnmasked(sharedBlock, 0, this.#used, 0);
    if (this.#used === block.length) return new Uint8Array(block.buffer, block.byteOffset, this.#used);
    return new Uint8Array(block.subarray(0, this.#used));
  }

  /** The chunk is decoded: an incomplete message leaves the shared block. */
  settle(): void {
    if (borrower !== this) return;
    if (this.#used === 0) this.release();
    else this.#grow(this.#used);
  }

  /** The message is not needed any more: lets go of its memory. */
  release(): void {
    if (borrower === this) borrower = undefined;
    this.#block = NO_BYTES;
    this.#target = NO_BLOCK;
    this.#used = 0;
    this.#fragmentStart = 0;
  }

  #unfinishedBytes(start: number): number {
    if (this.complete) return 0;
    let bytes = 1;
    while (bytes < 4 && this.#used - bytes > start && (this.#block[this.#used - bytes] as number) < 0xc0)
      bytes++;
    return bytes;
  }

  #makeRoom(needed: number): void {
    if (this.#used > 0 || borrower !== undefined || this.#wanted > LONG_BYTES) {
      this.#grow(needed);
      return;
    }
    borrower = this;
    this.#block = sharedBytes;
    this.#target = sharedBlock;
  }

  /** Moves the message to a larger block of its own. */
  #grow(needed: number): void {
    // With the last fragment, the message ends at `wanted`. Otherwise the block doubles, so that many small fragments do not
    // copy the message again and again.
    const most = this.#last ? this.#wanted : Math.max(this.#wanted, 2 * needed);
    const capacity = Math.min(most, Math.max(FIRST_BYTES, 2 * needed));
    const block = Buffer.allocUnsafeSlow(capacity);
    this.#block.copy(block, 0, 0, this.#used);
    if (borrower === this) borrower = undefined;
    this.#block = block;
    this.#target = new Block(block);
  }
}
