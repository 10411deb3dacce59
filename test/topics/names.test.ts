/** Names of topics, and how errors show them. */
import { expect, test } from 'vitest';
import { checkTopicName, shownName } from '../../src/topics/names.ts';

test.each(['a', ' ', '.', '*', '\n\0', '😀', 'é'.repeat(20), '__proto__'])('%j is a name', (name) => {
  expect(() => checkTopicName(name, 20)).not.toThrow();
});

test.each(['', 'x'.repeat(21), '\ud800', 'a\udc00', 7, null, undefined, {}])('%j is none', (name) => {
  expect(() => checkTopicName(name, 20)).toThrow(RangeError);
  expect(() => checkTopicName(name, 20)).toThrow(
    'allowed is a string of 1 to 20 characters (maxTopicLength)',
  );
});

test('an error shows a name, but not all of a long one', () => {
  expect([shownName('a"b'), shownName(null), shownName(7)]).toEqual([
    '"a\\"b"',
    'null',
    'of the type number',
  ]);
  expect(shownName('x'.repeat(1000))).toBe(`"${'x'.repeat(40)}"… (1000 characters)`);
});
