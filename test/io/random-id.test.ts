/** Names that nobody else has. */
import { expect, test } from 'vitest';
import { randomId } from '../../src/io/random-id.ts';

test('twelve characters that need no escaping, and never the same', () => {
  const ids = Array.from({ length: 1000 }, randomId);
  expect(ids.filter((id) => !/^[\w-]{12}$/.test(id))).toEqual([]);
  expect(new Set(ids).size).toBe(1000);
});
