/** Choices drawn from a seed: the same seed, the same choices, whenever and wherever it is run again. */
import { random } from '../support/splits.ts';

export class Chance {
  readonly #next: () => number;

  constructor(seed: number) {
    this.#next = random(seed);
  }

  /** A whole number from 0 up to, not with, `end`. */
  below(end: number): number {
    return Math.floor(this.#next() * end);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => this.below(256));
  }

  /** As many as `make` makes, from `least` to `most`. */
  some<T>(least: number, most: number, make: () => T): T[] {
    return Array.from({ length: least + this.below(most - least + 1) }, make);
  }

  /** The pieces of `bytes` when it is cut at a few places. */
  cut(bytes: Uint8Array): Uint8Array[] {
    const places = this.some(0, this.pick([1, 3, 20]), () => this.below(bytes.length + 1));
    const ends = [...places.sort((a, b) => a - b), bytes.length];
    return ends.map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1], end));
  }
}

const TELLING = [
  0x00, 0x01, 0x7d, 0x7e, 0x7f, 0x80, 0x81, 0x82, 0x88, 0x89, 0xc0, 0xed, 0xf4, 0xfe, 0xff, 0x0a, 0x0d, 0x20,
];

/** `bytes` with a few small accidents: bits flipped, bytes replaced, ranges lost, repeated or put in. */
export function mutated(bytes: Uint8Array, chance: Chance): Uint8Array {
  let result = Buffer.from(bytes);
  for (const _ of chance.some(1, 4, () => 0)) {
    const at = chance.below(result.length + 1);
    const to = Math.min(result.length, at + chance.below(chance.pick([2, 16, 200])));
    const parts = [result.subarray(0, at), result.subarray(at, to), result.subarray(to)] as const;
    const [before, range, after] = parts;
    switch (chance.below(6)) {
      case 0:
        if (at < result.length) result[at] = (result[at] as number) ^ (1 << chance.below(8));
        break;
      case 1:
        if (at < result.length) result[at] = chance.pick(TELLING);
        break;
      case 2:
        result = Buffer.concat([before, after]);
        break;
      case 3:
        result = Buffer.concat([before, range, range, after]);
        break;
      case 4:
        result = Buffer.concat([before, chance.bytes(chance.below(9)), range, after]);
        break;
      default:
        result = Buffer.from(before.length === 0 ? result : before);
    }
  }
  return new Uint8Array(result);
}
