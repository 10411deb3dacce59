/** The actor of a connection, and that it is watched as any other of XState's is. */

import { afterEach, expect, test, vi } from 'vitest';
import { createActor, waitFor } from 'xstate';
import { startConnectionActor } from '../../src/api/connection-actor.ts';
import type { ConnectionPort } from '../../src/machines/connection-ports.ts';
import { serverMachine } from '../../src/machines/server-machine.ts';
import type { ServerPort } from '../../src/machines/server-ports.ts';

const silentPort = <Port>() =>
  new Proxy({}, { get: (_, name) => (name === 'inspected' ? false : () => {}) }) as Port;
const parent = createActor(serverMachine, { input: { port: silentPort<ServerPort>() } }).start();
const start = () => startConnectionActor(silentPort<ConnectionPort>(), parent);

afterEach(() => vi.restoreAllMocks());

test('two actors that nobody watches share what they do not need', () => {
  const [one, other] = [start(), start()] as unknown as { observers: unknown; options: unknown }[];
  expect(one?.observers).toBe(other?.observers);
  expect(one?.options).toBe(other?.options);
});

test('a subscriber hears its own actor and no other', () => {
  const [one, other] = [start(), start()];
  const heard: unknown[] = [];
  const subscription = one.subscribe((snapshot) => heard.push(snapshot.value));
  other.send({ type: 'handshake.accepted' });
  expect(heard).toEqual([]);
  one.send({ type: 'handshake.accepted' });
  expect(heard).toEqual(['open']);
  subscription.unsubscribe();
  one.send({ type: 'connection.terminate' });
  expect(heard).toEqual(['open']);
});

test('waitFor and select work, and the end completes a subscriber', async () => {
  const actor = start();
  const complete = vi.fn();
  actor.subscribe({ complete });
  const states: string[] = [];
  actor.select((snapshot) => snapshot.status).subscribe((status) => states.push(status));
  const closed = waitFor(actor, (snapshot) => snapshot.matches('closed'));
  actor.send({ type: 'socket.closed' });
  expect((await closed).output).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'peer' });
  expect(states).toEqual(['done']);
  expect(complete).toHaveBeenCalledOnce();
});

test('a listener of `on` is kept by its own actor', () => {
  const [one, other] = [start(), start()] as unknown as {
    on: typeof parent.on;
    eventListeners: Map<string, unknown>;
  }[];
  one?.on('*', () => {});
  expect(one?.eventListeners.size).toBe(1);
  expect(other?.eventListeners.size).toBe(0);
});
