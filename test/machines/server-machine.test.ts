// The shape of the server machine, and how it keeps the connections below it. What it does at each event is walked by
// the model-based tests in test/model.

import { describe, expect, test } from 'vitest';
import { createActor } from 'xstate';
import { connectionLogic } from '../../src/machines/connection-actor.ts';
import { serverMachine } from '../../src/machines/server-machine.ts';
import type { ServerEvent } from '../../src/machines/server-ports.ts';
import { RecordingConnectionPort, RecordingServerPort } from '../support/recording-port.ts';

describe('the literal', () => {
  test('its states are those that users see, and it begins stopped', () => {
    expect(Object.keys(serverMachine.states)).toEqual([
      'stopped',
      'starting',
      'listening',
      'draining',
      'failed',
    ]);
    expect(serverMachine.config.initial).toBe('stopped');
  });

  test('is plain data but for the context: nothing is lost in JSON', () => {
    const { context, ...rest } = serverMachine.config;
    expect(typeof context).toBe('function');
    expect(JSON.parse(JSON.stringify(rest))).toEqual(rest);
  });
});

describe('a stop', () => {
  /** A server in the state that these events lead to. */
  function serverAfter(...events: ServerEvent[]) {
    const server = createActor(serverMachine, { input: { port: new RecordingServerPort() } });
    server.start();
    for (const event of events) server.send(event);
    return server;
  }
  const START: ServerEvent[] = [{ type: 'server.start' }, { type: 'listener.ready' }];
  const STOP: ServerEvent = { type: 'server.stop', code: 1001, reason: '' };

  test('leaves the port open while anybody is waited for, closes it, and dismisses the last', () => {
    const server = serverAfter(...START, STOP);
    const steps: [ServerEvent, unknown, boolean][] = [
      [{ type: 'drain.progress', leaving: 1, handlers: 1, connections: 2 }, { draining: 'leaving' }, true],
      [{ type: 'drain.progress', leaving: 0, handlers: 0, connections: 1 }, { draining: 'releasing' }, false],
      [{ type: 'listener.closed', connections: 1 }, { draining: 'dismissing' }, false],
      [{ type: 'drain.progress', leaving: 0, handlers: 0, connections: 0 }, 'stopped', false],
    ];
    for (const [event, value, accepts] of steps) {
      server.send(event);
      expect([server.getSnapshot().value, server.getSnapshot().hasTag('accepting')]).toEqual([
        value,
        accepts,
      ]);
    }
  });

  test('before the port is open only closes that', () => {
    expect(serverAfter({ type: 'server.start' }, STOP).getSnapshot().value).toEqual({
      draining: 'releasing',
    });
  });

  test('that has ended by its deadline waits for no handler', () => {
    const server = serverAfter(...START, STOP, { type: 'timeout.drain' });
    server.send({ type: 'listener.closed', connections: 0 });
    expect(server.getSnapshot().value).toBe('stopped');
  });
});

describe('connections below a server', () => {
  /** A server that listens, and a way to put connections below it, as production does. */
  function listening() {
    const port = new RecordingServerPort();
    const server = createActor(serverMachine, { input: { port } });
    server.start();
    server.send({ type: 'server.start' });
    server.send({ type: 'listener.ready' });
    port.takeCalls();
    const connect = (connectionPort = new RecordingConnectionPort()) => {
      const actor = createActor(connectionLogic, {
        id: 'connection',
        parent: server,
        input: { port: connectionPort },
      });
      actor.start();
      return actor;
    };
    return { port, server, connect };
  }

  test('the end of each is told to the server, and nothing else of it', () => {
    const { port, connect } = listening();
    const [first, second] = [connect(), connect()];
    first.send({ type: 'handshake.accepted' });
    first.send({ type: 'socket.bytes', chunk: Uint8Array.of(1), shared: false });
    expect(port.takeCalls()).toEqual([]);
    first.send({ type: 'socket.closed' });
    expect(port.takeCalls()).toEqual(['connectionEnded']);
    second.send({ type: 'connection.terminate' });
    expect(port.takeCalls()).toEqual(['connectionEnded']);
  });

  test('they are told of while the server drains, too', () => {
    const { port, server, connect } = listening();
    const connection = connect();
    server.send({ type: 'server.stop', code: 1001, reason: '' });
    port.takeCalls();
    connection.send({ type: 'socket.closed' });
    expect(port.takeCalls()).toEqual(['connectionEnded']);
    server.send({ type: 'drain.progress', leaving: 0, handlers: 0, connections: 0 });
    server.send({ type: 'listener.closed', connections: 0 });
    expect(server.getSnapshot().value).toBe('stopped');
  });

  test('one that breaks on an impossible state is told of with its cause, and the server lives', () => {
    const { port, server, connect } = listening();
    const broken = new RecordingConnectionPort();
    broken.readHead = () => {
      throw new Error('impossible');
    };
    const connection = connect(broken);
    connection.subscribe({ error: () => undefined });
    connection.send({ type: 'socket.bytes', chunk: Uint8Array.of(1), shared: false });
    expect(broken.takeCalls()).toEqual(['broke Error: impossible']);
    expect(port.takeCalls()).toEqual(['connectionBroke Error: impossible']);
    expect(server.getSnapshot()).toMatchObject({ value: 'listening', status: 'active' });
  });
});

test('a server that has failed forgets why when it is started again', () => {
  const server = createActor(serverMachine, { input: { port: new RecordingServerPort() } });
  server.start();
  server.send({ type: 'server.start' });
  server.send({ type: 'listener.failed', error: new Error('port taken') });
  expect(server.getSnapshot().context.error?.message).toBe('port taken');
  server.send({ type: 'server.start' });
  expect(server.getSnapshot()).toMatchObject({ value: 'starting', context: { error: undefined } });
});
