/** What may be attached to and handed over; mistakes are told at the call. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import type { OptionError } from '../../../src/api/errors.ts';
import type { AnyHttpServer } from '../../../src/index.ts';
import { type Kind, listen, makeHttpServer, next, opened, portal } from '../../support/attached.ts';
import { refusal } from '../../support/refusal.ts';

const untyped = (value: unknown) => value as AnyHttpServer;

test.each<Kind>(['http', 'https', 'http2', 'http2 with TLS'])('%s is an HTTP server', (kind) => {
  const server = portal();
  const attachment = server.attach(makeHttpServer(kind));
  attachment.detach();
});

describe('what is none', () => {
  test.each([
    ['nothing', undefined, 'of type undefined'],
    ['null', null, 'null'],
    ['a port', 8080, 'of type number'],
    ['an application of Express', () => {}, 'is given to http.createServer'],
    ['a promise', Promise.resolve(), 'await it'],
    ['an instance of Fastify', { server: http.createServer() }, 'its member "server" is one'],
    ['a server of node:net', net.createServer(), 'this server speaks no HTTP'],
    ['an application of Hono', { fetch() {} }, 'serve() of @hono/node-server returns its HTTP server'],
    ['an empty object', {}, 'of type object'],
  ])('%s', (_, value, why) => {
    const { option, message } = refusal(() => portal().attach(untyped(value)));
    expect(option).toBe('httpServer');
    expect(message).toContain('a server of node:http, node:https or node:http2');
    expect(message).toContain(why);
  });

  test.each<Kind>(['http', 'http2'])('one of %s that was closed', async (kind) => {
    const httpServer = makeHttpServer(kind);
    await listen(httpServer);
    httpServer.close();
    await once(httpServer, 'close');
    const { option, message } = refusal(() => portal().attach(httpServer));
    expect([option, message]).toEqual(['httpServer', expect.stringContaining('was closed')]);
  });
});

test('attaching twice is an error, and attaching again after detach is none', () => {
  const server = portal();
  const httpServer = http.createServer();
  const attachment = server.attach(httpServer);
  const { option, message } = refusal(() => server.attach(httpServer));
  expect([option, message]).toEqual([
    'httpServer',
    expect.stringContaining('attached to that HTTP server already'),
  ]);
  expect(httpServer.listenerCount('upgrade')).toBe(1);
  attachment.detach();
  server.attach(httpServer);
  // An old attachment does nothing to the new one.
  expect(httpServer.listenerCount('upgrade')).toBe(1);
  server.attach(http.createServer());
});

describe('handleUpgrade', () => {
  const request = { method: 'GET', url: '/', httpVersion: '1.1', rawHeaders: [], headers: {} } as never;
  const socket = new Duplex();
  const head = Buffer.alloc(0);
  test.each([
    ['request', [undefined, socket, head]],
    ['request', [new Request('http://a'), socket, head]],
    ['socket', [request, undefined, head]],
    ['socket', [request, {}, head]],
    ['request', [{ method: 'GET', url: 5, httpVersion: '1.1', rawHeaders: [], headers: {} }, socket, head]],
    ['request', [{ method: 'GET', url: '/', httpVersion: '1.1', rawHeaders: {}, headers: {} }, socket, head]],
    [
      'request',
      [{ method: 'GET', url: '/', httpVersion: '1.1', rawHeaders: [], headers: null }, socket, head],
    ],
    ['socket', [request, { write() {}, destroy() {}, pause() {}, resume() {}, on() {} }, head]],
    ['head', [request, socket, new DataView(new ArrayBuffer(1))]],
    ['head', [request, socket, undefined]],
    ['head', [request, socket, '']],
  ])('a wrong %s is named', (name, values) => {
    const [one, two, three] = values as [never, never, never];
    expect(refusal(() => portal().handleUpgrade(one, two, three)).option).toBe(name);
  });

  test('an error says what an argument is, in a few words', () => {
    const swapped = refusal(() => portal().handleUpgrade(socket as never, request, head));
    expect(swapped.message).toBe(
      "option request: allowed is the IncomingMessage of the event 'upgrade'; this is a Duplex",
    );
  });

  test('a head that was made in a vm context is one', () => {
    const other = runInNewContext('new Uint8Array(0)');
    expect(portal().handleUpgrade(request, socket, other)).toBe(false);
  });

  test('twice for one upgrade is an error, and the connection lives on', async () => {
    const server = portal();
    await server.start();
    const httpServer = http.createServer();
    const told: (boolean | OptionError)[] = [];
    httpServer.on('upgrade', (...upgrade) => {
      told.push(server.handleUpgrade(...upgrade));
      for (const one of [server, portal()]) {
        one.path('/echo');
        told.push(refusal(() => one.handleUpgrade(...upgrade)));
      }
    });
    const client = await opened(`ws://127.0.0.1:${await listen(httpServer)}/echo`);
    client.send('still there');
    expect(await next(client)).toBe('still there');
    const twice = { option: 'socket', message: expect.stringContaining('called twice') };
    expect(told).toEqual([true, expect.objectContaining(twice), expect.objectContaining(twice)]);
  });

  test('what is no handshake for a path of ours is false', () => {
    expect(portal().handleUpgrade(request, socket, head)).toBe(false);
  });
});
