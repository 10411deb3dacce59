// The inspector from outside: the official clients of `@statelyai/inspect`, who may come, and what never goes out.

import { createWebSocketInspector } from '@statelyai/inspect';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createActor, createMachine } from 'xstate';
import { watchables } from '../../src/api/inspection/inspection.ts';
import type { createServer } from '../../src/index.ts';
import { inspect } from '../../src/inspect/index.ts';
import {
  binaryFrame,
  bytes,
  closeFrame,
  fragmented,
  OPCODE,
  pingFrame,
  RawClient,
  textFrame,
} from '../support/raw-client.ts';
import { make, serve, until, word } from '../support/serving.ts';
import { type Heard, isSnapshot, receive, serveWatched, watch } from './watching.ts';

const SECRET = 'a secret that nobody else may read';

describe('the relay and the official clients', () => {
  test('createWebSocketReceiver hears actors, events and snapshots as they happen', async () => {
    const { inspector, meet } = await serveWatched();
    const receiver = receive(inspector.relayUrl);
    await receiver.first((event) => event.type === '@xstate.actor' && event.name === 'server');
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('hello'));
    await word(client);
    const { sessionId } = connection.actor;
    const named = await receiver.first(
      (event) => event.sessionId === sessionId && /echo/.test(String(event.name)),
    );
    expect(named).toMatchObject({
      type: '@xstate.actor',
      name: `connection ${connection.id} /echo`,
      _version: '0.7.2',
      id: null,
      snapshot: { status: 'active', value: 'open', context: { id: connection.id, path: '/echo' } },
    });
    expect(JSON.parse(String(named.definition))).toMatchObject({ id: 'connection', initial: 'handshaking' });
    const arrived = await receiver.first(
      (event) =>
        event.type === '@xstate.event' &&
        event.sessionId === sessionId &&
        event.event.type === 'socket.bytes' &&
        event.event.byteLength === 11,
    );
    expect(arrived.event).toEqual({ type: 'socket.bytes', byteLength: 11 });
    await receiver.first(
      (event) =>
        event.type === '@xstate.event' &&
        event.event.type === 'read.continue' &&
        event.event.byteLength === 5,
    );
  });

  test('a latecomer gets the actors that live and the last events, no more than `replay`', async () => {
    const { inspector, meet } = await serveWatched({ replay: 5 });
    const { client, connection } = await meet();
    for (let i = 0; i < 20; i++) await client.sendBytes(textFrame(`message ${i}`));
    for (let i = 0; i < 20; i++) await word(client);
    const { heard, first } = receive(inspector.relayUrl);
    await first((event) => event.sessionId === connection.actor.sessionId && event.type === '@xstate.actor');
    await client.sendBytes(closeFrame(1000));
    await client.ended();
    client.fin();
    await first(isSnapshot('"closed"'));
    const end = heard.findIndex(
      (event) => event.type === '@xstate.event' && event.event.type === 'close.received',
    );
    const replayed = heard.slice(0, end).filter((event) => event.type !== '@xstate.actor');
    // The Close comes with one socket.bytes of its own before the event close.received.
    expect(replayed.length).toBeLessThanOrEqual(5 + 1);
    expect(heard.filter((event) => event.type === '@xstate.actor').map(({ name }) => name)).toEqual([
      'server',
      `connection ${connection.id} /echo`,
    ]);
  });

  test('what an official inspector sends from elsewhere reaches the receivers', async () => {
    const { inspector } = await serveWatched();
    const receiver = receive(inspector.relayUrl);
    await receiver.first((event) => event.type === '@xstate.actor');
    const elsewhere = createWebSocketInspector({ url: inspector.relayUrl });
    const actor = createActor(createMachine({ id: 'lamp', initial: 'dark', states: { dark: {} } }), {
      inspect: elsewhere.inspect,
    }).start();
    const heard = await receiver.first((event) => event.type === '@xstate.actor' && event.name === 'lamp');
    expect(heard.sessionId).toBe(actor.sessionId);
    elsewhere.stop();
  });

  test('what is no inspection event closes with 1003', async () => {
    const { inspector } = await serveWatched();
    const socket = new WebSocket(inspector.relayUrl);
    socket.on('open', () => socket.send('{"type":"@xstate.other"}'));
    expect(await new Promise((resolve) => socket.on('close', resolve))).toBe(1003);
  });

  test('createServer({ inspect }) takes the official inspector as it is', async () => {
    const { inspector } = await serveWatched();
    const receiver = receive(inspector.relayUrl);
    await receiver.first((event) => event.type === '@xstate.actor');
    const elsewhere = createWebSocketInspector({ url: inspector.relayUrl });
    const { meet } = await serve(
      { onMessage: (other, message) => other.send(message) },
      { inspect: elsewhere.inspect },
    );
    const { client, connection } = await meet();
    await client.sendBytes(textFrame(SECRET));
    await word(client);
    const { sessionId } = connection.actor;
    const open = await receiver.first(
      (event) => event.sessionId === sessionId && isSnapshot('"open"')(event),
    );
    expect(open.snapshot).toMatchObject({ context: { port: { path: '/echo', remoteAddress: '127.0.0.1' } } });
    await receiver.first(
      (event) =>
        event.sessionId === sessionId &&
        event.type === '@xstate.event' &&
        event.event.type === 'read.continue' &&
        event.event.byteLength === SECRET.length,
    );
    expect(JSON.stringify(receiver.heard)).not.toContain('secret');
    elsewhere.stop();
  });
});

