import { expect, test } from 'vitest';
import { isWebSocketScheme, parseOrigin, readOrigin, serialised } from '../../../src/io/http/origin-parts.ts';

const written = (parts: ReturnType<typeof parseOrigin>) => parts && serialised(parts);

test.each([
  ['https://example.com', 'https://example.com'],
  ['HTTPS://EXAMPLE.com:443', 'https://example.com'],
  ['http://localhost:3000', 'http://localhost:3000'],
  ['http://[0:0::1]:3000', 'http://[::1]:3000'],
  ['app://Main', 'app://main'],
  ['ws://a', 'ws://a'],
  ['file://', 'file://'],
  ['https://example.com/', undefined],
  ['https://u@example.com', undefined],
  ['https://', undefined],
  ['example.com', undefined],
  ['null', undefined],
  ['', undefined],
])('parseOrigin(%j) is %s (RFC 6454 7.1)', (text, expected) => {
  expect(written(parseOrigin(text))).toBe(expected);
});

test.each([
  ['https://example.com/a/b?c', 'https://example.com'],
  ['ws://a:81/x', 'http://a:81'],
  ['wss://a:443/', 'https://a'],
  ['file:///a', 'file://'],
  ['https://u@example.com/', undefined],
  ['https://example.com?', undefined],
  ['/a://b', undefined],
  ['a:b://c', undefined],
])('readOrigin(%j) is %s', (text, expected) => {
  expect(written(readOrigin(text))).toBe(expected);
});

test.each([
  ['ws://a', true],
  ['wss://a', true],
  ['wsx://a', false],
  ['https://a', false],
])('%s has a WebSocket scheme: %s', (text, expected) => {
  const parts = parseOrigin(text);
  expect(parts !== undefined && isWebSocketScheme(parts)).toBe(expected);
});
