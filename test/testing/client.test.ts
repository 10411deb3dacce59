// The kit's client: what a well-behaved one does by itself, and each way to misbehave, as a server feels it.

import { afterEach, describe, expect, test } from 'vitest';
import type { CloseReport, Handlers } from '../../src/index.ts';
import {
  type ConnectOptions,
  HandshakeRefused,
  settled,
  type TestServer,
  testServer,
} from '../../src/testing/index.ts';

let served: TestServer;
afterEach(() => served.stop());

/** A client of `/`, and what the server said of its end. */
async function meet(handlers: Handlers = {}, options: ConnectOptions = {}, wire = {}) {
  const reports: CloseReport[] = [];
  const onClose = (_: unknown, report: CloseReport) => reports.push(report);
  served = await testServer({ paths: { '/': { onClose, ...handlers } } }, wire);
  return { client: await served.connect('/', options), reports };
}

const echo: Handlers = { onMessage: (connection, message) => void connection.send(message) };
const silent: Handlers = { onMessage() {} };

describe('a client that behaves', () => {
  test('sends text and binary, and awaits messages in their order', async () => {
    const { client } = await meet(echo);
    client.send('Grüße');
    client.send(Uint8Array.of(1, 2));
    expect([await client.message(), await client.message()]).toEqual(['Grüße', Uint8Array.of(1, 2)]);
    expect(client.received).toEqual(['Grüße', Uint8Array.of(1, 2)]);
  });

  test('sends fragments, which the server sees one by one (RFC 6455 5.4)', async () => {
    const seen: unknown[] = [];
    const { client } = await meet({ ...echo, onFragment: (_, { data, final }) => seen.push([data, final]) });
    client.sendFragments(['one ', 'two ', 'three']);
    expect(await client.message()).toBe('one two three');
    expect(seen.map((each) => String(each))).toEqual(['one ,false', 'two ,false', 'three,true']);
  });

  test('reads a message that came in fragments', async () => {
    const { client } = await meet({
      onOpen: (connection) => connection.sendFragments(['a', 'b']).then(() => {}),
    });
    expect(await client.message()).toBe('ab');
  });

  test('pings, and resolves with the payload of the Pong', async () => {
    const { client } = await meet(echo);
    expect(await Promise.all([client.ping('one'), client.ping(Uint8Array.of(7))])).toEqual([
      new TextEncoder().encode('one'),
      Uint8Array.of(7),
    ]);
  });

  test('answers a Ping by itself', async () => {
    const pongs: Uint8Array[] = [];
    const { client } = await meet({
      onOpen(connection) {
        connection.pongs$.subscribe((payload) => pongs.push(payload));
        connection.sendPing('you?');
      },
    });
    await settled();
    expect(client.pings).toEqual([new TextEncoder().encode('you?')]);
    expect(pongs).toEqual(client.pings);
  });

  test('a Pong that nobody asked for arrives', async () => {
    const pongs: Uint8Array[] = [];
    const { client } = await meet({
      onOpen: ({ pongs$ }) => void pongs$.subscribe((each) => pongs.push(each)),
    });
    client.pong('here');
    await settled();
    expect(pongs).toEqual([new TextEncoder().encode('here')]);
  });

  test('closes, and both sides say how', async () => {
    const { client, reports } = await meet(echo);
    expect(await client.close(4321, 'enough')).toEqual({ code: 4321, reason: '', wasClean: true });
    await settled();
    expect(reports).toEqual([{ code: 4321, reason: 'enough', wasClean: true, initiator: 'peer' }]);
  });

  test('answers a Close, and says its code and reason', async () => {
    const { client, reports } = await meet({ onOpen: (connection) => connection.close(4000, 'no') });
    expect(await client.closed).toEqual({ code: 4000, reason: 'no', wasClean: true });
    await settled();
    expect(reports).toEqual([{ code: 4000, reason: '', wasClean: true, initiator: 'server' }]);
  });

  test('is a loop over its messages, that ends with the connection', async () => {
    const { client } = await meet({
      onOpen(connection) {
        for (const message of ['a', 'b']) connection.send(message);
        connection.close();
      },
    });
    const heard: unknown[] = [];
    for await (const message of client) heard.push(message);
    expect(heard).toEqual(['a', 'b']);
  });

  test('what it awaits rejects when the connection ends first, saying how', async () => {
    const { client } = await meet({ onOpen: (connection) => connection.close(4000, 'no') });
    await expect(client.message()).rejects.toThrow('the connection ended before a message came: 4000 "no"');
    await expect(client.ping()).rejects.toThrow('the connection ended before a Pong came: 4000 "no"');
  });
});

test('what never comes rejects when patience is at its end, saying what was awaited', async () => {
  const { client } = await meet(silent, { patience: 20 });
  client.send('anybody?');
  await expect(client.message()).rejects.toThrow('a message did not come within 20 ms');
});

