import { describe, expect, test } from 'vitest';
import { isFieldValue, isHost, isToken, listItems, trimmed } from '../../../src/io/http/grammar.ts';

test.each([
  ['chat.v1', true],
  ["!#$%&'*+-.^_`|~", true],
  ['', false],
  ['a b', false],
  ['a,b', false],
  ['caf\xe9', false],
  ['a\r\nb', false],
  ['a\n', false],
])('isToken(%j) is %s (RFC 9110 5.6.2)', (text, expected) => {
  expect(isToken(text)).toBe(expected);
});

test.each([
  ['', true],
  ['a\tb \x80\xff', true],
  ['a\r\nb', false],
  ['a\n', false],
  ['\0', false],
  ['\x7f', false],
  ['\u0100', false],
])('isFieldValue(%j) is %s (RFC 9110 5.5)', (text, expected) => {
  expect(isFieldValue(text)).toBe(expected);
});

describe('a host with an optional port (RFC 9110 7.2)', () => {
  test.each([
    'a',
    'a.example.',
    'a:80',
    'a:',
    'a:65535',
    '127.0.0.1:80',
    '[::1]',
    '[2001:db8::1]:80',
    'a%20b',
  ])('%s is one', (text) => {
    expect(isHost(text)).toBe(true);
  });

  test.each([
    '',
    ':80',
    'a:65536',
    'a:b',
    'a b',
    'u@a',
    'a/',
    '::1',
    '[::1',
    '[:::]',
    '[1.2.3.4]',
    'caf\xe9',
    'a\n',
  ])('%j is none', (text) => {
    expect(isHost(text)).toBe(false);
  });
});

test('trimmed removes spaces and tabs and nothing else (RFC 9110 5.6.3)', () => {
  expect(trimmed(' \t a b\t ')).toBe('a b');
  expect(trimmed('\xa0a\xa0')).toBe('\xa0a\xa0');
  expect(trimmed('xx a yy', 2, 5)).toBe('a');
  expect(trimmed(' \t')).toBe('');
});

test('listItems leaves out empty items (RFC 9110 5.6.1.2)', () => {
  expect(listItems(' a,, b ,\t,c d')).toEqual(['a', 'b', 'c d']);
  expect(listItems('')).toEqual([]);
});
