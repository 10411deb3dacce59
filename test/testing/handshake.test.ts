import { expect, test } from 'vitest';
import { parseResponseHead, requestHead } from '../../src/testing/handshake.ts';

test('a request has what RFC 6455 4.1 asks for', () => {
  expect(requestHead('/chat?a=1', 'test:80')).toBe(
    [
      'GET /chat?a=1 HTTP/1.1',
      'Host: test:80',
      'Upgrade: websocket',
      'Connection: Upgrade',
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
      'Sec-WebSocket-Version: 13',
      '',
      '',
    ].join('\r\n'),
  );
});

test('a header replaces the usual one of that name, in any case; null leaves it out; others are added', () => {
  const head = requestHead('/', 'test', {
    host: 'other',
    UPGRADE: null,
    Origin: 'http://a',
    origin: 'http://b',
    'X-A': '1',
  });
  expect(head.split('\r\n').slice(1, -2)).toEqual([
    'Host: other',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    'Origin: http://b',
    'X-A: 1',
  ]);
});

test('a response head is read: status, reason, and headers by their names in lower case', () => {
  const head = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A:1\r\nx-a: \t 2 ';
  expect(parseResponseHead(head)).toEqual({
    status: 101,
    reason: 'Switching Protocols',
    headers: { upgrade: 'websocket', 'x-a': '1, 2' },
    head,
  });
});

test.each([
  'HTTP/1.0 200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 200',
  '',
  'HTTP/1.1 200 OK\r\nno colon',
  'HTTP/1.1 200 OK\r\na b: c',
])('%j is not well-formed', (head) => {
  expect(() => parseResponseHead(head)).toThrow(/^not an? /);
});
