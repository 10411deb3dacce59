/** Batches, one a tick: how many at a time, and all of them done by the end. */
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { Ticker } from '../../src/io/time/ticker.ts';
import { Pacing } from '../../src/server/pacing.ts';

function pace(count: number, batch: number, endTick: number, random = 0.5) {
  const clock = Object.assign(new ManualClock(), { random: () => random });
  const ticker = new Ticker(clock);
  ticker.start();
  const closed: number[] = [];
  const items = Array.from({ length: count }, (_, i) => i);
  const pacing = new Pacing({ ticker, clock }, { batch, endTick, items }, (item) => closed.push(item) > 0);
  return { clock, ticker, closed, pacing };
}

describe('batches', () => {
  test('the first goes at once, one follows at each tick, in order', () => {
    const { clock, closed, pacing, ticker } = pace(25, 10, 1000);
    pacing.start();
    expect(closed.length).toBe(10);
    clock.advance(50);
    expect(closed.length).toBe(20);
    clock.advance(50);
    expect(closed).toEqual(Array.from({ length: 25 }, (_, i) => i));
    expect(ticker.size).toBe(0);
  });

  test.each([
    [0, 5],
    [0.999_999, 15],
  ])('are spread by half: with a chance of %s, %s of 10', (random, first) => {
    const { closed, pacing } = pace(100, 10, 1000, random);
    pacing.start();
    expect(closed.length).toBe(first);
  });

  test('are larger where they would not be done by the end', () => {
    const { clock, closed, pacing } = pace(1000, 1, 10);
    pacing.start();
    expect(closed.length).toBe(100);
    clock.advance(450);
    expect(closed.length).toBe(1000);
  });

  test('Infinity is all at once', () => {
    const { closed, pacing } = pace(1000, Number.POSITIVE_INFINITY, 1000);
    pacing.start();
    expect(closed.length).toBe(1000);
  });

  test('stopped, no batch follows', () => {
    const { clock, closed, pacing, ticker } = pace(20, 10, 1000);
    pacing.start();
    pacing.stop();
    clock.advance(1000);
    expect([closed.length, ticker.size]).toEqual([10, 0]);
  });

  test('what has ended by itself takes no place in a batch', () => {
    const clock = Object.assign(new ManualClock(), { random: () => 0.5 });
    const ticker = new Ticker(clock);
    const closed: string[] = [];
    const pacing = new Pacing(
      { ticker, clock },
      { batch: 2, endTick: 100, items: ['gone', 'a', 'gone', 'b', 'c'] },
      (item) => {
        if (item === 'gone') return false;
        closed.push(item);
        return true;
      },
    );
    pacing.start();
    expect(closed).toEqual(['a', 'b']);
  });
});
