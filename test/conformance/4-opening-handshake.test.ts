/**
 * RFC 6455 4.2, with RFC 9112 under it: which request heads are answered by 101, and with what status the others
 * are refused. Each head is sent whole, byte by byte and at random splits, with a frame glued to its end.
 */
import { describe, expect, test } from 'vitest';
import { carrier, isAttached } from '../support/carrier.ts';
import {
  acceptFor,
  bytes,
  closeFrame,
  RawClient,
  type RequestFields,
  requestHead,
  SAMPLE_HANDSHAKE_KEY,
  type ServerResponse,
  textFrame,
} from '../support/raw-client.ts';
import { nameOfWay, splitsInTwo, WAYS, type Way } from '../support/splits.ts';
import { Suite, text, wordsOf } from './conversation.ts';

const MAX_HEAD_BYTES = 8192;
const MAX_HEADERS = 64;
const suite = new Suite({ maxHeadBytes: MAX_HEAD_BYTES, maxHeaders: MAX_HEADERS });

/** Connects, sends `head` and a text frame in one run of bytes, and gives the client. */
async function send(head: string | Uint8Array, way: Way): Promise<RawClient> {
  const client = await RawClient.connect(suite.port, { sendHead: false });
  const raw = typeof head === 'string' ? Buffer.from(head, 'latin1') : head;
  await client.sendSplit(bytes(raw, textFrame('first')), way);
  return client;
}

async function expectAccepted(head: string | Uint8Array, way: Way, key?: string): Promise<ServerResponse> {
  const client = await send(head, way);
  const response = await client.handshake(key);
  expect(wordsOf(await client.nextFrame()), nameOfWay(way)).toBe(text('first'));
  await client.sendBytes(closeFrame(1000));
  expect((await client.closeFrame()).code).toBe(1000);
  client.destroy();
  return response;
}

/** The head is refused with one of the statuses, a text for people, and the end of TCP, by a FIN. */
async function expectRefused(
  head: string | Uint8Array,
  way: Way,
  statuses: number[],
): Promise<ServerResponse> {
  const client = await send(head, way);
  const response = await client.response();
  expect(statuses, `${nameOfWay(way)}: ${response.head}\n${response.body}`).toContain(response.status);
  expect(response.headers.connection?.toLowerCase()).toContain('close');
  expect(response.headers['sec-websocket-accept']).toBeUndefined();
  // HTTP/2 says where a body ends by its own means.
  const length = Buffer.byteLength(response.body, 'latin1');
  expect(Number(response.headers['content-length'] ?? (isHttp2 ? length : -1))).toBe(length);
  expect(response.body.length, 'a text that a person can read').toBeGreaterThan(5);
  expect(await client.ended(), nameOfWay(way)).toBe('fin');
  client.destroy();
  return response;
}

function accepts(name: string, head: string, key?: string): void {
  test(name, async () => {
    await Promise.all(WAYS.map(async (way) => await expectAccepted(head, way, key)));
  });
}

function refuses(name: string, head: string | Uint8Array, ...statuses: number[]): void {
  test(`${name}: ${statuses.join(' or ')}`, async () => {
    await Promise.all(WAYS.map(async (way) => await expectRefused(head, way, statuses)));
  });
}

/** What is said of the head itself: attached, Node's parser decides. */
const reader = isAttached ? ' (skipped: Node reads the head)' : '';
/** What a head of HTTP/1.1 has and an extended CONNECT has not (RFC 8441 5). */
const isHttp2 = carrier === 'http2';
const onlyHttp1 = isHttp2 ? ' (skipped: of HTTP/1.1 alone)' : '';

const acceptsHttp1: typeof accepts = (name, ...what) =>
  isHttp2 ? test.skip(`${name}${onlyHttp1}`) : accepts(name, ...what);
const acceptsAsReader: typeof accepts = (name, ...what) =>
  isAttached ? test.skip(`${name}${reader}`) : accepts(name, ...what);
const refusesHttp1: typeof refuses = (name, ...what) =>
  isHttp2 ? test.skip(`${name}${onlyHttp1}`) : refuses(name, ...what);
