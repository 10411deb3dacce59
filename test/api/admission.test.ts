/** Whom a server lets in under load: handshakes at a time, addresses behind proxies, the age of connections. */
import { describe, expect, test } from 'vitest';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import { bytes, continuationFrame, RawClient, textFrame } from '../support/raw-client.ts';
import { gate, reportOf, serve, until, word } from '../support/serving.ts';

const slow = async (port: number) => {
  const client = await RawClient.connect(port, { sendHead: false });
  await client.sendBytes(bytes('GET /echo HTTP/1.1\r\n'));
  return client;
};

describe('maxHandshakes', () => {
  test('one more crowds out the one that has been sending its head for the longest time', async () => {
    const { port, call, server, errors } = await serve({}, { maxHandshakes: 2 });
    const [first, second] = [await slow(port), await slow(port)];
    await until(() => server.stats().connections.handshaking === 2);
    expect(server.stats().limits).toEqual({});
    const third = await call();
    const response = await first.response();
    expect([response.status, response.headers['retry-after']]).toEqual([503, '5']);
    expect(response.body).toContain('maxHandshakes');
    expect([second.hasEnded, third.hasEnded]).toEqual([false, false]);
    expect(errors).toMatchObject([{ connection: undefined, error: { code: 'ERR_HANDSHAKE', status: 503 } }]);
    expect(server.stats().limits).toEqual({ maxHandshakes: 1 });
  });

  test('those that authorize decides about count, and are not crowded out', async () => {
    const decision = gate<true>();
    const { port, server, call } = await serve({ authorize: () => decision.promise }, { maxHandshakes: 1 });
    const waiting = await RawClient.connect(port);
    await until(() => server.stats().bytesIn > 0);
    const refused = await RawClient.connect(port, { sendHead: false });
    expect((await refused.response()).status).toBe(503);
    decision.open(true);
    expect((await waiting.response()).status).toBe(101);
    await call();
    expect(server.connections.size).toBe(2);
  });

  test('every end of a handshake makes room', async () => {
    const { port, server, call, clock } = await serve({}, { maxHandshakes: 1, handshakeDeadline: 1000 });
    const none = () => until(() => server.stats().connections.handshaking === 0);
    for (const end of ['fin', 'reset'] as const) {
      (await slow(port))[end]();
      await none();
    }
    const late = await slow(port);
    await until(() => server.stats().connections.handshaking === 1);
    clock.advance(1200);
    expect((await late.response()).status).toBe(408);
    const wrong = await RawClient.connect(port, { path: '/nowhere' });
    expect((await wrong.response()).status).toBe(404);
    await call();
    expect(server.stats().limits).toEqual({ handshakeDeadline: 1 });
  });
});

describe('trustProxy', () => {
  const addresses = {
    onOpen: (connection: { remoteAddress: string; send(text: string): unknown }) =>
      void connection.send(connection.remoteAddress),
  };
  const from = (address: string, header = 'X-Forwarded-For') => ({ headers: { [header]: address } });

  test('unset, the headers change nothing', async () => {
    const { call } = await serve(addresses);
    expect(await word(await call(from('203.0.113.9')))).toBe('text 127.0.0.1');
  });

  test('remoteAddress is that of the client behind a named proxy, for authorize too', async () => {
    const seen: string[] = [];
    const authorize = ({ remoteAddress }: { remoteAddress: string }) => seen.push(remoteAddress) > 0;
    const { call } = await serve({ ...addresses, authorize }, { trustProxy: ['127.0.0.0/8', '::1'] });
    expect(await word(await call(from('203.0.113.9')))).toBe('text 203.0.113.9');
    expect(await word(await call(from('for="[2001:db8::7]:80"', 'Forwarded')))).toBe('text 2001:db8::7');
    expect(await word(await call())).toBe('text 127.0.0.1');
    expect(seen).toEqual(['203.0.113.9', '2001:db8::7', '127.0.0.1']);
  });

  test('headers that contradict each other are a forgery: 400', async () => {
    const { port } = await serve(addresses, { trustProxy: ['127.0.0.1'] });
    const headers = { Forwarded: 'for=6.6.6.6', 'X-Forwarded-For': '203.0.113.9' };
    const client = await RawClient.connect(port, { headers });
    expect((await client.response()).status).toBe(400);
  });

  test('maxConnectionsPerAddress counts clients behind a proxy by themselves, and gives back what ends', async () => {
    const { call, port, meet, server } = await serve(addresses, {
      trustProxy: ['127.0.0.1'],
      maxConnectionsPerAddress: 1,
    });
    const { client, connection } = await meet(from('203.0.113.9'));
    await call(from('203.0.113.10'));
    const one = await RawClient.connect(port, from('203.0.113.9'));
    const refusal = await one.response();
    expect([refusal.status, refusal.headers['retry-after']]).toEqual([503, '5']);
    expect(refusal.body).toContain('maxConnectionsPerAddress');
    const report = reportOf(connection);
    for (const ended of [client, one]) ended.destroy();
    await report;
    await until(() => server.stats().connections.handshaking === 0);
    await call(from('203.0.113.9'));
    expect(server.stats().limits).toEqual({ maxConnectionsPerAddress: 1 });
  });
});

