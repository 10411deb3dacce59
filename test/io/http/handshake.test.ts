import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fault } from '../../../src/io/faults.ts';
import { chooseSubprotocol, type HandshakeResult, readHandshake } from '../../../src/io/http/handshake.ts';
import { RequestHeadParser } from '../../../src/io/http/head-parser.ts';
import { encodeHttpResponse, refusal } from '../../../src/io/http/http-response.ts';
import { headFromParts, RequestHead } from '../../../src/io/http/request-head.ts';

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

function head(lines: readonly string[], method = 'GET', version = '1.1'): RequestHead {
  const text = `${method} / HTTP/${version}\r\nHost: a\r\n${lines.map((line) => `${line}\r\n`).join('')}\r\n`;
  const result = new RequestHeadParser({ maxHeadBytes: 8192, maxHeaders: 64 }).push(
    Buffer.from(text, 'latin1'),
  );
  if (result.kind !== 'head') throw new Error(JSON.stringify(result));
  return result.head;
}

const HANDSHAKE: Readonly<Record<string, string>> = {
  Upgrade: 'websocket',
  Connection: 'Upgrade',
  'Sec-WebSocket-Key': KEY,
  'Sec-WebSocket-Version': '13',
};

/** A good handshake with some of its headers changed, left out (`undefined`) or added, and lines after them. */
function handshake(
  changes: Record<string, string | undefined> = {},
  more: readonly string[] = [],
  method = 'GET',
  version = '1.1',
) {
  const fields = Object.entries({ ...HANDSHAKE, ...changes });
  const lines = fields.filter(([, value]) => value !== undefined).map(([name, value]) => `${name}: ${value}`);
  return readHandshake(head([...lines, ...more], method, version));
}

/** The refusal as a peer sees it: its status, and its headers by lower-case name. */
function refused(result: HandshakeResult): { status: number; headers: Record<string, string>; body: string } {
  if (result.kind !== 'fault') throw new Error(`expected a refusal, got ${JSON.stringify(result)}`);
  const response = refusal(result.fault);
  const [top = '', body = ''] = Buffer.from(encodeHttpResponse(response))
    .toString('latin1')
    .split('\r\n\r\n');
  const [, ...lines] = top.split('\r\n');
  const headers = lines.map((line) => [line.split(': ')[0]?.toLowerCase(), line.split(': ')[1]]);
  return { status: response.status, headers: Object.fromEntries(headers), body };
}

describe('a good handshake (RFC 6455 4.2.1)', () => {
  test('is an upgrade with its key, offers and origin', () => {
    const more = [
      'Sec-WebSocket-Protocol: chat, superchat',
      'Sec-WebSocket-Extensions: x; y=1',
      'Origin: http://a',
    ];
    expect(handshake({}, more)).toEqual({
      kind: 'upgrade',
      key: KEY,
      protocols: ['chat', 'superchat'],
      extensions: 'x; y=1',
      origin: 'http://a',
    });
  });

  test('needs neither subprotocols, extensions nor Origin', () => {
    expect(handshake()).toEqual({
      kind: 'upgrade',
      key: KEY,
      protocols: [],
      extensions: '',
      origin: undefined,
    });
  });

  test.each([
    ['Upgrade in any case', { Upgrade: 'WebSocket' }, []],
    ['Upgrade in a list', { Upgrade: 'h2c,\twebsocket' }, []],
    ['Upgrade in two lines', { Upgrade: 'h2c' }, ['upgrade: WEBSOCKET']],
    ['Connection in any case', { Connection: 'uPGRADE' }, []],
    ['Connection in a list, as Firefox sends it', { Connection: 'keep-alive, Upgrade' }, []],
    ['Connection with empty list items (RFC 9110 5.6.1.2)', { Connection: ', ,Upgrade,' }, []],
    ['Connection in two lines', { Connection: 'keep-alive' }, ['Connection: upgrade']],
    [
      'a key whose last character carries spare bits',
      { 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAB==' },
      [],
    ],
    [
      'blanks around key and version',
      { 'Sec-WebSocket-Key': `\t${KEY} `, 'Sec-WebSocket-Version': ' 13\t' },
      [],
    ],
  ])('may have %s', (_, changes, more) => {
    expect(handshake(changes, more).kind).toBe('upgrade');
  });

  test('may spread its subprotocols over lines, with empty items between (RFC 6455 11.3.4)', () => {
    const more = ['Sec-WebSocket-Protocol: b,, a', 'sec-websocket-protocol: A ,'];
    expect(handshake({}, more)).toMatchObject({ protocols: ['b', 'a', 'A'] });
  });
});

describe('a method other than GET', () => {
  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'get', 'FOO'])(
    '%s is 405 with Allow (RFC 9110 15.5.6)',
    (method) => {
      expect(refused(handshake({}, [], method))).toMatchObject({ status: 405, headers: { allow: 'GET' } });
      expect(refused(readHandshake(head([], method)))).toMatchObject({
        status: 405,
        headers: { allow: 'GET' },
      });
    },
  );

  test('HEAD may ask for a page, and is 405 when it asks for a WebSocket', () => {
    expect(readHandshake(head([], 'HEAD'))).toEqual({ kind: 'request' });
    expect(refused(handshake({}, [], 'HEAD')).status).toBe(405);
  });
});

