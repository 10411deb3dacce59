import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RequestHeadParser } from '../../../src/io/http/head-parser.ts';
import { type HeadParts, headFromParts, RequestHead } from '../../../src/io/http/request-head.ts';

const PARTS: HeadParts = {
  method: 'GET',
  target: '/chat?room=1',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'a:5005', 'Cookie', 'x=1', 'X-A', ' 1\t', 'cookie', 'y=2', 'x-a', '2'],
};

function headOf(parts: Partial<HeadParts>): RequestHead {
  const head = headFromParts({ ...PARTS, ...parts });
  if (!(head instanceof RequestHead)) throw new Error(head.fault.reason);
  return head;
}

const faultOf = (parts: Partial<HeadParts>): unknown => {
  const head = headFromParts({ ...PARTS, ...parts });
  return head instanceof RequestHead ? undefined : [head.fault.code, head.fault.name];
};

describe('a head from parts, as node:http has them', () => {
  test('is as one from bytes', () => {
    const head = headOf({});
    expect(head).toMatchObject({
      method: 'GET',
      target: '/chat?room=1',
      httpVersion: '1.1',
      protocol: undefined,
    });
    expect([head.path, head.query, head.host]).toEqual(['/chat', 'room=1', 'a:5005']);
    expect(head.headers).toEqual({ host: 'a:5005', cookie: 'x=1; y=2', 'x-a': '1, 2' });
    expect(head.header('COOKIE')).toBe('x=1; y=2');
  });

  test.each<[string, Partial<HeadParts>, number, string]>([
    ['no Host', { rawHeaders: [] }, 400, 'hostCount'],
    ['two Hosts', { rawHeaders: ['Host', 'a', 'HOST', 'a'] }, 400, 'hostCount'],
    ['a Host that is none', { rawHeaders: ['Host', 'a b'] }, 400, 'badHost'],
    ['a body', { rawHeaders: ['Host', 'a', 'Content-Length', '1'] }, 400, 'requestBody'],
    ['a transfer coding', { rawHeaders: ['Host', 'a', 'transfer-encoding', 'chunked'] }, 400, 'requestBody'],
    ['the target *', { target: '*' }, 400, 'targetForm'],
    ['a target without a slash', { target: 'chat' }, 400, 'targetForm'],
    ['a space in the target', { target: '/a b' }, 400, 'badTarget'],
    ['a line break in the target', { target: '/a\r\nX: y' }, 400, 'badTarget'],
    ['an empty target', { target: '' }, 400, 'badTarget'],
    ['a target beyond ASCII', { target: '/\xe9' }, 400, 'badTarget'],
    ['a method that is no token', { method: 'G T' }, 400, 'badMethod'],
    ['no method', { method: '' }, 400, 'badMethod'],
    ['a method of 33 characters', { method: 'M'.repeat(33) }, 501, 'longMethod'],
    ['a name that is no token', { rawHeaders: ['Host', 'a', 'X Y', '1'] }, 400, 'headerName'],
    ['a pseudo-header in HTTP/1.1', { rawHeaders: [':authority', 'a'] }, 400, 'headerName'],
    ['a line break in a value', { rawHeaders: ['Host', 'a', 'X', 'a\r\nHost: b'] }, 400, 'headerValue'],
    ['a NUL in a value', { rawHeaders: ['Host', 'a', 'X', '\0'] }, 400, 'headerValue'],
    ['a value beyond latin1', { rawHeaders: ['Host', 'a', 'X', '\u0100'] }, 400, 'headerValue'],
    ['HTTP/4.0', { httpVersion: '4.0' }, 505, 'wrongVersion'],
    ['no version', { httpVersion: '' }, 505, 'wrongVersion'],
  ])('with %s is refused', (_, parts, code, name) => {
    expect(faultOf(parts)).toEqual([code, name]);
  });

  test('of HTTP/1.0 needs no Host', () => {
    expect(headOf({ httpVersion: '1.0', rawHeaders: [] }).host).toBe('');
  });

  test('passes or fails as the same head in bytes does', () => {
    const text = fc.constantFrom('GET', 'HEAD', 'POST', 'G\0', '/', '/a?b', '*', 'ws://h/x', 'h:80', '/é');
    const name = fc.constantFrom('Host', 'host', 'Content-Length', 'Transfer-Encoding', 'X', 'X Y', 'Cookie');
    const value = fc.constantFrom('a', 'a b', '0', '5', '', '[::1]:80', 'chunked', '\0', ' x ');
    const version = fc.constantFrom('1.0', '1.1', '1.2');
    const header = fc.tuple(name, value);
    fc.assert(
      fc.property(
        text,
        text,
        version,
        fc.array(header, { maxLength: 4 }),
        (method, target, httpVersion, all) => {
          const lines = all.map(([key, field]) => `${key}:${field}\r\n`).join('');
          const bytes = Buffer.from(`${method} ${target} HTTP/${httpVersion}\r\n${lines}\r\n`, 'latin1');
          const parsed = new RequestHeadParser({ maxHeadBytes: 8192, maxHeaders: 64 }).push(bytes);
          const made = headFromParts({ method, target, httpVersion, rawHeaders: all.flat() });
          expect(made instanceof RequestHead).toBe(parsed.kind === 'head');
          if (parsed.kind === 'head' && made instanceof RequestHead) {
            expect({ ...made.headers }).toEqual({ ...parsed.head.headers });
            expect([made.path, made.host]).toEqual([parsed.head.path, parsed.head.host]);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('a head from HTTP/2 (RFC 8441 4, RFC 9113 8.3.1)', () => {
  const parts = {
    method: 'CONNECT',
    target: '/chat',
    httpVersion: '2.0',
    rawHeaders: [
      ':method',
      'CONNECT',
      ':protocol',
      'websocket',
      ':path',
      '/chat',
      ':authority',
      'a:443',
      'x',
      '1',
    ],
  };
  test('has its protocol, and its authority for Host', () => {
    const head = headOf(parts);
    expect(head).toMatchObject({ method: 'CONNECT', httpVersion: '2.0', protocol: 'websocket' });
    expect([head.path, head.host]).toEqual(['/chat', 'a:443']);
    expect(head.headers).toEqual({ host: 'a:443', x: '1' });
  });

  test('may have Host too, and then no second one is made', () => {
    const head = headOf({ ...parts, rawHeaders: [...parts.rawHeaders, 'host', 'a:443'] });
    expect(head.headers).toEqual({ host: 'a:443', x: '1' });
  });

  test.each([
    ['neither authority nor Host', [':protocol', 'websocket'], 'hostCount'],
    ['an authority and another Host', [':authority', 'a', 'host', 'b'], 'hostCount'],
    ['an authority and Host twice', [':authority', 'a', 'host', 'a', 'host', 'a'], 'hostCount'],
    ['an authority that is none', [':authority', 'u@a'], 'badHost'],
  ])('with %s is refused', (_, rawHeaders, name) => {
    expect(faultOf({ ...parts, rawHeaders })).toEqual([400, name]);
  });
});
