// The kit's server: no port, no real time, and one of yours as well as one of its own.

import { afterEach, describe, expect, test, vi } from 'vitest';
import { createServer } from '../../src/index.ts';
import { settled, type TestServer, testServer } from '../../src/testing/index.ts';

let served: TestServer;
afterEach(() => served.stop());

const echo = {
  onMessage: (connection: { send(message: string | Uint8Array): unknown }, message: string | Uint8Array) =>
    void connection.send(message),
};

test('a server of yours is given its parts, and keeps its own options', async () => {
  served = await testServer((parts) => createServer({ ...parts, cap: 3, paths: { '/': echo } }));
  const client = await served.connect('/');
  client.send('four');
  expect(await client.closed).toMatchObject({ code: 1009 });
});

test('it listens on no port', async () => {
  served = await testServer({ port: 80, paths: { '/': echo } });
  expect(served.server.address()).toEqual({ address: 'memory', family: 'memory', port: 0 });
  expect(process.getActiveResourcesInfo()).not.toContain('TCPServerWrap');
});

test('handlers see the path, its parameters and the query', async () => {
  const seen: unknown[] = [];
  served = await testServer();
  served.server.path('/rooms/:room', {
    onOpen: ({ params, query }) => void seen.push(params.room, query.get('q')),
  });
  await served.connect('/rooms/red?q=1');
  expect(seen).toEqual(['red', '1']);
});

describe('time', () => {
  test('stands still until it is advanced', async () => {
    served = await testServer({ paths: { '/': echo } });
    const before = served.clock.now();
    await served.connect('/');
    expect(served.clock.now()).toBe(before);
    await served.advance(1234);
    expect(served.clock.now()).toBe(before + 1234);
  });

  test('an hour of heartbeats passes in order: each ping is answered before its deadline', async () => {
    served = await testServer({ paths: { '/': echo } });
    const client = await served.connect('/');
    await served.advance(3_600_000);
    expect(client.pings.length).toBeGreaterThanOrEqual(3_600 / 30 - 1);
    client.send('still here');
    expect(await client.message()).toBe('still here');
  });

  test('is not that of fake timers', async () => {
    vi.useFakeTimers();
    try {
      served = await testServer({ paths: { '/': echo } });
      const client = await served.connect('/');
      client.send('hi');
      expect(await client.message()).toBe('hi');
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the wire', () => {
  test('cuts what travels into single bytes, and nobody notices', async () => {
    served = await testServer({ paths: { '/': echo } }, { chunkBytes: 1 });
    const client = await served.connect('/');
    client.send('Grüße');
    client.sendFragments(['a', 'b']);
    expect([await client.message(), await client.message()]).toEqual(['Grüße', 'ab']);
  });

  test('a port that is lost fails the server', async () => {
    served = await testServer({ paths: { '/': echo } });
    const errors: unknown[] = [];
    served.server.errors$.subscribe(({ error }) => errors.push(error));
    served.listener.fail(new Error('lost'));
    await settled();
    expect(errors).toEqual([expect.objectContaining({ message: 'lost' })]);
  });
});

test('stop closes everybody with 1001 and waits for nobody', async () => {
  served = await testServer({ paths: { '/': echo } });
  const clients = [await served.connect('/'), await served.connect('/')];
  clients[0]?.stall();
  expect(await served.stop()).toMatchObject({ connections: 2, terminated: 1 });
  expect(await clients[1]?.closed).toMatchObject({ code: 1001 });
  await expect(async () => served.connect('/')).rejects.toThrow('ECONNREFUSED');
});
