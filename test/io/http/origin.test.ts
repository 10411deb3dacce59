import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkOrigin, compileOrigins } from '../../../src/io/http/origin.ts';

const REMOTE = '203.0.113.7';
const LOCAL = '127.0.0.1';

function allows(
  origins: '*' | string[] | undefined,
  origin: string | undefined,
  host = 'a',
  address = REMOTE,
): boolean {
  return checkOrigin(origin, host, address, compileOrigins(origins)).allowed;
}

describe('with origins left out', () => {
  test('a request without Origin passes: it is not from a browser (RFC 6455 10.2)', () => {
    expect(allows(undefined, undefined)).toBe(true);
  });

  test.each([
    ['http://example.com', 'example.com'],
    ['http://example.com', 'EXAMPLE.com'],
    ['http://example.com', 'example.com:80'],
    ['http://example.com', 'example.com:'],
    ['http://example.com:5005', 'example.com:5005'],
    ['https://example.com', 'example.com'],
    ['https://example.com', 'example.com:443'],
    ['https://example.com:8443', 'example.com:8443'],
    ['http://203.0.113.9:5005', '203.0.113.9:5005'],
    ['http://[2001:db8::1]:5005', '[2001:DB8:0::1]:5005'],
    ['http://[2001:db8::1]', '[2001:db8::1]'],
  ])('a page of %s may connect to %s: the same host', (origin, host) => {
    expect(allows(undefined, origin, host)).toBe(true);
  });

  test.each([
    ['http://evil.example', 'example.com'],
    ['http://evilexample.com', 'example.com'],
    ['http://example.com.evil.example', 'example.com'],
    ['http://sub.example.com', 'example.com'],
    ['http://example.com', 'example.com:5005'],
    ['http://example.com:3000', 'example.com'],
    ['https://example.com', 'example.com:80'],
    ['http://example.com', 'example.com:443'],
    ['http://[2001:db8::1]', '[2001:db8::2]'],
    ['chrome-extension://example.com', 'example.com'],
    ['null', 'example.com'],
    ['null', 'null'],
    ['file://', 'example.com'],
    ['', 'example.com'],
    ['http://example.com', ''],
    ['http://example.com', 'example.com:80:80'],
    ['http://example.com', '%'],
    ['http://example.com', 'x:example.com'],
    ['http://[::1]', 'x[::1]'],
  ])('a page of "%s" may not connect to "%s"', (origin, host) => {
    expect(allows(undefined, origin, host)).toBe(false);
  });

  test.each([
    ['http://localhost:3000', 'localhost:5005', '127.0.0.1'],
    ['http://localhost:3000', '127.0.0.1:5005', '127.0.0.1'],
    ['https://app.localhost', 'localhost:5005', '::1'],
    ['http://127.8.9.10', '[::1]:5005', '::ffff:127.0.0.1'],
    ['http://[::1]:3000', 'ws.localhost', '127.255.255.255'],
    ['http://[0:0:0:0:0:0:0:1]:3000', '127.0.0.1', '::1'],
  ])('a page of %s may connect to %s from %s: loopback to loopback', (origin, host, address) => {
    expect(allows(undefined, origin, host, address)).toBe(true);
  });

  test.each([
    ['the page is elsewhere', 'http://evil.example', 'localhost:5005', LOCAL],
    ['the page only looks local', 'http://localhost.evil.example', 'localhost:5005', LOCAL],
    ['the page only looks like an address', 'http://127.0.0.1.evil.example', 'localhost:5005', LOCAL],
    ['the page has a name like localhost', 'http://notlocalhost', 'localhost:5005', LOCAL],
    ['the Host is elsewhere', 'http://localhost:3000', 'example.com', LOCAL],
    ['the Host only looks local', 'http://localhost:3000', 'localhost.example.com', LOCAL],
    ['the peer is elsewhere', 'http://localhost:3000', 'localhost:5005', REMOTE],
    ['the peer is elsewhere, in IPv6', 'http://localhost:3000', 'localhost:5005', '2001:db8::1'],
    ['the peer is elsewhere, mapped', 'http://localhost:3000', 'localhost:5005', '::ffff:203.0.113.7'],
    ['the address only looks local', 'http://localhost:3000', 'localhost:5005', '127.0.0.1.2'],
    ['the peer has no address', 'http://localhost:3000', 'localhost:5005', ''],
    ['the page is opaque', 'null', 'localhost:5005', LOCAL],
    ['the page is a file', 'file://', 'localhost:5005', LOCAL],
  ])('loopback does not help when %s', (_, origin, host, address) => {
    expect(allows(undefined, origin, host, address)).toBe(false);
  });
});

