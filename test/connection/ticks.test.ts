import { expect, test } from 'vitest';
import { earliest, isDue, later, NEVER } from '../../src/connection/ticks.ts';

test('a moment is never early, and never for Infinity', () => {
  expect(later(10, 100)).toBe(13);
  expect(later(10, Number.POSITIVE_INFINITY)).toBe(NEVER);
});

test('NEVER is neither due nor the earlier one', () => {
  expect([isDue(NEVER, 5), isDue(5, 5), isDue(6, 5)]).toEqual([false, true, false]);
  expect([earliest(3, 4), earliest(NEVER, 4), earliest(3, NEVER), earliest(NEVER, NEVER)]).toEqual([
    3,
    4,
    3,
    NEVER,
  ]);
});
