import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { checkOrigin } from '../../../src/io/http/origin.ts';
import { compileOrigins } from '../../../src/io/http/origin-rules.ts';

function allows(entry: string | RegExp, origin: string): boolean {
  const question = { origin, host: 'a', remoteAddress: '203.0.113.7', request: () => undefined };
  return checkOrigin(question, compileOrigins([entry])) === undefined;
}

describe('entries with wildcards', () => {
  test.each([
    ['moz-extension://*', 'moz-extension://0c0d-ee', true],
    ['MOZ-extension://*', 'moz-extension://0c0d-ee', true],
    ['chrome-extension://*', 'chrome-extension://abcdefghijklmnop', true],
    ['chrome-extension://*', 'moz-extension://abcdefghijklmnop', false],
    ['moz-extension://*', 'https://moz-extension', false],
    ['moz-extension://*', 'null', false],
    ['http://localhost:*', 'http://localhost:3000', true],
    ['http://localhost:*', 'http://LOCALHOST:1', true],
    ['http://localhost:*', 'http://localhost', true],
    ['http://localhost:*', 'https://localhost:3000', false],
    ['http://localhost:*', 'http://localhost.evil.example:3000', false],
    ['http://localhost:*', 'http://app.localhost:3000', false],
    ['http://[::1]:*', 'http://[::1]:3000', true],
    ['http://127.0.0.1:*', 'http://127.0.0.1:3000', true],
    ['https://*.example.com:*', 'https://a.example.com:8443', true],
    ['https://*.example.com:*', 'https://a.b.example.com', true],
    ['https://*.example.com:*', 'https://example.com:8443', false],
    ['https://*.example.com:*', 'https://example.com.evil.example:8443', false],
    ['https://*.example.com', 'https://a.example.com:8443', false],
    ['app://*.x', 'app://y.x', true],
  ])('%s and %s: %s', (entry, origin, allowed) => {
    expect(allows(entry, origin)).toBe(allowed);
  });
});

test('a regular expression of another realm is one', () => {
  expect(allows(runInNewContext('/^https:\\/\\/a$/'), 'https://a')).toBe(true);
  expect(allows(runInNewContext('/^https:\\/\\/a$/'), 'https://b')).toBe(false);
});

describe('the option origins', () => {
  test.each([
    ['https://example.com/', "Write 'https://example.com'"],
    ['https://example.com/', 'must end after the host'],
    ['https://Example.com:443/chat', "Write 'https://example.com'"],
    ['https://example.com/chat', 'must end after the host'],
    ['https://u:p@example.com', 'must end after the host'],
    ['https://example.com:99999', 'must end after the host'],
    ['https://*', 'wildcard'],
    ['http://*', 'wildcard'],
    ['ws://*', 'names the page, not the server'],
    ['file://*', 'wildcard'],
    ['http://*:*', 'wildcard'],
    ['http://*:80', 'wildcard'],
    ['moz-extension://*/', 'wildcard'],
    ['moz-extension://*x', 'wildcard'],
    ['http://localhost:80:*', 'port'],
    ['http://localhost::*', 'port'],
    ['http://localhost:*/', 'port'],
    ['http://:*', 'port'],
    ['ws://localhost:*', 'names the page, not the server'],
    ['localhost:*', 'lacks its scheme'],
    ['http://a:3*', 'port'],
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

  test.each([
    ['https://example.com'],
    [true],
    [new Date(0)],
    [[() => true]],
    [new Array(1)],
    [5],
    [null],
    [{}],
    [[5]],
    [[undefined]],
    [[['https://example.com']]],
  ])('refuses %j with a TypeError', (origins) => {
    expect(() => compileOrigins(origins as string[])).toThrow(TypeError);
    expect(() => compileOrigins(origins as string[])).toThrow(/^origins: .* is not an origin\./);
  });
});
