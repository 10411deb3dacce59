/**
 * The payload of a message that is not all here yet: fragments, and frames that more than one chunk brings.
 *
 * Bytes are unmasked into one growing block, text is checked as it comes, and the finished message is handed over
 * without another copy where the block fits it. When only fragments are wanted, the block is emptied after each.
 */
import { Buffer } from 'node:buffer';
import { Block, type MaskingKey, unmaskInto } from './masking.ts';
import { Utf8Validator } from './utf8.ts';

/** A block is at most this large, or twice what is here: an announced length costs nothing. */
const FIRST_BYTES = 4096;

const NO_BYTES = Buffer.alloc(0);

export class MessageBuffer {
  #block: Buffer = NO_BYTES;
  #target = new Block(NO_BYTES);
  #used = 0;
  #fragmentStart = 0;
  #last = true;
  #seen = 0;
  #utf8: Utf8Validator | undefined;

  /** Bytes of memory held. */
  get capacity(): number {
    return this.#block.length;
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
    if (to > this.#block.length) this.#grow(to, from + missing);
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
    const block = this.#block;
    const used = this.#used;
    if (text) return block.toString(this.#seen < 0x80 ? 'latin1' : 'utf8', 0, used);
    if (used === block.length) return new Uint8Array(block.buffer, block.byteOffset, used);
    return new Uint8Array(block.subarray(0, used));
  }

  #unfinishedBytes(start: number): number {
    if (this.complete) return 0;
    let bytes = 1;
    while (bytes < 4 && this.#used - bytes > start && (this.#block[this.#used - bytes] as number) < 0xc0)
      bytes++;
    return bytes;
  }

  #grow(needed: number, wanted: number): void {
    // The last fragment ends at `wanted`. After another, room doubles: many small ones must not copy the message each.
    const most = this.#last ? wanted : Math.max(wanted, 2 * needed);
    const capacity = Math.min(most, Math.max(FIRST_BYTES, 2 * needed));
    const block = Buffer.allocUnsafeSlow(capacity);
    this.#block.copy(block, 0, 0, this.#used);
    this.#block = block;
    this.#target = new Block(block);
  }
}