describe('the handshake', () => {
  test('offers subprotocols and sends an origin and headers', async () => {
    const seen: unknown[] = [];
    const { client } = await meet(
      {
        subprotocols: ['chat'],
        authorize({ origin, headers, remoteAddress }) {
          seen.push(origin, headers.authorization, headers.host, remoteAddress);
          return { headers: { 'X-Seen': 'yes' } };
        },
      },
      {
        origin: 'http://test',
        subprotocols: ['other', 'chat'],
        headers: { Authorization: 'me', host: 'test' },
        remoteAddress: '192.0.2.7',
      },
    );
    expect(seen).toEqual(['http://test', 'me', 'test', '192.0.2.7']);
    expect([client.subprotocol, client.headers['x-seen']]).toEqual(['chat', 'yes']);
  });

  test('a refusal rejects with status, headers and body', async () => {
    served = await testServer({ paths: { '/': { authorize: () => ({ status: 401, body: 'who?\n' }) } } });
    const refused = await served.connect('/').catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(HandshakeRefused);
    expect(refused).toMatchObject({ status: 401, body: 'who?\n', headers: { connection: 'close' } });
    expect((refused as Error).message).toBe('the handshake was answered with 401: who?');
    await expect(served.connect('/nowhere')).rejects.toMatchObject({ status: 404 });
    await expect(served.connect('/', { headers: { 'Sec-WebSocket-Key': null } })).rejects.toMatchObject({
      status: 400,
    });
  });
});

describe('a client that does not', () => {
  const lost = { code: 1006, wasClean: false };

  test('drop: gone without a Close', async () => {
    const { client, reports } = await meet(silent);
    client.drop();
    expect(await client.closed).toEqual({ code: 1006, reason: '', wasClean: false });
    await settled();
    expect(reports).toEqual([expect.objectContaining(lost)]);
  });

  test('reset: the connection breaks, and onError hears of it', async () => {
    const errors: unknown[] = [];
    const { client, reports } = await meet({ onError: (_, error) => void errors.push(error) });
    client.reset();
    await settled();
    expect(reports).toEqual([expect.objectContaining(lost)]);
    expect(errors).toEqual([expect.objectContaining({ code: 'ERR_CONNECTION_LOST' })]);
  });

  test('stall: what the server sends piles up, and flows when it reads on', async () => {
    const results: string[] = [];
    const { client } = await meet(
      { onOpen: (connection) => void results.push(connection.send('a'.repeat(2000)), connection.send('b')) },
      {},
      { capacityBytes: 1000 },
    ).then(async (met) => {
      met.client.stall();
      return met;
    });
    const [connection] = served.server.connections;
    connection?.send('c'.repeat(5000));
    await settled();
    expect(connection?.bufferedAmount).toBeGreaterThan(4000);
    client.resume();
    await settled();
    expect(connection?.bufferedAmount).toBe(0);
    expect(client.received.map((each) => each.length)).toEqual([2000, 1, 5000]);
  });

  test('stall: a heartbeat that nobody answers is 1006 after heartbeatInterval and pongDeadline', async () => {
    const { client, reports } = await meet(silent);
    client.stall();
    await served.advance(20_000 + 19_000);
    expect(reports).toEqual([]);
    await served.advance(12_000);
    expect(reports).toEqual([expect.objectContaining({ ...lost, reason: 'pong deadline passed' })]);
  });

  test('without pongs it reads, and does not answer', async () => {
    const { client, reports } = await meet(silent, { pongs: false });
    await served.advance(60_000);
    expect(client.pings).toHaveLength(1);
    expect(reports).toEqual([expect.objectContaining(lost)]);
  });

  test('without an answer to Close it is destroyed at closeDeadline', async () => {
    const { client, reports } = await meet(
      { onOpen: (connection) => connection.close() },
      { answersClose: false },
    );
    await served.advance(4_000);
    expect(reports).toEqual([]);
    await served.advance(2_000);
    expect(reports).toEqual([expect.objectContaining({ ...lost, reason: 'close deadline passed' })]);
    expect(await client.closed).toMatchObject({ code: 1000 });
  });

  test('a truncated frame is no message, and the end behind it is a loss', async () => {
    const { client, reports } = await meet(echo);
    client.sendTruncated('Hello', 8);
    await settled();
    expect(client.received).toEqual([]);
    client.drop();
    await settled();
    expect(reports).toEqual([expect.objectContaining(lost)]);
  });

  test('a wrong frame fails the connection with 1002 (RFC 6455 5.1)', async () => {
    const { client } = await meet(echo);
    client.sendFrame({ opcode: 1, payload: 'bare', masked: false });
    expect(await client.closed).toMatchObject({ code: 1002 });
  });

  test('bytes go as they are', async () => {
    const { client } = await meet(echo);
    client.sendBytes(Uint8Array.of(0x81, 0x80, 0, 0, 0, 0));
    expect(await client.message()).toBe('');
  });
});
