/** A server as its user has it: it starts, and tells of all its connections. */
import { describe, expect, test } from 'vitest';
import { isOpen } from '../../support/ports.ts';
import { bytes, closeFrame, continuationFrame, pingFrame, textFrame } from '../../support/raw-client.ts';
import { make, record, reportOf, serve, word } from '../../support/serving.ts';

describe('start', () => {
  test('resolves with the server when it listens; address says where, before that null', async () => {
    const { server } = make();
    expect([server.state, server.address()]).toEqual(['stopped', null]);
    const starting = server.start();
    expect(server.state).toBe('starting');
    expect(await starting).toBe(server);
    expect(server.state).toBe('listening');
    expect(server.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: expect.any(Number) });
  });

  test('twice is one start', async () => {
    const { server } = make();
    expect(await Promise.all([server.start(), server.start()])).toEqual([server, server]);
    await server.start();
    expect(await isOpen(server.address()?.port ?? 0)).toBe(true);
  });
});

describe('streams of a server', () => {
  test('lifecycle$: each change with the connection, from where, to where, by which event, and when', async () => {
    const { server, meet, clock } = await serve({ onMessage: () => {} });
    const lifecycle = record(server.lifecycle$);
    const ofPath = record(server.path('/echo').lifecycle$);
    clock.advance(1234);
    const { client, connection } = await meet();
    await client.sendBytes(
      bytes(textFrame('a', { fin: false }), continuationFrame('b'), pingFrame(), closeFrame(1000)),
    );
    await client.ended();
    client.fin();
    await reportOf(connection);
    const change = (from: string, to: string, event: string) => ({ connection, from, to, event, at: 1234 });
    expect(lifecycle.values).toEqual([
      change('handshaking', 'open', 'handshake.accepted'),
      change('open', 'fragmenting', 'fragment.begin'),
      change('fragmenting', 'open', 'fragment.end'),
      change('open', 'closing', 'close.received'),
      change('closing', 'closed', expect.stringMatching(/^socket\./) as unknown as string),
    ]);
    expect(ofPath.values).toEqual(lifecycle.values);
  });

  test('connections$ and messages$ of the server and of one path; unsubscribing closes nothing', async () => {
    const { server, meet } = await serve({}, { paths: { '/a': {}, '/b': {} }, onMessage: () => {} });
    const all = record(server.connections$);
    const onlyA = record(server.path('/a').connections$);
    const messages = record(server.messages$);
    const messagesOfA = record(server.path('/a').messages$);
    const [a, b] = [await meet({ path: '/a' }), await meet({ path: '/b' })];
    await a.client.sendBytes(bytes(textFrame('to a'), pingFrame()));
    await word(a.client);
    await b.client.sendBytes(bytes(textFrame('to b'), pingFrame()));
    await word(b.client);
    expect(all.values).toEqual([a.connection, b.connection]);
    expect(onlyA.values).toEqual([a.connection]);
    const [toA, toB] = [
      { connection: a.connection, message: 'to a' },
      { connection: b.connection, message: 'to b' },
    ];
    expect([messages.values, messagesOfA.values]).toEqual([[toA, toB], [toA]]);
    expect([a.connection.state, server.state]).toEqual(['open', 'listening']);
  });

  test('connections is the set of those that are open', async () => {
    const { server, meet } = await serve({
      onOpen: (c) => void expect(server.connections.has(c)).toBe(true),
    });
    const { client, connection } = await meet();
    expect([...server.connections]).toEqual([connection]);
    client.destroy();
    await reportOf(connection);
    expect([...server.connections]).toEqual([]);
  });

  test('errors$ of a path: its own, and each error once', async () => {
    const { server, call, errors } = await serve(
      {},
      { paths: { '/a': { onMessage: () => Promise.reject(new Error('a')) }, '/b': {} } },
    );
    const [ofA, ofB] = [record(server.path('/a').errors$), record(server.path('/b').errors$)];
    const client = await call({ path: '/a' });
    await client.sendBytes(textFrame('x'));
    await word(client);
    expect([ofA.values.length, ofB.values.length, errors.length]).toEqual([1, 0, 1]);
    expect(errors[0]).toEqual(ofA.values[0]);
  });
});
