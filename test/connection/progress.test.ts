import { describe, expect, test } from 'vitest';
import { Progress } from '../../src/connection/progress.ts';
import { NEVER } from '../../src/connection/ticks.ts';

/** 1000 ms are 21 ticks. */
const PATIENCE = 1000;

/** Looks when it is time, tick by tick; the tick at which patience was over, or undefined. */
function overAt(
  progress: Progress,
  from: number,
  to: number,
  left: (tick: number) => number,
): number | undefined {
  for (let tick = from; tick <= to; tick++) if (progress.isOver(tick, left(tick))) return tick;
  return undefined;
}

function started(tick = 0): Progress {
  const progress = new Progress();
  progress.start(tick, PATIENCE, 100_000);
  return progress;
}

describe('patience', () => {
  test('is over when none has left for that long, not before, and once', () => {
    const progress = started();
    expect(overAt(progress, 1, 100, () => 100_000)).toBe(21);
    expect([progress.isWatching, progress.lookTick]).toEqual([false, NEVER]);
    expect(overAt(progress, 22, 100, () => 100_000)).toBeUndefined();
  });

  test('has no end while some leave, however few', () => {
    expect(overAt(started(), 1, 1000, (tick) => 100_000 - tick)).toBeUndefined();
  });

  test('counts from the last that left, late by a quarter at most', () => {
    for (let last = 1; last < 40; last++) {
      const end = overAt(started(), 1, 200, (tick) => 100_000 - Math.min(tick, last)) ?? 0;
      expect(end).toBeGreaterThanOrEqual(last + 20);
      expect(end).toBeLessThanOrEqual(last + 21 + 6);
    }
  });

  test('may be changed on the way, and be endless', () => {
    const progress = started();
    progress.setPatience(10, 5000);
    expect(overAt(progress, 11, 100, () => 100_000)).toBeUndefined();
    expect(overAt(progress, 101, 200, () => 100_000)).toBe(101);
    progress.start(0, Number.POSITIVE_INFINITY, 1);
    expect([progress.isWatching, progress.lookTick]).toEqual([true, NEVER]);
  });

  test('is given a grace after a stall of our own', () => {
    const progress = started();
    progress.forgive(400, 421);
    expect(overAt(progress, 400, 500, () => 100_000)).toBe(421);
  });
});

test('says how long bytes have waited, across several starts', () => {
  const progress = started(10);
  progress.start(20, PATIENCE, 5);
  expect(progress.waitedMs(30)).toBe(20 * 50);
  progress.stop();
  progress.start(40, PATIENCE, 5);
  expect(progress.waitedMs(41)).toBe(50);
});