describe('what never goes out', () => {
  test.each([
    ['a text', () => bytes(textFrame(SECRET), closeFrame(1000))],
    ['a binary message', () => bytes(binaryFrame(SECRET), closeFrame(1000))],
    ['a ping', () => bytes(pingFrame(SECRET), closeFrame(1000))],
    ['fragments', () => bytes(...fragmented(OPCODE.text, SECRET + SECRET, 16), closeFrame(1000))],
    ['a close reason', () => closeFrame(1000, SECRET)],
  ])('the payload of %s', async (_kind, bytesOf) => {
    const { inspector, meet } = await serveWatched();
    const { heard, first } = receive(inspector.relayUrl);
    await first((event) => event.type === '@xstate.actor');
    const { client, connection } = await meet();
    await client.sendBytes(bytesOf());
    await client.ended();
    client.fin();
    await first((event) => event.sessionId === connection.actor.sessionId && isSnapshot('"closed"')(event));
    const said = JSON.stringify(heard);
    expect(said).not.toContain('secret');
    expect(said).not.toContain(Buffer.from(SECRET).subarray(0, 8).join(','));
  });
});

describe('who may watch', () => {
  test.each(['0.0.0.0', '::', '192.0.2.1', 'example.com'])(
    '%s without a token is refused at the call',
    async (host) => {
      const { server } = make();
      await expect(inspect(server, { port: 0, host })).rejects.toThrow(/token/);
    },
  );

  test('a token that can be guessed is refused at the call', async () => {
    await expect(inspect(make().server, { port: 0, token: 'short' })).rejects.toThrow(/16 characters/);
  });

  const token = 'correct horse battery staple';
  const upgrade = (url: string, headers = {}) =>
    new Promise<number>((resolve) => {
      const socket = new WebSocket(url, { headers });
      socket.on('unexpected-response', (request, { statusCode }) => {
        request.destroy();
        resolve(statusCode ?? 0);
      });
      socket.on('open', () => {
        socket.terminate();
        resolve(101);
      });
      socket.on('error', () => {});
    });

  test('with a token, the relay, the feed and the page want it', async () => {
    const { inspector } = await serveWatched({ token });
    const { origin } = new URL(inspector.url);
    const relay = inspector.relayUrl.replace(/\?.*/, '');
    const live = `${origin.replace('http', 'ws')}/live`;
    const wrong = '?token=correct%20horse%20battery%20stapl3';
    expect(await upgrade(relay)).toBe(401);
    expect(await upgrade(relay + wrong)).toBe(401);
    expect(await upgrade(live)).toBe(401);
    expect((await fetch(origin)).status).toBe(401);
    expect(await upgrade(inspector.relayUrl)).toBe(101);
    expect(await upgrade(live, { Authorization: `Bearer ${token}` })).toBe(101);
    expect((await fetch(inspector.url)).status).toBe(200);
  });

  test('without one, a name that is not this computer is refused: DNS may have been rebound', async () => {
    const { inspector } = await serveWatched();
    const { port } = new URL(inspector.url);
    const host = `evil.example:${port}`;
    const plain = {
      Upgrade: null,
      Connection: null,
      'Sec-WebSocket-Key': null,
      'Sec-WebSocket-Version': null,
    };
    for (const [path, more] of Object.entries({ '/': plain, '/inspect': {}, '/live': {} })) {
      const headers = { Host: host, Origin: `http://${host}`, ...more };
      const client = await RawClient.connect(Number(port), { path, headers });
      expect((await client.response()).status).toBe(403);
    }
  });

  test('a page of another port may listen to the relay, but not to the feed that can close connections', async () => {
    const { inspector } = await serveWatched();
    const headers = { Origin: 'http://localhost:3000' };
    expect(await upgrade(inspector.relayUrl, headers)).toBe(101);
    expect(await upgrade(inspector.relayUrl.replace('/inspect', '/live'), headers)).toBe(403);
    expect(await upgrade(inspector.relayUrl, { Origin: 'https://evil.example' })).toBe(403);
  });
});

describe('coming and going', () => {
  test('only while an inspector runs, frames are events', async () => {
    const { server, meet } = await serve({ onMessage() {} });
    await meet();
    const inspected = () => watchables.get(server)?.core.inspected;
    expect(inspected()).toBe(false);
    const inspector = await watch(server);
    expect(inspected()).toBe(true);
    await inspector.stop();
    expect(inspected()).toBe(false);
  });

  test('the watched server can stop, and it is seen to', async () => {
    const { server, inspector } = await serveWatched();
    const { first } = receive(inspector.relayUrl);
    await first((event) => event.type === '@xstate.actor');
    await server.stop();
    await first((event: Heard) => isSnapshot('{"draining":"leaving"}')(event));
    await first((event: Heard) => isSnapshot('"stopped"')(event));
  });

  test('only a server can be inspected', async () => {
    await expect(inspect({} as ReturnType<typeof createServer>)).rejects.toThrow(/createServer/);
  });

  test.each([-1, 1.5, 100_001, Number.NaN])('replay %s is refused at the call', async (replay) => {
    await expect(inspect(make().server, { port: 0, replay })).rejects.toThrow(/replay/);
  });

  test('the port in use is said', async () => {
    const { inspector, server } = await serveWatched();
    const port = Number(new URL(inspector.url).port);
    await expect(inspect(server, { port })).rejects.toThrow(/in use/);
    await until(() => true);
  });
});
