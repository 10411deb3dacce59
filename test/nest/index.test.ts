// The adapter as Nest calls it. A real application of Nest is in test/frameworks/nest.test.ts.

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { from, Observable } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Connection, OptionError, type Path } from '../../src/index.ts';
import {
  type GatewayOptions,
  type MessageHandler,
  PortalAdapter,
  type PortalAdapterOptions,
} from '../../src/nest/index.ts';

const clients: WebSocket[] = [];
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.terminate();
  for (const end of ends.splice(0)) await end();
});

/** An application of Nest, as far as the adapter sees one. */
async function application(options?: PortalAdapterOptions) {
  const httpServer = http.createServer((_request, response) => response.end('a page')).listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const { port } = httpServer.address() as AddressInfo;
  const adapter = new PortalAdapter({ getHttpServer: () => httpServer }, options);
  ends.push(async () => {
    await adapter.dispose();
    httpServer.closeAllConnections();
    httpServer.close();
  });
  return { adapter, httpServer, url: `ws://127.0.0.1:${port}` };
}

type Callbacks = Record<string, MessageHandler['callback']>;

/** Binds a gateway as Nest does; returns its path, and the connections and reasons that it was told. */
function gateway(
  adapter: PortalAdapter,
  options: GatewayOptions,
  callbacks: Callbacks,
  path = adapter.create(0, options),
) {
  const connected: Connection[] = [];
  const disconnected: string[] = [];
  const handlers = Object.entries(callbacks).map(([message, callback]) => ({ message, callback }));
  adapter.bindClientConnect(path, (connection) => {
    connected.push(connection);
    adapter.bindMessageHandlers(connection, handlers, (result) => from([result]));
    adapter.bindClientDisconnect(connection, (reason) => disconnected.push(reason));
  });
  return { path, connected, disconnected };
}

async function opened(url: string): Promise<WebSocket> {
  const client = new WebSocket(url);
  clients.push(client);
  await once(client, 'open');
  return client;
}

async function asked(client: WebSocket, event: string, data?: unknown): Promise<unknown> {
  client.send(JSON.stringify({ event, data }));
  return JSON.parse(String((await once(client, 'message'))[0]));
}

async function refusal(url: string): Promise<number> {
  const client = new WebSocket(url);
  clients.push(client);
  client.on('error', () => {});
  const [, response] = await once(client, 'unexpected-response');
  return response.statusCode;
}

const twice: Callbacks = { twice: (data) => Number(data) * 2 };

test('a gateway is on the HTTP server of the application', async () => {
  const { adapter, url } = await application();
  const { connected, disconnected, path } = gateway(adapter, { path: '/numbers' }, twice);
  const client = await opened(`${url}/numbers`);
  expect(await asked(client, 'twice', 21)).toEqual({ event: 'twice', data: 42 });
  expect(connected).toEqual([...path.connections]);
  client.close(1000, 'enough');
  await expect.poll(() => disconnected).toEqual(['enough']);
  expect(await refusal(`${url}/other`)).toBe(404);
  expect(await (await fetch(url.replace('ws', 'http'))).text()).toBe('a page');
});

test('gateways of one path share its connections; each has its own handlers', async () => {
  const { adapter, url } = await application();
  const one = gateway(adapter, { path: '/numbers' }, twice);
  const other = gateway(adapter, {}, { half: (data) => Number(data) / 2 }, one.path);
  const client = await opened(`${url}/numbers`);
  expect(await asked(client, 'twice', 2)).toEqual({ event: 'twice', data: 4 });
  expect(await asked(client, 'half', 2)).toEqual({ event: 'half', data: 1 });
  expect(other.connected).toEqual(one.connected);
});

test('paths that are one for Portal are one', async () => {
  const { adapter, url } = await application();
  const one = gateway(adapter, { path: 'numbers' }, twice);
  const other = gateway(adapter, { path: '/numbers' }, { half: (data) => Number(data) / 2 });
  expect(other.path).toBe(one.path);
  const client = await opened(`${url}/numbers`);
  expect(await asked(client, 'twice', 2)).toEqual({ event: 'twice', data: 4 });
  expect(await asked(client, 'half', 2)).toEqual({ event: 'half', data: 1 });
});

test('several paths on one server, with parameters and authorize', async () => {
  const { adapter, url } = await application();
  gateway(adapter, { path: '/numbers' }, twice);
  const authorize: GatewayOptions['authorize'] = ({ query }) => query.has('key') && { data: 'let in' };
  const rooms = gateway(adapter, { path: '/rooms/:room', authorize }, {});
  await opened(`${url}/rooms/7?key`);
  expect(rooms.connected.map(({ params, data }) => [params.room, data])).toEqual([['7', 'let in']]);
  expect(await refusal(`${url}/rooms/7`)).toBe(403);
  expect(adapter.servers.size).toBe(1);
});

