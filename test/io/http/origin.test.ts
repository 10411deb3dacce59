import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Fault } from '../../../src/io/faults.ts';
import { checkOrigin } from '../../../src/io/http/origin.ts';
import { compileOrigins, type OriginsOption } from '../../../src/io/http/origin-rules.ts';

const REMOTE = '203.0.113.7';
const LOCAL = '127.0.0.1';

const REQUEST = { path: '/chat' };
type Origins = OriginsOption<typeof REQUEST> | undefined;

function check(
  origins: Origins,
  origin: string | undefined,
  host = 'a',
  remoteAddress = REMOTE,
): Fault | undefined {
  return checkOrigin({ origin, host, remoteAddress, request: () => REQUEST }, compileOrigins(origins));
}

const allows = (origins: Origins, origin: string | undefined, host?: string, address?: string): boolean =>
  check(origins, origin, host, address) === undefined;

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
  const message = (origins: Origins, origin: string, host = 'a'): string =>
    check(origins, origin, host)?.reason ?? '';

  test('is a 403', () => {
    expect(check([], 'https://evil.example')).toMatchObject({ name: 'origin', code: 403 });
  });

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

describe('what programs send (IoT devices, old React Native)', () => {
  test.each([
    ['http://example.com/', 'http://example.com'],
    ['http://example.com/path/x?y#z', 'http://example.com'],
    ['http://example.com:8080/', 'http://example.com:8080'],
    ['ws://example.com', 'http://example.com'],
    ['ws://example.com:8080/chat', 'http://example.com:8080'],
    ['wss://example.com/', 'https://example.com'],
    ['WSS://Example.com:443', 'https://example.com'],
    ['file:///', 'file://'],
    ['file:///android_asset/www/index.html', 'file://'],
  ])('%s is read as %s', (origin, listed) => {
    expect(allows([listed], origin)).toBe(true);
    expect(allows(['https://other.example'], origin)).toBe(false);
  });

  test('the address of the server itself is its own host', () => {
    expect(allows(undefined, 'ws://example.com:5005/chat', 'example.com:5005')).toBe(true);
    expect(allows(undefined, 'ws://example.com:5006/chat', 'example.com:5005')).toBe(false);
  });
});

describe('the advice of a refusal', () => {
  const fixed = [
    ['https://app.example', 'Write origins: ["https://app.example"].'],
    ['http://example.com/', 'Write origins: ["http://example.com"].'],
    ['ws://10.0.0.5:81/x', 'Write origins: ["http://10.0.0.5:81"].'],
    ['file://', 'Write origins: ["file://"].'],
    ['null', 'Write origins: ["null"].'],
  ] as const;
  test.each(fixed)('for %s is: %s', (origin, advice) => {
    expect(check(['https://other.example'], origin)?.advice).toBe(advice);
  });

  /** The option that an advice says to write, read as a program would have it. */
  const optionIn = (advice: string): Origins => {
    const text = /origins: (.+)\.$/s.exec(advice)?.[1] ?? '';
    const list = /^\[(.*)\]$/s.exec(text)?.[1];
    if (list !== undefined) return [JSON.parse(list)];
    const wanted: unknown = JSON.parse(/^\(origin\) => origin === (".*")$/s.exec(text)?.[1] ?? '');
    return (origin) => origin === wanted;
  };

  test('is an option that lets this origin in, and not all others', () => {
    const part = fc.constantFrom(
      'http',
      'ws',
      'wss',
      'app',
      '://',
      ':',
      '.',
      'a',
      '[::1]',
      '80',
      '*',
      '/',
      '%',
      '@',
      '"',
      '\xff',
      'null',
      'file',
      '?',
      ' ',
      'A',
    );
    const origins = fc.oneof(
      fc.constantFrom(
        'http://*',
        'http://*.a',
        'x://*',
        'NULL',
        '',
        'http://u@a',
        'http://a?',
        'http://a:99999',
        ...fixed.map(([one]) => one),
      ),
      fc
        .tuple(fc.constantFrom('http://', 'ws://', 'app://', ''), fc.array(part, { maxLength: 7 }))
        .map(([scheme, parts]) => scheme + parts.join('')),
      fc.string({ maxLength: 100 }),
    );
    fc.assert(
      fc.property(origins, (origin) => {
        const advice = check([], origin)?.advice ?? '';
        expect(allows(optionIn(advice), origin)).toBe(true);
        expect(allows(optionIn(advice), 'https://unrelated.example')).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test('for a very long one does not repeat it', () => {
    const advice = check([], `https://${'x'.repeat(5000)}`)?.advice ?? '';
    expect(advice).toContain('5008 characters');
    expect(advice.length).toBeLessThan(200);
  });
});

describe('a function', () => {
  test('decides, with the origin as sent and the request', () => {
    const asked: unknown[] = [];
    const origins: Origins = (origin, request) => asked.push([origin, request]) === 1;
    expect(check(origins, 'http://Example.com/x')).toBeUndefined();
    expect(check(origins, 'null')).toMatchObject({ code: 403, advice: expect.stringContaining('function') });
    expect(asked).toEqual([
      ['http://Example.com/x', REQUEST],
      ['null', REQUEST],
    ]);
  });

  test('is not asked where there is no Origin', () => {
    const never: Origins = () => {
      throw new Error('asked');
    };
    expect(allows(never, undefined)).toBe(true);
    expect(() => check(never, 'null')).toThrow('asked');
  });

  test.each([[undefined], [1], ['yes'], [null], [{}], [Promise.resolve(true)]])(
    'that returns %s lets nobody in, and the TypeError says why',
    (answer) => {
      expect(() => check((() => answer) as unknown as Origins, 'https://a.example')).toThrow(TypeError);
    },
  );
});

describe('a regular expression', () => {
  test.each(['', 'g', 'y', 'gy'])('with the flags "%s" says the same each time', (flags) => {
    const expression = new RegExp('^https://[a-z]+\\.example\\.com$', flags);
    const rules = compileOrigins([expression, 'null']);
    const answers = [1, 2, 3, 4].map(() =>
      checkOrigin(
        { origin: 'https://app.example.com', host: 'a', remoteAddress: REMOTE, request: () => REQUEST },
        rules,
      ),
    );
    expect(answers).toEqual([undefined, undefined, undefined, undefined]);
    expect(expression.lastIndex).toBe(0);
  });

  test('may stand alone, and beside strings', () => {
    expect(allows(/^https:\/\/a\./, 'https://a.example')).toBe(true);
    expect(allows(/^https:\/\/a\./, 'https://b.example')).toBe(false);
    expect(allows([/^https:\/\/a\./, 'https://b.example'], 'https://b.example')).toBe(true);
    expect(allows(/^https:\/\/a\./, undefined)).toBe(true);
  });
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
  const rules = fc.constantFrom<Origins>(undefined, [
    'https://*.example.com',
    'http://a',
    'http://localhost:*',
    /x/,
  ]);
  fc.assert(
    fc.property(text, text, text, rules, (origin, host, address, rule) => {
      expect([undefined, 403]).toContain(check(rule, origin, host, address)?.code);
    }),
    { numRuns: 2000 },
  );
});
