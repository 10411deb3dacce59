import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ManualClock } from '../../../src/io/time/manual-clock.ts';

test('time stands still until it is advanced', () => {
  const clock = new ManualClock({ epochMs: 1_700_000_000_000 });
  expect([clock.now(), clock.epochMs()]).toEqual([0, 1_700_000_000_000]);
  clock.advance(1234.5);
  expect([clock.now(), clock.epochMs()]).toEqual([1234.5, 1_700_000_001_234.5]);
});

test('a beat comes at each of its moments and sees that moment', () => {
  const clock = new ManualClock();
  const seen: number[] = [];
  clock.every(50, () => seen.push(clock.now()));
  clock.advance(49);
  expect(seen).toEqual([]);
  clock.advance(1);
  clock.advance(120);
  expect(seen).toEqual([50, 100, 150]);
  expect(clock.now()).toBe(170);
});

test('beats of several come in the order of time, and of one moment in the order they were asked for', () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  clock.every(30, () => seen.push(`a${clock.now()}`));
  clock.every(20, () => seen.push(`b${clock.now()}`));
  clock.advance(60);
  expect(seen).toEqual(['b20', 'a30', 'b40', 'a60', 'b60']);
});

test('a beat that is stopped comes no more, also when a beat of the same moment stops it', () => {
  const clock = new ManualClock();
  const seen: string[] = [];
  let stopSecond = (): void => undefined;
  const stopFirst = clock.every(10, () => {
    seen.push('first');
    stopSecond();
  });
  stopSecond = clock.every(10, () => seen.push('second'));
  clock.advance(10);
  stopFirst();
  clock.advance(100);
  expect(seen).toEqual(['first']);
  expect(clock.beats).toBe(0);
});

test('a beat that is asked for within a beat begins at that moment', () => {
  const clock = new ManualClock();
  const seen: number[] = [];
  const stop = clock.every(10, () => {
    stop();
    clock.every(5, () => seen.push(clock.now()));
  });
  clock.advance(20);
  expect(seen).toEqual([15, 20]);
});

test('in one step or in many, the same beats come', () => {
  const run = (steps: number[]): string[] => {
    const clock = new ManualClock();
    const seen: string[] = [];
    clock.every(7, () => seen.push(`7 at ${clock.now()}`));
    clock.every(11, () => seen.push(`11 at ${clock.now()}`));
    for (const step of steps) clock.advance(step);
    return seen;
  };
  fc.assert(
    fc.property(fc.array(fc.nat(40), { maxLength: 12 }), (steps) => {
      expect(run(steps)).toEqual(run([steps.reduce((sum, step) => sum + step, 0)]));
    }),
  );
});

test('a clock that a beat breaks can go on', () => {
  const clock = new ManualClock();
  const stop = clock.every(10, () => {
    throw new Error('beat');
  });
  expect(() => clock.advance(10)).toThrow('beat');
  stop();
  clock.advance(5);
  expect(clock.now()).toBe(15);
});

test('a beat cannot advance the clock, and no clock goes back', () => {
  const clock = new ManualClock();
  clock.every(10, () => clock.advance(1));
  expect(() => clock.advance(10)).toThrow('from a beat');
  expect(() => clock.advance(-1)).toThrow(RangeError);
  expect(() => clock.advance(Number.NaN)).toThrow(RangeError);
  expect(() => clock.every(0, () => undefined)).toThrow(RangeError);
});

test('a seed has one series of numbers from 0 up to 1, and another seed another', () => {
  const series = (seed: number): number[] => {
    const clock = new ManualClock({ seed });
    return Array.from({ length: 1000 }, () => clock.random());
  };
  expect(series(3)).toEqual(series(3));
  expect(series(3)).not.toEqual(series(4));
  expect(series(3).every((value) => value >= 0 && value < 1)).toBe(true);
  expect(new Set(series(3).map((value) => Math.floor(value * 10))).size).toBe(10);
});
