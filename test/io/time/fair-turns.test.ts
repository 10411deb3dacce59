/** Pieces of work of one turn of the event loop: their order, and the time that they may take together. */
import { describe, expect, test } from 'vitest';
import { FairTurns, TURN_MS } from '../../../src/io/time/fair-turns.ts';

/** Turns that are run by hand, and a clock that stands still until a piece takes time. */
function make() {
  const tasks: (() => void)[] = [];
  const time = { ms: 0 };
  const turns = new FairTurns(
    () => time.ms,
    (task) => void tasks.push(task),
  );
  const done: string[] = [];
  /** Waits with so many pieces, each of which takes so long. */
  const work = (name: string, pieces: number, ms = 0) => {
    let left = pieces;
    turns.wait({
      onTurn() {
        done.push(name);
        time.ms += ms;
        if (--left > 0) turns.wait(this);
      },
    });
  };
  /** What one turn does. */
  const turn = (): string => {
    const before = done.length;
    for (const task of tasks.splice(0)) task();
    return done.slice(before).join('');
  };
  return { turns, tasks, time, work, turn };
}

describe('those that wait', () => {
  test('have one piece each in a turn, in their order, and wait again behind the others', () => {
    const { turns, tasks, work, turn } = make();
    work('a', 3);
    work('b', 1);
    work('c', 2);
    expect(tasks.length).toBe(1);
    expect([turn(), turn(), turn(), turn()]).toEqual(['abc', 'ac', 'a', '']);
    expect([turns.size, tasks.length]).toEqual([0, 0]);
  });

  test('that come last are not passed over by those that have more', () => {
    const { turns, work, turn } = make();
    for (const name of 'abcdef') work(name, 3, TURN_MS / 2);
    work('z', 1);
    expect([turn(), turn(), turn(), turn()]).toEqual(['ab', 'cd', 'ef', 'zab']);
    expect(turns.size).toBe(6);
  });

  test('have at least one piece in a turn, however long it takes', () => {
    const { work, turn } = make();
    work('a', 2, 10 * TURN_MS);
    work('b', 1, 10 * TURN_MS);
    expect([turn(), turn(), turn()]).toEqual(['a', 'b', 'a']);
  });

  test('go on after one that throws', () => {
    const { turns, work, turn } = make();
    turns.wait({
      onTurn() {
        throw new Error('broken');
      },
    });
    work('a', 1);
    expect(turn).toThrow('broken');
    expect([turn(), turns.size]).toEqual(['a', 0]);
  });
});

describe('the time of a turn', () => {
  test('begins with the first question, and is over after so many milliseconds', () => {
    const { turns, time, turn } = make();
    expect(turns.isOver()).toBe(false);
    time.ms += TURN_MS - 1;
    expect(turns.isOver()).toBe(false);
    time.ms += 1;
    expect(turns.isOver()).toBe(true);
    turn();
    expect(turns.isOver()).toBe(false);
  });

  test('that those who wait have used up is there again for new bytes', () => {
    const { turns, time, work, turn } = make();
    for (const name of 'ab') work(name, 1, TURN_MS);
    expect(turn()).toBe('a');
    expect(turns.isOver()).toBe(false);
    time.ms += TURN_MS;
    expect(turns.isOver()).toBe(true);
  });

  test('is over within a piece, too', () => {
    const { turns, time, turn } = make();
    const seen: boolean[] = [];
    turns.wait({
      onTurn() {
        seen.push(turns.isOver());
        time.ms += TURN_MS;
        seen.push(turns.isOver());
      },
    });
    turn();
    expect(seen).toEqual([false, true]);
  });
});
