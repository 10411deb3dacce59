/** `for await (const message of connection)`: order, backpressure, and every way to end. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Connection, Message } from '../../../src/index.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  pingFrame,
  RawClient,
  requestHead,
  textFrame,
} from '../../support/raw-client.ts';
import { gate, reportOf, serve, until, word, words } from '../../support/serving.ts';

const iterate = (connection: Connection) => connection[Symbol.asyncIterator]();

/** The messages that a loop over `connection` sees, as they come. */
function loop(connection: Connection, body: (message: Message) => unknown = () => {}) {
  const seen: Message[] = [];
  const done = (async () => {
    for await (const message of connection) {
      seen.push(message);
      await body(message);
    }
  })();
  return { seen, done };
}

describe('for await', () => {
  test('gives each message in order and ends with the connection, whatever the way', async () => {
    const ends: ((client: RawClient, connection: Connection) => unknown)[] = [
      (client) => client.sendBytes(closeFrame(1000)),
      (client) => client.fin(),
      (client) => client.reset(),
      (_, connection) => connection.terminate(),
    ];
    for (const end of ends) {
      const { meet } = await serve({});
      const { client, connection } = await meet();
      const { seen, done } = loop(connection);
      await client.sendBytes(bytes(textFrame('1'), textFrame('2', { fin: false }), continuationFrame('3')));
      await client.sendBytes(pingFrame());
      await word(client);
      await end(client, connection);
      client.fin();
      await done;
      expect(seen).toEqual(['1', '23']);
    }
  });

  test('inside an async onOpen serves the whole connection, from the first glued message on', async () => {
    const { port } = await serve({
      async onOpen(connection) {
        await turn();
        for await (const message of connection) connection.send(`echo ${message}`);
        connection.send('never');
      },
    });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(requestHead(), textFrame('1'), textFrame('2')));
    expect(await words(client, 2)).toEqual(['text echo 1', 'text echo 2']);
    await client.sendBytes(closeFrame(1000));
    expect(await words(client, 1)).toEqual(['close 1000']);
  });

  test('what came before a Close that was seen meanwhile still comes, and then the loop ends', async () => {
    const seen: string[] = [];
    const { port } = await serve({
      async onOpen(connection) {
        await turn();
        for await (const message of connection) seen.push(`${message} ${connection.send('late')}`);
        seen.push('end');
      },
    });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(requestHead(), textFrame('1'), textFrame('2'), closeFrame(1000)));
    expect(await words(client, 1)).toEqual(['close 1000']);
    client.fin();
    await until(() => seen.length === 3);
    expect(seen).toEqual(['1 closed', '2 closed', 'end']);
  });

  test('inside an async subscriber of connections$', async () => {
    const { server, call } = await serve({});
    server.connections$.subscribe(async (connection) => {
      for await (const message of connection) connection.send(`echo ${message}`);
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    expect(await words(client, 2)).toEqual(['text echo 1', 'text echo 2']);
  });

  test('that throws inside onOpen fails the connection with 1011', async () => {
    const { call, errors } = await serve({
      async onOpen(connection) {
        for await (const message of connection) throw new Error(`about ${message}`);
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    expect(await word(client)).toBe('close 1011 internal error');
    expect(errors.map(({ error }) => (error as Error).message)).toEqual(['about 1']);
  });

  test('reads a message only when the loop asks for it, and TCP holds the peer back', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    let reads = 0;
    connection.messages$.subscribe(() => {
      reads += 1;
    });
    const step = gate();
    const { seen, done } = loop(connection, () => step.promise);
    await client.sendBytes(bytes(textFrame('1'), textFrame('2'), textFrame('3')));
    await client.sendBytes(textFrame('4'));
    await until(() => seen.length === 1);
    for (let i = 0; i < 10; i++) await turn();
    expect([reads, seen]).toEqual([1, ['1']]);
    step.open();
    await until(() => seen.length === 4);
    client.destroy();
    await done;
    expect(seen).toEqual(['1', '2', '3', '4']);
  });

  test('break lets the reading go on without it, and closes nothing', async () => {
    const { meet } = await serve({ onMessage: (connection, message) => void connection.send(message) });
    const { client, connection } = await meet();
    const loop = (async () => {
      for await (const message of connection) if (message === 'stop') break;
    })();
    await client.sendBytes(bytes(textFrame('1'), textFrame('stop'), textFrame('2'), textFrame('3')));
    await loop;
    expect(await words(client, 4)).toEqual(['text 1', 'text stop', 'text 2', 'text 3']);
    expect(connection.state).toBe('open');
  });

  test('break and loop again, with what waits in between', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const first = (async () => {
      for await (const message of connection) return message;
      return undefined;
    })();
    const rest = first.then(async () => loop(connection));
    await client.sendBytes(textFrame('1'));
    expect(await first).toBe('1');
    const { seen, done } = await rest;
    await client.sendBytes(bytes(textFrame('2'), textFrame('3'), closeFrame(1000)));
    client.fin();
    await done;
    expect(seen).toEqual(['2', '3']);
  });

  test('with what it was given before a FIN', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const step = gate();
    const { seen, done } = loop(connection, () => step.promise);
    await client.sendBytes(bytes(textFrame('1'), textFrame('2'), textFrame('3')));
    client.fin();
    await until(() => seen.length === 1);
    for (let i = 0; i < 10; i++) await turn();
    step.open();
    await done;
    expect(seen).toEqual(['1', '2', '3']);
  });

  test('after our close gives what comes until the peer’s Close', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const { seen, done } = loop(connection, (message) => message === '1' && connection.close());
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    expect(await word(client)).toBe('close 1000');
    await client.sendBytes(bytes(textFrame('3'), closeFrame(1000)));
    client.fin();
    await done;
    expect(seen).toEqual(['1', '2', '3']);
    expect(await reportOf(connection)).toMatchObject({ code: 1000, wasClean: true });
  });
});

