import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addressKey,
  canonicalAddress,
  compileAddresses,
  isLoopbackAddress,
} from '../../../src/io/http/addresses.ts';

describe('the one form of an address', () => {
  test.each([
    ['198.51.100.7', '198.51.100.7'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['::FFFF:c633:6407', '198.51.100.7'],
    ['0:0:0:0:0:ffff:198.51.100.7', '198.51.100.7'],
    ['::ffff:0:1', '0.0.0.1'],
    ['2001:DB8:0:0:0:0:0:9', '2001:db8::9'],
    ['2001:db8::0009', '2001:db8::9'],
    ['1:0:0:2:0:0:0:3', '1:0:0:2::3'],
    ['::', '::'],
    ['0::1', '::1'],
    ['::1.2.3.4', '::102:304'],
    ['::ffff:0:1.2.3.4', '::ffff:0:102:304'],
    ['64:ff9b::198.51.100.7', '64:ff9b::c633:6407'],
    ['FE80::1%eth0', 'fe80::1%eth0'],
  ])('of %s is %s (RFC 5952)', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
    expect(canonicalAddress(canonical)).toBe(canonical);
  });

  test.each([
    '',
    'unix',
    'localhost',
    '10.0.0',
    '010.0.0.1',
    '10.0.0.256',
    '1.2.3.4:80',
    '[::1]',
    ':::',
    '1::2::3',
    '::1 ',
    '::ffff:1.2.3',
  ])('there is none of %j', (text) => {
    expect(canonicalAddress(text)).toBeUndefined();
  });

  test('is the same for all spellings of an IPv6 address', () => {
    const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
    fc.assert(
      fc.property(groups, fc.boolean(), (address, upper) => {
        const short = address.map((group) => group.toString(16)).join(':');
        const long = address.map((group) => group.toString(16).padStart(4, '0')).join(':');
        expect(canonicalAddress(upper ? long.toUpperCase() : long)).toBe(canonicalAddress(short));
      }),
    );
  });
});

describe('the key for limits', () => {
  test.each([
    ['198.51.100.7', '198.51.100.7'],
    ['::ffff:198.51.100.7', '198.51.100.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80::/64'],
    // IPv4 clients behind a translator share a /64 with everybody else there (RFC 6052).
    ['64:ff9b::198.51.100.7', '64:ff9b::c633:6407'],
    ['', ''],
    ['unix', 'unix'],
  ])('of %s is %s', (address, key) => {
    expect(addressKey(address)).toBe(key);
  });

  test.each([
    [128, '2001:db8:1:2:ffff:4:5:6'],
    [127, '2001:db8:1:2:ffff:4:5:6/127'],
    [72, '2001:db8:1:2:ff00::/72'],
    [56, '2001:db8:1::/56'],
    [33, '2001:db8::/33'],
    [0, '::/0'],
  ])('may take %i bits', (bits, key) => {
    expect(addressKey('2001:db8:1:2:ffff:4:5:6', bits)).toBe(key);
    expect(addressKey('198.51.100.7', bits)).toBe('198.51.100.7');
  });

  test('is one for all addresses of a /64, and another for the next', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(0xffff), { minLength: 8, maxLength: 8 }), fc.nat(3), (groups, at) => {
        const text = (all: number[]) => all.map((group) => group.toString(16)).join(':');
        const network = [0x2001, ...groups.slice(1, 4)];
        const key = addressKey(text([...network, 0, 0, 0, 1]));
        expect(addressKey(text([...network, ...groups.slice(4)]))).toBe(key);
        const other = network.with(at, (network[at] as number) ^ 1);
        expect(addressKey(text([...other, ...groups.slice(4)]))).not.toBe(key);
      }),
    );
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.10', true],
  ['::ffff:127.0.0.1', true],
  ['::1', true],
  ['0:0:0:0:0:0:0:1', true],
  ['127.0.0.1.2', false],
  ['128.0.0.1', false],
  ['::2', false],
  ['localhost', false],
  ['', false],
])('%s is loopback: %s', (address, expected) => {
  expect(isLoopbackAddress(address)).toBe(expected);
});

describe('a set of addresses and ranges', () => {
  const members = compileAddresses(['127.0.0.1', '10.0.0.0/8', '2001:db8:ffff::/48', '::ffff:192.0.2.0/120']);
  test.each([
    ['127.0.0.1', true],
    ['::ffff:127.0.0.1', true],
    ['::FFFF:7f00:1', true],
    ['127.0.0.2', false],
    ['10.0.0.0', true],
    ['10.255.255.255', true],
    ['9.255.255.255', false],
    ['11.0.0.0', false],
    ['192.0.2.9', true],
    ['::ffff:192.0.2.9', true],
    ['192.0.3.9', false],
    ['2001:db8:ffff::1', true],
    ['2001:db8:ffff:1:2:3:4:5', true],
    ['2001:db8:ffff::1%eth0', true],
    ['2001:db8:fffe::1', false],
    ['', false],
    ['unix', false],
  ])('%s: %s', (address, named) => {
    expect(members(address)).toBe(named);
  });

  test('a range need not end at a byte, and may be everything', () => {
    const some = compileAddresses(['192.168.8.0/21', '0.0.0.0/0']);
    const few = compileAddresses(['192.168.8.0/21']);
    expect(['192.168.8.0', '192.168.15.255', '192.168.16.0'].map(few)).toEqual([true, true, false]);
    expect([some('203.0.113.9'), some('::1')]).toEqual([true, false]);
    expect(compileAddresses(['::/0'])('::1')).toBe(true);
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
    '10.0.0.0/+8',
    '::/129',
    ':::',
    '1::2::3',
    '12345::',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '::1.2.3',
    'fe80::1%',
  ])('%j is none, and says so', (entry) => {
    expect(() => compileAddresses([entry])).toThrow(RangeError);
    expect(() => compileAddresses([entry])).toThrow(JSON.stringify(entry));
  });

  test.each([[5], [null], [undefined], [['10.0.0.0']]])('%j is none', (entry) => {
    expect(() => compileAddresses([entry as unknown as string])).toThrow(RangeError);
  });
});
