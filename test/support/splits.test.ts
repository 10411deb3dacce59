import { expect, test } from 'vitest';
import { bytes } from './raw-client.ts';
import { random, split, splitsInTwo, WAYS } from './splits.ts';

const SIZES = [0, 1, 2, 3, 160, 2048, 2049, 70_000];

test('the pieces of every way, joined, are the bytes again, and none is empty', () => {
  for (const size of SIZES) {
    const whole = Uint8Array.from({ length: size }, (_, i) => i);
    for (const way of [...WAYS, { seed: 0 }, { seed: 2 ** 31 }]) {
      const pieces = split(whole, way);
      expect(Buffer.compare(bytes(...pieces), whole)).toBe(0);
      expect(pieces.every((piece) => piece.length > 0)).toBe(true);
    }
  }
});

test('byte by byte is one piece a byte, for long runs near their ends', () => {
  expect(split(new Uint8Array(2048), 'byte-by-byte')).toHaveLength(2048);
  const pieces = split(new Uint8Array(70_000), 'byte-by-byte');
  for (const end of [pieces.slice(0, 160), pieces.slice(-160)])
    expect(end.every((piece) => piece.length === 1)).toBe(true);
  expect(pieces.length).toBeLessThan(400);
});

test('a seed always cuts at the same places, and another seed elsewhere', () => {
  const lengths = (seed: number): number[] =>
    split(new Uint8Array(500), { seed }).map((piece) => piece.length);
  expect(lengths(7)).toEqual(lengths(7));
  expect(lengths(7)).not.toEqual(lengths(8));
  expect(lengths(7).length).toBeGreaterThan(1);
});

test('three bytes have two splits in two', () => {
  const pairs = [...splitsInTwo(Uint8Array.of(1, 2, 3))].map((pair) => pair.map((piece) => [...piece]));
  expect(pairs).toEqual([
    [[1], [2, 3]],
    [[1, 2], [3]],
  ]);
});

test('random numbers are in [0, 1) and fill it', () => {
  const next = random(1);
  const drawn = Array.from({ length: 1000 }, next);
  expect(drawn.every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(drawn.map((value) => Math.floor(value * 10))).size).toBe(10);
});
