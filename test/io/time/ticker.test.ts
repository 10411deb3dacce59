import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/io/time/clock.ts';
import { TICK_MS, Ticker, type Waiting } from '../../../src/io/time/ticker.ts';

/** A clock whose time and whose beats are two things, so that an event loop can stall. */
class Hand implements Clock {
  #nowMs = 0;
  readonly beats: (() => void)[] = [];

  now = () => this.#nowMs;
  epochMs = () => this.#nowMs;
  random = () => 0.5;

  every(ms: number, beat: () => void): () => void {
    expect(ms).toBe(TICK_MS);
    this.beats.push(beat);
    return () => void this.beats.splice(this.beats.indexOf(beat), 1);
  }

  /** Time passes, and nothing of ours runs. */
  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** Time passes, then the timer's callback runs. */
  beatAfter(ms: number): void {
    this.stall(ms);
    for (const beat of [...this.beats]) beat();
  }

  /** Time passes with a beat every tick. */
  run(ms: number): void {
    for (let left = ms; left > 0; left -= TICK_MS) this.beatAfter(Math.min(left, TICK_MS));
  }
}

class Entry implements Waiting {
  dueTick = -1;
  readonly due: number[] = [];
  readonly #then: ((tick: number) => void) | undefined;

  constructor(then?: (tick: number) => void) {
    this.#then = then;
  }

  onDue(tick: number): void {
    this.due.push(tick);
    this.#then?.(tick);
  }
}

let clock: Hand;
let ticker: Ticker;

beforeEach(() => {
  clock = new Hand();
  ticker = new Ticker(clock);
  ticker.start();
});

