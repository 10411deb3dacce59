/** The port of a server: taken, lost, closed while it is being opened, and free again. */

import { once } from 'node:events';
import { fstatSync } from 'node:fs';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { createServer } from '../../src/index.ts';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import { isOpen } from '../support/ports.ts';
import { gate, make, record } from '../support/serving.ts';

const portOf = (server: { address(): { port: number } | null }) => server.address()?.port ?? 0;

describe('a port', () => {
  test('that is taken: start rejects and says what to do; when it is free, the same server starts', async () => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as net.AddressInfo;
    const { server, clock } = make({ port });
    await expect(server.start()).rejects.toThrow(`port ${port} is in use`);
    expect([server.state, server.address(), clock.beats]).toEqual(['failed', null, 0]);
    await expect(server.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    squatter.close();
    await once(squatter, 'close');
    await server.start();
    expect([server.state, portOf(server)]).toEqual(['listening', port]);
  });

  test('that is taken: the server that failed can be stopped, at once', async () => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { server } = make({ port: (squatter.address() as net.AddressInfo).port });
    await expect(server.start()).rejects.toThrow();
    expect(await server.stop()).toMatchObject({ connections: 0, terminated: 0 });
    expect(server.state).toBe('stopped');
    squatter.close();
    await once(squatter, 'close');
  });

  test('that is taken costs no descriptor, which could not be opened again', async () => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as net.AddressInfo;
    const { fd } = (squatter as unknown as { _handle: { fd: number } })._handle;
    const { server } = make({ listeners: [{ fd }, { port, host: '127.0.0.1' }] });
    for (const _ of [1, 2]) await expect(server.start()).rejects.toThrow(`port ${port} is in use`);
    expect(fstatSync(fd).isSocket()).toBe(true);
    squatter.close();
    await once(squatter, 'close');
  });

  test('that is closed before it is open: the start rejects, and no port stays open', async () => {
    const { server, clock } = make();
    const starting = server.start();
    const stopping = server.stop();
    await expect(starting).rejects.toThrow('stopped before it listened');
    expect(await stopping).toMatchObject({ connections: 0, terminated: 0 });
    expect([server.state, server.address(), clock.beats]).toEqual(['stopped', null, 0]);
    await turn();
    // The leak gate of this file would find the port, were it open.
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toEqual([]);
    await server.start();
    expect(await isOpen(portOf(server))).toBe(true);
  });
});

describe('a listener that errs after it listens', () => {
  /** A listener of this test's own: it can err, and be lost. */
  class Fragile extends MemoryListener {
    lost = false;
    override address() {
      return this.lost ? null : super.address();
    }
  }

  test('a failed accept is told on errors$, and the server goes on', async () => {
    const listener = new Fragile();
    const server = createServer({ port: 0, listener });
    const errors = record(server.errors$);
    await server.start();
    listener.fail(new Error('EMFILE'));
    expect(server.state).toBe('listening');
    expect(errors.values.map(({ error }) => error)).toEqual([new Error('EMFILE')]);
    await server.stop();
  });

  test('of the errors of accepting the first of each kind is told, however many there are', async () => {
    const listener = new Fragile();
    const server = createServer({ port: 0, listener });
    const errors = record(server.errors$);
    await server.start();
    const coded = (code: string) => Object.assign(new Error(`accept ${code}`), { code });
    for (let i = 0; i < 1_000; i++) {
      listener.fail(coded('EMFILE'));
      listener.fail(coded('ECONNABORTED'));
    }
    expect(server.state).toBe('listening');
    expect(errors.values.map(({ error }) => error)).toEqual([coded('EMFILE'), coded('ECONNABORTED')]);
    listener.lost = true;
    listener.fail(coded('EMFILE'));
    expect([server.state, errors.values.length]).toEqual(['failed', 3]);
  });

  test('one that is lost fails the server with the reason; it may be started again', async () => {
    const listener = new Fragile();
    const server = createServer({ port: 0, listener });
    const errors = record(server.errors$);
    await server.start();
    listener.connect();
    await turn();
    expect(server.stats().connections.handshaking).toBe(1);
    listener.lost = true;
    listener.fail(new Error('the interface went down'));
    expect(server.state).toBe('failed');
    expect(server.actor.getSnapshot().context.error).toEqual(new Error('the interface went down'));
    expect(server.stats().connections.handshaking).toBe(0);
    expect(errors.values.length).toBeGreaterThan(0);
    listener.lost = false;
    await server.start();
    expect(server.state).toBe('listening');
    await server.stop();
  });

  test('a stop waits for its own port, not for the one that was lost before', async () => {
    const [opened, closed] = [gate(), gate()];
    const calls: string[] = [];
    const listener = new Fragile();
    const server = createServer({ port: 0, listener });
    await server.start();
    listener.listen = () => {
      calls.push('listen');
      return opened.promise;
    };
    listener.close = () => {
      calls.push('close');
      return closed.promise;
    };
    listener.lost = true;
    listener.fail(new Error('the interface went down'));
    const starting = server.start();
    let isStopped = false;
    const stopping = server.stop().then(() => {
      isStopped = true;
    });
    await expect(starting).rejects.toThrow('stopped before it listened');
    closed.open();
    await turn();
    // The lost port is closed; the new one is being opened, and closed only then.
    expect([calls, server.state, isStopped]).toEqual([['close', 'listen'], 'draining', false]);
    opened.open();
    await stopping;
    expect([calls, server.state]).toEqual([['close', 'listen', 'close'], 'stopped']);
  });
});

test('a server without a place listens nowhere, and starts and stops like any other', async () => {
  const server = createServer();
  await server.start();
  expect([server.state, server.address(), server.addresses()]).toEqual(['listening', null, []]);
  expect(await server.stop()).toEqual({ connections: 0, terminated: 0, refused: 0, handlers: 0 });
  expect(server.state).toBe('stopped');
  await server.start();
  expect(server.state).toBe('listening');
  await server.stop();
});
