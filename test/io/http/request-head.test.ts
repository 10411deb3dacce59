import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type HeadLimits,
  type HeadResult,
  isToken,
  RequestHeadParser,
} from '../../../src/io/http/request-head.ts';

const LIMITS: HeadLimits = { maxHeadBytes: 8192, maxHeaders: 64 };

const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');

function push(pieces: Iterable<Uint8Array>, limits = LIMITS): HeadResult {
  const parser = new RequestHeadParser(limits);
  let result: HeadResult = { kind: 'need-more' };
  for (const piece of pieces) {
    result = parser.push(piece);
    if (result.kind !== 'need-more') return result;
  }
  return result;
}

const parse = (text: string, limits = LIMITS): HeadResult => push([latin1(text)], limits);

function headOf(text: string, limits = LIMITS) {
  const result = parse(text, limits);
  if (result.kind !== 'head') throw new Error(`expected a head, got ${JSON.stringify(result)}`);
  return result.head;
}

/** A GET with these header lines after Host. */
const withLines = (lines: string): string => `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`;

/** RFC 6455 1.2, with what a browser adds. */
const OPENING =
  'GET /chat?room=1 HTTP/1.1\r\nHost: server.example.com:5005\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n' +
  'Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n';

describe('a valid head', () => {
  test('gives method, target, path, query and headers (RFC 9112 3)', () => {
    const head = headOf(OPENING);
    expect(head.method).toBe('GET');
    expect(head.target).toBe('/chat?room=1');
    expect(head.path).toBe('/chat');
    expect(head.query).toBe('room=1');
    expect(head.host).toBe('server.example.com:5005');
    expect(head.headers).toEqual({
      host: 'server.example.com:5005',
      upgrade: 'websocket',
      connection: 'Upgrade',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      origin: 'http://example.com',
      'sec-websocket-protocol': 'chat, superchat',
      'sec-websocket-version': '13',
    });
  });

  test('leaves the bytes after the blank line as a view on the chunk', () => {
    const chunk = latin1(`${OPENING}\x81\x85\x00\r\n\r\n`);
    const result = push([chunk]);
    if (result.kind !== 'head') throw new Error(result.kind);
    expect(Buffer.from(result.rest).toString('latin1')).toBe('\x81\x85\x00\r\n\r\n');
    expect(result.rest.buffer).toBe(chunk.buffer);
    expect(result.rest.byteOffset).toBe(chunk.byteOffset + OPENING.length);
  });

  test('is not changed by what is later written into the chunks it came in', () => {
    const chunks = [latin1(OPENING.slice(0, 30)), latin1(OPENING.slice(30, 60)), latin1(OPENING.slice(60))];
    const parser = new RequestHeadParser(LIMITS);
    let result: HeadResult | undefined;
    for (const chunk of chunks) {
      result = parser.push(chunk);
      chunk.fill(0x2e);
    }
    if (result?.kind !== 'head') throw new Error(result?.kind);
    expect(result.head.target).toBe('/chat?room=1');
    expect(result.head.headers).toEqual(headOf(OPENING).headers);
  });

  test.each([
    ['one empty line before the request line (RFC 9112 2.2)', `\r\n${withLines('')}`],
    ['an empty header value', withLines('X-Empty:\r\n')],
    ['a value of blanks alone', withLines('X-Empty: \t \r\n')],
    ['every tchar in a name (RFC 9110 5.6.2)', withLines("!#$%&'*+-.^_`|~09AZaz: x\r\n")],
    ['obs-text in a value (RFC 9110 5.5)', withLines('X: caf\xe9 \x80\xff\r\n')],
    ['a tab in a value', withLines('X: a\tb\r\n')],
    ['a colon in a value', withLines('X: a:b\r\n')],
    ['Content-Length: 0 on a GET', withLines('Content-Length: 0\r\n')],
    [
      'a body announced by a POST, which is refused by its method',
      'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n',
    ],
    ['chunked announced by a POST', 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['an unknown method', 'get / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a method of 32 bytes', `${'M'.repeat(32)} / HTTP/1.1\r\nHost: a\r\n\r\n`],
    ['what browsers leave unescaped in a target', 'GET /a|b[1]?{x}=^`\\%zz HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a host with a port', 'GET / HTTP/1.1\r\nHost: a.example:65535\r\n\r\n'],
    ['a host with an empty port (RFC 3986 3.2.3)', 'GET / HTTP/1.1\r\nHost: a.example:\r\n\r\n'],
    ['an IPv4 host', 'GET / HTTP/1.1\r\nHost: 127.0.0.1:80\r\n\r\n'],
    ['an IPv6 host', 'GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n'],
    ['an escaped host', 'GET / HTTP/1.1\r\nHost: a%20b\r\n\r\n'],
    ['a host that ends in a dot', 'GET / HTTP/1.1\r\nHost: a.example.\r\n\r\n'],
    ['Host as the last line, in capitals', 'GET / HTTP/1.1\r\nX: y\r\nHOST:a\r\n\r\n'],
  ])('may have %s', (_, text) => {
    expect(parse(text).kind).toBe('head');
  });

  test.each([
    // target, path, query, host
    ['/', '/', '', 'a'],
    ['/?', '/', '', 'a'],
    ['/a%2Fb/%41', '/a%2Fb/%41', '', 'a'],
    ['//evil.example/x', '//evil.example/x', '', 'a'],
    ['/p?q?r', '/p', 'q?r', 'a'],
    ['/p?http://b/', '/p', 'http://b/', 'a'],
    ['http://b/chat?x', '/chat', 'x', 'b'],
    ['ws://b:81/chat', '/chat', '', 'b:81'],
    ['WSS://B', '/', '', 'B'],
    ['https://b?x', '/', 'x', 'b'],
    ['ws://[::1]:5/a//b', '/a//b', '', '[::1]:5'],
  ])('with the target %s has path %s, query "%s" and host %s (RFC 9112 3.2)', (target, path, query, host) => {
    const head = headOf(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(head.target).toBe(target);
    expect(head.path).toBe(path);
    expect(head.query).toBe(query);
    expect(head.host).toBe(host);
  });
});

describe('headers', () => {
  test('are joined by a comma when repeated, Cookie by a semicolon (RFC 9110 5.3, RFC 6265 5.4)', () => {
    const head = headOf(withLines('X-A: 1\r\nCookie: a=1\r\nx-a:2\r\nCOOKIE: b=2\r\nX-A: \r\n'));
    expect(head.headers).toEqual({ host: 'a', 'x-a': '1, 2, ', cookie: 'a=1; b=2' });
    expect(head.header('X-a')).toBe('1, 2, ');
    expect(head.header('Cookie')).toBe('a=1; b=2');
  });

  test('are trimmed of spaces and tabs and of nothing else (RFC 9110 5.5)', () => {
    const head = headOf(withLines('X: \t a  b\t \r\nY:\xa0\x85\r\nZ:  \r\n'));
    expect(head.header('x')).toBe('a  b');
    expect(head.header('y')).toBe('\xa0\x85');
    expect(head.header('z')).toBe('');
  });

  test('are frozen, without a prototype, and hold any name', () => {
    const { headers } = headOf(withLines('__proto__: p\r\nconstructor: c\r\n'));
    expect(Object.getPrototypeOf(headers)).toBeNull();
    expect(Object.isFrozen(headers)).toBe(true);
    expect(Object.entries(headers)).toEqual([
      ['host', 'a'],
      ['__proto__', 'p'],
      ['constructor', 'c'],
    ]);
  });

  test('are undefined when absent, also under the names of object methods', () => {
    const head = headOf(withLines(''));
    expect(head.header('toString')).toBeUndefined();
    expect(head.headers.toString).toBeUndefined();
    expect(head.header('ost')).toBeUndefined();
  });
});

/** Each text ends with the very byte at which it must be refused: one byte less is still `need-more`. */
const MALFORMED: readonly (readonly [name: string, text: string, status: number])[] = [
  // What is not HTTP at all
  ['a TLS ClientHello', '\x16', 400],
  ['an SSL 2 hello', '\x80', 400],
  ['a NUL', '\0', 400],
  ['a WebSocket frame without a handshake', '\x81', 400],
  ['a SOCKS 5 hello', '\x05', 400],
  ['an SSH banner', 'SSH-2.0-OpenSSH_9.2\r', 400],
  ['a Redis command', '*1\r', 400],
  ['JSON', '{', 400],
  ['a Flash policy request', '<', 400],
  ['the HTTP/2 preface (RFC 9113 3.4)', 'PRI * HTTP/2', 505],
  // Request line (RFC 9112 3)
  ['no method', ' ', 400],
  ['a tab before the method', '\t', 400],
  ['a bare LF before the request line', '\n', 400],
  ['a bare CR before the request line', '\rG', 400],
  ['two empty lines before the request line', '\r\n\r', 400],
  ['a tab after the method', 'GET\t', 400],
  ['a method with a control character', 'G\x01', 400],
  ['a method with a slash', 'G/', 400],
  ['a method with a colon', 'Host:', 400],
  ['a method with obs-text', 'G\xc9', 400],
  ['a method of 33 bytes', 'M'.repeat(33), 501],
  ['a line of one word', 'GET\r', 400],
  ['two spaces after the method', 'GET  ', 400],
  ['no target', 'GET \r', 400],
  ['HTTP/0.9', 'GET /\r', 400],
  ['a target with a fragment', 'GET /#', 400],
  ['a target with a quotation mark', 'GET /"', 400],
  ['a target with an angle bracket', 'GET /<', 400],
  ['a target with obs-text', 'GET /\xe9', 400],
  ['a target with a NUL', 'GET /\0', 400],
  ['a target with DEL', 'GET /\x7f', 400],
  ['a tab in the target', 'GET /\t', 400],
  ['a bare LF in the target', 'GET /\n', 400],
  ['a target that begins with ?', 'GET ?', 400],
  ['a target that begins with a dot', 'GET .', 400],
  ['two spaces before the version', 'GET /  ', 400],
  ['a space in the target', 'GET /a b', 400],
  ['lower case in the version', 'GET / h', 400],
  ['another protocol', 'GET / R', 400],
  ['HTTPS for the protocol', 'GET / HTTPS', 400],
  ['HTTP/0.9 named', 'GET / HTTP/0', 505],
  ['HTTP/1.0', 'GET / HTTP/1.0', 505],
  ['HTTP/1.2', 'GET / HTTP/1.2', 505],
  ['HTTP/2.0', 'GET / HTTP/2', 505],
  ['HTTP/11', 'GET / HTTP/11', 400],
  ['a version without its minor', 'GET / HTTP/1\r', 400],
  ['a version with a letter', 'GET / HTTP/1.x', 400],
  ['HTTP/1.10', 'GET / HTTP/1.10', 400],
  ['a space after the version', 'GET / HTTP/1.1 ', 400],
  ['a bare LF after the version (RFC 9112 2.2)', 'GET / HTTP/1.1\n', 400],
  ['a bare CR after the version (RFC 9112 2.2)', 'GET / HTTP/1.1\rH', 400],
  ['two CRs after the version', 'GET / HTTP/1.1\r\r', 400],
  // Header lines (RFC 9112 5)
  ['whitespace before the first header (RFC 9112 2.2)', 'GET / HTTP/1.1\r\n ', 400],
  ['a folded line (RFC 9112 5.2)', 'GET / HTTP/1.1\r\nHost: a\r\n ', 400],
  ['a line folded by a tab', 'GET / HTTP/1.1\r\nHost: a\r\n\t', 400],
  ['a nameless header', 'GET / HTTP/1.1\r\n:', 400],
  ['a space before the colon (RFC 9112 5.1)', 'GET / HTTP/1.1\r\nHost ', 400],
  ['a tab before the colon', 'GET / HTTP/1.1\r\nHost\t', 400],
  ['a line without a colon', 'GET / HTTP/1.1\r\nHost\r', 400],
  ['a name with a NUL', 'GET / HTTP/1.1\r\nHo\0', 400],
  ['a name with obs-text', 'GET / HTTP/1.1\r\nH\xf6', 400],
  ['a name with a bracket', 'GET / HTTP/1.1\r\nX[', 400],
  ['a name with a quotation mark', 'GET / HTTP/1.1\r\n"', 400],
  ['a value with a NUL (RFC 9110 5.5)', 'GET / HTTP/1.1\r\nHost: a\0', 400],
  ['a value with an escape character', 'GET / HTTP/1.1\r\nHost: a\x1b', 400],
  ['a value with DEL', 'GET / HTTP/1.1\r\nHost: a\x7f', 400],
  ['a bare LF after a value', 'GET / HTTP/1.1\r\nHost: a\n', 400],
  ['a bare CR in a value', 'GET / HTTP/1.1\r\nHost: a\rb', 400],
  ['two CRs after a value', 'GET / HTTP/1.1\r\nHost: a\r\r', 400],
  ['a bare LF for the blank line', 'GET / HTTP/1.1\r\nHost: a\r\n\n', 400],
  ['a bare CR for the blank line', 'GET / HTTP/1.1\r\nHost: a\r\n\rx', 400],
  // What only the whole head shows: Host (RFC 9112 3.2)
  ['no header at all', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['no Host', 'GET / HTTP/1.1\r\nX: a\r\n\r\n', 400],
  ['two Hosts', 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n', 400],
  ['the same Host twice', 'GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n', 400],
  ...[
    '',
    'a b',
    'a, b',
    'u@a',
    'http://a',
    'a/',
    'a?',
    'a:b',
    'a:80:80',
    'a:-1',
    'a:65536',
    ':80',
    '%',
    'a%2',
    'a%zz',
  ].map((host) => [`the Host "${host}"`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400] as const),
  ...[
    '[',
    '[]',
    '::1',
    '[::1',
    '[:::]',
    '[1.2.3.4]',
    '[::1]x',
    '[::1%25lo]',
    '[v1.x]',
    'a\\b',
    'caf\xe9',
  ].map((host) => [`the Host "${host}"`, `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`, 400] as const),
  // Other forms of the target (RFC 9112 3.2.2 to 3.2.4)
  ...[
    '*',
    '*/',
    'a',
    'a:80',
    'ftp://a/',
    'ws:/a',
    'ws:a',
    'http://',
    'http:///p',
    'ws://u@a/',
    'ws://a:b/',
    'wsx://a/',
  ].map((target) => [`the target "${target}"`, `GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`, 400] as const),
  ['CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', 400],
  ['OPTIONS *', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 400],
  // A body where none is taken (RFC 9112 6)
  ...['1', '00001', '', '+0', '-0', '0x0', '0, 1', 'zero', '0 0'].map(
    (length) =>
      [`a GET with Content-Length "${length}"`, withLines(`Content-Length: ${length}\r\n`), 400] as const,
  ),
  ['a GET with chunked coding', withLines('Transfer-Encoding: chunked\r\n'), 400],
  ['a GET with any transfer coding', withLines('Transfer-Encoding: identity\r\n'), 400],
  ['a GET with two Content-Lengths', withLines('Content-Length: 0\r\nContent-Length: 5\r\n'), 400],
  ['a HEAD with a body', 'HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n', 400],
];

describe('a malformed head', () => {
  test.each(MALFORMED)('%s is refused, and at its first wrong byte', (_, text, status) => {
    const parser = new RequestHeadParser(LIMITS);
    const bytes = latin1(text);
    if (bytes.length > 1) expect(parser.push(bytes.subarray(0, -1))).toEqual({ kind: 'need-more' });
    expect(parser.push(bytes.subarray(-1))).toEqual({ kind: 'error', status, message: expect.any(String) });
    expect(parse(`${text}\r\n\r\n`)).toEqual(push([bytes]));
  });

  test('has messages that are one line a person can read', () => {
    for (const [name, text] of MALFORMED) {
      const result = parse(text);
      if (result.kind !== 'error') throw new Error(name);
      expect(result.message).toMatch(/^[A-Z][ -~]{10,100}\.$/);
    }
  });

  test.each([
    ['\x16\x03\x01', 'This port speaks ws://, not TLS (wss://).'],
    ['GET / HTTP/1.0\r\n', 'Only HTTP/1.1 is spoken here (behind Nginx: proxy_http_version 1.1).'],
    ['GET / HTTP/1.1\r\nHost: a\n', 'Lines must end with CR LF.'],
    ['GET / HTTP/1.1\r\nHost: a\r\n b', 'A header line must not begin with whitespace.'],
    ['GET / HTTP/1.1\r\nHost: a\r\n\tb', 'A header line must not begin with whitespace.'],
    ['GET / HTTP/1.1\r\n\r\n', 'A request must have exactly one Host header; this one has 0.'],
    [withLines('Host: b\r\n'), 'A request must have exactly one Host header; this one has 2.'],
    // The first fault is the one that is named.
    [withLines('Content-Length: 1\r\nHost: ?\r\n'), 'A GET request must have no body here.'],
    [
      'GET / HTTP/1.1\r\nHost: ?\r\nContent-Length: 1\r\n\r\n',
      'The Host header is not a host with an optional port.',
    ],
  ])('%j is told: %s', (text, message) => {
    expect(parse(text)).toMatchObject({ kind: 'error', message });
  });

  test('stays refused, whatever comes next', () => {
    const parser = new RequestHeadParser(LIMITS);
    const first = parser.push(latin1('\0'));
    expect(parser.push(latin1(OPENING))).toBe(first);
    const late = new RequestHeadParser(LIMITS);
    const second = late.push(latin1('GET / HTTP/1.1\r\n\r\n'));
    expect(late.push(latin1(OPENING))).toBe(second);
  });
});

test('a parser that gave a head is finished: one more call is the bug of its caller', () => {
  const parser = new RequestHeadParser(LIMITS);
  parser.push(latin1(OPENING));
  expect(() => parser.push(latin1('x'))).toThrow('has been read');
});

describe('limits', () => {
  test('a head of maxHeadBytes passes, one byte more is 431', () => {
    const limits = { maxHeadBytes: OPENING.length, maxHeaders: 64 };
    expect(parse(`${OPENING}frame`, limits).kind).toBe('head');
    const shorter = { maxHeadBytes: OPENING.length - 1, maxHeaders: 64 };
    expect(parse(OPENING, shorter)).toEqual({
      kind: 'error',
      status: 431,
      message: `The request head is longer than ${OPENING.length - 1} bytes.`,
    });
  });

  test.each([
    ['target', 'GET /'],
    ['header name', 'GET / HTTP/1.1\r\n'],
    ['header value', 'GET / HTTP/1.1\r\nX: '],
  ])('a %s without an end is 431 at the byte that fills the limit', (_, start) => {
    const limits = { maxHeadBytes: 100, maxHeaders: 64 };
    const full = latin1(start + 'a'.repeat(100 - start.length));
    const parser = new RequestHeadParser(limits);
    expect(parser.push(full.subarray(0, 99)).kind).toBe('need-more');
    expect(parser.push(full.subarray(99))).toMatchObject({ kind: 'error', status: 431 });
  });

  test('maxHeaders lines pass, one more is 431 at its first byte; duplicates count', () => {
    const limits = { maxHeadBytes: 8192, maxHeaders: 3 };
    expect(parse('GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n\r\n', limits).kind).toBe('head');
    const parser = new RequestHeadParser(limits);
    expect(parser.push(latin1('GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nX: 2\r\n')).kind).toBe('need-more');
    expect(parser.push(latin1('X'))).toEqual({
      kind: 'error',
      status: 431,
      message: 'The request has more than 3 headers.',
    });
  });

  test('bytes beyond the limit are not read: a fault behind it is still 431', () => {
    expect(parse(`GET /${'a'.repeat(95)}\0`, { maxHeadBytes: 100, maxHeaders: 64 })).toMatchObject({
      status: 431,
    });
  });
});

/** What can be seen of a result, so that two ways to the same bytes can be compared. */
function seen(result: HeadResult, unread: Uint8Array): unknown {
  if (result.kind !== 'head') return result;
  const { method, target, path, query, host, headers } = result.head;
  const rest = Buffer.concat([result.rest, unread]).toString('latin1');
  return { method, target, path, query, host, headers: { ...headers }, rest };
}

function seenWhole(bytes: Uint8Array, limits = LIMITS): unknown {
  return seen(push([bytes], limits), new Uint8Array(0));
}

function seenInPieces(bytes: Uint8Array, cuts: readonly number[], limits = LIMITS): unknown {
  const parser = new RequestHeadParser(limits);
  let result: HeadResult = { kind: 'need-more' };
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    result = parser.push(bytes.subarray(from, cut));
    from = cut;
    if (result.kind !== 'need-more') break;
  }
  return seen(result, bytes.subarray(from));
}

/** Bytes that look like a head, most of them with something wrong in them. */
const headLike = fc
  .array(
    fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          'GET ',
          '/ws',
          '?a=b',
          ' HTTP/1.1',
          '\r\n',
          'Host: a\r\n',
          'X: y',
          ': ',
          '\r\n\r\n',
        ),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          ' ',
          '\r',
          '\n',
          '\t',
          '\0',
          ':',
          '#',
          '\xff',
          'Content-Length: 1\r\n',
          'ws://a',
        ),
      },
      { weight: 1, arbitrary: fc.string({ unit: 'binary-ascii', maxLength: 5 }) },
    ),
    { maxLength: 14 },
  )
  .map((parts) => latin1(parts.join('')));

