import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fault } from '../../../src/io/faults.ts';
import {
  PROXY_V2_SIGNATURE,
  ProxyHeaderParser,
  type ProxyHeaderResult,
} from '../../../src/io/http/proxy-protocol.ts';

const NEXT = 'GET / HTTP/1.1\r\n';
const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** A header of version 2. */
function v2(
  command: number,
  kind: number,
  addresses: Uint8Array | number[],
  length = addresses.length,
): Uint8Array {
  return Buffer.concat([
    PROXY_V2_SIGNATURE,
    Buffer.from([command, kind, length >> 8, length & 0xff]),
    Buffer.from(addresses),
  ]);
}

const IPV4 = [192, 0, 2, 1, 192, 0, 2, 2, 0xdc, 0x04, 0x01, 0xbb];
const IPV6 = [
  ...Buffer.from('20010db8000000000000000000000009', 'hex'),
  ...new Array<number>(16).fill(1),
  0xdc,
  4,
  1,
  0xbb,
];
const MAPPED = [
  ...Buffer.from('00000000000000000000ffffc0000201', 'hex'),
  ...new Array<number>(16).fill(1),
  0,
  0,
  0,
  1,
];
const TLV = [0x04, 0x00, 0x05, 1, 2, 3, 4, 5];

/** What came of it, with all bytes that are left for whoever reads next. */
function seen(bytes: Uint8Array, cuts: readonly number[] = []): unknown {
  const parser = new ProxyHeaderParser();
  let from = 0;
  for (const cut of [...cuts, bytes.length]) {
    const lent = Buffer.from(bytes.subarray(from, cut));
    const result: ProxyHeaderResult = parser.push(lent);
    from = cut;
    if (result.kind === 'need-more') {
      lent.fill(0xee); // what was lent is read into again
      continue;
    }
    const unread = Buffer.from(bytes.subarray(from)).toString('latin1');
    if (result.kind === 'fault') return result.fault;
    if (result.kind === 'not-proxy')
      return ['not-proxy', Buffer.from(result.bytes).toString('latin1') + unread];
    return [result.source, Buffer.from(result.rest).toString('latin1') + unread];
  }
  return 'need-more';
}

const GOOD: readonly (readonly [name: string, header: Uint8Array, source: unknown])[] = [
  ['IPv4', latin1('PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n'), { address: '192.0.2.1', port: 56324 }],
  [
    'the highest numbers',
    latin1('PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n'),
    { address: '255.255.255.255', port: 65535 },
  ],
  ['port 0', latin1('PROXY TCP4 192.0.2.1 192.0.2.2 0 0\r\n'), { address: '192.0.2.1', port: 0 }],
  ['IPv6', latin1('PROXY TCP6 2001:DB8:0::9 ::1 56324 443\r\n'), { address: '2001:db8::9', port: 56324 }],
  ['IPv4 as IPv6', latin1('PROXY TCP6 ::ffff:192.0.2.1 ::1 1 2\r\n'), { address: '192.0.2.1', port: 1 }],
  ['UNKNOWN', latin1('PROXY UNKNOWN\r\n'), undefined],
  ['UNKNOWN with more, up to 107 bytes', latin1(`PROXY UNKNOWN ${'f'.repeat(91)}\r\n`), undefined],
  ['version 2, IPv4', v2(0x21, 0x11, IPV4), { address: '192.0.2.1', port: 56324 }],
  ['version 2, IPv4 with a TLV', v2(0x21, 0x11, [...IPV4, ...TLV]), { address: '192.0.2.1', port: 56324 }],
  ['version 2, IPv6', v2(0x21, 0x21, IPV6), { address: '2001:db8::9', port: 56324 }],
  ['version 2, IPv4 as IPv6', v2(0x21, 0x21, MAPPED), { address: '192.0.2.1', port: 0 }],
  [
    'version 2, IPv6 with TLVs',
    v2(0x21, 0x21, [...IPV6, ...TLV, ...TLV]),
    { address: '2001:db8::9', port: 56324 },
  ],
  [
    'version 2 at its longest',
    v2(0x21, 0x11, [...IPV4, ...new Array<number>(65_523).fill(0xee)]),
    { address: '192.0.2.1', port: 56324 },
  ],
  ['version 2, LOCAL', v2(0x20, 0x00, []), undefined],
  ['version 2, LOCAL with any family', v2(0x20, 0xff, TLV), undefined],
  ['version 2, LOCAL with an address, which does not count', v2(0x20, 0x11, IPV4), undefined],
  ['version 2, UNSPEC', v2(0x21, 0x00, []), undefined],
  ['version 2, UNSPEC with TLVs', v2(0x21, 0x00, TLV), undefined],
  ['version 2, UDP', v2(0x21, 0x12, IPV4), undefined],
  ['version 2, AF_UNIX', v2(0x21, 0x31, new Uint8Array(216)), undefined],
  [
    'version 2, AF_UNIX with a TLV',
    v2(0x21, 0x31, [...new Array<number>(216).fill(0x2f), ...TLV]),
    undefined,
  ],
];

