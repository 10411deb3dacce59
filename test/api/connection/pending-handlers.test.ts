/** Handlers whose promises are pending: when one is told as pending for long, and what the peer's end means for them. */

import { firstValueFrom } from 'rxjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../../src/index.ts';
import { bytes, closeFrame, pingFrame, type RawClient, textFrame } from '../../support/raw-client.ts';
import { gate, reportOf, serve, until, word } from '../../support/serving.ts';

afterEach(() => void vi.restoreAllMocks());

const listenForWarnings = () => {
  const said: string[] = [];
  vi.spyOn(process, 'emitWarning').mockImplementation((text) => void said.push(String(text)));
  return said;
};
const never = () => new Promise(() => {});

describe('a handler that is pending for long', () => {
  test('is told after 30 s, once for each path, by a warning that names the path', async () => {
    const said = listenForWarnings();
    let pending = 0;
    const slow = {
      onMessage: () => {
        pending++;
        return never();
      },
    };
    const { call, clock } = await serve(slow, {
      paths: { '/echo': slow, '/:room': slow },
      heartbeatInterval: Number.POSITIVE_INFINITY,
    });
    const clients = [await call(), await call(), await call({ path: '/lobby' })];
    for (const client of clients) await client.sendBytes(textFrame('x'));
    await until(() => pending === 3);
    clock.advance(29_900);
    expect(said).toEqual([]);
    clock.advance(300);
    expect(
      said.map((text) => text.match(/a handler of (\S+) has been pending for 30 s/)?.[1]).sort(),
    ).toEqual(['/:room', '/echo']);
    await clients[0]?.sendBytes(bytes(closeFrame(1000)));
    const another = await call();
    await another.sendBytes(textFrame('x'));
    await until(() => pending === 4);
    clock.advance(60_000);
    expect(said).toHaveLength(2);
  });

  test('each kind of handler is; many that are quick are not', async () => {
    const said = listenForWarnings();
    for (const slow of [{ onOpen: never }, { onFragment: never }, { onClose: never }]) {
      const { meet, clock } = await serve(slow, { handlerWarning: 1000 });
      const { client, connection } = await meet();
      if ('onFragment' in slow) {
        await client.sendBytes(textFrame('x'));
        await until(() => connection.stats().messagesIn === 1);
      } else if ('onClose' in slow) connection.terminate();
      clock.advance(1_200);
    }
    expect(said).toHaveLength(3);
    let doors = [gate()];
    let heard = 0;
    const { call, clock } = await serve(
      { onMessage: () => doors[heard++]?.promise },
      { handlerWarning: 1000 },
    );
    const client = await call();
    doors = Array.from({ length: 5 }, () => gate());
    for (const [index, door] of doors.entries()) {
      await client.sendBytes(textFrame('x'));
      await until(() => heard === index + 1);
      clock.advance(700);
      door.open();
      await new Promise((resolve) => setImmediate(resolve));
    }
    clock.advance(5_000);
    expect(said).toHaveLength(3);
  });

  test('is not told where it reads by for await, or with Infinity', async () => {
    const said = listenForWarnings();
    const reads = async (connection: Connection) => {
      for await (const message of connection) connection.send(message);
    };
    const { call, clock } = await serve({ onOpen: reads }, { handlerWarning: 1000 });
    const client = await call();
    await client.sendBytes(textFrame('x'));
    expect(await word(client)).toBe('text x');
    clock.advance(10_000);
    const quiet = await serve({ onOpen: never }, { handlerWarning: Number.POSITIVE_INFINITY });
    await quiet.call();
    quiet.clock.advance(80_000_000);
    expect(said).toEqual([]);
  });
});