describe('with a list', () => {
  const list = [
    'https://example.com',
    'http://Localhost:3000',
    'https://*.example.org',
    'http://*.dev.test:8080',
  ];

  test('a request without Origin passes: a program could write any Origin anyway', () => {
    expect(allows(list, undefined)).toBe(true);
    expect(allows([], undefined)).toBe(true);
  });

  test.each([
    'https://example.com',
    'https://example.com:443',
    'HTTPS://EXAMPLE.COM',
    'http://localhost:3000',
    'https://www.example.org',
    'https://a.b.example.org',
    'https://A.EXAMPLE.ORG:443',
    'http://x.dev.test:8080',
  ])('%s is allowed', (origin) => {
    expect(allows(list, origin)).toBe(true);
  });

  test.each([
    'http://example.com',
    'https://example.com:444',
    'https://www.example.com',
    'https://example.com.',
    'https://example.com.evil.example',
    'https://example.org',
    'https://evilexample.org',
    'https://.example.org',
    'http://www.example.org',
    'https://www.example.org:8443',
    'https://www.example.org.evil.example',
    'http://x.dev.test',
    'https://x.dev.test:8080',
    'http://localhost',
    'https://*.example.org.evil.example',
    'null',
  ])('%s is refused', (origin) => {
    expect(allows(list, origin)).toBe(false);
  });

  test.each([
    '',
    ' ',
    'example.com',
    '//example.com',
    'https:example.com',
    'https:/example.com',
    'https://',
    'https://example.com/',
    'https://example.com?',
    'https://example.com#',
    'https://u@example.com',
    'https://example.com\\x',
    'https://example.com:port',
    'https://example.com:99999',
    'https://exa mple.com',
    'https://example.com, https://example.com',
    'https://example.com https://evil.example',
    'https://[::1',
    'https://%00example.com',
    '\xff',
  ])('the garbage "%s" is refused', (origin) => {
    expect(allows(list, origin)).toBe(false);
  });

  test('the same host and loopback are not allowed beside it', () => {
    expect(allows(list, 'http://a', 'a')).toBe(false);
    expect(allows(list, 'http://localhost:4000', 'localhost:5005', LOCAL)).toBe(false);
  });

  test('an empty list allows no page', () => {
    expect(allows([], 'http://a', 'a')).toBe(false);
  });

  test("'null' is allowed only where it is listed", () => {
    expect(allows(['null'], 'null')).toBe(true);
    expect(allows(['null'], 'NULL')).toBe(false);
    expect(allows(['https://null'], 'null')).toBe(false);
  });

  test.each([
    ['chrome-extension://abcdefghijklmnop', 'chrome-extension://abcdefghijklmnop'],
    ['capacitor://localhost', 'capacitor://localhost'],
    ['file://', 'file://'],
    ['FILE://', 'file://'],
    ['app://Main', 'app://main'],
    ['wsx://a', 'wsx://a'],
    ['xws://*.a', 'xws://b.a'],
    ['wsx://*.a', 'wsx://b.a'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['https://example.com:0443', 'https://example.com'],
    ['http://[0:0::1]:3000', 'http://[::1]:3000'],
  ])('the entry %s allows %s', (entry, origin) => {
    expect(allows([entry], origin)).toBe(true);
    expect(allows([entry], 'https://evil.example')).toBe(false);
  });
});

test("with '*' any page may connect, whatever it says", () => {
  for (const origin of ['https://evil.example', 'null', '', '\xff']) expect(allows('*', origin)).toBe(true);
});

describe('a refusal', () => {
  const message = (origins: string[] | undefined, origin: string, host = 'a'): string => {
    const verdict = checkOrigin(origin, host, REMOTE, compileOrigins(origins));
    return verdict.allowed ? '' : verdict.message;
  };

  test('names the origin and the option', () => {
    expect(message(['https://example.com'], 'https://evil.example')).toBe(
      'Pages from the origin "https://evil.example" may not connect here. ' +
        'To allow them, add the origin to the server\'s option "origins".',
    );
  });

  test('names the Host, when that is what the origin was compared with', () => {
    expect(message(undefined, 'https://app.example', '127.0.0.1:5005')).toContain(
      'It is not the requested host "127.0.0.1:5005".',
    );
  });

  test('repeats no more than 200 characters of each', () => {
    const text = message(undefined, `https://${'x'.repeat(5000)}`, 'y'.repeat(5000));
    expect(text).toContain(`https://${'x'.repeat(192)}..."`);
    expect(text.length).toBeLessThan(700);
    expect(message([], 'z'.repeat(200))).toContain(`"${'z'.repeat(200)}"`);
  });
});

describe('the option origins', () => {
  test.each([
    ['https://example.com/', 'must end after the host'],
    ['https://example.com/chat', 'must end after the host'],
    ['https://u:p@example.com', 'must end after the host'],
    ['https://example.com:99999', 'must end after the host'],
    ['https://*', 'wildcard'],
    ['https://*.', 'wildcard'],
    ['https://*..com', 'wildcard'],
    ['https://*example.com', 'wildcard'],
    ['https://*.*.com', 'wildcard'],
    ['https://a.*.com', 'wildcard'],
    ['https://*.1.2.3.4', 'wildcard'],
    ['https://*.example.com/', 'wildcard'],
    ['*://example.com', 'wildcard'],
    ['*', "To allow any page, write origins: '*'."],
    ['example.com', 'lacks its scheme'],
    ['*.example.com', 'lacks its scheme'],
    ['', 'lacks its scheme'],
    ['NULL', 'lacks its scheme'],
    ['ws://example.com', 'names the page, not the server'],
    ['WS://example.com', 'names the page, not the server'],
    ['news:', 'lacks its scheme'],
    ['wss://*.example.com', 'names the page, not the server'],
  ])(
    'refuses the entry "%s" with a RangeError that names option, value and what is allowed',
    (entry, advice) => {
      const compile = () => compileOrigins(['https://example.com', entry]);
      expect(compile).toThrow(RangeError);
      expect(compile).toThrow(`origins: ${JSON.stringify(entry)} is not an origin.`);
      expect(compile).toThrow(advice);
      expect(compile).toThrow("'https://*.example.com'");
    },
  );

  test.each([['https://example.com'], [5], [null], [{}], [[5]], [[undefined]], [[['https://example.com']]]])(
    'refuses %j with a TypeError',
    (origins) => {
      expect(() => compileOrigins(origins as string[])).toThrow(TypeError);
      expect(() => compileOrigins(origins as string[])).toThrow(/^origins: .* is not an origin\./);
    },
  );
});

test('any origin, host and address get a verdict, and none throws', () => {
  const part = fc.constantFrom(
    'http',
    'https',
    '://',
    ':',
    '.',
    'example.com',
    'localhost',
    '127.0.0.1',
    '[::1]',
    '80',
    '*',
    '/',
    '%',
    '\xff',
    'null',
  );
  const text = fc.oneof(
    fc.array(part, { maxLength: 6 }).map((parts) => parts.join('')),
    fc.string({ unit: 'binary' }),
  );
  const rules = fc.constantFrom(
    compileOrigins(undefined),
    compileOrigins(['https://*.example.com', 'http://a']),
  );
  fc.assert(
    fc.property(text, text, text, rules, (origin, host, address, rule) => {
      expect(typeof checkOrigin(origin, host, address, rule).allowed).toBe('boolean');
    }),
    { numRuns: 2000 },
  );
});
