/** Which history forgets first. */
import { expect, test } from 'vitest';
import { HistoryBudget } from '../../src/topics/history-budget.ts';

test('counts what all keep; the one that has been silent longest forgets first', () => {
  const budget = new HistoryBudget<string>(100);
  expect([budget.excess, budget.first]).toEqual([0, undefined]);
  budget.note('a', 60, true);
  budget.note('b', 40, true);
  expect([budget.excess, budget.first]).toEqual([0, 'a']);
  budget.note('a', 70, true);
  expect([budget.excess, budget.first]).toEqual([10, 'b']);
  budget.note('b', 30, false);
  expect([budget.excess, budget.first]).toEqual([0, 'b']);
  budget.note('b', 0, false);
  expect(budget.first).toBe('a');
  budget.note('a', 0, true);
  expect([budget.excess, budget.first]).toEqual([0, undefined]);
});

test('noting costs the same however many rooms have spoken before', () => {
  const budget = new HistoryBudget<number>(Number.POSITIVE_INFINITY);
  const count = 100_000;
  for (let room = 0; room < count; room++) budget.note(room, 1, true);
  // If this went through those that have spoken, it would take minutes, and the test would time out.
  for (let room = 0; room < count; room++) {
    budget.note(room, 2, true);
    if (budget.first !== (room + 1) % count) throw new Error(`first is ${budget.first}`);
  }
});
