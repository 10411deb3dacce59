import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type FaultName, type FaultRow, fault, faults } from '../../../src/io/faults.ts';
import {
  encodeHttpResponse,
  type HttpResponse,
  refusal,
  textResponse,
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

describe('nothing in a response is dropped in silence', () => {
  class Answer {
    status = 200;
  }
  test.each<[string, unknown, string]>([
    ['an instance of a class', new Answer(), 'plain object'],
    ['a Response of the Fetch standard', new Response('x', { status: 401 }), 'not an instance of Response'],
    ['a Map', new Map([['status', 200]]), 'not an instance of Map'],
    ['a list', [200], 'not a list'],
    ['null', null, 'plain object'],
    ['a number', 404, 'plain object'],
    ['another member', { status: 200, text: 'x' }, 'no text'],
    ['a member of node:http', { status: 200, statusCode: 401 }, 'no statusCode'],
  ])('%s is a TypeError', (_, response, message) => {
    expect(() => encodeHttpResponse(untyped(response))).toThrow(TypeError);
    expect(() => encodeHttpResponse(untyped(response))).toThrow(message);
  });

  test('an object without a prototype is one', () => {
    expect(encoded(Object.assign(Object.create(null), { status: 204 }))).toMatch(/^HTTP\/1.1 204 /);
  });

  test('a response and its bytes may be of another realm', () => {
    const response = runInNewContext(
      "({ status: 200, headers: { A: '1' }, body: new Uint8Array([104, 105]) })",
    );
    expect(encoded(response)).toMatch(/\r\nA: 1\r\n.*Content-Length: 2\r\n.*\r\n\r\nhi$/s);
  });

  test('two cookies are two lines', () => {
    expect(encoded({ status: 200, headers: { 'Set-Cookie': ['a=1', 'b=2'] } })).toContain(
      'Set-Cookie: a=1\r\nSet-Cookie: b=2\r\n',
    );
  });

  test('a Content-Type in Headers is the one', () => {
    const headers = new Headers({ 'Content-Type': 'text/html' });
    expect(encoded({ status: 200, headers, body: 'x' }).match(/content-type/gi)).toHaveLength(1);
  });
});

describe('the answer to a fault', () => {
  test('has its status, its text in one line, and the headers of its row', () => {
    expect(refusal(fault('maxConnections', { count: 5 }))).toEqual({
      status: 503,
      headers: { 'Retry-After': '5' },
      body: 'The server has its 5 connections (maxConnections).\n',
    });
    expect(refusal(fault('denied'))).toEqual({
      status: 403,
      headers: {},
      body: 'You may not connect here.\n',
    });
  });

  const httpRows = Object.entries(faults as Record<string, FaultRow>).filter(([, { code }]) => code < 600);
  test.each(httpRows)('%s can be sent', (name, { code }) => {
    expect(encoded(refusal(fault(name as FaultName)))).toMatch(new RegExp(`^HTTP/1\\.1 ${code} [A-Z]`));
  });
});

describe('an answer of one line', () => {
  test('is plain text, ended by a newline', () => {
    expect(textResponse(403, 'Not you.')).toEqual({ status: 403, headers: {}, body: 'Not you.\n' });
    expect(encoded(textResponse(503, 'Full.', { 'Retry-After': '5' }))).toBe(
      'HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Type: text/plain; charset=utf-8\r\n' +
        'Content-Length: 6\r\nConnection: close\r\n\r\nFull.\n',
    );
  });

  test('stays one line when the text repeats what a peer sent', () => {
    expect(textResponse(403, ' a\r\nb\0c\u2028d\x85e \n').body).toBe('a b c d e\n');
  });
});
