/** Whom a server lets in: connections and handshakes at a time, and addresses, behind proxies too. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { PROXY_V2_SIGNATURE } from '../../src/io/http/proxy-protocol.ts';
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
    for (const refused of [await RawClient.connect(port), await slow(port)]) {
      expect((await refused.response()).status).toBe(503);
      refused.fin();
    }
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

describe('plain requests, and connections in reserve', () => {
  const page = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

  test('a page counts as a request, not as refused, and uses up no number', async () => {
    const { port, meet, server } = await serve({}, { onRequest: () => ({ status: 200 }) });
    const { connection } = await meet();
    for (let pages = 1; pages <= 3; pages++) {
      const client = await RawClient.connect(port, { sendHead: false });
      await client.sendBytes(bytes(page));
      expect((await client.response()).status).toBe(200);
      client.fin();
      await until(() => server.stats().requests === pages);
    }
    const { connection: next } = await meet();
    expect(next.id).toBe(connection.id + 1);
    expect(server.stats()).toMatchObject({ requests: 3, refused: 0, opened: 2 });
  });

  test('neither counts at its address', async () => {
    const { port, call } = await serve(
      {},
      { maxConnectionsPerAddress: 1, onRequest: () => ({ status: 200 }) },
    );
    await RawClient.connect(port, { sendHead: false });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(page));
    expect((await client.response()).status).toBe(200);
    // Its connection is still there: it has not ended its side.
    await call();
  });

  test('what authorize refused gives its place at the address back at once', async () => {
    let isIn = false;
    const { port, call } = await serve({ authorize: () => isIn }, { maxConnectionsPerAddress: 1 });
    const denied = await RawClient.connect(port);
    expect((await denied.response()).status).toBe(403);
    isIn = true;
    await call();
  });

  test('a page that nobody answers is a refusal', async () => {
    const { port, server } = await serve();
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(page));
    expect((await client.response()).status).toBe(426);
    client.fin();
    await until(() => server.stats().refused === 1);
    expect(server.stats().requests).toBe(0);
  });
});

describe('addresses by their value', () => {
  /** Connects from these addresses in turn; the statuses, and the addresses that the server sees. */
  async function callFrom(addresses: readonly string[], options: object) {
    const listener = new MemoryListener();
    const { server } = make({ listener, paths: { '/echo': {} }, ...options });
    const seen: string[] = [];
    server.connections$.subscribe(({ remoteAddress }) => seen.push(remoteAddress));
    await server.start();
    const statuses: number[] = [];
    for (const address of addresses) {
      const client = listener.connect(address);
      const status = await new Promise<number>((resolve) => {
        const nothing = () => {};
        client.attach({
          onBytes: (chunk) => resolve(Number(Buffer.from(chunk).toString('latin1').slice(9, 12))),
          onDrain: nothing,
          onEnd: nothing,
          onError: nothing,
          onClosed: nothing,
        });
        client.write([bytes(requestHead())]);
      });
      statuses.push(status);
    }
    return { statuses, seen };
  }

  test('an IPv4 address that came as IPv6 is that IPv4 address', async () => {
    const addresses = ['::ffff:198.51.100.7', '198.51.100.7', '::FFFF:c633:6407', '2001:DB8:0::1'];
    const { statuses, seen } = await callFrom(addresses, { maxConnectionsPerAddress: 2 });
    expect(statuses).toEqual([101, 101, 503, 101]);
    expect(seen).toEqual(['198.51.100.7', '198.51.100.7', '2001:db8::1']);
  });

  test.each([
    [undefined, [101, 503, 101, 101]],
    [48, [101, 503, 503, 101]],
    [128, [101, 101, 101, 101]],
  ])('IPv6 addresses count by their first bits: ipv6Prefix %s', async (ipv6Prefix, expected) => {
    const addresses = ['2001:db8:0:1::1', '2001:db8:0:1:ffff::2', '2001:db8:0:2::1', '2001:db8:1::1'];
    const { statuses } = await callFrom(addresses, { maxConnectionsPerAddress: 1, ipv6Prefix });
    expect(statuses).toEqual(expected);
  });
});

