/** What a limit may be; `options.test.ts` has both sides of each one. */
import { expect, test } from 'vitest';
import { OptionError } from '../../../src/api/errors.ts';
import { type Rule, readLimit } from '../../../src/api/options/limit.ts';

const rule: Rule = { default: 5, min: 1, max: 10, unit: 'bytes', unlimited: false };

test('a value within the range is taken, and nothing is the default', () => {
  expect([readLimit('x', undefined, rule), readLimit('x', 1, rule), readLimit('x', 10, rule)]).toEqual([
    5, 1, 10,
  ]);
});

test.each([0, 11, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
  '%s is refused, and the error says what may be',
  (value) => {
    expect(() => readLimit('x', value, rule)).toThrow(
      new OptionError('x', value, 'a whole number from 1 to 10 bytes'),
    );
  },
);

test('the error names Infinity, and what may be given in place of a number', () => {
  expect(() => readLimit('x', 0, { ...rule, unlimited: true, also: ', or a thing' })).toThrow(
    'option x is 0; allowed is a whole number from 1 to 10 bytes, or Infinity, or a thing',
  );
});