/** A valid head with a few bytes changed, so that most of the parse is gone through. */
const mutatedHead = fc
  .array(fc.record({ at: fc.nat(OPENING.length - 1), byte: fc.nat(255) }), { maxLength: 2 })
  .map((changes) => {
    const bytes = latin1(`${OPENING}\x81\x80abcd`);
    for (const { at, byte } of changes) bytes[at] = byte;
    return bytes;
  });

const anyBytes = fc.oneof(headLike, mutatedHead, fc.uint8Array({ maxLength: 64 }));
const tightLimits = fc.record({ maxHeadBytes: fc.integer({ min: 1, max: 60 }), maxHeaders: fc.nat(3) });

describe('properties', () => {
  test('a head cut at any one point reads as the whole does', () => {
    const bytes = latin1(`\r\n${OPENING}glued frame`);
    for (let cut = 0; cut <= bytes.length; cut += 1) {
      expect(seenInPieces(bytes, [cut])).toEqual(seenWhole(bytes));
    }
  });

  test('any bytes in any pieces give what they give whole, and nothing throws', () => {
    fc.assert(
      fc.property(anyBytes, fc.array(fc.nat(300), { maxLength: 6 }), (bytes, places) => {
        const cuts = places.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b);
        expect(seenInPieces(bytes, cuts)).toEqual(seenWhole(bytes));
      }),
      { numRuns: 1500 },
    );
  });

  test('any bytes one at a time give what they give whole, also at the limits', () => {
    fc.assert(
      fc.property(anyBytes, fc.oneof(fc.constant(LIMITS), tightLimits), (bytes, limits) => {
        const every = Array.from(bytes, (_, index) => index);
        expect(seenInPieces(bytes, every, limits)).toEqual(seenWhole(bytes, limits));
      }),
      { numRuns: 1500 },
    );
  });

  test('what a head is made of is what is read from it', () => {
    const token = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,12}$/);
    const value = fc.stringMatching(/^([!-~\x80-\xff]([\t -~\x80-\xff]{0,20}[!-~\x80-\xff])?)?$/);
    const fields = fc.uniqueArray(fc.tuple(token, value), {
      selector: ([name]) => name.toLowerCase(),
      maxLength: 10,
    });
    const reserved = ['host', 'content-length', 'transfer-encoding'];
    fc.assert(
      fc.property(fields, fc.stringMatching(/^[ \t]{0,4}$/), (all, blanks) => {
        const sent = all.filter(([name]) => !reserved.includes(name.toLowerCase()));
        const head = headOf(
          withLines(sent.map(([name, text]) => `${name}:${blanks}${text}${blanks}\r\n`).join('')),
        );
        const expected = sent.map(([name, text]) => [name.toLowerCase(), text]);
        expect(Object.entries(head.headers).sort()).toEqual([['host', 'a'], ...expected].sort());
        for (const [name, text] of sent) expect(head.header(name)).toBe(text);
      }),
    );
  });

  test('each byte is looked at once, also when bytes come one at a time', () => {
    const big = `GET /${'a'.repeat(2000)} HTTP/1.1\r\nHost: a\r\n${`X:${' '.repeat(1000)}y\r\n`.repeat(5)}\r\n`;
    const bytes = latin1(big);
    const parser = new RequestHeadParser(LIMITS);
    for (let at = 0; at < bytes.length - 1; at += 1) parser.push(bytes.subarray(at, at + 1));
    expect(parser.bytesExamined).toBe(bytes.length - 1);
    expect(parser.push(bytes.subarray(-1)).kind).toBe('head');
    expect(parser.bytesExamined).toBe(bytes.length);
  });
});

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
