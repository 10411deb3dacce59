import { expect, test } from 'vitest';
import { type Clock, eventLoopTurn, guard, systemClock, within } from '../../../src/io/time/clock.ts';
import { ManualClock } from '../../../src/io/time/manual-clock.ts';

test('time never goes back, and is in milliseconds', async () => {
  const before = systemClock.now();
  await new Promise<void>((resolve) => {
    const stop = systemClock.every(5, () => {
      stop();
      resolve();
    });
  });
  const passed = systemClock.now() - before;
  // A timer of 5 ms: 4 allows for rounding, a minute for a machine that is busy.
  expect(passed).toBeGreaterThanOrEqual(4);
  expect(passed).toBeLessThan(60_000);
});

test('people are told the date', () => {
  const date = systemClock.epochMs();
  expect(Math.abs(date - Date.now())).toBeLessThan(60_000);
  expect(new Date(date).getUTCFullYear()).toBeGreaterThanOrEqual(2025);
});

test('chance lies from 0 up to 1', () => {
  const numbers = Array.from({ length: 1000 }, () => systemClock.random());
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true);
  expect(new Set(numbers).size).toBeGreaterThan(900);
});

test('a beat comes again until it is stopped', async () => {
  let beats = 0;
  await new Promise<void>((resolve) => {
    const stop = systemClock.every(1, () => {
      beats += 1;
      if (beats < 3) return;
      stop();
      resolve();
    });
  });
  // Later beats of the same kind come, this one does not.
  await new Promise<void>((resolve) => {
    let others = 0;
    const stop = systemClock.every(1, () => {
      others += 1;
      if (others < 5) return;
      stop();
      resolve();
    });
  });
  expect(beats).toBe(3);
});

test('a beat keeps no process alive', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const stop = systemClock.every(1000, () => {});
  expect(timers()).toBe(before);
  stop();
});

test('a process is kept alive until it is let go, and only by the clock of the machine', () => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const release = systemClock.keepAlive?.();
  expect(timers()).toBe(before + 1);
  release?.();
  expect(timers()).toBe(before);
  expect((new ManualClock() as Clock).keepAlive).toBeUndefined();
});

test('a turn of the event loop ends when what was ready, and what that made ready at once, is done', async () => {
  const done: string[] = [];
  setImmediate(() => done.push('immediate'));
  process.nextTick(() => Promise.resolve().then(() => process.nextTick(() => done.push('tick'))));
  await eventLoopTurn();
  expect(done).toEqual(['tick', 'immediate']);
});

test('a guard calls once, unless it was called off', async () => {
  const calls: string[] = [];
  const calledOff = guard(1, () => calls.push('called off'));
  calledOff();
  await new Promise<void>((resolve) => {
    guard(5, () => {
      calls.push('called');
      resolve();
    });
  });
  expect(calls).toEqual(['called']);
});

test('within its time a promise gives what it gives, and beyond it an error that says so', async () => {
  expect(await within(60_000, Promise.resolve('value'))).toBe('value');
  await expect(within(60_000, Promise.reject(new Error('own')))).rejects.toThrow('own');
  await expect(within(1, new Promise(() => {}), 'no answer')).rejects.toThrow('no answer (1 ms)');
});
