/** The channels of `node:diagnostics_channel`: their names, and what is published where somebody listens. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, expect, test } from 'vitest';
import { connectionChannels, serverChannels } from '../../../src/api/inspection/channels.ts';
import { type TestServer, testServer } from '../../../src/testing/index.ts';

let served: TestServer | undefined;
afterEach(() => served?.stop());

test('each state has a channel of its own, under the name that users subscribe to', () => {
  const names = (channels: object) => Object.values(channels).map(({ name }) => name);
  expect(names(connectionChannels)).toEqual([
    'portal-ws.connection.open',
    'portal-ws.connection.fragmenting',
    'portal-ws.connection.closing',
    'portal-ws.connection.closed',
  ]);
  expect(names(serverChannels)).toEqual([
    'portal-ws.server.stopped',
    'portal-ws.server.starting',
    'portal-ws.server.listening',
    'portal-ws.server.draining',
    'portal-ws.server.failed',
  ]);
  expect(connectionChannels.open).toBe(channel('portal-ws.connection.open'));
});

test('the life of a server and of one connection, in order', async () => {
  const heard: string[] = [];
  const all = [...Object.values(connectionChannels), ...Object.values(serverChannels)];
  const hear = (message: unknown, name: string | symbol) => {
    const { from, to } = message as { from: string; to: string };
    heard.push(`${String(name)}: ${from} to ${to}`);
  };
  for (const { name } of all) subscribe(name, hear);
  try {
    served = await testServer({ paths: { '/': {} } });
    const client = await served.connect('/');
    await client.close();
    await served.advance(50);
    await served.stop();
    served = undefined;
  } finally {
    for (const { name } of all) unsubscribe(name, hear);
  }
  expect(heard).toEqual([
    'portal-ws.server.starting: stopped to starting',
    'portal-ws.server.listening: starting to listening',
    'portal-ws.connection.open: handshaking to open',
    'portal-ws.connection.closing: open to closing',
    'portal-ws.connection.closed: closing to closed',
    'portal-ws.server.draining: listening to draining',
    'portal-ws.server.stopped: draining to stopped',
  ]);
});
