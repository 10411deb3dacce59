/** Blocks that are held in several places cost their memory once, until the last place lets go. */
import { describe, expect, test } from 'vitest';
import { BLOCK_BYTES, HeldBlocks, memoryOf, PLACE_BYTES } from '../../../src/io/writing/held-blocks.ts';

const bytes = (length: number) => new Uint8Array(length);

describe('the sum', () => {
  test('has each block once, and each place that it is held in', () => {
    const held = new HeldBlocks();
    const [shared, own] = [bytes(1000), bytes(10)];
    for (let i = 0; i < 3; i++) held.hold(shared);
    held.hold(own);
    expect([held.bytes, held.size]).toEqual([1010 + 2 * BLOCK_BYTES + 4 * PLACE_BYTES, 2]);
    held.letGo(shared);
    held.letGo(shared);
    expect(held.bytes).toBe(1010 + 2 * BLOCK_BYTES + 2 * PLACE_BYTES);
    held.letGo(shared);
    held.letGo(own);
    expect([held.bytes, held.size]).toEqual([0, 0]);
  });

  test('is not changed by a block that is not held', () => {
    const held = new HeldBlocks();
    held.letGo(bytes(10));
    expect(held.bytes).toBe(0);
  });
});

describe('what a block keeps in memory', () => {
  test('is the slab that it is a part of', () => {
    const slab = bytes(65_536);
    const held = new HeldBlocks();
    for (const part of [slab.subarray(0, 5), slab.subarray(100, 110)]) held.hold(memoryOf(part));
    expect([held.bytes, held.size]).toEqual([65_536 + BLOCK_BYTES + 2 * PLACE_BYTES, 1]);
  });

  test('is itself where it is all of its buffer', () => {
    const block = bytes(100);
    expect(memoryOf(block)).toBe(block);
  });
});