describe('maxAge', () => {
  const middling = { random: () => 0.5 };

  test('closes with 1001 when the connection has been open so long, however busy, and never before', async () => {
    const { meet, clock, server, errors } = await serve(
      { onMessage: (connection, message) => void connection.send(message) },
      { maxAge: 10_000, heartbeatInterval: Number.POSITIVE_INFINITY },
    );
    Object.assign(clock, middling);
    const { client, connection } = await meet();
    const fragments = [textFrame('a', { fin: false }), continuationFrame('b')];
    for (let second = 0; second < 9; second++) {
      clock.advance(1000);
      await client.sendBytes(bytes(...fragments));
      expect(await word(client)).toBe('text ab');
    }
    clock.advance(950);
    expect(connection.state).toBe('open');
    clock.advance(200);
    expect(await client.closeFrame()).toEqual({ code: 1001, reason: 'connection reached its age limit' });
    expect([server.stats().limits, errors]).toEqual([{ maxAge: 1 }, []]);
  });

  test.each([
    [0, 9_000],
    [0.999_999, 11_000],
  ])('is spread by a tenth: with a chance of %s it is %s ms', async (chance, age) => {
    const { meet, clock } = await serve({}, { maxAge: 10_000 });
    Object.assign(clock, { random: () => chance });
    const { connection } = await meet();
    clock.advance(age - 50);
    expect(connection.state).toBe('open');
    clock.advance(200);
    expect(connection.state).toBe('closing');
  });
});

describe('what was shed is counted', () => {
  test('stats().limits names the option of each limit that was passed; dropped counts messages', async () => {
    const listener = new MemoryListener({ capacityBytes: 1 });
    const { server } = await serve({}, { listener, sendLimit: 25, overflow: 'drop-oldest' });
    expect(server.stats()).toMatchObject({ limits: {}, dropped: 0 });
    const client = listener.connect();
    let got = 0;
    const nothing = () => {};
    const told = {
      onBytes: (chunk: Uint8Array) => {
        got += chunk.length;
      },
      onDrain: nothing,
      onEnd: nothing,
      onError: nothing,
      onClosed: nothing,
    };
    client.attach(told);
    const head = 'GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n';
    const keys = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n';
    client.write([Buffer.from(head + keys)]);
    await until(() => server.connections.size === 1 && got > 100);
    const [connection] = server.connections;
    await connection?.drained();
    client.pause();
    const results = Array.from({ length: 6 }, (_, i) => connection?.send(`word${i}`));
    expect(results.slice(-2)).toEqual(['queued', 'queued']);
    const { messagesOut, dropped } = connection?.stats() ?? {};
    expect([(messagesOut ?? 0) + (dropped ?? 0), dropped]).toEqual([6, server.stats().dropped]);
    expect(dropped).toBeGreaterThan(0);
  });

  test('a Ping without its Pong, and a peer that accepts nothing', async () => {
    const { meet, clock, server } = await serve({}, { heartbeatInterval: 1000, pongDeadline: 1000 });
    const { connection } = await meet();
    clock.advance(2600);
    expect(connection.state).toBe('closed');
    expect(server.stats().limits).toEqual({ pongDeadline: 1 });
  });
});
