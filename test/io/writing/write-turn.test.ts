import { beforeEach, describe, expect, test } from 'vitest';
import { type Flushable, SLAB_BYTES, WriteTurn } from '../../../src/io/writing/write-turn.ts';

let tasks: (() => void)[];
let turn: WriteTurn;
let flushed: string[];

beforeEach(() => {
  tasks = [];
  flushed = [];
  turn = new WriteTurn((task) => tasks.push(task));
});

const flushable = (name: string, then = () => {}): Flushable => ({
  flush() {
    flushed.push(name);
    then();
  },
});

/** Writes `bytes` into the slab as an outbox does, and returns where. */
function fill(bytes: number): { slab: Uint8Array; at: number } {
  const at = turn.reserve(bytes);
  turn.used = at + bytes;
  return { slab: turn.slab, at };
}

describe('what is marked is flushed once', () => {
  test('when the turn ends, in the order of marking', () => {
    turn.begin();
    turn.mark(flushable('a'));
    turn.mark(flushable('b'));
    expect([flushed, tasks]).toEqual([[], []]);
    turn.end();
    turn.begin();
    turn.end();
    expect(flushed).toEqual(['a', 'b']);
  });

  test('when the outermost of nested turns ends', () => {
    turn.begin();
    turn.begin();
    turn.mark(flushable('a'));
    turn.end();
    expect(flushed).toEqual([]);
    turn.end();
    expect(flushed).toEqual(['a']);
  });

  test('outside of a turn, by one task when the running callback has returned', () => {
    turn.mark(flushable('a'));
    turn.mark(flushable('b'));
    expect([flushed, tasks.length]).toEqual([[], 1]);
    tasks[0]?.();
    expect(flushed).toEqual(['a', 'b']);
    turn.mark(flushable('c'));
    expect(tasks.length).toBe(2);
  });

  test('by a turn that begins and ends before the task runs, which then finds nothing', () => {
    turn.mark(flushable('a'));
    turn.begin();
    turn.mark(flushable('b'));
    turn.end();
    expect(flushed).toEqual(['a', 'b']);
    tasks[0]?.();
    expect(flushed).toEqual(['a', 'b']);
  });

  test('also when a flush marks another one', () => {
    turn.begin();
    turn.mark(flushable('a', () => turn.mark(flushable('b'))));
    turn.end();
    expect(flushed).toEqual(['a', 'b']);
  });
});

describe('a turn that ends after all reads', () => {
  let afterReads: (() => void)[];
  beforeEach(() => {
    afterReads = [];
    turn = new WriteTurn(
      (task) => tasks.push(task),
      undefined,
      (task) => afterReads.push(task),
    );
  });
  const piece = (name: string) => {
    turn.begin();
    turn.mark(flushable(name));
    turn.endAfterReads();
  };

  test('flushes once what several pieces brought', () => {
    piece('a');
    piece('b');
    expect([flushed, tasks.length, afterReads.length]).toEqual([[], 0, 1]);
    afterReads[0]?.();
    expect(flushed).toEqual(['a', 'b']);
    piece('c');
    expect([flushed.length, afterReads.length]).toEqual([2, 2]);
  });

  test('asks for nothing where nothing was marked, or inside another turn', () => {
    turn.begin();
    turn.begin();
    turn.mark(flushable('a'));
    turn.endAfterReads();
    expect(afterReads).toEqual([]);
    turn.end();
    turn.begin();
    turn.endAfterReads();
    expect([flushed, afterReads]).toEqual([['a'], []]);
  });

  test('is over with any turn that ends before, and leaves a running one alone', () => {
    piece('a');
    turn.begin();
    afterReads[0]?.();
    expect(flushed).toEqual([]);
    turn.end();
    expect(flushed).toEqual(['a']);
  });
});

describe('the slab', () => {
  test('is filled one frame behind the other, and begun again when all has left', () => {
    turn.begin();
    turn.mark(flushable('a'));
    const [first, second] = [fill(10), fill(20)];
    turn.end();
    const third = fill(5);
    expect([first.at, second.at, third.at]).toEqual([0, 10, 0]);
    expect(third.slab).toBe(first.slab);
  });

  test('is only filled further while a transport holds bytes of it', () => {
    turn.begin();
    turn.mark(flushable('a', () => turn.pin()));
    const first = fill(10);
    turn.end();
    const second = fill(10);
    expect([second.slab === first.slab, second.at]).toEqual([true, 10]);
    turn.begin();
    turn.mark(flushable('b'));
    turn.end();
    expect(fill(10).at).toBe(20);
  });

  test('gives way to another when there is no room left: to the last byte, and not beyond', () => {
    const first = fill(SLAB_BYTES - 10);
    expect(fill(10)).toEqual({ slab: first.slab, at: SLAB_BYTES - 10 });
    const next = fill(1);
    expect([next.slab === first.slab, next.at, next.slab.length]).toEqual([false, 0, SLAB_BYTES]);
    // The one whose bytes may wait is not touched again, and the new one may be begun again.
    turn.begin();
    turn.mark(flushable('a'));
    turn.end();
    expect(fill(SLAB_BYTES)).toEqual({ slab: next.slab, at: 0 });
  });

  test('that was pinned does not pin the next one', () => {
    turn.pin();
    fill(SLAB_BYTES);
    const second = fill(100);
    turn.begin();
    turn.mark(flushable('a'));
    turn.end();
    expect(fill(100)).toEqual({ slab: second.slab, at: 0 });
  });
});

describe('a block for a large frame', () => {
  test('is large enough, and used again once it is given back', () => {
    const first = turn.borrow(100_000);
    expect(first.length).toBeGreaterThanOrEqual(100_000);
    turn.giveBack(first);
    expect(turn.borrow(200_000)).toBe(first);
  });

  test('is never lent twice at a time', () => {
    const [first, second] = [turn.borrow(100_000), turn.borrow(100_000)];
    expect(first).not.toBe(second);
    turn.giveBack(first);
    turn.giveBack(second);
    const again = [turn.borrow(100_000), turn.borrow(100_000)];
    expect(again[0]).not.toBe(again[1]);
  });

  test('of an unusual size is not kept, nor does it hide the one that is', () => {
    const usual = turn.borrow(1000);
    turn.giveBack(usual);
    const huge = turn.borrow(1_000_000);
    expect(huge.length).toBeGreaterThanOrEqual(1_000_000);
    turn.giveBack(huge);
    expect(turn.borrow(1000)).toBe(usual);
  });
});
