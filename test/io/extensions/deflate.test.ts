import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { compressed, compressedWhole } from '../../../src/io/extensions/deflate.ts';
import { deflated, deflateOf, inflated, LIMITS } from '../../support/deflate-peer.ts';
import { bytes } from '../../support/raw-client.ts';

const TERMS = { answer: 'a', serverWindowBits: 8, clientWindowBits: 15, takesOver: true };

test('terms are known by their answer; a window of 8 bits is one of 9 for zlib', () => {
  const deflate = deflateOf();
  const known = deflate.know(TERMS);
  expect(deflate.know({ ...TERMS })).toBe(known);
  expect(known.level.windowBits).toBe(9);
  expect(deflate.know({ ...TERMS, answer: 'b', serverWindowBits: 9 }).form).toBe(known.form);
  expect(deflate.know({ ...TERMS, answer: 'c', serverWindowBits: 15 }).form).not.toBe(known.form);
  expect(deflateOf({ level: 9 }).know(TERMS).form).not.toBe(known.form);
});

test('clients cannot choose more than two forms, and each is read with the window that was agreed on', () => {
  for (const [serverWindowBits, count] of [
    [15, 2],
    [12, 2],
    [9, 1],
    [8, 1],
  ] as const) {
    const deflate = deflateOf({ serverWindowBits });
    const windows = [8, 9, 10, 11, 12, 13, 14, 15].filter((bits) => bits <= serverWindowBits);
    const known = windows.map((bits) =>
      deflate.know({ ...TERMS, answer: `${bits}`, serverWindowBits: bits }),
    );
    expect(new Set(known.map(({ form }) => form)).size).toBe(count);
    for (const { level, formLevel } of known)
      expect(formLevel.windowBits).toBeLessThanOrEqual(level.windowBits);
    expect(known.at(-1)?.formLevel).toBe(known.at(-1)?.level);
  }
});

test('the compressor that all share has forgotten everything each time', () => {
  const deflate = deflateOf();
  const { level } = deflate.know(TERMS);
  const message = bytes('some text, some text, some more text');
  const once = compressed(deflate.compressor(level), message, 4)?.slice();
  expect(compressed(deflate.compressor(level), message, 4)).toEqual(once);
  expect(inflated(once as Uint8Array, 9)).toEqual(message);
});

test('nothing is the result of what would not become smaller, unless it must be compressed', () => {
  const deflate = deflateOf();
  const { level } = deflate.know(TERMS);
  const random = new Uint8Array(randomBytes(200_000));
  expect(compressed(deflate.compressor(level), random, 4)).toBeUndefined();
  const whole = compressedWhole(deflate.compressor(level), random).slice(0, -4);
  expect(Buffer.compare(inflated(whole, 9), random)).toBe(0);
});

test('inflaters are lent for a message, and some of them are kept', () => {
  const deflate = deflateOf();
  const lent = Array.from({ length: 6 }, () => deflate.lendInflater(15));
  for (const inflater of lent) deflate.takeBack(inflater);
  const again = deflate.lendInflater(15);
  expect(lent).toContain(again);
  again.push(deflated(bytes('once more')), true, 0);
  expect(Buffer.from(again.read(LIMITS) as Uint8Array).toString()).toBe('once more');
  expect(again.read(LIMITS)).toBeUndefined();
  expect(deflate.lendInflater(8).windowBits).toBe(9);
});