describe('a header', () => {
  test.each(GOOD)('of %s names its source, and leaves the rest', (_, header, source) => {
    const bytes = Buffer.concat([header, latin1(NEXT)]);
    expect(seen(bytes)).toEqual([source, NEXT]);
    expect(seen(header)).toEqual([source, '']);
    expect(seen(header.subarray(0, -1))).toBe('need-more');
  });

  test.each(GOOD)('of %s reads the same wherever it is cut', (_, header, source) => {
    const bytes = Buffer.concat([header, latin1(NEXT)]);
    const step = Math.max(1, Math.floor(bytes.length / 250));
    for (let cut = 0; cut <= bytes.length; cut += step) expect(seen(bytes, [cut])).toEqual([source, NEXT]);
    const every = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) => at * step);
    expect(seen(bytes, every)).toEqual([source, NEXT]);
  });

  test('is read once: a second one is for whoever reads next', () => {
    const header = latin1('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n');
    expect(seen(Buffer.concat([header, header]))).toEqual([
      { address: '192.0.2.1', port: 1 },
      Buffer.from(header).toString(),
    ]);
  });

  test('leaves a view on the chunk', () => {
    const chunk = latin1(`PROXY UNKNOWN\r\n${NEXT}`);
    const result = new ProxyHeaderParser().push(chunk);
    expect(result).toMatchObject({ kind: 'proxied' });
    if (result.kind === 'proxied') expect(result.rest.buffer).toBe(chunk.buffer);
  });
});

describe('what is no header', () => {
  test.each([
    NEXT,
    'PROX / HTTP/1.1\r\n',
    'PROXY/ ',
    'proxy TCP4',
    '\r\nGET / HTTP/1.1\r\n',
    '\r\n\r\n\0\r\nQUIX',
    '\x16\x03\x01',
    '\0',
  ])('%j goes on as it came, wherever it is cut', (text) => {
    const bytes = latin1(text);
    for (let cut = 0; cut <= bytes.length; cut += 1) expect(seen(bytes, [cut])).toEqual(['not-proxy', text]);
    expect(seen(bytes, Array.from(bytes.keys()))).toEqual(['not-proxy', text]);
  });

  test('is the very chunk, when it came in one', () => {
    const chunk = latin1(NEXT);
    expect(new ProxyHeaderParser().push(chunk)).toEqual({ kind: 'not-proxy', bytes: chunk });
  });

  test.each(['', 'P', 'PROXY', '\r\n\r\n\0\r\nQUIT'])('%j may become one', (text) => {
    expect(seen(latin1(text))).toBe('need-more');
  });
});