const refusesAsReader: typeof refuses = (name, ...what) =>
  isAttached ? test.skip(`${name}${reader}`) : refuses(name, ...what);

/** Whoever asks for another protocol is answered by the HTTP server, where there is one. */
const refusesOtherProtocol: typeof refuses = (name, ...what) =>
  isAttached ? test.skip(`${name} (skipped: the HTTP server answers it)`) : refuses(name, ...what);

const withHeaders = (headers: NonNullable<RequestFields['headers']>): string => requestHead({ headers });
const withRequestLine = (line: string): string => requestHead().replace(/^[^\r]*/, line);
/** The good head with raw lines, CRLF included, put before its last empty line. */
const withLines = (lines: string): string => requestHead().replace(/\r\n\r\n$/, `\r\n${lines}\r\n`);

describe('4.2.2: the answer to a good handshake', () => {
  test('the key of section 1.3 is answered as there, and nothing is offered that was not asked for', async () => {
    const { status, reason, headers } = await expectAccepted(requestHead(), 'whole');
    expect({ status, reason }).toEqual({ status: 101, reason: 'Switching Protocols' });
    expect(headers['sec-websocket-accept']).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    expect(headers.upgrade?.toLowerCase()).toBe('websocket');
    for (const name of [
      'sec-websocket-protocol',
      'sec-websocket-extensions',
      'content-length',
      'transfer-encoding',
    ])
      expect(headers[name], name).toBeUndefined();
  });
  test('the head may be split at any place', async () => {
    const sent = bytes(requestHead(), textFrame('first'));
    for (const [first, second] of splitsInTwo(sent)) {
      const client = await RawClient.connect(suite.port, { sendHead: false });
      await client.sendSplit(first, 'whole');
      await client.sendSplit(second, 'whole');
      await client.handshake();
      expect(wordsOf(await client.nextFrame()), `cut after ${first.length} bytes`).toBe(text('first'));
      client.destroy();
    }
  });
  test('extensions that the server does not speak are declined by silence (9.1)', async () => {
    const head = withHeaders({
      'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits, foo;a="b"',
    });
    expect((await expectAccepted(head, 'whole')).headers['sec-websocket-extensions']).toBeUndefined();
  });
  test('subprotocols that the server does not speak are declined by silence', async () => {
    const head = withHeaders({ 'Sec-WebSocket-Protocol': 'chat, superchat' });
    expect((await expectAccepted(head, 'whole')).headers['sec-websocket-protocol']).toBeUndefined();
  });
});

describe('4.2.2: the subprotocol is one that the client named and the server speaks, or none', () => {
  const speaker = new Suite({ subprotocols: ['b', 'c'] });
  const offers: [offer: string, chosen: string | undefined][] = [
    ['b', 'b'],
    ['a, b', 'b'],
    ['a,\tc ,d', 'c'],
    ['a\r\nSec-WebSocket-Protocol: c', 'c'],
    ['B, C', undefined],
    ['a, bc', undefined],
  ];
  for (const [offer, chosen] of offers) {
    test(`${JSON.stringify(offer)} is answered by ${chosen ?? 'no header'}`, async () => {
      const headers = { 'Sec-WebSocket-Protocol': offer };
      const client = await RawClient.connect(speaker.port, { headers });
      expect((await client.handshake()).headers['sec-websocket-protocol']).toBe(chosen);
    });
  }
});