describe('a GET that asks for no WebSocket is a plain request', () => {
  test.each([
    ['without Upgrade', []],
    ['with keep-alive', ['Connection: keep-alive']],
    [
      'with an offer of HTTP/2, as curl and Java send it',
      ['Upgrade: h2c', 'Connection: Upgrade, HTTP2-Settings'],
    ],
    ['with an Upgrade that only looks alike', ['Upgrade: websocket2, web socket', 'Connection: Upgrade']],
  ])('%s', (_, lines) => {
    expect(readHandshake(head(lines))).toEqual({ kind: 'request' });
  });

  test('and gets 426 with Upgrade when nobody answers it (RFC 9110 15.5.22)', () => {
    expect(refused({ kind: 'fault', fault: fault('noUpgrade') })).toEqual({
      status: 426,
      headers: {
        upgrade: 'websocket',
        connection: 'close, Upgrade',
        'content-type': 'text/plain; charset=utf-8',
        'content-length': '48',
      },
      body: 'This is a WebSocket server: connect with ws://.\n',
    });
  });
});

describe('other versions of HTTP/1 (RFC 6455 4.2.1, 1)', () => {
  test('a plain GET or HEAD of HTTP/1.0 is a request', () => {
    expect(readHandshake(head([], 'GET', '1.0'))).toEqual({ kind: 'request' });
    expect(readHandshake(head([], 'HEAD', '1.0'))).toEqual({ kind: 'request' });
  });

  test.each([{}, { Upgrade: undefined, Connection: undefined }])(
    'a handshake in HTTP/1.0 is 505, also where a proxy removed Upgrade',
    (changes) => {
      const { status, body } = refused(handshake(changes, [], 'GET', '1.0'));
      expect([status, body]).toEqual([505, expect.stringContaining('HTTP/1.1')]);
    },
  );

  test('a handshake in HTTP/1.2 is an upgrade', () => {
    expect(handshake({}, [], 'GET', '1.2').kind).toBe('upgrade');
  });
});

describe('an extended CONNECT of HTTP/2 (RFC 8441 5)', () => {
  function connect(
    fields: readonly string[],
    method = 'CONNECT',
    protocol: string | undefined = 'websocket',
  ) {
    const pseudo = [':authority', 'a', ...(protocol === '' ? [] : [':protocol', protocol])];
    const made = headFromParts({
      method,
      target: '/',
      httpVersion: '2.0',
      rawHeaders: [...pseudo, ...fields],
    });
    if (!(made instanceof RequestHead)) throw new Error(made.fault.reason);
    return readHandshake(made);
  }
  const VERSION = ['sec-websocket-version', '13'];

  test('is an upgrade without a key', () => {
    const offer = ['sec-websocket-protocol', 'a, b', 'sec-websocket-extensions', 'x', 'origin', 'https://a'];
    expect(connect([...VERSION, ...offer])).toEqual({
      kind: 'upgrade',
      key: '',
      protocols: ['a', 'b'],
      extensions: 'x',
      origin: 'https://a',
    });
  });

  test.each([
    ['another protocol', VERSION, 'CONNECT', 'connect-udp', 501],
    ['no protocol', VERSION, 'CONNECT', '', 405],
    ['another method', VERSION, 'POST', 'websocket', 405],
    ['no version', [], 'CONNECT', 'websocket', 426],
    [
      'a broken list of subprotocols',
      [...VERSION, 'sec-websocket-protocol', 'a b'],
      'CONNECT',
      'websocket',
      400,
    ],
  ])('with %s is refused', (_, fields, method, protocol, code) => {
    expect(connect(fields, method, protocol)).toMatchObject({ kind: 'fault', fault: { code } });
  });

  test('a GET is a plain request', () => {
    expect(connect([], 'GET', '')).toEqual({ kind: 'request' });
  });
});

