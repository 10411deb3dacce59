/** What a user brings along has the methods that are called, or is refused. */
import { expect, test } from 'vitest';
import { withMethods } from '../../../src/api/options/with-methods.ts';

test('what has them is returned; undefined is left to the default', () => {
  const clock = { now: () => 0 };
  expect(withMethods('clock', clock, ['now'])).toBe(clock);
  expect(withMethods('clock', undefined, ['now'])).toBe(undefined);
});

test.each([null, 5, {}, { now: 1 }])('%j is refused', (value) => {
  const refused = () => withMethods('clock', value as object, ['now', 'every'], 'a function, or ');
  expect(refused).toThrow('a function, or an object with now, every');
});
