import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type HeadersInput, headerLines, readHeaders } from '../../../src/io/http/header-fields.ts';

const NONE = new Set<string>();
/** Headers as a JavaScript user may write them, past the types. */
const read = (headers: unknown) => readHeaders(headers as HeadersInput, NONE);

describe('headers that are used', () => {
  const cookies = [
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
  ];
  const fetchHeaders = new Headers([
    ['Set-Cookie', 'a=1'],
    ['Set-Cookie', 'b=2'],
    ['X-A', '1'],
  ]);
  test.each<[string, unknown, unknown]>([
    ['none', undefined, []],
    [
      'an object',
      { A: '1', b: '' },
      [
        ['A', '1'],
        ['b', ''],
      ],
    ],
    ['lists of values', { 'Set-Cookie': ['a=1', 'b=2'] }, cookies],
    ['an empty list', { 'Set-Cookie': [] }, []],
    ['an object without a prototype', Object.assign(Object.create(null), { A: '1' }), [['A', '1']]],
    ['the headers of a request', Object.freeze({ __proto__: null, a: '1' }), [['a', '1']]],
    [
      'a Map',
      new Map<string, unknown>([
        ['A', '1'],
        ['Set-Cookie', ['a=1', 'b=2']],
      ]),
      [['A', '1'], ...cookies],
    ],
    ['Headers', fetchHeaders, [...cookies.map(([, value]) => ['set-cookie', value]), ['x-a', '1']]],
    [
      'an object of another realm',
      runInNewContext("({ A: ['1', '2'] })"),
      [
        ['A', '1'],
        ['A', '2'],
      ],
    ],
    ['a Map of another realm', runInNewContext("new Map([['A', '1']])"), [['A', '1']]],
  ])('%s', (_, headers, fields) => {
    expect(read(headers)).toEqual(fields);
  });

  test('tabs, blanks and latin1 in a value', () => {
    expect(headerLines(read({ A: 'x\ty é', b: '' }))).toBe('A: x\ty é\r\nb: \r\n');
  });
});

describe('headers that are refused with a TypeError', () => {
  class OwnHeaders {
    A = '1';
  }
  class OldHeaders {
    get [Symbol.toStringTag]() {
      return 'Headers';
    }
    *[Symbol.iterator]() {
      yield ['set-cookie', 'a=1, b=2'];
    }
  }
  test.each<[string, unknown, string]>([
    ['null', null, 'not null'],
    ['a string', 'A: 1', 'not A: 1'],
    ['a number', 5, 'not 5'],
    ['a function', () => ({ A: '1' }), 'not a function'],
    ['pairs', [['A', '1']], 'not a list'],
    ['an instance of a class', new OwnHeaders(), 'must be an object'],
    ['an object that inherits', Object.create({ A: '1' }), 'must be an object'],
    ['Headers that join cookies', new OldHeaders(), 'must be an object'],
    ['a Set', new Set(['A']), 'not an instance of Set'],
    ['URLSearchParams', new URLSearchParams('a=1'), 'not an instance of URLSearchParams'],
    ['a Date', new Date(0), 'not an instance of Date'],
    ['undefined for a value', { A: undefined }, 'header A'],
    ['a number for a value', { A: 1 }, 'header A'],
    ['a number in a list', { A: ['1', 2] }, 'header A'],
    ['a list in a list', { A: [['1']] }, 'header A'],
    ['a line break in a list', { A: ['1', 'a\r\nB: 2'] }, 'header A'],
    ['a number for a name', new Map([[5, '1']]), '5 is not a header name'],
    ['a name with a line break', new Map([['A\r\nB', '1']]), 'is not a header name'],
  ])('%s', (_, headers, message) => {
    expect(() => read(headers)).toThrow(TypeError);
    expect(() => read(headers)).toThrow(message);
  });

  test('names that the server sets itself, in any case', () => {
    const forbidden = new Set(['connection']);
    expect(() => readHeaders({ CONNECTION: 'x' }, forbidden)).toThrow(
      'CONNECTION is set by the server itself',
    );
    expect(() => readHeaders(new Headers({ Connection: 'x' }), forbidden)).toThrow(
      'set by the server itself',
    );
  });
});
