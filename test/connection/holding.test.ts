/** Who holds messages back: each reason alone, and how they add up. */
import { describe, expect, test } from 'vitest';
import { Holding } from '../../src/connection/holding.ts';

type Reasons = Partial<
  Pick<Holding, 'paused' | 'handlers' | 'iterators' | 'pulls' | 'decoding' | 'full' | 'behind'>
>;

const held = (reasons: Reasons): string => {
  const { delivery, wire } = Object.assign(new Holding(), reasons);
  return [delivery && 'delivery', wire && 'wire'].filter(Boolean).join(' and ') || 'nothing';
};

describe('each reason', () => {
  test.each<[Reasons, string]>([
    [{}, 'nothing'],
    [{ paused: true }, 'delivery and wire'],
    [{ handlers: 1 }, 'delivery'],
    [{ handlers: 2 }, 'delivery'],
    [{ decoding: true }, 'delivery'],
    [{ full: true }, 'wire'],
    [{ behind: true }, 'wire'],
  ])('%j holds back %s', (reasons, what) => {
    expect(held(reasons)).toBe(what);
  });
});

describe('iterators', () => {
  test.each<[Reasons, string]>([
    [{ iterators: 1 }, 'delivery'],
    [{ iterators: 1, pulls: 1 }, 'nothing'],
    // The slowest one sets the pace.
    [{ iterators: 2, pulls: 1 }, 'delivery'],
    [{ iterators: 2, pulls: 2 }, 'nothing'],
  ])('%j: %s', (reasons, what) => {
    expect(held(reasons)).toBe(what);
  });

  test('decide alone: a pending handler, which may be the loop itself, holds nothing back', () => {
    expect(held({ iterators: 1, pulls: 1, handlers: 1 })).toBe('nothing');
  });

  test.each<Reasons>([{ paused: true }, { decoding: true }])('do not overrule %j', (reason) => {
    expect(held({ iterators: 1, pulls: 1, ...reason })).toMatch(/^delivery/);
  });
});

test.each<Reasons>([
  { paused: true },
  { handlers: 1 },
  { decoding: true },
  { behind: true },
  { iterators: 1, pulls: 1 },
])('is not free with %j', (reasons) => {
  expect(new Holding().isFree).toBe(true);
  expect(Object.assign(new Holding(), reasons).isFree).toBe(false);
});

test('a reason that goes leaves the others', () => {
  const holding = Object.assign(new Holding(), { paused: true, handlers: 1, full: true });
  holding.paused = false;
  expect([holding.delivery, holding.wire]).toEqual([true, true]);
  holding.full = false;
  expect([holding.delivery, holding.wire]).toEqual([true, false]);
  holding.handlers--;
  expect([holding.delivery, holding.wire]).toEqual([false, false]);
});
