/**
 * The payload of a message that is not all here yet: fragments, and frames that more than one chunk brings.
 *
 * Bytes are unmasked into one growing block, text is checked as it comes, and the finished message is handed over
 * without another copy where the block fits it. When only fragments are wanted, the block is emptied after each.
 *
 * While a chunk is decoded, the block is one that all share: a message whose fragments come together is assembled
 * without memory of its own, and then copied once, to what its user keeps. What a chunk leaves unfinished moves out.
 */
import { Buffer } from 'node:buffer';
import { Block, type MaskingKey, unmaskInto } from './masking.ts';
import { copyUnmasked } from './message-memory.ts';
import { Utf8Validator } from './utf8.ts';

/** A block is at most this large, or twice what is here: an announced length costs nothing. */
const FIRST_BYTES = 4096;

/** Larger messages are assembled in a block of their own at once. */
const SHARED_BYTES = 64 * 1024;

const NO_BYTES = Buffer.alloc(0);
const NO_BLOCK = new Block(NO_BYTES);
const sharedBytes = Buffer.allocUnsafeSlow(SHARED_BYTES);
const sharedBlock = new Block(sharedBytes);
/** Whose message lies in the shared block; handlers may make another connection's bytes be read meanwhile. */
let borrower: MessageBuffer | undefined;

export class MessageBuffer {
  #block: Buffer = NO_BYTES;
  #target = NO_BLOCK;
  #used = 0;
  /** Where the present frame ends. */
  #wanted = 0;
  #fragmentStart = 0;
  #last = true;
  #seen = 0;
  #utf8: Utf8Validator | undefined;

  /** Bytes of memory held; the shared block is nobody's. */
  get capacity(): number {
    return borrower === this ? 0 : this.#block.length;
  }

  /** False while a character of the text is unfinished. */
  get complete(): boolean {
    return this.#utf8 === undefined || this.#utf8.complete;
  }

  /**
   * A fragment begins, the `last` of its message or not; with `keep` false, what earlier ones brought is dropped, but
   * for an unfinished character.
   */
  beginFragment(keep: boolean, last: boolean): void {
    this.#last = last;
    if (keep || this.#fragmentStart === 0) return;
    this.#block.copyWithin(0, this.#fragmentStart, this.#used);
    this.#used -= this.#fragmentStart;
    this.#fragmentStart = 0;
  }

  /**
   * Takes `chunk[start..end)` of a frame that still lacks `missing` bytes, these included.
   * False when the text cannot be valid UTF-8.
   */
  append(chunk: Block, start: number, end: number, key: MaskingKey, missing: number, text: boolean): boolean {
    const from = this.#used;
    const to = from + (end - start);
    this.#wanted = from + missing;
    if (to > this.#block.length) this.#makeRoom(to);
    const seen = unmaskInto(chunk, start, end, key, this.#target, from);
    this.#used = to;
    if (!text) return true;
    this.#seen |= seen;
    if (this.#seen < 0x80) return true;
    this.#utf8 ??= new Utf8Validator();
    return this.#utf8.push(this.#block, from, to);
  }

  /** What came since the last call. Text ends at a whole character; the rest of it comes with the next fragment. */
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

  /** The whole message; the buffer is spent. */
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

  /** The chunk is done: what is unfinished moves to memory of its own. */
  settle(): void {
    if (borrower !== this) return;
    if (this.#used === 0) this.release();
    else this.#grow(this.#used);
  }

  /** Nothing of it is needed any more. */
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
    if (this.#used > 0 || borrower !== undefined || this.#wanted > SHARED_BYTES) {
      this.#grow(needed);
      return;
    }
    borrower = this;
    this.#block = sharedBytes;
    this.#target = sharedBlock;
  }

  /** Moves what is here to a block of this message's own. */
  #grow(needed: number): void {
    // The last fragment ends at `wanted`. After another, room doubles: many small ones must not copy the message each.
    const most = this.#last ? this.#wanted : Math.max(this.#wanted, 2 * needed);
    const capacity = Math.min(most, Math.max(FIRST_BYTES, 2 * needed));
    const block = Buffer.allocUnsafeSlow(capacity);
    this.#block.copy(block, 0, 0, this.#used);
    if (borrower === this) borrower = undefined;
    this.#block = block;
    this.#target = new Block(block);
  }
}