describe('the PROXY protocol', () => {
  const source = Object.assign(new Uint8Array(12), [203, 0, 113, 9, 10, 0, 0, 1, 0xc0, 0, 1, 0xbb]);
  const v2 = (command: number, kind: number, ...parts: Uint8Array[]) => {
    const body = bytes(...parts);
    const fixed = Uint8Array.of(command, kind, body.length >> 8, body.length & 0xff);
    return bytes(PROXY_V2_SIGNATURE, fixed, body);
  };
  const tlv = Uint8Array.of(0x04, 0, 3, 1, 2, 3);
  const headers: [string, Uint8Array, string][] = [
    ['v1', bytes('PROXY TCP4 203.0.113.9 10.0.0.1 49152 443\r\n'), '203.0.113.9'],
    ['v1, IPv6', bytes('PROXY TCP6 2001:DB8::9 ::1 49152 443\r\n'), '2001:db8::9'],
    ['v1, mapped', bytes('PROXY TCP6 ::ffff:203.0.113.9 ::1 1 2\r\n'), '203.0.113.9'],
    ['v1, UNKNOWN', bytes('PROXY UNKNOWN\r\n'), '127.0.0.1'],
    ['v2', v2(0x21, 0x11, source), '203.0.113.9'],
    ['v2 with TLVs', v2(0x21, 0x11, source, tlv), '203.0.113.9'],
    ['v2, LOCAL', v2(0x20, 0x00, tlv), '127.0.0.1'],
    ['no header', bytes(), '127.0.0.1'],
  ];
  const greet = {
    onOpen: (connection: { remoteAddress: string; send(text: string): unknown }) =>
      void connection.send(connection.remoteAddress),
  };

  test.each(headers)(
    'of a named proxy says who calls, however it is split: %s',
    async (_, header, address) => {
      const { port } = await serve(greet, { trustProxy: ['127.0.0.1'] });
      const all = bytes(header, requestHead());
      for (let cut = 0; cut <= header.length + 1; cut++) {
        const client = await RawClient.connect(port, { sendHead: false });
        await client.sendBytes(all.subarray(0, cut));
        await turn();
        await client.sendBytes(all.subarray(cut));
        await client.handshake();
        expect(await word(client)).toBe(`text ${address}`);
        client.destroy();
      }
    },
  );

  const openings: [string, string, object, string][] = [
    ['a client', 'PROXY TCP4 203.0.113.9 10.0.0.1 1 2\r\n', { Forwarded: 'for=6.6.6.6' }, '203.0.113.9'],
    ['a named proxy', 'PROXY TCP4 10.0.0.7 10.0.0.1 1 2\r\n', { Forwarded: 'for=192.0.2.5' }, '192.0.2.5'],
    ['nobody', 'PROXY UNKNOWN\r\n', { 'X-Forwarded-For': '6.6.6.6' }, '127.0.0.1'],
  ];
  test.each(openings)(
    'after a header that names %s, Forwarded is read as far as that is a named proxy',
    async (_, line, headers, address) => {
      const { port } = await serve(greet, { trustProxy: ['127.0.0.1', '10.0.0.0/8'] });
      const client = await RawClient.connect(port, { sendHead: false });
      await client.sendBytes(bytes(line, requestHead({ headers: headers as Record<string, string> })));
      await client.handshake();
      expect(await word(client)).toBe(`text ${address}`);
    },
  );

  test('its clients count at their own addresses', async () => {
    const { port } = await serve(greet, { trustProxy: ['127.0.0.1'], maxConnectionsPerAddress: 1 });
    const statuses: number[] = [];
    for (const address of ['203.0.113.9', '203.0.113.10', '203.0.113.9']) {
      const client = await RawClient.connect(port, { sendHead: false });
      await client.sendBytes(bytes(`PROXY TCP4 ${address} 10.0.0.1 1 2\r\n`, requestHead()));
      statuses.push((await client.response()).status);
    }
    expect(statuses).toEqual([101, 101, 503]);
  });

  test('a health check that sends a header and nothing more is not refused, and is told to nobody', async () => {
    const { port, server, errors, clock } = await serve(greet, {
      trustProxy: ['127.0.0.1'],
      handshakeDeadline: 1000,
    });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(v2(0x20, 0x00));
    await until(() => server.stats().bytesIn > 0);
    clock.advance(1200);
    expect(await client.ended()).toBe('fin');
    client.fin();
    await until(() => server.stats().connections.handshaking === 0);
    expect([server.stats().refused, errors]).toEqual([0, []]);
  });

  test('malformed it is 400; from others it is 400 that names it', async () => {
    const ask = async (trustProxy: string[], header: Uint8Array) => {
      const { port } = await serve(greet, { trustProxy });
      const client = await RawClient.connect(port, { sendHead: false });
      await client.sendBytes(bytes(header, requestHead()));
      const { status, body } = await client.response();
      return `${status} ${body}`;
    };
    const malformed = bytes('PROXY TCP4 203.0.113.999 10.0.0.1 1 2\r\n');
    expect(await ask(['127.0.0.1'], malformed)).toMatch(/^400 .*malformed/);
    for (const [, header] of headers.filter(([, { length }]) => length > 0)) {
      expect(await ask(['192.0.2.1'], header)).toMatch(/^400 .*PROXY protocol.*trustProxy/);
    }
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
