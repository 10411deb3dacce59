// Who may watch: hosts, tokens and origins, on both sides of each border.

import { describe, expect, test } from 'vitest';
import type { PlainRequest } from '../../src/index.ts';
import { checkAccess, isLoopback, isOwnPage, refuse } from '../../src/inspect/access.ts';

const request = ({ headers = {}, query = '' }: { headers?: Record<string, string>; query?: string } = {}) =>
  ({
    method: 'GET',
    path: '/',
    query: new URLSearchParams(query),
    headers,
    remoteAddress: '',
  }) as PlainRequest;

const token = 'sixteen letters!';

describe('loopback', () => {
  test.each(['localhost', 'LOCALHOST', '127.0.0.1', '127.255.255.254', '::1', '[::1]'])('%s is', (host) => {
    expect(isLoopback(host)).toBe(true);
  });
  test.each([
    '',
    '0.0.0.0',
    '::',
    '128.0.0.1',
    '127.0.0.1.example',
    'localhost.example',
    '1127.0.0.1',
    '[::2]',
  ])('%s is not', (host) => {
    expect(isLoopback(host)).toBe(false);
  });
});

describe('a host and a token at the call', () => {
  test('beyond loopback a token is needed, and enough', () => {
    expect(() => checkAccess('0.0.0.0', undefined)).toThrow(/can be reached from outside/);
    expect(() => checkAccess('0.0.0.0', token)).not.toThrow();
    expect(() => checkAccess('127.0.0.1', undefined)).not.toThrow();
  });
  test('15 characters are too few, 16 are enough', () => {
    expect(() => checkAccess('127.0.0.1', token.slice(1))).toThrow(/16 characters/);
    expect(() => checkAccess('127.0.0.1', token)).not.toThrow();
    expect(() => checkAccess('127.0.0.1', 1e20 as unknown as string)).toThrow(/16 characters/);
  });
});

describe('a request', () => {
  const refused = (asked: PlainRequest, wanted?: string) => refuse(asked, wanted)?.status;

  test('with a token, shows it in the query or as Bearer', () => {
    expect(refused(request({ query: `token=${encodeURIComponent(token)}` }), token)).toBeUndefined();
    expect(refused(request({ headers: { authorization: `Bearer ${token}` } }), token)).toBeUndefined();
    expect(refused(request({ headers: { authorization: `bearer ${token}` } }), token)).toBeUndefined();
    expect(refused(request({ headers: { authorization: token } }), token)).toBe(401);
    expect(refused(request({ query: 'token=sixteen+letters?' }), token)).toBe(401);
    expect(refused(request({ query: 'token=' }), token)).toBe(401);
    expect(refused(request({ headers: { host: 'localhost' } }), token)).toBe(401);
  });

  test.each([
    ['localhost:5006', undefined],
    ['127.0.0.1', undefined],
    ['[::1]:5006', undefined],
    ['evil.example:5006', 403],
    ['localhost.evil.example', 403],
    ['', 403],
  ])('without one, Host is this computer: %j', (host, status) => {
    expect(refused(request({ headers: { host } }))).toBe(status);
  });

  test.each([
    [{ host: 'localhost:5006' }, true],
    [{ host: 'localhost:5006', origin: 'http://localhost:5006' }, true],
    [{ host: 'localhost:5006', origin: 'http://localhost:3000' }, false],
    [{ host: 'localhost:5006', origin: 'http://127.0.0.1:5006' }, false],
    [{ host: 'localhost:5006', origin: 'null' }, false],
  ])('%j comes from the page itself: %s', (headers, own) => {
    expect(isOwnPage(request({ headers: headers as Record<string, string> }))).toBe(own);
  });
});