describe('a deadline', () => {
  test('in ticks is rounded up, with one more for the tick that has begun', () => {
    expect([0, 1, 49, 50, 51, 100, 10_000].map(Ticker.ticks)).toEqual([1, 2, 2, 2, 3, 3, 201]);
    expect(Ticker.ticks(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
  });

  test('is never early, and late by at most one tick and the one that has begun', () => {
    fc.assert(
      fc.property(fc.nat(5000), fc.nat(49), fc.nat(120_000), (before, phase, ms) => {
        const clock = new Hand();
        const ticker = new Ticker(clock);
        clock.stall(phase);
        ticker.start();
        clock.run(before - (before % TICK_MS));
        clock.stall(before % TICK_MS);
        const set = clock.now();
        let fired = Number.NaN;
        const entry = new Entry(() => {
          fired = clock.now();
        });
        ticker.wait(entry, ticker.tick + Ticker.ticks(ms));
        clock.beatAfter(TICK_MS - (before % TICK_MS));
        clock.run(ms + 2 * TICK_MS);
        expect(entry.due.length).toBe(1);
        expect(fired - set).toBeGreaterThanOrEqual(ms);
        expect(fired - set).toBeLessThanOrEqual(ms + 2 * TICK_MS);
      }),
    );
  });

  test('is never early when beats drift, and late by no more than they are', () => {
    const gaps = fc.array(fc.integer({ min: 45, max: 140 }), { minLength: 30, maxLength: 30 });
    fc.assert(
      fc.property(gaps, fc.nat(1000), (gaps, ms) => {
        const clock = new Hand();
        const ticker = new Ticker(clock);
        ticker.start();
        let fired = Number.NaN;
        const entry = new Entry(() => {
          fired = clock.now();
        });
        ticker.wait(entry, ticker.tick + Ticker.ticks(ms));
        for (const gap of gaps) clock.beatAfter(gap);
        expect(fired).toBeGreaterThanOrEqual(ms);
        expect(fired).toBeLessThanOrEqual(ms + 2 * TICK_MS + 140);
      }),
    );
  });

  test('of more than a turn of the wheel (1024 ticks) waits its turns', () => {
    const entries = [1023, 1024, 1025, 2048, 5000].map((tick) => {
      const entry = new Entry();
      ticker.wait(entry, tick);
      return { entry, tick };
    });
    clock.run(6000 * TICK_MS);
    for (const { entry, tick } of entries) expect(entry.due).toEqual([tick]);
    expect(ticker.size).toBe(0);
  });

  test('that has passed already falls due with the next tick', () => {
    clock.run(10 * TICK_MS);
    const entry = new Entry();
    ticker.wait(entry, 3);
    expect(entry.due).toEqual([]);
    clock.run(TICK_MS);
    expect(entry.due).toEqual([11]);
  });
});

describe('an entry', () => {
  test('waits for one moment, the last one set: later, earlier, or the same', () => {
    const entry = new Entry();
    for (const tick of [5, 9, 9, 4, 7]) ticker.wait(entry, tick);
    expect([ticker.size, entry.dueTick]).toEqual([1, 7]);
    clock.run(20 * TICK_MS);
    expect(entry.due).toEqual([7]);
    expect([ticker.size, entry.dueTick]).toEqual([0, -1]);
  });

  test('that is forgotten, or waits for ever, does not fall due', () => {
    const [one, other] = [new Entry(), new Entry()];
    ticker.wait(one, 3);
    ticker.wait(other, 3);
    ticker.forget(one);
    ticker.forget(one);
    ticker.wait(other, Number.POSITIVE_INFINITY);
    expect([ticker.size, one.dueTick, other.dueTick]).toEqual([0, -1, -1]);
    clock.run(2000 * TICK_MS);
    expect([...one.due, ...other.due]).toEqual([]);
  });

  test('may be set again when it falls due: for the next tick, for this one, and a whole turn later', () => {
    const again = [2, 2, 2 + 1024];
    const entry: Entry = new Entry(() => {
      const tick = again.shift();
      if (tick !== undefined) ticker.wait(entry, tick);
    });
    ticker.wait(entry, 2);
    clock.run(1100 * TICK_MS);
    // "This one" has begun: it becomes the next.
    expect(entry.due).toEqual([2, 3, 4, 1026]);
  });

  test('may forget another one of the same tick, or set one for it, while the tick opens', () => {
    const late = new Entry();
    const doomed = new Entry();
    const killer = new Entry(() => {
      ticker.forget(doomed);
      ticker.wait(late, ticker.tick);
    });
    ticker.wait(killer, 4);
    ticker.wait(doomed, 4);
    clock.run(4 * TICK_MS);
    expect([killer.due, doomed.due, late.due]).toEqual([[4], [], []]);
    clock.run(TICK_MS);
    expect([late.due, ticker.size]).toEqual([[5], 0]);
  });

  test('falls due once, at its last moment, whatever was done before (1024 ticks and more)', () => {
    const act = fc.record({ entry: fc.nat(3), tick: fc.integer({ min: -1, max: 3000 }), run: fc.nat(40) });
    fc.assert(
      fc.property(fc.array(act, { maxLength: 30 }), (acts) => {
        const clock = new Hand();
        const ticker = new Ticker(clock);
        ticker.start();
        const entries = [0, 1, 2, 3].map(() => new Entry());
        const expected: (number | undefined)[] = [];
        const due: number[][] = [[], [], [], []];
        const runTo = (tick: number): void => {
          clock.run((tick - ticker.tick) * TICK_MS);
          expected.forEach((moment, i) => {
            if (moment === undefined || moment > tick) return;
            due[i]?.push(moment);
            expected[i] = undefined;
          });
        };
        for (const { entry, tick, run } of acts) {
          const waiting = entries[entry] as Entry;
          if (tick < 0) ticker.forget(waiting);
          else ticker.wait(waiting, tick);
          expected[entry] = tick < 0 ? undefined : Math.max(tick, ticker.tick + 1);
          expect(ticker.size).toBe(expected.filter((moment) => moment !== undefined).length);
          runTo(ticker.tick + run);
        }
        runTo(ticker.tick + 3100);
        expect(entries.map((entry) => entry.due)).toEqual(due);
      }),
      { numRuns: 30 },
    );
  });
});

describe('the event loop', () => {
  test('that stalled is told by how long, and every missed tick opens in its order', () => {
    const order: string[] = [];
    for (const [name, tick] of [
      ['c', 30],
      ['a', 3],
      ['b', 7],
      ['d', 61],
    ] as const) {
      ticker.wait(new Entry((now) => order.push(`${name} at ${now} of ${ticker.tick}`)), tick);
    }
    clock.run(2 * TICK_MS);
    expect(ticker.stalledMs).toBe(0);
    clock.beatAfter(3000);
    expect(ticker.stalledMs).toBe(3000 - TICK_MS);
    expect(order).toEqual(['a at 3 of 3', 'b at 7 of 7', 'c at 30 of 30', 'd at 61 of 61']);
    expect(ticker.tick).toBe(62);
    clock.beatAfter(TICK_MS);
    expect(ticker.stalledMs).toBe(0);
  });

  test('that stands still makes no deadline early that is set meanwhile, or while it catches up', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 5000 }),
        fc.nat(3000),
        fc.boolean(),
        (stalled, ms, catchingUp) => {
          const clock = new Hand();
          const ticker = new Ticker(clock);
          ticker.start();
          clock.run(500);
          let fired = Number.NaN;
          const entry = new Entry(() => {
            fired = clock.now();
          });
          const set = () => ticker.wait(entry, ticker.present + Ticker.ticks(ms));
          ticker.wait(new Entry(() => catchingUp && set()), ticker.tick + 1);
          clock.stall(stalled);
          if (!catchingUp) set();
          clock.beatAfter(catchingUp ? TICK_MS : 0);
          const began = clock.now();
          clock.run(ms + 3 * TICK_MS);
          expect(fired - began).toBeGreaterThanOrEqual(ms);
          expect(fired - began).toBeLessThanOrEqual(ms + 3 * TICK_MS);
        },
      ),
    );
  });

  test('that is a little early has not stalled, and no tick passes', () => {
    clock.beatAfter(49.9);
    expect([ticker.tick, ticker.stalledMs]).toEqual([0, 0]);
    clock.beatAfter(0.1);
    expect([ticker.tick, ticker.stalledMs]).toEqual([1, 0]);
  });

  test('has one timer, however many wait, and none once stopped', () => {
    ticker.start();
    for (let i = 0; i < 10_000; i++) ticker.wait(new Entry(), 500 + i);
    expect([clock.beats.length, ticker.size]).toEqual([1, 10_000]);
    ticker.stop();
    ticker.stop();
    expect(clock.beats.length).toBe(0);
  });

  test('that is stopped has no present but its last tick', () => {
    clock.run(3 * TICK_MS);
    clock.stall(70);
    expect(ticker.present).toBe(4);
    ticker.stop();
    clock.stall(1000);
    expect(ticker.present).toBe(3);
  });

  test('that was stopped and started again goes on where it was', () => {
    const entry = new Entry();
    ticker.wait(entry, 10);
    clock.run(4 * TICK_MS);
    ticker.stop();
    clock.stall(60_000);
    ticker.start();
    clock.run(5 * TICK_MS);
    expect([ticker.tick, entry.due]).toEqual([9, []]);
    clock.run(TICK_MS);
    expect(entry.due).toEqual([10]);
  });
});