describe('a handshake that is wrong', () => {
  test.each(['Upgrade: websocket', `Sec-WebSocket-Key: ${KEY}`, 'Sec-WebSocket-Version: 13'])(
    'is known for a handshake by "%s" alone, and refused',
    (line) => {
      expect(refused(readHandshake(head([line]))).body).toMatch(/^The header ".*" is missing\.\n$/);
    },
  );

  test.each([
    [
      'no Upgrade, as behind a proxy that removes it',
      { Upgrade: undefined, Connection: 'close' },
      'Upgrade: websocket',
    ],
    ['another Upgrade', { Upgrade: 'h2c' }, 'Upgrade: websocket'],
    ['an Upgrade with a version', { Upgrade: 'websocket/13' }, 'Upgrade: websocket'],
    ['an Upgrade with a byte 0xA0, which is no blank', { Upgrade: 'websocket\xa0' }, 'Upgrade: websocket'],
    ['an empty Upgrade', { Upgrade: '' }, 'Upgrade: websocket'],
    ['no Connection', { Connection: undefined }, 'Connection: Upgrade'],
    ['Connection: keep-alive', { Connection: 'keep-alive' }, 'Connection: Upgrade'],
    ['a Connection that only looks alike', { Connection: 'upgrades, no-upgrade' }, 'Connection: Upgrade'],
  ])('%s: 426, and the answer names what is missing', (_, changes, missing) => {
    const { status, headers, body } = refused(handshake(changes));
    expect({ status, upgrade: headers.upgrade }).toEqual({ status: 426, upgrade: 'websocket' });
    expect(body).toBe(`The header "${missing}" is missing.\n`);
  });

  test.each([undefined, '', '0', '7', '8', '12', '14', '013', '13.0', '+13', '13, 13', '13, 8', 'x'])(
    'Sec-WebSocket-Version %s: 426 with the version we speak (RFC 6455 4.2.2, 4.4)',
    (version) => {
      const { status, headers } = refused(handshake({ 'Sec-WebSocket-Version': version }));
      expect(status).toBe(426);
      expect(headers).toMatchObject({ 'sec-websocket-version': '13', upgrade: 'websocket' });
    },
  );

  test.each([
    ['missing', undefined],
    ['empty', ''],
    ['of 15 bytes', 'AAAAAAAAAAAAAAAAAAAA'],
    ['of 17 bytes', 'AAAAAAAAAAAAAAAAAAAAAAA='],
    ['of 18 bytes', 'AAAAAAAAAAAAAAAAAAAAAAAA'],
    ['without padding', 'dGhlIHNhbXBsZSBub25jZQ'],
    ['with one padding character', 'dGhlIHNhbXBsZSBub25jZQ='],
    ['with three padding characters', 'dGhlIHNhbXBsZSBub25jZ==='],
    ['in base64url', 'dGhlIHNhbXBsZSBub25j-_=='],
    ['with a blank inside', 'dGhlIHNhbXBsZSB ub25jZQ='],
    ['with obs-text', 'dGhlIHNhbXBsZSBub25jZ\xe9=='],
    ['in quotes', `"${KEY}"`],
    ['given twice in one line', `${KEY}, ${KEY}`],
  ])('a key %s: 400 (RFC 6455 4.2.1, 5)', (_, key) => {
    expect(refused(handshake({ 'Sec-WebSocket-Key': key })).status).toBe(400);
  });

  test('two keys: 400 (RFC 6455 11.3.1)', () => {
    expect(refused(handshake({}, [`Sec-WebSocket-Key: ${KEY}`])).status).toBe(400);
  });

  test.each(['', ' ', ',', 'a b', 'a;b', 'a/b', '"a"', 'a, caf\xe9', '(a)', 'a=b', 'a@b', 'a, b, a', 'a,a'])(
    'Sec-WebSocket-Protocol "%s": 400 (RFC 6455 4.1, 10)',
    (protocols) => {
      expect(refused(handshake({}, [`Sec-WebSocket-Protocol: ${protocols}`])).status).toBe(400);
    },
  );

  test('a subprotocol repeated in another line: 400', () => {
    const more = ['Sec-WebSocket-Protocol: a', 'Sec-WebSocket-Protocol: b, a'];
    expect(refused(handshake({}, more)).body).toBe(
      'Sec-WebSocket-Protocol must name each subprotocol once.\n',
    );
  });

  test('is judged in the order method, upgrade, version, key, subprotocols', () => {
    const wrong = { Upgrade: 'x', Connection: 'x', 'Sec-WebSocket-Version': '8', 'Sec-WebSocket-Key': 'x' };
    const more = ['Sec-WebSocket-Protocol: a b'];
    const good = (...names: string[]) => Object.fromEntries(names.map((name) => [name, HANDSHAKE[name]]));
    const body = (changes: Record<string, string | undefined>, method?: string) =>
      refused(handshake(changes, more, method)).body;
    expect(body(wrong, 'POST')).toContain('Only GET');
    expect(body(wrong)).toContain('"Upgrade: websocket"');
    expect(body({ ...wrong, ...good('Upgrade') })).toContain('"Connection: Upgrade"');
    expect(body({ ...wrong, ...good('Upgrade', 'Connection') })).toContain('version 13');
    expect(body({ ...wrong, ...good('Upgrade', 'Connection', 'Sec-WebSocket-Version') })).toContain(
      'Sec-WebSocket-Key',
    );
    expect(body(HANDSHAKE)).toContain('Sec-WebSocket-Protocol');
  });
});

