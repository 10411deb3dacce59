/** Work that is left over from a turn of the event loop: everybody has one piece a turn, and a turn is short. */
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { nextTurn } from '../../../src/io/time/clock.ts';
import { type FairTurn, FairTurns, TURN_MS } from '../../../src/io/time/fair-turns.ts';

let nowMs = 0;
let scheduled: (() => void)[] = [];
let log: string[] = [];
let turns: FairTurns;

beforeEach(() => {
  nowMs = 0;
  scheduled = [];
  log = [];
  turns = new FairTurns(
    () => nowMs,
    (task) => void scheduled.push(task),
  );
});

/** Runs what was scheduled for the next turn. */
function turn(): void {
  const tasks = scheduled;
  scheduled = [];
  expect(tasks.length).toBeLessThanOrEqual(1);
  for (const task of tasks) task();
}

/** Has `pieces` to do, each of which takes `ms`. */
class Work implements FairTurn {
  readonly #name: string;
  readonly #ms: number;
  pieces: number;
  constructor(name: string, pieces: number, ms = 0) {
    this.#name = name;
    this.pieces = pieces;
    this.#ms = ms;
  }
  onTurn(): void {
    log.push(this.#name);
    nowMs += this.#ms;
    if (--this.pieces > 0) turns.wait(this);
  }
}

test('nothing is scheduled where nobody waits, and once for all that do', () => {
  expect([scheduled.length, turns.size]).toEqual([0, 0]);
  turns.wait(new Work('a', 1));
  turns.wait(new Work('b', 1));
  expect([scheduled.length, turns.size]).toEqual([1, 2]);
  expect(log).toEqual([]);
  turn();
  expect(log).toEqual(['a', 'b']);
  expect([scheduled.length, turns.size]).toEqual([0, 0]);
});

test('who has more waits again after the others, until the next turn', () => {
  turns.wait(new Work('a', 3));
  turns.wait(new Work('b', 1));
  turn();
  expect(log).toEqual(['a', 'b']);
  expect(turns.size).toBe(1);
  turn();
  turn();
  expect(log).toEqual(['a', 'b', 'a', 'a']);
  expect([scheduled.length, turns.size]).toEqual([0, 0]);
});

describe('time', () => {
  test('a turn ends when its milliseconds are over; those who are left are first in the next', () => {
    for (const name of ['a', 'b', 'c']) turns.wait(new Work(name, 2, TURN_MS / 2));
    turn();
    expect(log).toEqual(['a', 'b']);
    turn();
    expect(log).toEqual(['a', 'b', 'c', 'a']);
  });

  test('a piece that takes longer than a whole turn is done all the same', () => {
    turns.wait(new Work('slow', 2, 10 * TURN_MS));
    turns.wait(new Work('fast', 1));
    turn();
    expect(log).toEqual(['slow']);
    turn();
    turn();
    expect(log).toEqual(['slow', 'fast', 'slow']);
  });
});

test('nobody is left out, and nobody has two pieces more than another who still waits', () => {
  const works = fc.array(
    fc.record({ pieces: fc.integer({ min: 1, max: 6 }), ms: fc.integer({ max: 9, min: 0 }) }),
    {
      minLength: 1,
      maxLength: 8,
    },
  );
  fc.assert(
    fc.property(works, (all) => {
      log = [];
      const made = all.map(({ pieces, ms }, index) => new Work(String(index), pieces, ms));
      for (const work of made) turns.wait(work);
      while (turns.size > 0) {
        turn();
        const waiting = made.flatMap(({ pieces }, index) =>
          pieces > 0 ? [(all[index]?.pieces ?? 0) - pieces] : [],
        );
        expect(Math.max(0, ...waiting) - Math.min(...waiting, Number.POSITIVE_INFINITY)).toBeLessThanOrEqual(
          1,
        );
      }
      expect(log).toHaveLength(all.reduce((sum, { pieces }) => sum + pieces, 0));
    }),
  );
});

test('with the event loop, pieces are done in later turns', async () => {
  const real = new FairTurns(() => performance.now(), nextTurn);
  const order: string[] = [];
  await new Promise<void>((resolve) => {
    const work: FairTurn = {
      onTurn() {
        order.push('piece');
        if (order.length < 4) real.wait(work);
        else resolve();
      },
    };
    real.wait(work);
    order.push('now');
  });
  expect(order).toEqual(['now', 'piece', 'piece', 'piece']);
});
