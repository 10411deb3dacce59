/** The answer to a handshake as headers of HTTP/2. */
import { expect, test } from 'vitest';
import { http2Answer } from '../../../src/io/http/http2-answer.ts';
import { acceptHandshake } from '../../../src/io/http/verdict.ts';

const NOTHING = new Uint8Array(0);

test('acceptance is 200, with what was agreed on and the user’s own headers in lower case', () => {
  const headers = { 'Set-Cookie': ['a=1', 'b=2'], 'X-One': 'one' };
  const verdict = acceptHandshake({ key: '', subprotocol: 'chat', extensions: 'toy', headers });
  expect(http2Answer(verdict)).toEqual({
    headers: {
      ':status': 200,
      'set-cookie': ['a=1', 'b=2'],
      'x-one': 'one',
      'sec-websocket-protocol': 'chat',
      'sec-websocket-extensions': 'toy',
    },
    body: NOTHING,
  });
  expect(http2Answer(acceptHandshake({ key: '' }))).toEqual({ headers: { ':status': 200 }, body: NOTHING });
});

test('a refusal has its status, its body and its type, and nothing of HTTP/1.1', () => {
  const response = { status: 426, headers: { Upgrade: 'websocket', 'Keep-Alive': '5' }, body: 'no\n' };
  expect(http2Answer({ kind: 'refuse', response })).toEqual({
    headers: { ':status': 426, 'content-type': 'text/plain; charset=utf-8' },
    body: Buffer.from('no\n'),
  });
});

test.each([
  ['a status', { status: 99 }],
  ['a header', { status: 200, headers: { 'a b': 'c' } }],
])('%s that cannot be sent is a TypeError', (_, response) => {
  expect(() => http2Answer({ kind: 'refuse', response })).toThrow(TypeError);
});