describe('4.2.1 and RFC 9110: forms that a server must understand', () => {
  acceptsHttp1(
    'header names in any case',
    requestHead().replace(/^(.*?):/gm, (name) => name.toUpperCase()),
  );
  acceptsHttp1(
    'header names in lower case',
    requestHead().replace(/^(\S*?):/gm, (name) => name.toLowerCase()),
  );
  acceptsHttp1('Upgrade: WebSocket, in any case', withHeaders({ Upgrade: 'WebSocket' }));
  acceptsHttp1('Connection: upgrade in lower case', withHeaders({ Connection: 'upgrade' }));
  acceptsHttp1(
    'Connection: keep-alive, Upgrade, as Firefox sends it',
    withHeaders({ Connection: 'keep-alive, Upgrade' }),
  );
  acceptsHttp1(
    'Connection with empty list elements',
    withHeaders({ Connection: ', ,keep-alive ,, UPGRADE ,' }),
  );
  acceptsHttp1('two Connection headers, Upgrade in the second', withLines('Connection: keep-alive\r\n'));
  acceptsHttp1('no whitespace after the colons', requestHead().replace(/: /g, ':'));
  acceptsAsReader('spaces and tabs around the values', requestHead().replace(/: ([^\r]*)/g, ':\t  $1 \t'));
  acceptsHttp1('one empty line before the request line (RFC 9112 2.2)', `\r\n${requestHead()}`);
  acceptsHttp1('a query', requestHead({ path: '/echo?token=a%20b&x=/?' }));
  acceptsHttp1('the absolute form of the target (4.2.1)', requestHead({ path: 'http://127.0.0.1/echo' }));
  acceptsHttp1('bytes from 128 up in a value (RFC 9110 5.5)', withLines('X-Latin: caf\xe9 \x80\xff\r\n'));
  acceptsHttp1('an empty value', withLines('X-Empty:\r\nX-Blank: \t \r\n'));
  acceptsHttp1('every token character in a name', withLines("!#$%&'*+-.^_`|~09azAZ: x\r\n"));
  acceptsHttp1('Content-Length: 0', withLines('Content-Length: 0\r\n'));
  acceptsHttp1(
    'a key with bits in its padding, as in the example of section 4.1',
    withHeaders({ 'Sec-WebSocket-Key': 'AQIDBAUGBwgJCgsMDQ4PEC==' }),
    'AQIDBAUGBwgJCgsMDQ4PEC==',
  );
  acceptsHttp1(
    'a key with + and /',
    withHeaders({ 'Sec-WebSocket-Key': '+/+/+/+/+/+/+/+/+/+/+A==' }),
    '+/+/+/+/+/+/+/+/+/+/+A==',
  );
  acceptsHttp1('a Host with a port', withHeaders({ Host: 'example.com:8080' }));
  acceptsHttp1('a Host that is an IPv6 address', withHeaders({ Host: '[::1]:80' }));
  acceptsHttp1(
    'an Origin of the same host',
    withHeaders({ Host: 'localhost:80', Origin: 'http://localhost' }),
  );

  test('the accept value depends on the key, as SHA-1 says', () => {
    expect(acceptFor(SAMPLE_HANDSHAKE_KEY)).toBe('s3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  });
});

describe('4.2.1: the request MUST be a GET of HTTP/1.1 for a path that there is', () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])
    refusesHttp1(`the method ${method}`, withRequestLine(`${method} /echo HTTP/1.1`), 405);
  refusesAsReader('the method FOO', withRequestLine('FOO /echo HTTP/1.1'), 405);
  refusesAsReader(
    'the method get, in lower case: methods are case-sensitive',
    withRequestLine('get /echo HTTP/1.1'),
    405,
  );
  refusesAsReader('CONNECT with an authority', withRequestLine('CONNECT 127.0.0.1:80 HTTP/1.1'), 400);
  refusesHttp1('HTTP/1.0', withRequestLine('GET /echo HTTP/1.0'), 505);
  refusesHttp1('HTTP/0.9', withRequestLine('GET /echo HTTP/0.9'), 505);
  refusesAsReader('HTTP/2.0', withRequestLine('GET /echo HTTP/2.0'), 505);
  refusesAsReader('no version', withRequestLine('GET /echo'), 400);
  refusesAsReader('a version in lower case', withRequestLine('GET /echo http/1.1'), 400);
  refusesAsReader('a version of two digits', withRequestLine('GET /echo HTTP/1.10'), 400);
  refusesAsReader('a version with something behind it', withRequestLine('GET /echo HTTP/1.1 x'), 400);
  refusesAsReader('a version with a space behind it', withRequestLine('GET /echo HTTP/1.1 '), 400);
  refusesAsReader('two spaces before the target', withRequestLine('GET  /echo HTTP/1.1'), 400);
  refusesAsReader('two spaces after the target', withRequestLine('GET /echo  HTTP/1.1'), 400);
  refusesAsReader('tabs for spaces', withRequestLine('GET\t/echo\tHTTP/1.1'), 400);
  refusesAsReader('a space before the method', withRequestLine(' GET /echo HTTP/1.1'), 400);
  refusesAsReader('no target', withRequestLine('GET HTTP/1.1'), 400);
  refusesAsReader('no request line', withRequestLine(''), 400);
  refusesAsReader('a space in the target', withRequestLine('GET /ec ho HTTP/1.1'), 400);
  refusesAsReader('a NUL in the target', withRequestLine('GET /ec\0ho HTTP/1.1'), 400);
  refusesAsReader('a byte above 127 in the target', withRequestLine('GET /\xe9cho HTTP/1.1'), 400);
  refusesHttp1('a fragment in the target (3)', withRequestLine('GET /echo#part HTTP/1.1'), 400);
  refuses('a broken percent escape', withRequestLine('GET /echo%zz HTTP/1.1'), 404);
  refuses('a broken percent escape in a parameter', withRequestLine('GET /echo/%zz HTTP/1.1'), 404);
  refusesAsReader('a target without a slash', withRequestLine('GET echo HTTP/1.1'), 400);
  refusesHttp1('the target *', withRequestLine('GET * HTTP/1.1'), 400);
  refuses('a path that there is not', requestHead({ path: '/nowhere' }), 404);
  refuses('a path in another case', requestHead({ path: '/Echo' }), 404);
  refuses('a path with dots that would lead there', requestHead({ path: '/x/../echo' }), 404);
});