const MALFORMED: readonly (readonly [name: string, bytes: Uint8Array])[] = [
  ...[
    'PROXY \r\n',
    'PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY UNKNOWNX\r\n',
    'PROXY UNKNOWN \r \r\n',
    'PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n',
    'PROXY TCP4 192.0.2.999 192.0.2.2 1 2\r\n',
    'PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 localhost 1 2\r\n',
    'PROXY TCP4 ::1 ::1 1 2\r\n',
    'PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n',
    'PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n',
    'PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n',
    `PROXY UNKNOWN ${'f'.repeat(92)}\r\n`,
    'PROXY '.padEnd(107, 'x'),
  ].map((text) => [JSON.stringify(text).slice(0, 60), latin1(text)] as const),
  ['version 1 in binary', v2(0x11, 0x11, IPV4)],
  ['version 3', v2(0x31, 0x11, IPV4)],
  ['a command that there is not', v2(0x22, 0x11, IPV4)],
  ['a family that there is not', v2(0x21, 0x41, IPV4)],
  ['a protocol that there is not', v2(0x21, 0x13, IPV4)],
  ['IPv4 in 11 bytes', v2(0x21, 0x11, IPV4.slice(0, 11))],
  ['IPv4 without addresses', v2(0x21, 0x11, [])],
  ['IPv6 in 35 bytes', v2(0x21, 0x21, IPV6.slice(0, 35))],
  ['AF_UNIX in 215 bytes', v2(0x21, 0x31, new Uint8Array(215))],
];

describe('a malformed header', () => {
  test.each(MALFORMED)('%s is refused, wherever it is cut', (_, bytes) => {
    expect(seen(bytes)).toEqual(fault('badProxyHeader'));
    for (let cut = 0; cut <= bytes.length; cut += 1)
      expect(seen(bytes, [cut])).toEqual(fault('badProxyHeader'));
    expect(seen(bytes, Array.from(bytes.keys()))).toEqual(fault('badProxyHeader'));
  });
});

describe('properties', () => {
  const anyHeader = fc.oneof(
    fc.constantFrom(...GOOD.filter(([, header]) => header.length < 500).map(([, header]) => header)),
    fc.constantFrom(...MALFORMED.map(([, bytes]) => bytes)),
    fc.uint8Array({ maxLength: 40 }),
    fc.uint8Array({ maxLength: 60 }).map((tail) => Buffer.concat([PROXY_V2_SIGNATURE, tail])),
    fc.string({ unit: 'binary-ascii', maxLength: 60 }).map((tail) => latin1(`PROXY ${tail}\r\n`)),
  );

  test('any bytes in any pieces give what they give whole, and nothing throws', () => {
    const changes = fc.array(fc.record({ at: fc.nat(60), byte: fc.nat(255) }), { maxLength: 2 });
    fc.assert(
      fc.property(
        anyHeader,
        changes,
        fc.array(fc.nat(120), { maxLength: 5 }),
        (header, mutations, places) => {
          const bytes = Buffer.concat([header, latin1(NEXT)]);
          for (const { at, byte } of mutations) bytes[Math.min(at, bytes.length - 1)] = byte;
          const cuts = places.map((place) => Math.min(place, bytes.length)).sort((a, b) => a - b);
          expect(seen(bytes, cuts)).toEqual(seen(bytes));
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('what a header is made of is what is read from it', () => {
    const port = fc.nat(65_535);
    fc.assert(
      fc.property(
        fc.ipV4(),
        fc.ipV4(),
        port,
        port,
        fc.uint8Array({ maxLength: 300 }),
        (from, to, one, two, more) => {
          const source = { address: from, port: one };
          expect(seen(latin1(`PROXY TCP4 ${from} ${to} ${one} ${two}\r\n`))).toEqual([source, '']);
          const addresses = [...from.split('.'), ...to.split('.')].map(Number);
          const ports = [one >> 8, one & 0xff, two >> 8, two & 0xff];
          expect(seen(v2(0x21, 0x11, [...addresses, ...ports, ...more]))).toEqual([source, '']);
        },
      ),
    );
  });
});
