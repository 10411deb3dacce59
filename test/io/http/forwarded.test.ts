/** Who is behind a proxy: only what named proxies vouch for is believed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileProxies, readClient, type TrustProxy } from '../../../src/io/http/forwarded.ts';

const addresses = ['127.0.0.1', '10.0.0.0/8', '2001:db8:ffff::/48'];
type Sent = { forwarded?: string; 'x-forwarded-for'?: string; 'x-forwarded-host'?: string };

function read(sent: Sent, from = '127.0.0.1', option: TrustProxy = addresses) {
  const head = { header: (name: string) => sent[name as keyof Sent] };
  return readClient(from, head, compileProxies(option));
}

function clientOf(sent: Sent, from?: string, option?: TrustProxy): string {
  const client = read(sent, from, option);
  return 'fault' in client ? client.fault.name : client.address;
}

function hostOf(sent: Sent, from?: string, option?: TrustProxy): string | undefined {
  const client = read(sent, from, option);
  return 'fault' in client ? client.fault.name : client.host;
}

const forwarded = (value: string, from?: string) => clientOf({ forwarded: value }, from);
const xForwardedFor = (value: string, from?: string) => clientOf({ 'x-forwarded-for': value }, from);

describe('without a named proxy', () => {
  test('the headers are anybody’s, and not read', () => {
    expect(forwarded('for=1.2.3.4', '192.0.2.7')).toBe('192.0.2.7');
    expect(forwarded('for="', '192.0.2.7')).toBe('192.0.2.7');
    expect(xForwardedFor('1.2.3.4', '192.0.2.7')).toBe('192.0.2.7');
    expect(hostOf({ forwarded: 'host=a', 'x-forwarded-host': 'b' }, '192.0.2.7')).toBeUndefined();
  });

  test('the address of the socket is in its one form', () => {
    const none = { header: () => 'for=1.2.3.4' };
    expect(readClient('::ffff:198.51.100.7', none, undefined)).toEqual({
      address: '198.51.100.7',
      host: undefined,
    });
    expect(readClient('', none, compileProxies(addresses))).toEqual({ address: '', host: undefined });
  });
});

describe('X-Forwarded-For', () => {
  test.each([
    ['203.0.113.9', '203.0.113.9'],
    [' 203.0.113.9 ', '203.0.113.9'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['2001:DB8::9', '2001:db8::9'],
    ['[2001:db8::9]:80', '2001:db8::9'],
    ['[2001:db8::9]', '2001:db8::9'],
    ['::ffff:203.0.113.9', '203.0.113.9'],
    ['::FFFF:cb00:7109', '203.0.113.9'],
    // The last one that no named proxy wrote is the client; the client itself wrote what comes before it.
    ['1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9, 10.0.0.7, 10.1.1.1', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9, ::ffff:10.0.0.7', '203.0.113.9'],
    ['10.0.0.7', '10.0.0.7'],
    // No address: the proxy that said it stands for its client.
    ['unknown', '127.0.0.1'],
    ['1.1.1.1, unknown', '127.0.0.1'],
    ['unknown, 10.0.0.7', '10.0.0.7'],
    ['', '127.0.0.1'],
    ['1.1.1.1,', '127.0.0.1'],
    ['999.1.1.1', '127.0.0.1'],
    ['203.0.113.9:x', '127.0.0.1'],
    ['203.0.113.9 1.1.1.1', '127.0.0.1'],
    ['"203.0.113.9"', '127.0.0.1'],
  ])('%j: %s', (value, client) => {
    expect(xForwardedFor(value)).toBe(client);
  });
});

describe('Forwarded (RFC 7239 4)', () => {
  test.each([
    ['for=203.0.113.9', '203.0.113.9'],
    ['For="203.0.113.9:80";proto=https;by=10.0.0.1', '203.0.113.9'],
    ['proto=https;for="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for="[2001:DB8:cafe::17]"', '2001:db8:cafe::17'],
    ['for="[::ffff:203.0.113.9]"', '203.0.113.9'],
    ['for=1.1.1.1, for=203.0.113.9', '203.0.113.9'],
    ['for=203.0.113.9, for=10.0.0.7;by=x', '203.0.113.9'],
    ['for="_hidden", for=10.0.0.7', '10.0.0.7'],
    ['for=unknown', '127.0.0.1'],
    ['proto=https', '127.0.0.1'],
    ['for=1.1.1.1, proto=https', '127.0.0.1'],
    ['for=1.1.1.1,', '127.0.0.1'],
    ['x=" , for=6.6.6.6", for=203.0.113.9', '203.0.113.9'],
    ['', '127.0.0.1'],
    // What breaks the grammar counts for nothing.
    ['for=" , for=6.6.6.6", for=203.0.113.9', 'badForwarded'],
    ['for=192.0.2.66;by=", for=198.51.100.7', 'badForwarded'],
    ['for="', 'badForwarded'],
    ['for=203.0.113.9:80', 'badForwarded'],
  ])('%j: %s', (value, client) => {
    expect(forwarded(value)).toBe(client);
  });
});

describe('both headers', () => {
  const both = (one: string, other: string, header?: 'forwarded' | 'x-forwarded-for') =>
    clientOf({ forwarded: one, 'x-forwarded-for': other }, '127.0.0.1', { addresses, header });

  test('must name the same client', () => {
    expect(both('for=203.0.113.9', '1.1.1.1, 203.0.113.9')).toBe('203.0.113.9');
    expect(both('for=203.0.113.9', '::ffff:203.0.113.9')).toBe('203.0.113.9');
    expect(both('for=6.6.6.6', '203.0.113.9')).toBe('contradictingProxies');
    expect(both('proto=https', '203.0.113.9')).toBe('contradictingProxies');
    expect(both('for="', '203.0.113.9')).toBe('badForwarded');
  });

  test('need not where the option says which one the proxy writes: the other is not read', () => {
    expect(both('for=203.0.113.9', '6.6.6.6', 'forwarded')).toBe('203.0.113.9');
    expect(both('for=6.6.6.6', '203.0.113.9', 'x-forwarded-for')).toBe('203.0.113.9');
    expect(both('for="', '203.0.113.9', 'x-forwarded-for')).toBe('203.0.113.9');
    expect(both('for="', '203.0.113.9', 'forwarded')).toBe('badForwarded');
    expect(
      clientOf({ forwarded: 'for=6.6.6.6' }, '127.0.0.1', { addresses, header: 'x-forwarded-for' }),
    ).toBe('127.0.0.1');
    expect(clientOf({ 'x-forwarded-for': '6.6.6.6' }, '127.0.0.1', { addresses, header: 'forwarded' })).toBe(
      '127.0.0.1',
    );
  });
});

describe('the host that the client asked for', () => {
  test.each<[string, Sent, string | undefined]>([
    ['none', { 'x-forwarded-for': '203.0.113.9' }, undefined],
    ['X-Forwarded-Host', { 'x-forwarded-host': 'a.example' }, 'a.example'],
    [
      'both by one proxy',
      { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-host': 'a.example:8443' },
      'a.example:8443',
    ],
    [
      'one that the client claims, before it',
      { 'x-forwarded-for': '6.6.6.6, 203.0.113.9', 'x-forwarded-host': 'evil, a' },
      'a',
    ],
    [
      'one by each of two proxies',
      { 'x-forwarded-for': '203.0.113.9, 10.0.0.7', 'x-forwarded-host': 'evil, a, inner' },
      'a',
    ],
    [
      'one, by the outer of two proxies',
      { 'x-forwarded-for': '203.0.113.9, 10.0.0.7', 'x-forwarded-host': 'a' },
      'a',
    ],
    ['an empty one', { 'x-forwarded-host': ' , ' }, undefined],
    ['Forwarded', { forwarded: 'for=203.0.113.9;host=a.example' }, 'a.example'],
    [
      'Forwarded, of the proxy that the client called',
      { forwarded: 'host=evil, for=203.0.113.9;host=a, for=10.0.0.7;host=inner' },
      'a',
    ],
    [
      'Forwarded, of the inner proxy alone',
      { forwarded: 'host=evil, for=203.0.113.9, for=10.0.0.7;host=a' },
      'a',
    ],
    ['Forwarded without an address', { forwarded: 'for=6.6.6.6;host=evil, host=a' }, 'a'],
    [
      'both headers, the same',
      { forwarded: 'for=1.1.1.1;host=A', 'x-forwarded-for': '1.1.1.1', 'x-forwarded-host': 'a' },
      'A',
    ],
    [
      'both, in one of them',
      { forwarded: 'for=1.1.1.1', 'x-forwarded-for': '1.1.1.1', 'x-forwarded-host': 'a' },
      'a',
    ],
    ['both headers, other ones', { forwarded: 'host=a', 'x-forwarded-host': 'b' }, 'contradictingHosts'],
  ])('%s', (_, sent, host) => {
    expect(hostOf(sent)).toBe(host);
  });

  test('is read from the header that the proxy writes', () => {
    const sent = { forwarded: 'host=a', 'x-forwarded-host': 'b' };
    expect(hostOf(sent, '127.0.0.1', { addresses, header: 'forwarded' })).toBe('a');
    expect(hostOf(sent, '127.0.0.1', { addresses, header: 'x-forwarded-for' })).toBe('b');
  });
});

describe('the option trustProxy', () => {
  test.each<[unknown, string]>([
    ['127.0.0.1', 'must be a list of addresses'],
    [null, 'must be a list of addresses'],
    [true, 'must be a list of addresses'],
    [{}, 'addresses must be a list, not undefined'],
    [{ addresses: '127.0.0.1' }, 'addresses must be a list'],
    [{ addresses: [], header: 'X-Forwarded-For' }, `'forwarded' or 'x-forwarded-for', not "X-Forwarded-For"`],
    [{ addresses: [], header: null }, 'not null'],
    [{ addresses: [], headers: 'forwarded' }, 'no headers in it'],
    [['10.0.0.0/8', 'proxy.example'], '"proxy.example" is neither an address nor a range'],
    [{ addresses: ['10.0.0.0/99'] }, '"10.0.0.0/99"'],
    [[5], '5 is neither'],
  ])('%j is refused, and says why', (option, message) => {
    expect(() => compileProxies(option as TrustProxy)).toThrow(message);
  });
});

test('whatever a client writes before what its proxy adds changes nothing, and nothing throws', () => {
  const forged = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    fc
      .array(fc.constantFrom('for=', '"', '\\', ',', ';', '6.6.6.6', ' ', '10.0.0.1', 'host=evil', '='), {
        maxLength: 12,
      })
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(forged, (text) => {
      expect(xForwardedFor(`${text}, 203.0.113.9`)).toBe('203.0.113.9');
      expect(['203.0.113.9', 'badForwarded']).toContain(forwarded(`${text}, for=203.0.113.9`));
    }),
    { numRuns: 2000 },
  );
});

test("a caller without an address, over a Unix socket, is believed only with 'unix' among the proxies", () => {
  const head = { header: (name: string) => (name === 'x-forwarded-for' ? '203.0.113.7' : undefined) };
  const client = (addresses: string[]) => readClient('', head, compileProxies(addresses));
  expect(client(['10.0.0.0/8'])).toMatchObject({ address: '' });
  expect(client(['10.0.0.0/8', 'unix'])).toMatchObject({ address: '203.0.113.7' });
  expect(readClient('192.0.2.1', head, compileProxies(['unix']))).toMatchObject({ address: '192.0.2.1' });
});