test('options go to the servers', async () => {
  const { adapter, url } = await application({
    cap: 10,
    host: '127.0.0.1',
    stop: { code: 1012, reason: 'new version' },
  });
  gateway(adapter, {}, twice);
  const large = await opened(url);
  large.send('12345678901');
  expect((await once(large, 'close'))[0]).toBe(1009);
  const client = await opened(url);
  const closed = once(client, 'close');
  await adapter.dispose();
  const [code, reason] = await closed;
  expect([code, String(reason)]).toEqual([1012, 'new version']);
});

test('a handler that fails closes with 1011, or as onError decides; errors$ is told', async () => {
  const { adapter, url } = await application();
  const failing: Callbacks = {
    fail: () => {
      throw new Error('a bug');
    },
  };
  const heard: unknown[] = [];
  gateway(adapter, { path: '/strict' }, failing);
  gateway(adapter, { path: '/lenient', onError: () => 'continue' }, { ...failing, ...twice });
  adapter.servers.get(0)?.errors$.subscribe(({ error }) => heard.push(error));
  const strict = await opened(`${url}/strict`);
  strict.send('{"event":"fail"}');
  expect((await once(strict, 'close'))[0]).toBe(1011);
  const lenient = await opened(`${url}/lenient`);
  lenient.send('{"event":"fail"}');
  expect(await asked(lenient, 'twice', 1)).toEqual({ event: 'twice', data: 2 });
  expect(heard).toEqual([new Error('a bug'), new Error('a bug')]);
});

test('what answers is unsubscribed from when the client goes', async () => {
  const { adapter, url } = await application();
  const path = adapter.create(0);
  const unsubscribed = new Promise<void>((resolve) => {
    const endless = new Observable((subscriber) => {
      subscriber.next('first');
      return resolve;
    });
    adapter.bindClientConnect(path, (connection) => {
      adapter.bindMessageHandlers(connection, [{ message: 'ask', callback: () => undefined }], () => endless);
    });
  });
  const client = await opened(url);
  expect(await asked(client, 'ask')).toEqual({ event: 'ask', data: 'first' });
  client.terminate();
  await unsubscribed;
});

test('closeClient turns away with 1013', async () => {
  const { adapter, url } = await application();
  const path = adapter.create(0);
  adapter.bindClientConnect(path, (connection) => adapter.closeClient(connection));
  const client = await opened(url);
  const [code, reason] = await once(client, 'close');
  expect([code, String(reason)]).toEqual([1013, 'the application is starting']);
});

describe('the end', () => {
  test('close and dispose close all connections with 1001, and leave the HTTP server to its owner', async () => {
    const { adapter, httpServer, url } = await application();
    const paths = ['/a', '/b'].map((path) => gateway(adapter, { path }, twice).path);
    const codes = [await opened(`${url}/a`), await opened(`${url}/b`)].map((client) => once(client, 'close'));
    await Promise.all(paths.map((path) => adapter.close(path)));
    await adapter.dispose();
    expect((await Promise.all(codes)).map(([code]) => code)).toEqual([1001, 1001]);
    expect([httpServer.listening, httpServer.listenerCount('upgrade'), adapter.servers.size]).toEqual([
      true,
      0,
      0,
    ]);
  });

  test('twice, or without a gateway, it does nothing', async () => {
    const { adapter } = await application();
    await adapter.dispose();
    await adapter.dispose();
    await adapter.close({} as Path);
  });
});

describe('a port of its own', () => {
  test('has a server that listens there, and not on the HTTP server', async () => {
    const { adapter, httpServer, url } = await application({ host: '127.0.0.1' });
    // A port that is free: that of an HTTP server which has ended.
    const other = http.createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await new Promise((resolve) => other.close(resolve));
    gateway(adapter, {}, twice, adapter.create(port, { path: '/own' }));
    await adapter.servers.get(port)?.start();
    const client = await opened(`ws://127.0.0.1:${port}/own`);
    expect(await asked(client, 'twice', 2)).toEqual({ event: 'twice', data: 4 });
    expect(httpServer.listenerCount('upgrade')).toBe(0);
    expect(url).not.toContain(`${port}`);
  });
});

test('without an application there is no port 0', () => {
  const adapter = new PortalAdapter();
  expect(() => adapter.create(0)).toThrow(OptionError);
  expect(() => adapter.create(0)).toThrow(/needs the HTTP server: new PortalAdapter\(app\)/);
});

test('the HTTP server itself may be given', async () => {
  const { httpServer, url } = await application();
  const adapter = new PortalAdapter(httpServer);
  ends.push(() => adapter.dispose());
  gateway(adapter, {}, twice);
  expect(await asked(await opened(url), 'twice', 2)).toEqual({ event: 'twice', data: 4 });
});
