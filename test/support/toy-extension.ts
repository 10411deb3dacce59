/**
 * An extension for tests: run-length coding, whose sizes change both ways. A payload is pairs of bytes, a count of 1 to
 * 255 and the byte that is repeated. It gives its output in small slices, as a real one does, from memory that it uses again.
 */
import type { Extension } from '../../src/io/extensions/extension.ts';
import type { Fault } from '../../src/io/faults.ts';

/** What it makes of a run of no bytes. */
export const EMPTY_RUN: Fault = { name: 'invalidText', code: 1007, reason: 'a run of no bytes' };

export class RunLength implements Extension {
  readonly answer = 'run-length';
  readonly form = 'run-length';
  readonly threshold = 3;
  readonly heldBytes = 0;
  /** How often it was told to forget what it encoded. */
  forgotten = 0;
  /** Slices given so far. */
  slices = 0;
  /** Messages encoded so far, each with what `standsAlone` was. */
  readonly encoded: { readonly bytes: number; readonly standsAlone: boolean }[] = [];

  #input: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** The count of a pair whose byte is in the next piece. */
  #count: number | undefined;
  readonly #slice: Uint8Array;

  constructor(sliceBytes = 255) {
    this.#slice = new Uint8Array(sliceBytes);
  }

  push(piece: Uint8Array, final: boolean): void {
    if (this.#at < this.#input.length) throw new Error('a piece was pushed before the last one was read');
    if (piece.length === 0 && !final) throw new Error('an empty piece that is not the last one');
    this.#input = piece;
    this.#at = 0;
  }

  read(): Uint8Array | 'more' | Fault {
    let used = 0;
    while (this.#at < this.#input.length) {
      const byte = this.#input[this.#at] as number; // at < length
      if (this.#count === undefined) {
        if (byte === 0) return EMPTY_RUN;
        this.#count = byte;
        this.#at++;
        continue;
      }
      const run = Math.min(this.#count, this.#slice.length - used);
      this.#slice.fill(byte, used, used + run);
      used += run;
      if (run < this.#count) {
        this.#count -= run;
        break;
      }
      this.#count = undefined;
      this.#at++;
    }
    if (used === 0) return 'more';
    this.slices++;
    return this.#slice.subarray(0, used);
  }

  discard(): void {
    this.#input = new Uint8Array(0);
    this.#at = 0;
    this.#count = undefined;
  }

  forget(): void {
    this.forgotten++;
  }

  release(): void {
    this.discard();
  }

  /** Messages of less than three bytes go as they are. */
  encode(payload: Uint8Array, standsAlone: boolean): Uint8Array | undefined {
    this.encoded.push({ bytes: payload.length, standsAlone });
    return payload.length < 3 ? undefined : runs(payload);
  }

  #kept: Uint8Array = new Uint8Array(0);

  /** Keeps the last byte back until it knows what follows, so that what comes out belongs to no one fragment. */
  encodeFragment(payload: Uint8Array, first: boolean, final: boolean): Uint8Array {
    const all = first ? payload : Uint8Array.from([...this.#kept, ...payload]);
    const end = final ? all.length : Math.max(0, all.length - 1);
    this.#kept = all.slice(end);
    return runs(all.subarray(0, end));
  }
}

/** `bytes` in run-length coding. */
export function runs(bytes: Uint8Array): Uint8Array {
  const pairs: number[] = [];
  for (let at = 0; at < bytes.length; ) {
    let end = at + 1;
    while (end < bytes.length && bytes[end] === bytes[at] && end - at < 255) end++;
    pairs.push(end - at, bytes[at] as number);
    at = end;
  }
  return Uint8Array.from(pairs);
}
