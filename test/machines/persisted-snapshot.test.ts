// Persisted snapshots of both machines: JSON, whatever their port leads to.

import { expect, test } from 'vitest';
import { createActor } from 'xstate';
import { connectionMachine } from '../../src/machines/connection-machine.ts';
import { serverMachine } from '../../src/machines/server-machine.ts';
import { RecordingConnectionPort, RecordingServerPort } from '../support/recording-port.ts';

/** Makes `object` hold itself, as the running server does through its ports. */
function circular<T extends object>(object: T): T {
  return Object.assign(object, { self: object });
}

test('of a connection: the port is what it says of itself', () => {
  const port = circular(new RecordingConnectionPort());
  const actor = createActor(connectionMachine, { input: { port } }).start();
  expect(JSON.parse(JSON.stringify(actor.getPersistedSnapshot()))).toEqual({
    status: 'active',
    value: { handshaking: 'reading' },
    context: { port: port.toJSON() },
    children: {},
    historyValue: {},
  });
  expect(actor.getSnapshot().context.port).toBe(port);
});

test('of a server: its failure is a name and a message', () => {
  const port = circular(new RecordingServerPort());
  const actor = createActor(serverMachine, { input: { port } }).start();
  actor.send({ type: 'server.start' });
  actor.send({ type: 'listener.failed', error: circular(new TypeError('port taken')) });
  expect(JSON.parse(JSON.stringify(actor.getPersistedSnapshot()))).toMatchObject({
    value: 'failed',
    context: { port: port.toJSON(), error: { name: 'TypeError', message: 'port taken' } },
  });
});

test('of one that broke: so is its error', () => {
  const port = new RecordingConnectionPort();
  port.readHead = () => {
    throw circular(new RangeError('impossible'));
  };
  const actor = createActor(connectionMachine, { input: { port } }).start();
  actor.subscribe({ error: () => undefined });
  actor.send({ type: 'socket.bytes', chunk: Uint8Array.of(1), shared: false });
  expect(JSON.parse(JSON.stringify(actor.getPersistedSnapshot()))).toMatchObject({
    status: 'error',
    error: { name: 'RangeError', message: 'impossible' },
  });
});