describe('an iterator by hand', () => {
  test('several next at once are answered in order', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const iterator = iterate(connection);
    const three = [iterator.next(), iterator.next(), iterator.next()];
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    client.fin();
    expect(await Promise.all(three)).toEqual([
      { done: false, value: '1' },
      { done: false, value: '2' },
      { done: true, value: undefined },
    ]);
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
  });

  test('return ends it, also a next that waits, and twice', async () => {
    const { meet } = await serve({ onMessage: (connection, message) => void connection.send(message) });
    const { client, connection } = await meet();
    const iterator = iterate(connection);
    const waiting = iterator.next();
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined });
    expect(await waiting).toEqual({ done: true, value: undefined });
    await iterator.return?.();
    await client.sendBytes(textFrame('goes on'));
    expect(await word(client)).toBe('text goes on');
  });

  test('of a connection that has ended is done', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    client.destroy();
    await reportOf(connection);
    expect(await iterate(connection).next()).toEqual({ done: true, value: undefined });
  });

  test('several read in step: each gets every message, and the slowest holds the reading back', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const step = gate();
    const slow = loop(connection, () => step.promise);
    const quick = loop(connection);
    await client.sendBytes(bytes(textFrame('1'), textFrame('2'), textFrame('3')));
    await until(() => slow.seen.length === 1);
    for (let i = 0; i < 10; i++) await turn();
    expect(quick.seen).toEqual(['1']);
    step.open();
    await client.sendBytes(closeFrame(1000));
    client.fin();
    await Promise.all([slow.done, quick.done]);
    expect([slow.seen, quick.seen]).toEqual([
      ['1', '2', '3'],
      ['1', '2', '3'],
    ]);
  });

  test('one of several that returns lets the others go on', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const idle = iterate(connection);
    const { seen, done } = loop(connection);
    await client.sendBytes(bytes(textFrame('1'), textFrame('2'), closeFrame(1000)));
    client.fin();
    for (let i = 0; i < 10; i++) await turn();
    expect(seen).toEqual([]);
    await idle.return?.();
    await done;
    expect(seen).toEqual(['1', '2']);
  });

  test('pause holds a next that waits until resume', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const next = iterate(connection).next();
    connection.pause();
    await client.sendBytes(textFrame('1'));
    let isHere = false;
    next.then(() => {
      isHere = true;
    });
    for (let i = 0; i < 10; i++) await turn();
    expect(isHere).toBe(false);
    connection.resume();
    expect(await next).toEqual({ done: false, value: '1' });
  });
});
