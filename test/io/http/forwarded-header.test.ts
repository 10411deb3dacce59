import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseForwarded } from '../../../src/io/http/forwarded-header.ts';

describe('a Forwarded that follows the grammar (RFC 7239 4)', () => {
  const element = (address?: string, host?: string) => ({ for: address, host });
  test.each([
    // The RFC's own examples (4, 6.3, 7.1)
    ['for="_gazonk"', [element()]],
    ['For="[2001:db8:cafe::17]:4711"', [element('2001:db8:cafe::17')]],
    ['for=192.0.2.60;proto=http;by=203.0.113.43', [element('192.0.2.60')]],
    ['for=192.0.2.43, for=198.51.100.17', [element('192.0.2.43'), element('198.51.100.17')]],
    ['for=_hidden, for=_SEVKISEK', [element(), element()]],
    [
      'for=192.0.2.43,for="[2001:db8:cafe::17]",for=unknown',
      [element('192.0.2.43'), element('2001:db8:cafe::17'), element()],
    ],
    ['for=192.0.2.43;host=a.example', [element('192.0.2.43', 'a.example')]],
    ['host="a.example:8443"', [element(undefined, 'a.example:8443')]],
    ['host=""', [element()]],
    ['for="192.0.2.1:80";FOR2=x', [element('192.0.2.1')]],
    ['for="192.0.2.1:_port"', [element('192.0.2.1')]],
    ['for="unknown:80"', [element()]],
    ['for="[::ffff:192.0.2.1]"', [element('192.0.2.1')]],
    ['for="192.0.2\\.1"', [element('192.0.2.1')]],
    ['x="a, for=6.6.6.6; \\" \\\\";for=192.0.2.1', [element('192.0.2.1')]],
    ['x=""', [element()]],
    // Pairs may be empty, and elements too.
    ['', [element()]],
    [';for=192.0.2.1;;', [element('192.0.2.1')]],
    ['for=192.0.2.1 \t,\t ;', [element('192.0.2.1'), element()]],
    [',for=192.0.2.1', [element(), element('192.0.2.1')]],
  ])('%s', (value, elements) => {
    expect(parseForwarded(value)).toEqual(elements);
  });
});

describe('a Forwarded that does not is none', () => {
  test.each([
    ['a quote without an end', 'for="'],
    ['one that swallows the next element', 'for=192.0.2.66;by=", for=198.51.100.7'],
    ['one that ends in the next element', 'for=192.0.2.66;by=", for="[2001:db8::7]"'],
    ['a quote that is escaped at the end', 'for="\\"'],
    ['a backslash at the end', 'x="\\'],
    ['text after a quoted string', 'x="a"b'],
    ['a quoted string after a token', 'x=a"b"'],
    ['two quoted strings', 'x="a""b"'],
    ['a control character in quotes', 'x="\x01"'],
    ['an escaped control character', 'x="\\\x01"'],
    ['a quoted name', '"for"=192.0.2.1'],
    ['no value', 'for='],
    ['no value before a comma', 'for=,for=192.0.2.1'],
    ['no name', '=192.0.2.1'],
    ['a name alone', 'for'],
    ['an address alone', '192.0.2.1'],
    ['two equals signs', 'for==192.0.2.1'],
    ['a parameter twice', 'for=192.0.2.1;for=192.0.2.2'],
    ['one twice, in another case', 'x=1;for=192.0.2.1;X=2'],
    ['IPv6 without quotes', 'for=[2001:db8::1]'],
    ['IPv6 without brackets', 'for="2001:db8::1"'],
    ['IPv6 without either', 'for=2001:db8::1'],
    ['IPv4 in brackets', 'for="[192.0.2.1]"'],
    ['a port without quotes', 'for=192.0.2.1:80'],
    ['a host with a port without quotes', 'host=a:80'],
    ['a port that is none', 'for="192.0.2.1:"'],
    ['a port of six digits', 'for="192.0.2.1:123456"'],
    ['an address that is none', 'for=999.1.1.1'],
    ['an octal address', 'for=010.0.0.1'],
    ['an IPv6 address with a zone', 'for="[fe80::1%25eth0]"'],
    ['a name for an address', 'for=localhost'],
    ['a blank for an address', 'for=" 192.0.2.1"'],
    ['a host that is none', 'host="a b"'],
    ['a blank around =', 'for = 192.0.2.1'],
    ['a blank after =', 'for= 192.0.2.1'],
    ['a blank after ;', 'proto=https; for=192.0.2.1'],
    ['a blank before ;', 'proto=https ;for=192.0.2.1'],
    ['a blank for a comma', 'for=192.0.2.1 for=192.0.2.2'],
    ['a character that is no token', 'for=192.0.2.1;x=a@b'],
    ['a slash', 'for=192.0.2.1/32'],
    ['obs-text in a token', 'x=caf\xe9'],
    ['a byte that only looks like a blank', 'for=192.0.2.1\xa0,for=192.0.2.2'],
    ['a fault in an element that nobody would read', 'for=x y, for=192.0.2.1'],
  ])('%s', (_, value) => {
    expect(parseForwarded(value)).toBeNull();
  });
});

test('whatever a client writes, what a proxy appends is the last element or the header is none', () => {
  const forged = fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: 40 }),
    fc
      .array(fc.constantFrom('for=', '"', '\\', ',', ';', '6.6.6.6', ' ', 'by=', '[::1]', '='), {
        maxLength: 12,
      })
      .map((parts) => parts.join('')),
  );
  const appended = fc.constantFrom(
    ['for=203.0.113.9', '203.0.113.9'],
    ['for="[2001:db8::9]:80";by="_x"', '2001:db8::9'],
    ['proto=https;for="203.0.113.9:80"', '203.0.113.9'],
  );
  fc.assert(
    fc.property(forged, appended, (text, [element, address]) => {
      const elements = parseForwarded(`${text}, ${element}`);
      if (elements !== null) expect(elements.at(-1)?.for).toBe(address);
    }),
    { numRuns: 2000 },
  );
});

test('the work is linear, also for the longest head', () => {
  const length = 1_000_000;
  expect(parseForwarded(`x="${'a'.repeat(length)}`)).toBeNull();
  expect(parseForwarded(`x="${'\\a'.repeat(length / 2)}"`)).toHaveLength(1);
  expect(parseForwarded(`x${' '.repeat(length)}`)).toBeNull();
  expect(parseForwarded(';'.repeat(length))).toHaveLength(1);
  expect(parseForwarded('for=_'.padEnd(length, 'a'))).toHaveLength(1);
  expect(parseForwarded(Array.from({ length: length / 8 }, (_, at) => `p${at}=1`).join(';'))).toHaveLength(1);
  expect(parseForwarded(`for=192.0.2.1${','.repeat(length)}`)).toHaveLength(length + 1);
});
