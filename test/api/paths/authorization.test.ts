/** What `authorize` may say, read strictly, and what it is given. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  handshakeRequest,
  plainRequest,
  type ReadVerdict,
  readVerdict,
} from '../../../src/api/paths/authorization.ts';
import type { Opening } from '../../../src/connection/recipient.ts';
import { createServer, type HandshakeRequest, type Verdict } from '../../../src/index.ts';
import { HandshakeRefused, type TestServer, testServer } from '../../../src/testing/index.ts';

let served: TestServer | undefined;
afterEach(async () => {
  await served?.stop();
  served = undefined;
});

/** A handshake for `/room?x=1&x=2` that offers these subprotocols. */
const opening = (...protocols: string[]): Opening => ({
  head: {
    method: 'GET',
    path: '/room',
    query: 'x=1&x=2',
    headers: { host: 'a' },
  } as unknown as Opening['head'],
  upgrade: { kind: 'upgrade', key: '', protocols, extensions: '', origin: 'https://a.example' },
  remoteAddress: '192.0.2.1',
  peerCertificate: undefined,
  signal: () => new AbortController().signal,
});

const pathOf = (handlers: object) => createServer({ port: 0 }).path('/room', handlers);
const read = (verdict: unknown, { handlers = {}, offers = [] as string[] } = {}): ReadVerdict =>
  readVerdict(verdict as Verdict<unknown>, pathOf(handlers) as never, opening(...offers));

describe('who comes in', () => {
  test('true', () => {
    expect(read(true)).toEqual({
      kind: 'accepted',
      data: undefined,
      answer: { kind: 'accepted', subprotocol: undefined, headers: undefined },
    });
  });

  test('an object with data, subprotocol or headers', () => {
    const headers = { 'Set-Cookie': ['a=1', 'b=2'] };
    expect(read({ data: 7, headers, subprotocol: 'b' }, { offers: ['a', 'b'] })).toEqual({
      kind: 'accepted',
      data: 7,
      answer: { kind: 'accepted', subprotocol: 'b', headers },
    });
    expect(read({ data: undefined })).toMatchObject({ kind: 'accepted', data: undefined });
  });

  test('the subprotocol is chosen by the path where authorize does not choose one', () => {
    const handlers = { subprotocols: ['b', 'a'] };
    expect(read(true, { handlers, offers: ['a', 'b'] }).answer).toMatchObject({ subprotocol: 'b' });
    expect(read({ subprotocol: 'a' }, { handlers, offers: ['a', 'b'] }).answer).toMatchObject({
      subprotocol: 'a',
    });
    expect(read({ subprotocol: undefined }, { handlers, offers: ['a'] }).answer).toMatchObject({
      subprotocol: 'a',
    });
    expect(read(true, { handlers, offers: ['c'] }).answer).toMatchObject({ subprotocol: undefined });
  });
});

describe('who does not', () => {
  test('false is 403', () => {
    const { kind, answer } = read(false);
    expect(kind).toBe('refused');
    expect(answer).toMatchObject({ response: { status: 403 }, fault: { name: 'denied', code: 403 } });
  });

  test('an HTTP response is the answer, as it is', () => {
    const response = { status: 401, headers: { 'WWW-Authenticate': 'Basic' }, body: 'who?' };
    const { kind, answer } = read(response);
    expect(kind).toBe('refused');
    expect(answer).toEqual({ kind: 'refused', response });
  });

  test('a client with no subprotocol that the path has a codec for is 400, with the names', () => {
    const codec = { decode: String, encode: String };
    const handlers = { codecs: { 'a.json': codec, 'b.json': codec } };
    expect(read(true, { handlers, offers: ['a.json'] }).kind).toBe('accepted');
    const { answer } = read(true, { handlers });
    expect(answer).toMatchObject({ response: { status: 400 }, fault: { name: 'noSubprotocol' } });
    expect(answer).toMatchObject({ fault: { reason: expect.stringContaining('offer a.json, b.json') } });
  });
});

describe('nobody comes in by a mistake', () => {
  class User {
    data = 'a user';
  }
  test.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['1', 1],
    ['true', 'true'],
    ['an empty object', {}],
    ['a User', new User()],
    ['a Object', Object(true)],
    ['a Array', [true]],
    ['an object with user', { user: 'a' }],
    ['an object with data, role', { data: 1, role: 'admin' }],
    ['an object with data, status', { data: 1, status: 401 }],
    ['an object with body', { body: 'no status' }],
    ['an object with status, statusText', { status: 200, statusText: 'OK' }],
  ])('%s is no verdict', (_, verdict) => {
    expect(() => read(verdict)).toThrow(TypeError);
  });

  test('the error says what was returned and what is allowed', () => {
    expect(() => read({ user: 1, id: 2 })).toThrow(
      /^authorize returned an object with user, id; allowed are true, false, \{ data, subprotocol, headers, join \}/,
    );
    expect(() => read(new User())).toThrow(/^authorize returned a User;/);
    expect(() => read(undefined)).toThrow(/^authorize returned undefined;/);
  });

  test('a subprotocol that was not offered (RFC 6455 4.2.2)', () => {
    expect(() => read({ subprotocol: 'b' }, { offers: ['a'] })).toThrow(
      'authorize chose the subprotocol "b", which was not offered',
    );
  });

  test('the peer gets a 500, and no word of why', async () => {
    served = await testServer({ paths: { '/': { authorize: () => ({ user: 'secret' }) as never } } });
    const errors: unknown[] = [];
    served.server.errors$.subscribe(({ error }) => errors.push(error));
    const refused = await served.connect('/').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(HandshakeRefused);
    expect(refused).toMatchObject({ status: 500, body: expect.not.stringContaining('secret') });
    expect(errors).toMatchObject([{ name: 'TypeError', message: expect.stringContaining('user') }]);
  });
});

describe('what authorize is given', () => {
  test('the request, and what its handshake offers', () => {
    const request = handshakeRequest(opening('a', 'b'), { room: 'red' });
    expect({ ...request, query: request.query.getAll('x') }).toEqual({
      method: 'GET',
      path: '/room',
      query: ['1', '2'],
      headers: { host: 'a' },
      remoteAddress: '192.0.2.1',
      params: { room: 'red' },
      origin: 'https://a.example',
      subprotocols: ['a', 'b'],
    });
  });

  test('a plain request has no more than HTTP has', () => {
    const { head } = opening();
    expect(Object.keys(plainRequest(head, '192.0.2.1'))).toEqual([
      'method',
      'path',
      'query',
      'headers',
      'remoteAddress',
    ]);
  });

  test('that of a real handshake', async () => {
    const seen: HandshakeRequest[] = [];
    const authorize = (request: HandshakeRequest) => {
      seen.push(request);
      return true;
    };
    served = await testServer({ origins: '*', paths: { '/rooms/:room': { authorize } } });
    await served.connect('/rooms/a%20b?q=1', { remoteAddress: '192.0.2.7' });
    expect(seen).toMatchObject([
      { path: '/rooms/a%20b', params: { room: 'a b' }, remoteAddress: '192.0.2.7' },
    ]);
  });
});
