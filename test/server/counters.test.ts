/** What a server counts: connections by state, what they did, and the limits that were passed. */
import { describe, expect, test } from 'vitest';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import { RawClient, textFrame } from '../support/raw-client.ts';
import { serve, until, word } from '../support/serving.ts';

const echo = {
  onMessage: (connection: { send(message: string | Uint8Array): unknown }, message: string | Uint8Array) =>
    void connection.send(message),
};

describe('connections and traffic', () => {
  test('by state now, and in all, those that ended included', async () => {
    const { server, port, meet } = await serve(echo);
    const { client, connection } = await meet();
    const { client: partial } = await meet();
    await partial.sendBytes(textFrame('a', { fin: false }));
    await client.sendBytes(textFrame('b'));
    await word(client);
    const lost = await RawClient.connect(port, { path: '/nowhere' });
    expect((await lost.response()).status).toBe(404);
    lost.fin();
    await until(() => server.stats().refused === 1);
    expect(server.stats()).toMatchObject({
      state: 'listening',
      connections: { handshaking: 0, open: 1, fragmenting: 1, closing: 0 },
      opened: 2,
      closed: 0,
      refused: 1,
      messagesIn: 1,
      messagesOut: 1,
    });
    const { bytesIn, bytesOut } = server.stats();
    connection.terminate();
    await until(() => server.stats().closed === 1);
    expect(server.stats()).toMatchObject({
      connections: { handshaking: 0, open: 0, fragmenting: 1, closing: 0 },
      messagesIn: 1,
      messagesOut: 1,
      bytesIn,
      bytesOut,
    });
  });
});

test('closing connections are in neither set of those that are open', async () => {
  const { server, meet } = await serve();
  const { client, connection } = await meet();
  const path = server.path('/echo');
  expect([server.connections.size, path.connections.size]).toEqual([1, 1]);
  connection.close();
  expect([connection.state, server.connections.size, path.connections.size]).toEqual(['closing', 0, 0]);
  expect(server.stats().connections).toMatchObject({ open: 0, closing: 1 });
  client.fin();
});

test('errors of accepting are counted by their code', async () => {
  const { server, failAccept } = await faultyListener();
  for (const code of ['EMFILE', 'EMFILE', 'ENFILE']) failAccept(Object.assign(new Error(code), { code }));
  expect(server.stats().acceptErrors).toEqual({ EMFILE: 2, ENFILE: 1 });
});

/** A server whose listener fails to accept when it is told to. */
async function faultyListener() {
  let failAccept: (error: Error) => void = () => {};
  const memory = new MemoryListener();
  const listener = {
    listen: (accept: Parameters<MemoryListener['listen']>[0], failed: (error: Error) => void) => {
      failAccept = failed;
      return memory.listen(accept, failed);
    },
    close: () => memory.close(),
    address: () => memory.address(),
  };
  const { server } = await serve({}, { listener });
  return { server, failAccept: (error: Error) => failAccept(error) };
}

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