describe('Sec-WebSocket-Extensions (RFC 6455 9.1)', () => {
  test.each([
    'foo',
    'foo, bar; baz=2',
    'foo; bar; baz',
    'permessage-deflate; client_max_window_bits; server_max_window_bits=10',
    'deflate-stream, mux; max-channels="4"; flow-control',
    'foo ;\tbar = baz',
    'foo; bar="b\\az"',
    'foo,,bar,',
    'q; t; q=t; t="q"',
  ])('%s is well formed, and comes as it was sent', (extensions) => {
    const result = handshake({}, [`Sec-WebSocket-Extensions: ${extensions}`]);
    expect(result).toMatchObject({ kind: 'upgrade', extensions });
  });

  test('may be spread over lines', () => {
    const more = ['Sec-WebSocket-Extensions: foo', 'Sec-WebSocket-Extensions: bar; baz=2'];
    expect(handshake({}, more)).toMatchObject({ extensions: 'foo, bar; baz=2' });
  });

  test.each([
    '',
    ',',
    ';',
    '; foo',
    'foo;',
    'foo; ; bar',
    'foo; =bar',
    'foo; bar=',
    'foo; bar==baz',
    'foo; bar=baz=x',
    'foo=bar',
    'foo, bar=baz',
    'foo=bar, baz',
    'foo bar',
    'foo; bar baz',
    'foo; bar="',
    'foo; bar=""',
    'foo; bar="b az"',
    'foo; bar="b,az"',
    'foo; bar="baz',
    'foo; bar="ba\\"',
    'foo; bar="baz"x',
    'foo; "bar"',
    '"foo"',
    'foo; bar=b@z',
    'foo/1',
    'caf\xe9',
    'foo; bar=caf\xe9',
  ])('"%s" is 400', (extensions) => {
    const { status, body } = refused(handshake({}, [`Sec-WebSocket-Extensions: ${extensions}`]));
    expect({ status, body }).toEqual({ status: 400, body: 'Sec-WebSocket-Extensions is malformed.\n' });
  });
});

test.each([
  [['a', 'b'], ['b', 'a'], 'b'],
  [['a'], ['b', 'a'], 'a'],
  [['a'], ['A'], undefined],
  [['a'], [], undefined],
  [[], ['a'], undefined],
])(
  'of %j on offer the server, which supports %j in this order, chooses %s',
  (offered, supported, expected) => {
    expect(chooseSubprotocol(offered, supported)).toBe(expected);
  },
);

test('any header values get an answer that can be sent, and none throws', () => {
  const value = fc.oneof(
    fc.stringMatching(/^[\t -~\x80-\xff]{0,30}$/),
    fc
      .array(fc.constantFrom('websocket', 'upgrade', '13', KEY, ',', ';', '=', '"', '\\', ' ', 'a'), {
        maxLength: 8,
      })
      .map((parts) => parts.join('')),
  );
  /** Mostly good, else left out or anything. */
  const field = (good: string | undefined) =>
    fc.oneof({ weight: 4, arbitrary: fc.constant(good) }, fc.constant(undefined), value);
  const fields = fc.record({
    ...Object.fromEntries(Object.entries(HANDSHAKE).map(([name, good]) => [name, field(good)])),
    'Sec-WebSocket-Protocol': field(undefined),
    'Sec-WebSocket-Extensions': field(undefined),
    Origin: field(undefined),
  });
  const kinds = new Set<string>();
  fc.assert(
    fc.property(fields, fc.constantFrom('GET', 'HEAD', 'POST'), (changes, method) => {
      const result = handshake(changes, [], method);
      kinds.add(result.kind);
      if (result.kind === 'fault') expect(refused(result).status).toBeGreaterThanOrEqual(400);
      if (result.kind === 'upgrade') expect(Buffer.from(result.key, 'base64')).toHaveLength(16);
    }),
    { numRuns: 1000 },
  );
  expect([...kinds].sort()).toEqual(['fault', 'request', 'upgrade']);
});
