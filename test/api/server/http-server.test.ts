/** What may be attached to and handed over; mistakes are told at the call. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/api/errors.ts';
import type { AnyHttpServer } from '../../../src/index.ts';
import { type Kind, listen, makeHttpServer, portal } from '../../support/attached.ts';

/** What went wrong, of a call that must throw an OptionError. */
function refusal(call: () => unknown): OptionError {
  try {
    call();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

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
    ['head', [request, socket, undefined]],
    ['head', [request, socket, '']],
  ])('a wrong %s is named', (name, values) => {
    const [one, two, three] = values as [never, never, never];
    expect(refusal(() => portal().handleUpgrade(one, two, three)).option).toBe(name);
  });

  test('what is no handshake for a path of ours is false', () => {
    expect(portal().handleUpgrade(request, socket, head)).toBe(false);
  });
});