describe('4.2.1: what a handshake MUST have', () => {
  refusesHttp1('no Host (RFC 9112 3.2)', withHeaders({ Host: null }), 400);
  refusesHttp1('two Hosts (RFC 9112 3.2)', withLines('Host: 127.0.0.1\r\n'), 400);
  refusesHttp1('a Host that is none', withHeaders({ Host: 'exa mple' }), 400);
  refusesHttp1('a Host with a user', withHeaders({ Host: 'user@example.com' }), 400);
  refusesHttp1('a Host that is a list', withHeaders({ Host: 'a.example, b.example' }), 400);
  refusesHttp1('a Host with a path', withHeaders({ Host: 'example.com/echo' }), 400);
  refusesAsReader('no Upgrade', withHeaders({ Upgrade: null }), 426);
  refusesOtherProtocol('Upgrade to something else', withHeaders({ Upgrade: 'h2c' }), 426);
  refusesOtherProtocol(
    'Upgrade to something that begins like it',
    withHeaders({ Upgrade: 'websocketx' }),
    426,
  );
  refusesAsReader('an empty Upgrade', withHeaders({ Upgrade: '' }), 426);
  refusesAsReader('no Connection', withHeaders({ Connection: null }), 426);
  refusesAsReader('Connection: keep-alive', withHeaders({ Connection: 'keep-alive' }), 426);
  refusesAsReader(
    'Connection with a token that contains it',
    withHeaders({ Connection: 'xupgrade, upgrade-insecure' }),
    426,
  );
  refusesAsReader('neither Upgrade nor Connection', withHeaders({ Upgrade: null, Connection: null }), 426);

  refusesHttp1('no key', withHeaders({ 'Sec-WebSocket-Key': null }), 400);
  refusesHttp1('an empty key', withHeaders({ 'Sec-WebSocket-Key': '' }), 400);
  refusesHttp1('a key of 15 bytes', withHeaders({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAA' }), 400);
  refusesHttp1('a key of 17 bytes', withHeaders({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAAA=' }), 400);
  refusesHttp1('a key without padding', withHeaders({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ' }), 400);
  refusesHttp1(
    'a key with half the padding',
    withHeaders({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ=' }),
    400,
  );
  refusesHttp1(
    'a key with a letter that base64 has not',
    withHeaders({ 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25j*Q==' }),
    400,
  );
  refusesHttp1(
    'a key in the alphabet for URLs',
    withHeaders({ 'Sec-WebSocket-Key': '-_-_-_-_-_-_-_-_-_-_-A==' }),
    400,
  );
  refusesHttp1(
    'a key with a space in it',
    withHeaders({ 'Sec-WebSocket-Key': 'dGhlIHNhbXB sZSBub25jZQ==' }),
    400,
  );
  refusesHttp1('two keys', withLines(`Sec-WebSocket-Key: ${SAMPLE_HANDSHAKE_KEY}\r\n`), 400);

  const versions = [
    '0',
    '7',
    '8',
    '12',
    '14',
    '013',
    '13.0',
    '+13',
    '0x0d',
    '1 3',
    '255',
    '256',
    '99999999999',
    '',
  ];
  for (const version of versions)
    refuses(`Sec-WebSocket-Version: ${version}`, withHeaders({ 'Sec-WebSocket-Version': version }), 426);
  refuses('no version of the protocol', withHeaders({ 'Sec-WebSocket-Version': null }), 426);
  refuses('two versions', withLines('Sec-WebSocket-Version: 8\r\n'), 426);
  test('4.4: another version is answered with the one that the server speaks', async () => {
    const head = withHeaders({ 'Sec-WebSocket-Version': '25' });
    const { status, headers } = await expectRefused(head, 'whole', [426]);
    expect({ status, version: headers['sec-websocket-version'] }).toEqual({ status: 426, version: '13' });
  });

  refuses('an origin of another host (10.2)', withHeaders({ Origin: 'https://evil.example' }), 403);
  refuses('the origin null', withHeaders({ Origin: 'null' }), 403);
  refuses('two origins', withHeaders({ Origin: 'http://127.0.0.1 http://evil.example' }), 403);
});

describe('4.1 and 9.1: lists in the handshake MUST be well formed', () => {
  for (const list of ['', 'a b', 'a@b', 'ch\xe4t', '"chat"', 'chat, sup{er', ',', 'chat;q=1'])
    refuses(`Sec-WebSocket-Protocol: ${list}`, withHeaders({ 'Sec-WebSocket-Protocol': list }), 400);
  refuses('a subprotocol named twice', withHeaders({ 'Sec-WebSocket-Protocol': 'chat, chat' }), 400);
  for (const list of ['', ';a', 'x;', 'x;a=', 'x;=b', 'x;a="', 'x;a="b c"', 'x y', 'x;a=b=c', '\xff'])
    refuses(`Sec-WebSocket-Extensions: ${list}`, withHeaders({ 'Sec-WebSocket-Extensions': list }), 400);
});

describe('RFC 9112: a malformed head MUST be refused, and never be guessed at', () => {
  refusesAsReader('whitespace before a colon (5.1)', withLines('X-Test : x\r\n'), 400);
  refusesAsReader('a tab before a colon (5.1)', withLines('X-Test\t: x\r\n'), 400);
  refusesAsReader('a folded line (5.2)', withLines('X-Test: a\r\n b\r\n'), 400);
  refusesAsReader('a line folded by a tab (5.2)', withLines('X-Test: a\r\n\tb\r\n'), 400);
  refusesAsReader('whitespace before the first header (2.2)', requestHead().replace('\r\n', '\r\n '), 400);
  refusesAsReader('a line of whitespace', withLines(' \r\n'), 400);
  refusesAsReader('a line without a colon', withLines('X-Test\r\n'), 400);
  refusesAsReader('an empty name', withLines(': x\r\n'), 400);
  for (const name of ['X Test', 'X@Test', 'X(Test)', 'X"Test', 'X/Test', 'X\0Test', 'X\x7fTest', 'X\xe9'])
    refusesAsReader(`the header name ${JSON.stringify(name)}`, withLines(`${name}: x\r\n`), 400);
  for (const control of ['\0', '\x01', '\x08', '\x0b', '\x0c', '\x1b', '\x1f', '\x7f'])
    refusesAsReader(`${JSON.stringify(control)} in a value`, withLines(`X-Test: a${control}b\r\n`), 400);
  refusesAsReader('a lone CR in a value (2.2)', withLines('X-Test: a\rb\r\n'), 400);
  refusesAsReader('a lone LF at the end of a line', withLines('X-Test: a\n'), 400);
  refusesAsReader('lone LFs throughout', requestHead().replaceAll('\r\n', '\n'), 400);
  refusesAsReader('a lone CR for the last line end', requestHead().replace(/\r\n$/, '\r\r\n'), 400);
  refusesAsReader('a body announced by Content-Length', withLines('Content-Length: 5\r\n'), 400);
  refusesAsReader('a Content-Length that is no number', withLines('Content-Length: 0x0\r\n'), 400);
  refusesAsReader('two Content-Lengths', withLines('Content-Length: 0\r\nContent-Length: 9\r\n'), 400);
  refusesAsReader('a body announced by Transfer-Encoding', withLines('Transfer-Encoding: chunked\r\n'), 400);
});

describe('10.4: the head has limits', () => {
  const padded = (size: number): string => {
    const bare = withLines('X-Pad: \r\n').length;
    return withLines(`X-Pad: ${'p'.repeat(size - bare)}\r\n`);
  };
  const lines = (count: number): string => 'X-More: 1\r\n'.repeat(count);
  const ownHeaders = requestHead().split('\r\n').length - 3;

  acceptsHttp1('a head of exactly the largest size', padded(MAX_HEAD_BYTES));
  refusesAsReader('one byte more', padded(MAX_HEAD_BYTES + 1), 431);
  acceptsHttp1('exactly as many headers as allowed', withLines(lines(MAX_HEADERS - ownHeaders)));
  refusesAsReader('one header more', withLines(lines(MAX_HEADERS - ownHeaders + 1)), 431);
  refusesAsReader(
    'a target that is longer than a head',
    withRequestLine(`GET /${'x'.repeat(9000)} HTTP/1.1`),
    431,
  );
  test.skipIf(isAttached)(
    `a head that never ends is refused as soon as it is too long${reader}`,
    async () => {
      const client = await RawClient.connect(suite.port, { sendHead: false });
      await client.sendBytes(bytes(`GET /echo HTTP/1.1\r\nX-Endless: ${'x'.repeat(MAX_HEAD_BYTES)}`));
      expect((await client.response()).status).toBe(431);
    },
  );
  test.skipIf(isAttached)(`a head that is wrong is refused before its end${reader}`, async () => {
    const client = await RawClient.connect(suite.port, { sendHead: false });
    await client.sendBytes(bytes('GET /echo HTTP/1.1\r\nBad Header: x'));
    expect((await client.response()).status).toBe(400);
  });
});

describe.skipIf(isHttp2)(
  `traffic that is not WebSocket gets an answer or an end, and never a hang${onlyHttp1}`,
  () => {
    const strangers: Record<string, Uint8Array> = {
      'a TLS hello': bytes(
        Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03),
        'x'.repeat(512),
      ),
      'the preface of HTTP/2': bytes('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      'a WebSocket frame without a handshake': textFrame('hello'),
      zeros: new Uint8Array(100),
      SSH: bytes('SSH-2.0-OpenSSH_9.2\r\n'),
      SMTP: bytes('EHLO example.com\r\n'),
      Redis: bytes('*1\r\n$4\r\nPING\r\n'),
      'every byte value': Uint8Array.from({ length: 256 }, (_, i) => 255 - i),
    };
    for (const [name, sent] of Object.entries(strangers)) {
      test(name, async () => {
        const client = await RawClient.connect(suite.port, { sendHead: false });
        await client.sendSplit(sent, 'byte-by-byte');
        const { status } = await client.response();
        expect(status).toBeGreaterThanOrEqual(400);
        expect(await client.ended()).toBe('fin');
      });
    }
    test('a FIN before the head has ended is answered by the end of TCP', async () => {
      for (const part of ['', 'GET', 'GET /echo HTTP/1.1\r\nHost: x\r\n']) {
        const client = await RawClient.connect(suite.port, { sendHead: false });
        await client.sendBytes(bytes(part));
        client.fin();
        expect(await client.ended(), JSON.stringify(part)).toBe('fin');
        client.destroy();
      }
    });
    test('a second request after the handshake is read as frames, and fails as such', async () => {
      const client = await RawClient.connect(suite.port);
      await client.handshake();
      await client.sendBytes(bytes(requestHead()));
      expect((await client.closeFrame()).code).toBe(1002);
    });
  },
);
