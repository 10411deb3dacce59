/** Who is behind a proxy: only what named proxies vouch for is believed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clientAddress, compileProxies } from '../../../src/io/http/forwarded.ts';

const proxies = compileProxies(['127.0.0.1', '10.0.0.0/8', '2001:db8:ffff::/48']);
const forwarded = (value: string, from = '127.0.0.1') =>
  clientAddress(from, { forwarded: value, xForwardedFor: undefined }, proxies);
const xForwardedFor = (value: string, from = '127.0.0.1') =>
  clientAddress(from, { forwarded: undefined, xForwardedFor: value }, proxies);

describe('named proxies', () => {
  test.each([
    ['127.0.0.1', true],
    ['::ffff:127.0.0.1', true],
    ['::FFFF:7f00:1', true],
    ['127.0.0.2', false],
    ['10.0.0.0', true],
    ['10.255.255.255', true],
    ['9.255.255.255', false],
    ['11.0.0.0', false],
    ['2001:db8:ffff::1', true],
    ['2001:db8:ffff:1:2:3:4:5', true],
    ['2001:db8:fffe::1', false],
    ['', false],
    ['unix', false],
  ])('%s: %s', (address, named) => {
    expect(proxies(address)).toBe(named);
  });

  test('a range need not end at a byte, and may be everything', () => {
    const some = compileProxies(['192.168.8.0/21', '0.0.0.0/0']);
    const few = compileProxies(['192.168.8.0/21']);
    expect(['192.168.8.0', '192.168.15.255', '192.168.16.0'].map(few)).toEqual([true, true, false]);
    expect([some('203.0.113.9'), some('::1')]).toEqual([true, false]);
    expect(compileProxies(['::/0'])('::1')).toBe(true);
  });

  test.each([
    'localhost',
    '',
    '10.0.0',
    '10.0.0.256',
    '010.0.0.1',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/8/8',
    '::/129',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
    'fe80::1%',
  ])('%j is none, and says so', (entry) => {
    expect(() => compileProxies([entry])).toThrow(JSON.stringify(entry));
  });
});

describe('without a named proxy', () => {
  test('both headers are anybody’s, and not read', () => {
    expect(forwarded('for=1.2.3.4', '192.0.2.7')).toBe('192.0.2.7');
    expect(xForwardedFor('1.2.3.4', '192.0.2.7')).toBe('192.0.2.7');
  });
});

describe('X-Forwarded-For', () => {
  test.each([
    ['203.0.113.9', '203.0.113.9'],
    [' 203.0.113.9 ', '203.0.113.9'],
    ['203.0.113.9:4711', '203.0.113.9'],
    ['2001:DB8::9', '2001:db8::9'],
    ['[2001:db8::9]:80', '2001:db8::9'],
    // The last one that no named proxy wrote is the client; what stands before it, the client wrote itself.
    ['1.1.1.1, 203.0.113.9', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9, 10.0.0.7, 10.1.1.1', '203.0.113.9'],
    ['10.0.0.7', '10.0.0.7'],
    // No address: the proxy that said it stands for its client.
    ['unknown', '127.0.0.1'],
    ['1.1.1.1, unknown', '127.0.0.1'],
    ['unknown, 10.0.0.7', '10.0.0.7'],
    ['', '127.0.0.1'],
    ['1.1.1.1,', '127.0.0.1'],
    ['999.1.1.1', '127.0.0.1'],
  ])('%j: %s', (value, client) => {
    expect(xForwardedFor(value)).toBe(client);
  });
});

describe('Forwarded (RFC 7239 4)', () => {
  test.each([
    ['for=203.0.113.9', '203.0.113.9'],
    ['For="203.0.113.9:80";proto=https;by=10.0.0.1', '203.0.113.9'],
    ['proto=https; for="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17'],
    ['for="[2001:db8:cafe::17]"', '2001:db8:cafe::17'],
    ['for=1.1.1.1, for=203.0.113.9', '203.0.113.9'],
    ['for=203.0.113.9, for=10.0.0.7;by=x', '203.0.113.9'],
    ['for="_hidden", for=10.0.0.7', '10.0.0.7'],
    ['for=unknown', '127.0.0.1'],
    ['proto=https', '127.0.0.1'],
    // A client cannot hide an element in a quoted string of its own: the proxy's is behind it.
    ['for=" , for=6.6.6.6", for=203.0.113.9', '203.0.113.9'],
    ['for="203.0.113\\.9"', '203.0.113.9'],
    ['for="', '127.0.0.1'],
    ['', '127.0.0.1'],
  ])('%j: %s', (value, client) => {
    expect(forwarded(value)).toBe(client);
  });

  test('beside X-Forwarded-For it must name the same client', () => {
    const both = (one: string, other: string) =>
      clientAddress('127.0.0.1', { forwarded: one, xForwardedFor: other }, proxies);
    expect(both('for=203.0.113.9', '1.1.1.1, 203.0.113.9')).toBe('203.0.113.9');
    expect(both('for=6.6.6.6', '203.0.113.9')).toBeUndefined();
  });
});

test('whatever a client writes before what its proxy adds changes nothing, and nothing throws', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40 }), (forged) => {
      expect(xForwardedFor(`${forged}, 203.0.113.9`)).toBe('203.0.113.9');
      // With a quote that is left open, the rest of the header is one broken element: then nobody is believed.
      expect(['203.0.113.9', '127.0.0.1']).toContain(forwarded(`${forged}, for=203.0.113.9`));
    }),
  );
});
