/** Whom a server lets in: connections and handshakes at a time, and addresses, behind proxies too. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import { bytes, RawClient, requestHead } from '../support/raw-client.ts';
import { gate, make, reportOf, serve, until, word } from '../support/serving.ts';

const slow = async (port: number) => {
  const client = await RawClient.connect(port, { sendHead: false });
  await client.sendBytes(bytes('GET /echo HTTP/1.1\r\n'));
  return client;
};

describe('maxConnections', () => {
  test('so many pass, one more gets 503 with Retry-After; when one leaves, the next passes', async () => {
    const { port, meet, server } = await serve({}, { maxConnections: 2 });
    const [first] = [await meet(), await meet()];
    const third = await RawClient.connect(port);
    const response = await third.response();
    expect([response.status, response.headers['retry-after']]).toEqual([503, '5']);
    expect(response.body).toContain('maxConnections');
    first?.client.destroy();
    if (first !== undefined) await reportOf(first.connection);
    expect(server.connections.size).toBe(1);
    await meet();
  });

  test('connections that only shake hands or ask for a page do not count', async () => {
    const { port, meet } = await serve({}, { maxConnections: 1, onRequest: () => ({ status: 200 }) });
    const waiting = await RawClient.connect(port, { sendHead: false });
    await waiting.sendBytes(bytes('GET'));
    await meet();
    const page = await RawClient.connect(port, { sendHead: false });
    await page.sendBytes(bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect((await page.response()).status).toBe(200);
  });

  test('far beyond it nobody is answered', async () => {
    const listener = new MemoryListener();
    const { server } = make({ listener, maxConnections: 1, paths: { '/': {} } });
    await server.start();
    const dropped = { count: 0 };
    const listen = (onClosed: () => void) => ({
      onBytes() {},
      onDrain() {},
      onEnd() {},
      onError() {},
      onClosed,
    });
    const clients = Array.from({ length: 1030 }, () => {
      const client = listener.connect();
      client.attach({ ...listen(() => {}), onEnd: () => void dropped.count++ });
      return client;
    });
    await turn();
    expect(dropped.count).toBe(1030 - 1025);
    for (const client of clients) client.destroy();
    await turn();
  });

  test('maxConnectionsPerAddress counts each address by itself, and forgets those that left', async () => {
    const listener = new MemoryListener();
    const { server } = make({ listener, maxConnectionsPerAddress: 2, paths: { '/echo': {} } });
    await server.start();
    const ask = async (address: string) => {
      const client = listener.connect(address);
      const status = await new Promise<number>((resolve) => {
        client.attach({
          onBytes: (chunk) => resolve(Number(Buffer.from(chunk).toString('latin1').slice(9, 12))),
          onDrain() {},
          onEnd() {},
          onError() {},
          onClosed() {},
        });
        client.write([bytes(requestHead())]);
      });
      return { status, client };
    };
    const a = [await ask('192.0.2.1'), await ask('192.0.2.1'), await ask('192.0.2.1')];
    expect(a.map(({ status }) => status)).toEqual([101, 101, 503]);
    const b = await ask('192.0.2.2');
    expect(b.status).toBe(101);
    for (const { client } of a) client.destroy();
    await turn();
    await turn();
    const again = await ask('192.0.2.1');
    expect(again.status).toBe(101);
    for (const { client } of [b, again]) client.destroy();
  });
});

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
    const whole = await RawClient.connect(port);
    expect((await whole.response()).status).toBe(503);
    expect((await (await slow(port)).response()).status).toBe(503);
    // One that has asked for nothing would take an answer for that to its next request.
    const silent = await RawClient.connect(port, { sendHead: false });
    expect(await silent.ended()).toBe('fin');
    await expect(silent.response()).rejects.toThrow('ended (fin)');
    await until(() => server.stats().connections.handshaking === 1);
    expect(server.stats()).toMatchObject({ refused: 2, limits: { maxHandshakes: 3 } });
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
    const before = server.stats().bytesIn;
    const late = await slow(port);
    await until(() => server.stats().bytesIn > before);
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
