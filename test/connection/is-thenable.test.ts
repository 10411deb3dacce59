/** What counts as a promise: an object with a `then`, whoever made it. */
import { expect, test } from 'vitest';
import { isThenable } from '../../src/connection/is-thenable.ts';

// biome-ignore lint/suspicious/noThenProperty: a promise of another library
const foreign = { then: () => {} };
class Lazy extends Promise<number> {}

test.each([
  ['a promise', Promise.resolve(1)],
  ['a subclass', Lazy.resolve(1)],
  ['an object with then', foreign],
])('%s is one', (_, value: unknown) => {
  expect(isThenable(value)).toBe(true);
});

test.each([
  ['undefined', undefined],
  ['null', null],
  ['a string', 'then'],
  ['a number', 1],
  ['a function', () => {}],
  ['an object', {}],
  // biome-ignore lint/suspicious/noThenProperty: no promise
  ['a then that is no function', { then: true }],
])('%s is none', (_, value: unknown) => {
  expect(isThenable(value)).toBe(false);
});