describe('connection.signal', () => {
  const pending = { onMessage: never };
  const limits = { heartbeatInterval: 1000, pongDeadline: 1000 };
  const ways: [string, (client: RawClient) => unknown, object][] = [
    [
      'Close',
      (client) => client.sendBytes(closeFrame(4001, 'bye')),
      { code: 4001, reason: 'bye', wasClean: true, initiator: 'peer' },
    ],
    [
      'Close after messages',
      (client) => client.sendBytes(bytes(textFrame('a'), textFrame('b'), pingFrame(), closeFrame(1001))),
      { code: 1001, wasClean: true, initiator: 'peer' },
    ],
    ['FIN', (client) => client.fin(), { code: 1006, wasClean: false, initiator: 'peer' }],
    ['reset', (client) => client.reset(), { code: 1006, wasClean: false, initiator: 'peer' }],
    [
      'a violation',
      (client) => client.sendBytes(Uint8Array.of(0x83, 0x80, 0, 0, 0, 0)),
      { code: 1002, wasClean: false, initiator: 'server' },
    ],
  ];

  test.each(ways)(
    'aborts at once with the report, during a pending handler: %s',
    async (_, leave, expected) => {
      const { meet } = await serve(pending, limits);
      const { client, connection } = await meet();
      await client.sendBytes(textFrame('a prompt'));
      await until(() => connection.stats().messagesIn === 1);
      const { signal } = connection;
      expect(signal.aborted).toBe(false);
      await leave(client);
      await until(() => signal.aborted);
      expect(signal.reason).toMatchObject(expected);
      client.fin();
      const report = await new Promise((resolve) => {
        const closed = reportOf(connection);
        void closed.then(resolve);
        connection.terminate(); // what waits behind the handler would delay the news by a second
      });
      expect(report).toEqual(signal.reason);
    },
  );

  test('aborts when the heartbeat finds nobody', async () => {
    const { meet, clock } = await serve(pending, limits);
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('a prompt'));
    await until(() => connection.stats().messagesIn === 1);
    const { signal } = connection;
    client.pause();
    clock.advance(3_000);
    expect(signal.reason).toEqual({
      code: 1006,
      reason: 'pong deadline passed',
      wasClean: false,
      initiator: 'server',
    });
  });

  test('asked for afterwards it is aborted already, with the same report', async () => {
    const { meet } = await serve();
    const { client, connection } = await meet();
    await client.sendBytes(closeFrame(4001, 'bye'));
    await until(() => connection.state === 'closing');
    expect(connection.signal.reason).toMatchObject({ code: 4001, wasClean: true });
    client.fin();
    expect(connection.signal.reason).toEqual(await reportOf(connection));
  });

  test('our own close aborts it when the peer has answered', async () => {
    const { meet } = await serve();
    const { client, connection } = await meet();
    const { signal } = connection;
    connection.close(4000, 'enough');
    expect(signal.aborted).toBe(false);
    await client.sendBytes(closeFrame(4000));
    await until(() => signal.aborted);
    expect(signal.reason).toEqual({ code: 4000, reason: '', wasClean: true, initiator: 'server' });
  });

  test('what gave up because of it has not failed', async () => {
    const said = listenForWarnings();
    let asked = 0;
    const { meet, errors } = await serve({
      onMessage: ({ signal }, message) => {
        asked++;
        return new Promise((_, reject) => {
          const abort = new DOMException('This operation was aborted', 'AbortError');
          signal.addEventListener('abort', () => reject(message === 'reason' ? signal.reason : abort));
        });
      },
    });
    for (const message of ['reason', 'AbortError']) {
      const { client, connection } = await meet();
      await client.sendBytes(textFrame(message));
      await until(() => asked > 0);
      asked = 0;
      client.fin();
      expect(await reportOf(connection)).toMatchObject({ code: 1006 });
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect([errors, said]).toEqual([[], []]);
  });
});

describe('the end, behind a pending handler', () => {
  test('close() and then closed$ in a handler ends as soon as the peer answers', async () => {
    const ended = gate<unknown>();
    const { call } = await serve({
      async onMessage(connection) {
        connection.close(4000);
        ended.open(await firstValueFrom(connection.closed$));
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('x'));
    expect(await client.closeFrame()).toMatchObject({ code: 4000 });
    await client.sendBytes(closeFrame(4000));
    client.fin();
    // The clock stands still: no deadline can have helped.
    expect(await ended.promise).toMatchObject({ code: 4000, wasClean: true, initiator: 'server' });
  });

  test.each([
    ['onMessage', false],
    ['for await', true],
  ])('what waited is delivered in order, then the end is told: %s', async (_, iterates) => {
    const told: string[] = [];
    const door = gate();
    const take = async (message: unknown) => {
      told.push(String(message));
      await door.promise;
    };
    const handlers = iterates
      ? {
          async onOpen(connection: Connection) {
            for await (const message of connection) await take(message);
            told.push('loop ended');
          },
        }
      : { onMessage: (_: Connection, message: unknown) => take(message) };
    const { meet } = await serve({ ...handlers, onClose: () => void told.push('closed') });
    const { client, connection } = await meet();
    await client.sendBytes(bytes(...['a', 'b', 'c'].map((text) => textFrame(text)), closeFrame(1001)));
    client.fin();
    await until(() => connection.signal.aborted && connection.state === 'closed');
    expect(told).toEqual(['a']);
    door.open();
    await until(() => told.includes('closed') && (!iterates || told.includes('loop ended')));
    // The loop is given `c` before the end is told, but gets it in a microtask.
    if (iterates) expect(told.filter((word) => word !== 'closed')).toEqual(['a', 'b', 'c', 'loop ended']);
    else expect(told).toEqual(['a', 'b', 'c', 'closed']);
  });

  test('not where the user closes after the peer has said goodbye', async () => {
    const told: string[] = [];
    const door = gate();
    const { meet } = await serve({
      async onMessage(connection, message) {
        told.push(String(message));
        await door.promise;
        connection.close();
      },
    });
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('a'), textFrame('b'), closeFrame(1001)));
    await until(() => connection.signal.aborted);
    door.open();
    client.fin();
    await reportOf(connection);
    await new Promise((resolve) => setImmediate(resolve));
    expect(told).toEqual(['a']);
  });
});
