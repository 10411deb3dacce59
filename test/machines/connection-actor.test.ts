/** The actor of a connection: made when somebody asks, from the state that it is in, and watched as any other. */

import { expect, test, vi } from 'vitest';
import { createActor, waitFor } from 'xstate';
import { succeed } from '../../../src/api/connection/connection-actor.ts';
import type { ConnectionEvent } from '../../../src/machines/connection-ports.ts';
import { Interpreter } from '../../../src/machines/interpreter.ts';
import { serverMachine } from '../../../src/machines/server-machine.ts';
import { RecordingConnectionPort, RecordingServerPort } from '../../support/recording-port.ts';

function start(...events: ConnectionEvent[]) {
  const server = new RecordingServerPort();
  const parent = createActor(serverMachine, { input: { port: server } }).start();
  const port = new RecordingConnectionPort();
  const interpreter = new Interpreter(port, parent);
  for (const event of events) interpreter.send(event);
  port.takeCalls();
  return { server, parent, port, interpreter };
}

const accepted = { type: 'handshake.accepted' } as const;
const LOST = { code: 1006, reason: '', wasClean: false, initiator: 'peer' };

test.each<[string, ConnectionEvent[], unknown]>([
  ['nothing', [], { handshaking: 'reading' }],
  ['the handshake', [accepted], 'open'],
  [
    'a Close in a message',
    [
      accepted,
      { type: 'fragment.begin', byteLength: 1 },
      { type: 'connection.close', code: 1000, reason: '' },
    ],
    { closing: { local: 'fragmenting' } },
  ],
])('after %s it goes on from there, and does nothing twice', (_, events, value) => {
  const { port, parent, interpreter } = start(...events);
  const actor = succeed(interpreter, parent);
  expect(actor.getSnapshot().value).toEqual(value);
  expect(actor.getSnapshot().context).toEqual({ port, report: interpreter.report });
  expect(actor.system).toBe(parent.system);
  expect(port.takeCalls()).toEqual([]);
});

test('events reach it, and a subscriber hears its own actor and no other', () => {
  const [one, other] = [start(), start()];
  const [watched, unwatched] = [
    succeed(one.interpreter, one.parent),
    succeed(other.interpreter, other.parent),
  ];
  const heard: unknown[] = [];
  const subscription = watched.subscribe((snapshot) => heard.push(snapshot.value));
  unwatched.send(accepted);
  expect(heard).toEqual([]);
  one.interpreter.send(accepted);
  expect(heard).toEqual(['open']);
  expect(one.port.takeCalls()[0]).toBe('acceptHandshake');
  subscription.unsubscribe();
  one.interpreter.send({ type: 'connection.terminate' });
  expect(heard).toEqual(['open']);
  expect(one.server.takeCalls()).toEqual(['connectionEnded']);
});

test('waitFor and select work, and the end completes a subscriber', async () => {
  const { interpreter, parent } = start();
  const actor = succeed(interpreter, parent);
  const complete = vi.fn();
  actor.subscribe({ complete });
  const states: string[] = [];
  actor.select((snapshot) => snapshot.status).subscribe((status) => states.push(status));
  const closed = waitFor(actor, (snapshot) => snapshot.matches('closed'));
  interpreter.send({ type: 'socket.closed' });
  expect((await closed).output).toEqual(LOST);
  expect(states).toEqual(['done']);
  expect(complete).toHaveBeenCalledOnce();
});

test('asked for by a handler, it takes what that handler sends when the event is done', () => {
  const { port, parent, interpreter } = start();
  const heard: unknown[] = [];
  port.deliver = () => {
    succeed(interpreter, parent).subscribe(({ value }) => heard.push(value));
    interpreter.send({ type: 'connection.close', code: 1000, reason: '' });
    expect(heard).toEqual([]);
    port.deliver = () => undefined;
  };
  interpreter.send(accepted);
  expect(heard).toEqual(['open', { closing: { local: 'idle' } }]);
});

test('asked for when the connection has ended, it is done, with the report', () => {
  const { interpreter, parent } = start({ type: 'socket.closed' });
  const actor = succeed(interpreter, parent);
  expect(actor.getSnapshot()).toMatchObject({ status: 'done', output: LOST });
  const complete = vi.fn();
  actor.subscribe({ complete });
  expect(complete).toHaveBeenCalledOnce();
});

test('asked for when the connection broke, it has the error', () => {
  const { interpreter, parent, port } = start(accepted);
  const error = new Error('impossible');
  port.read = () => {
    throw error;
  };
  interpreter.send({ type: 'socket.bytes', chunk: Uint8Array.of(1), shared: false });
  expect(succeed(interpreter, parent).getSnapshot()).toMatchObject({ status: 'error', error });
});
