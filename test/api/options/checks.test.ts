/** Checks that several options share. */
import { expect, test } from 'vitest';
import {
  checkNames,
  isObject,
  kindOf,
  oneOf,
  readBoolean,
  refusal,
} from '../../../src/api/options/checks.ts';
import { refusal as refused } from '../../support/refusal.ts';

test('a refusal says what is allowed and why, and shows no value', () => {
  expect(refusal('tls.key', 'text').message).toBe('option tls.key: allowed is text');
  expect(refusal('tls.key', 'text', 'as PEM').message).toBe('option tls.key: allowed is text; as PEM');
  expect(refusal('tls.key', 'text').option).toBe('tls.key');
});

test('an object is no list and not null', () => {
  expect([{}, new Map(), [], null, undefined, 'a', () => {}].map(isObject)).toEqual([
    true,
    true,
    false,
    false,
    false,
    false,
    false,
  ]);
});

test('what a value is, without what is in it', () => {
  const values = [null, undefined, 'secret', 5, [], {}, Object.create(null), new Map(), () => {}];
  expect(values.map(kindOf)).toEqual([
    'null',
    'of type undefined',
    'of type string',
    'of type number',
    'a list',
    'of type object',
    'of type object',
    'a Map',
    'of type function',
  ]);
});

test('one of several values is taken; another is refused', () => {
  expect(oneOf('mode', 'a', ['a', 'b'])).toBe('a');
  const error = refused(() => oneOf<string>('mode', 'c', ['a', 'b']));
  expect([error.option, error.message]).toEqual(['mode', `option mode is "c"; allowed is 'a' or 'b'`]);
});

test('an unknown name is refused, with whose it is and which there are; its value is not shown', () => {
  expect(checkNames({ a: 1 }, ['a', 'b'], '', 'it has a, b')).toBeUndefined();
  const own = refused(() => checkNames({ a: 1, c: 'secret' }, ['a', 'b'], '', 'the options are a, b'));
  expect([own.option, own.message]).toEqual(['c', 'there is no option c; the options are a, b']);
  const inner = refused(() => checkNames({ c: 1 }, ['a'], 'tls', 'it has a'));
  expect([inner.option, inner.message]).toEqual(['tls.c', 'there is no option c in tls; it has a']);
});

test('true, false and nothing are taken; anything else is refused', () => {
  expect([readBoolean('on', true, false), readBoolean('on', undefined, true)]).toEqual([true, true]);
  const error = refused(() => readBoolean('on', 'yes' as never, false));
  expect([error.option, error.message]).toEqual(['on', 'option on is "yes"; allowed is true or false']);
});
