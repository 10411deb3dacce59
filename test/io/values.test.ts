/** What counts as a promise (an object with a `then`, whoever made it), and as a plain object. */
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { isPlainObject, isThenable, rememberingLast } from '../../src/io/values.ts';

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

test.each([
  [{}, true],
  [Object.create(null), true],
  [runInNewContext('({})'), true],
  [runInNewContext('new (class A {})()'), false],
  [[], false],
  [new Error('x'), false],
  [null, false],
  ['', false],
])('isPlainObject %#', (value, expected) => {
  expect(isPlainObject(value)).toBe(expected);
});

test('a function that remembers its last answer reads each text once while it comes again', () => {
  const asked: string[] = [];
  const length = rememberingLast((text) => {
    asked.push(text);
    return text.length;
  });
  expect(['', '', 'ab', 'ab', ''].map(length)).toEqual([0, 0, 2, 2, 0]);
  expect(asked).toEqual(['', 'ab', '']);
});
