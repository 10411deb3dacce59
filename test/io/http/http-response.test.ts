import { describe, expect, test } from 'vitest';
import {
  encodeHttpResponse,
  type HttpResponse,
  headerLines,
  refusal,
} from '../../../src/io/http/http-response.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
const encoded = (response: HttpResponse): string => text(encodeHttpResponse(response));
/** A response as a JavaScript user may write it, past the types. */
const untyped = (response: unknown): HttpResponse => response as HttpResponse;

describe('an encoded response', () => {
  test('has a status line, a length, and closes its connection (RFC 9112 4, 9.6)', () => {
    expect(encoded({ status: 404, body: 'No such path.\n' })).toBe(
      'HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 14\r\n' +
        'Connection: close\r\n\r\nNo such path.\n',
    );
  });

  test('sends a string as UTF-8 and counts its bytes', () => {
    const bytes = encodeHttpResponse({ status: 200, body: 'é€' });
    expect(text(bytes)).toContain('Content-Length: 5\r\n');
    expect(Buffer.from(bytes).toString('utf8')).toMatch(/\r\n\r\né€$/);
  });

  test('sends bytes as they are', () => {
    const response = { status: 200, headers: { 'content-type': 'image/x' }, body: Uint8Array.of(0, 255, 13) };
    expect(encoded(response)).toBe(
      'HTTP/1.1 200 OK\r\ncontent-type: image/x\r\nContent-Length: 3\r\nConnection: close\r\n\r\n\x00\xff\r',
    );
  });

  test('for HEAD has the same head and no body (RFC 9110 9.3.2)', () => {
    const response = { status: 200, body: 'hello' };
    expect(text(encodeHttpResponse(response, { omitBody: true }))).toBe(encoded(response).slice(0, -5));
  });

  test('without a body has length 0 and no type', () => {
    expect(encoded({ status: 200 })).toBe(
      'HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n',
    );
  });

  test.each([204, 304])('of status %i has neither body nor length (RFC 9110 8.6)', (status) => {
    expect(encoded({ status })).toMatch(/^HTTP\/1\.1 \d{3} [A-Z][A-Za-z ]+\r\nConnection: close\r\n\r\n$/);
    expect(() => encodeHttpResponse({ status, body: 'x' })).toThrow(TypeError);
  });

  test('that names Upgrade names it in Connection too (RFC 9110 7.8)', () => {
    expect(encoded({ status: 426, headers: { upgrade: 'websocket' } })).toBe(
      'HTTP/1.1 426 Upgrade Required\r\nupgrade: websocket\r\nContent-Length: 0\r\nConnection: close, Upgrade\r\n\r\n',
    );
  });

  test.each([200, 599])('may have status %i, at the ends of what is allowed', (status) => {
    expect(encoded({ status })).toContain(`HTTP/1.1 ${status} `);
  });

  test('of an unregistered status keeps the space before its empty reason (RFC 9112 4)', () => {
    expect(encoded({ status: 299 })).toMatch(/^HTTP\/1\.1 299 \r\n/);
  });
});

describe('what a user gets wrong in a response is a TypeError', () => {
  test.each([
    ['status 101', { status: 101 }, 'not 101'],
    ['status 199', { status: 199 }, 'not 199'],
    ['status 600', { status: 600 }, 'not 600'],
    ['a broken status', { status: 200.5 }, 'not 200.5'],
    ['a status in words', { status: '200 OK\r\nX: y' }, 'from 200 to 599'],
    ['no status', {}, 'not undefined'],
    ['a body that is an object', { status: 200, body: { a: 1 } }, 'must be a string or a Uint8Array'],
    ['a body that is null', { status: 200, body: null }, 'must be a string or a Uint8Array'],
    ['a line break in a value', { status: 200, headers: { X: 'a\r\nSet-Cookie: b' } }, 'header X'],
    ['a bare LF in a value', { status: 200, headers: { X: 'a\nb' } }, 'header X'],
    ['a line break at the end of a value', { status: 200, headers: { X: 'a\n' } }, 'header X'],
    ['a NUL in a value', { status: 200, headers: { X: '\0' } }, 'header X'],
    ['a value beyond latin1, whose low byte is LF', { status: 200, headers: { X: 'a\u010ab' } }, 'header X'],
    ['a value that is a number', { status: 200, headers: { X: 1 } }, 'header X'],
    ['a line break in a name', { status: 200, headers: { 'X\r\nY': 'a' } }, 'is not a header name'],
    ['a colon in a name', { status: 200, headers: { 'X:': 'a' } }, 'is not a header name'],
    ['an empty name', { status: 200, headers: { '': 'a' } }, 'is not a header name'],
    [
      'its own Content-Length',
      { status: 200, headers: { 'Content-Length': '5' } },
      'Content-Length is set by',
    ],
    ['its own connection', { status: 200, headers: { connection: 'keep-alive' } }, 'connection is set by'],
    [
      'a transfer coding',
      { status: 200, headers: { 'Transfer-Encoding': 'chunked' } },
      'Transfer-Encoding is set by',
    ],
  ])('%s', (_, response, message) => {
    expect(() => encodeHttpResponse(untyped(response))).toThrow(TypeError);
    expect(() => encodeHttpResponse(untyped(response))).toThrow(message);
  });
});

test('header values may hold tabs, blanks and latin1', () => {
  expect(headerLines({ A: 'x\ty é', b: '' }, new Set())).toBe('A: x\ty é\r\nb: \r\n');
});

describe('a refusal', () => {
  test('is one line of plain text, ended by a newline', () => {
    expect(refusal(403, 'Not you.')).toEqual({ status: 403, headers: {}, body: 'Not you.\n' });
    expect(encoded(refusal(503, 'Full.', { 'Retry-After': '5' }))).toBe(
      'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n' +
        'Content-Length: 6\r\nConnection: close\r\n\r\nFull.\n',
    );
  });

  test('stays one line when the message repeats what a peer sent', () => {
    expect(refusal(403, ' a\r\nb\0c\u2028d\x85e \n').body).toBe('a b c d e\n');
  });
});
