// Servers that are joined by an engine, in memory: what their users see of it.

import { afterEach, describe, expect, test } from 'vitest';
import { BackplaneError, OptionError } from '../../../src/api/errors.ts';
import { createServer } from '../../../src/api/server/registry.ts';
import type { Server } from '../../../src/api/server/server.ts';
import { MemoryEngine } from '../../../src/testing/memory-engine.ts';
import { settled, type TestServer, testServer } from '../../../src/testing/server.ts';
import type { Backplane } from '../../../src/topics/backplane.ts';

const running: TestServer[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
});

async function start(backplane: Backplane): Promise<TestServer> {
  const made = await testServer((parts) => {
    const server = createServer({ ...parts, backplane });
    server.path('/:topic', {
      onOpen: (connection) => void connection.join(connection.params.topic),
      onMessage(connection, message) {
        server.topic(connection.params.topic).publish(message, { except: connection });
      },
    });
    return server;
  });
  running.push(made);
  await settled();
  return made;
}

const errorsOf = (server: Server) => {
  const errors: unknown[] = [];
  server.errors$.subscribe(({ error }) => errors.push(error));
  return errors;
};

test('without the option there is none', () => {
  const server = createServer();
  expect([server.backplane, server.stats().backplane]).toEqual([undefined, undefined]);
});

test('what is no backplane is an error at once', () => {
  expect(() => createServer({ backplane: { start() {} } as never })).toThrow(OptionError);
  expect(() => createServer({ backplane: 'nats://' as never })).toThrow(
    'option backplane is "nats://"; allowed is an object with start, stop, subscribe, unsubscribe, publish',
  );
});

describe('two servers', () => {
  test('are one: a message goes to all members but the one it came from', async () => {
    const engine = new MemoryEngine();
    const [a, b] = [await start(engine.backplane()), await start(engine.backplane())];
    const [one, two] = [await a.connect('/t'), await a.connect('/t')];
    const [three, other] = [await b.connect('/t'), await b.connect('/u')];
    one.send('hello');
    one.send(Uint8Array.of(1, 2));
    for (const member of [two, three]) {
      expect(await member.message()).toBe('hello');
      expect(await member.message()).toEqual(Uint8Array.of(1, 2));
    }
    three.send('back');
    expect([await one.message(), await two.message()]).toEqual(['back', 'back']);
    const [{ uid } = { uid: '' }] = a.server.connections;
    b.server.topic('t').publish('but one', { except: uid });
    b.server.topic('u').publish('marker');
    b.server.topic('t').publish('all');
    expect([await two.message(), await three.message(), await other.message()]).toEqual([
      'but one',
      'but one',
      'marker',
    ]);
    expect([await one.message(), await two.message(), await three.message()]).toEqual(['all', 'all', 'all']);
  });

  test('hear a topic only while somebody is in it', async () => {
    const engine = new MemoryEngine();
    const a = await start(engine.backplane());
    expect(engine.subscribers('t')).toBe(0);
    const [one, two] = [await a.connect('/t'), await a.connect('/t')];
    expect(engine.subscribers('t')).toBe(1);
    one.close();
    two.close();
    await a.advance(900);
    expect(engine.subscribers('t')).toBe(1);
    await a.advance(300);
    expect(engine.subscribers('t')).toBe(0);
  });

  test('serve their own while the engine is away, and tell of the gap when it is back', async () => {
    const engine = new MemoryEngine();
    const [a, b] = [await start(engine.backplane()), await start(engine.backplane())];
    const [one, two, three] = [await a.connect('/t'), await a.connect('/t'), await b.connect('/t')];
    const states: string[] = [];
    a.server.backplane?.state$.subscribe((state) => states.push(state));
    const gaps: unknown[] = [];
    for (const { server } of [a, b]) server.topic('t').gap$.subscribe((gap) => gaps.push(gap));
    const errors = errorsOf(a.server);
    errorsOf(b.server);

    engine.down();
    one.send('only here');
    expect(await two.message()).toBe('only here');
    expect(errors).toMatchObject([
      {
        name: 'BackplaneError',
        code: 'ERR_BACKPLANE',
        engine: 'memory',
        message: 'backplane memory: the engine is down',
      },
    ]);
    expect(errors[0]).toBeInstanceOf(BackplaneError);
    await a.advance(150);
    engine.up();
    await b.advance(500);
    await a.advance(500);
    expect(states).toEqual(['up', 'waiting', 'connecting', 'waiting', 'connecting', 'up']);
    // Each of its own engine's absence; the one that could not publish tells the other of it, too.
    expect(gaps).toHaveLength(3);
    one.send('everywhere');
    expect([await two.message(), await three.message()]).toEqual(['everywhere', 'everywhere']);
    expect(a.server.stats().backplane).toEqual({
      state: 'up',
      topics: 1,
      published: 1,
      delivered: 0,
      dropped: 1,
      reconnects: 1,
    });
    expect(b.server.stats().backplane).toMatchObject({ delivered: 1, dropped: 0 });
  });
});

describe('start and stop', () => {
  test('a start does not wait for the engine; a stop ends it, and the server may be started again', async () => {
    const engine = new MemoryEngine();
    engine.down();
    const server = createServer({ port: 0, host: '127.0.0.1', backplane: engine.backplane() });
    const errors = errorsOf(server);
    server.topic('t').messages$.subscribe();
    await server.start();
    await settled();
    expect([server.backplane?.name, server.backplane?.state, errors.length]).toEqual([
      'memory',
      'waiting',
      1,
    ]);
    const stop = server.stop();
    expect(server.stop()).toBe(stop);
    await stop;
    expect(server.backplane?.state).toBe('down');
    engine.up();
    await server.start();
    await settled();
    expect([server.backplane?.state, engine.subscribers('t')]).toEqual(['up', 1]);
    await server.stop();
    expect(engine.subscribers('t')).toBe(0);
  });

  test('a stop resolves when the engine has ended', async () => {
    const plane = new MemoryEngine().backplane();
    let end = () => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const order: string[] = [];
    const server = createServer({
      port: 0,
      host: '127.0.0.1',
      backplane: {
        name: 'slow',
        start: (...parts) => plane.start(...parts),
        subscribe() {},
        unsubscribe() {},
        publish() {},
        async stop() {
          order.push('asked');
          await ended;
          order.push('ended');
        },
      },
    });
    await server.start();
    await settled();
    const stopped = server.stop().then(() => order.push('stopped'));
    while (order.length === 0) await settled();
    end();
    await stopped;
    expect(order).toEqual(['asked', 'ended', 'stopped']);
  });

  test('a start during a stop starts the engine after it', async () => {
    const engine = new MemoryEngine();
    const server = createServer({ port: 0, host: '127.0.0.1', backplane: engine.backplane() });
    await server.start();
    await settled();
    const stop = server.stop();
    const again = server.start();
    await Promise.all([stop, again]);
    await settled();
    expect(server.backplane?.state).toBe('up');
    await server.stop();
  });
});

test('an inspector sees the link beside the server', async () => {
  const engine = new MemoryEngine();
  const { server } = await start(engine.backplane());
  const seen: string[] = [];
  const inspection = server.inspect(({ type, actorRef }) => {
    if (type === '@xstate.actor') seen.push((actorRef as unknown as { id: string }).id);
  });
  expect(seen).toEqual(['server', 'backplane']);
  inspection.unsubscribe();
  expect(server.backplane?.actor.getSnapshot().value).toBe('up');
});
