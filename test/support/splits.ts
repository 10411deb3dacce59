/**
 * Ways to cut bytes into the pieces that a peer's network might deliver: in one piece, one byte at a time,
 * or at places drawn from a seed. A way is a value that can be printed, so a failing split can be run again.
 */

/** How a run of bytes is cut before it is sent. */
export type Way = 'whole' | 'byte-by-byte' | { readonly seed: number };

/** The ways in which every sequence of the conformance suite is sent. */
export const WAYS: readonly Way[] = ['whole', 'byte-by-byte', { seed: 1 }, { seed: 2 }];

/** Longer runs than this are cut into single bytes only near their two ends. */
const SINGLE_BYTES_MAX = 2048;
const SINGLE_BYTES_EDGE = 160;
/** A prime, so that the cuts of a long run's middle fall on every offset of the masking key and of UTF-8. */
const MIDDLE_PIECE_BYTES = 16_381;
const RANDOM_CUTS_MAX = 24;

/** A name for messages: `whole`, `byte-by-byte` or `seed 7`. */
export function nameOfWay(way: Way): string {
  return typeof way === 'string' ? way : `seed ${way.seed}`;
}

/** A small repeatable generator (mulberry32): numbers in [0, 1). */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The pieces of `bytes`, in order and none empty; joined they are `bytes` again. */
export function split(bytes: Uint8Array, way: Way): Uint8Array[] {
  const cuts = new Set<number>();
  if (way === 'byte-by-byte') singleByteCuts(bytes.length, cuts);
  else if (way !== 'whole') randomCuts(bytes.length, way.seed, cuts);
  return cutAt(bytes, [...cuts]);
}

/** Every way to cut `bytes` into two pieces that are not empty. */
export function* splitsInTwo(bytes: Uint8Array): Generator<[Uint8Array, Uint8Array]> {
  for (let at = 1; at < bytes.length; at += 1) yield [bytes.subarray(0, at), bytes.subarray(at)];
}

function cutAt(bytes: Uint8Array, cuts: number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts.sort((a, b) => a - b), bytes.length]) {
    if (cut > from) pieces.push(bytes.subarray(from, cut));
    from = cut;
  }
  return pieces;
}

function singleByteCuts(length: number, cuts: Set<number>): void {
  const edge = length <= SINGLE_BYTES_MAX ? length : SINGLE_BYTES_EDGE;
  for (let at = 1; at <= edge; at += 1) cuts.add(at).add(length - at);
  for (let at = edge; at < length - edge; at += MIDDLE_PIECE_BYTES) cuts.add(at);
}

function randomCuts(length: number, seed: number, cuts: Set<number>): void {
  const next = random(seed * 0x9e3779b1 + length);
  const count = Math.min(length - 1, 1 + Math.floor(next() * RANDOM_CUTS_MAX));
  for (let cut = 0; cut < count; cut += 1) cuts.add(1 + Math.floor(next() * (length - 1)));
}
