// Compression as users see it: what was agreed on, what is sent how, and what it costs in memory.
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import {
  type Connection,
  MemoryBudget,
  prepare,
  type Server,
  type ServerOptions,
} from '../../../src/index.ts';
import { deflated, PersistentPeer } from '../../support/deflate-peer.ts';
import { bytes, closeFrame, frame, OPCODE, RawClient, textFrame } from '../../support/raw-client.ts';
import { reportOf, serve, until } from '../../support/serving.ts';

const OFFER = { headers: { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' } };
const text = JSON.stringify(Array.from({ length: 60 }, (_, i) => ({ id: i, name: `name ${i * i}` })));

/** A ws client, the server's side of it, and what the client hears, each with its bytes on the wire. */
async function meet(options: Partial<ServerOptions>) {
  const served = await serve({}, { paths: { '/echo': { onMessage: () => {} } }, ...options });
  const opened = new Promise<Connection>((resolve) => served.server.connections$.subscribe(resolve));
  const client = new WebSocket(`ws://127.0.0.1:${served.port}/echo`);
  const heard: string[] = [];
  client.on('message', (data) => heard.push(data.toString()));
  await once(client, 'open');
  const connection = await opened;
  const sizeOf = (send: () => unknown) => {
    const before = connection.stats().bytesOut + connection.bufferedAmount;
    send();
    return connection.stats().bytesOut + connection.bufferedAmount - before;
  };
  const end = async () => {
    client.terminate();
    await once(client, 'close');
  };
  return { ...served, client, connection, heard, sizeOf, end };
}

test('extensions say what was agreed on', async () => {
  const { connection, end } = await meet({ perMessageDeflate: true });
  expect(connection.extensions).toBe(
    'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  );
  await end();
  const plain = await meet({});
  expect(plain.connection.extensions).toBe('');
  await plain.end();
});

test('a path has its own, in place of the server’s', async () => {
  const paths = {
    '/off': { perMessageDeflate: false },
    '/contexts': { perMessageDeflate: { mode: 'contexts', serverWindowBits: 9 } },
    '/same': {},
  } as const;
  const { server, meet } = await serve({}, { perMessageDeflate: true, paths });
  const agreed = async (path: string) => {
    const extension = new PersistentPeer(15);
    const { client, connection } = await meet({ path, ...OFFER, extension });
    connection.send(text);
    expect(Buffer.from((await client.nextFrame()).payload).toString()).toBe(text);
    return [connection.extensions, extension.messages];
  };
  const shared = 'permessage-deflate; server_no_context_takeover; client_no_context_takeover';
  expect(await agreed('/off')).toEqual(['', 0]);
  expect(await agreed('/contexts')).toEqual(['permessage-deflate; client_no_context_takeover', 1]);
  expect(await agreed('/same')).toEqual([shared, 1]);
  // Connections that are open keep what they have agreed on.
  const { connection } = await meet({ path: '/same', ...OFFER });
  server.path('/same', { perMessageDeflate: false });
  expect([connection.extensions, await agreed('/same')]).toEqual([shared, ['', 0]]);
});

describe.each(['shared', 'contexts'] as const)('mode %s', (mode) => {
  test('every way to send is read by a client, in its order', async () => {
    const { connection, server, heard, sizeOf, end } = await meet({ perMessageDeflate: { mode } });
    const compressed = sizeOf(() => connection.send(text));
    expect(compressed).toBeLessThan(text.length / 2);
    expect(sizeOf(() => connection.send(text, { compress: false }))).toBeGreaterThan(text.length);
    expect(sizeOf(() => connection.send('aaaaaaaaaaaaaaaaaaaaaaa', { compress: true }))).toBeLessThan(20);
    expect(sizeOf(() => connection.send(prepare(text)))).toBeLessThan(text.length / 2);
    server.path('/echo').broadcast(text);
    const large = text.repeat(60);
    connection.send(large);
    const pieces = connection.sendFragments([text, 'and', text]);
    connection.send('last');
    await pieces;
    const again = sizeOf(() => connection.send(text));
    if (mode === 'contexts') expect(sizeOf(() => connection.send(text))).toBeLessThan(again / 2);
    const wanted = [
      text,
      text,
      'aaaaaaaaaaaaaaaaaaaaaaa',
      text,
      text,
      large,
      `${text}and${text}`,
      'last',
      text,
    ];
    if (mode === 'contexts') wanted.push(text);
    await until(() => heard.length === wanted.length);
    expect(heard).toEqual(wanted);
    await end();
  });

  test('close goes after a large message that is not encoded yet', async () => {
    const { connection, client, heard } = await meet({ perMessageDeflate: { mode } });
    const large = text.repeat(100);
    connection.send(large);
    connection.close(4000);
    await once(client, 'close');
    expect(heard).toEqual([large]);
  });
});

test.each(['shared', 'contexts'] as const)(
  'mode %s: what was sent whole goes before the answer to a Close',
  async (mode) => {
    const { port } = await serve(
      { onMessage: (connection, message) => void connection.send(message) },
      { perMessageDeflate: { mode } },
    );
    const large = text.repeat(100);
    const client = await RawClient.connect(port, { ...OFFER, extension: new PersistentPeer(15) });
    await client.handshake();
    // In one piece: the Close has come before the first slice has left.
    await client.sendBytes(
      bytes(textFrame(large), textFrame('after it'), textFrame(large), closeFrame(1000)),
    );
    const heard: string[] = [''];
    for (
      let frame = await client.nextFrame();
      frame.opcode !== OPCODE.close;
      frame = await client.nextFrame()
    ) {
      heard[heard.length - 1] += Buffer.from(frame.payload).toString();
      if (frame.fin) heard.push('');
    }
    expect(heard).toEqual([large, 'after it', large, '']);
  },
);

test('large messages in a row: what waits only for its slices is no reason to close, while the peer reads', async () => {
  const { connection, heard, end } = await meet({ perMessageDeflate: true });
  const large = text.repeat(Math.ceil(600_000 / text.length));
  for (let i = 0; i < 4; i++) expect(connection.send(large)).toMatch(/sent|queued/);
  expect(connection.send('last')).toMatch(/sent|queued/);
  await until(() => heard.length === 5);
  expect(heard).toEqual([large, large, large, large, 'last']);
  await end();
});

const broadcast = (connection: Connection, text: string, server: Server) =>
  server.path('/echo').broadcast(text) === 1 && connection.state === 'open' ? 'queued' : 'closed';
const ways: Record<string, (connection: Connection, text: string, server: Server) => string> = {
  'a text': (connection, text) => connection.send(text),
  bytes: (connection, text) => connection.send(bytes(text)),
  'a plain text': (connection, text) => connection.send(text, { compress: false }),
  'a text with a key': (connection, text) => connection.send(text, { key: 'k' }),
  'a prepared message': (connection, text) => connection.send(prepare(text)),
  'a prepared message, plain': (connection, text) => connection.send(prepare(text), { compress: false }),
  'a broadcast': broadcast,
};
describe.each(['x', '語'])('behind a large message that waits only for its slices, of %s', (letter) => {
  test.each(Object.entries(ways))('there is room for %s', async (_, way) => {
    const { connection, heard, server, end } = await meet({ perMessageDeflate: true });
    const first = text.repeat(Math.floor(900_000 / text.length));
    const second = letter.repeat(400_000 / Buffer.byteLength(letter));
    expect(connection.send(first)).toBe('queued');
    expect(way(connection, second, server)).toMatch(/sent|queued/);
    await until(() => heard.length === 2);
    expect(heard).toEqual([first, second]);
    await end();
  });
});

describe('sendFragments with pieces that are there', () => {
  const piece = text.repeat(Math.ceil(64_000 / text.length));
  const async = async function* (): AsyncGenerator<string> {
    for (let i = 0; i < 30; i++) yield piece;
  };
  test.each([
    ['of an array', Array<string>(30).fill(piece)],
    ['of an async generator', async()],
    ['in one', [piece.repeat(30)]],
  ] as const)('gives way to others after 64 KiB: %s', async (_, pieces) => {
    const { connection, heard, end } = await meet({ perMessageDeflate: true });
    let turns = 0;
    const count = (): void => {
      turns++;
      turning = setImmediate(count);
    };
    let turning = setImmediate(count);
    expect(await connection.sendFragments(pieces)).toMatch(/sent|queued/);
    clearImmediate(turning);
    // The first two pieces of each turn are 125 KiB.
    expect(turns).toBeGreaterThan(10);
    await until(() => heard.length === 1);
    expect(heard[0] === piece.repeat(30)).toBe(true);
    await end();
  });

  test('before a Close all of them go, up to sendLimit, also while they wait for a turn', async () => {
    const { connection, client, heard } = await meet({ perMessageDeflate: true });
    const sent = connection.sendFragments(Array(10).fill(piece));
    connection.close(4000);
    await once(client, 'close');
    expect([await sent, heard.length]).toEqual(['sent', 1]);
    expect(heard[0] === piece.repeat(10)).toBe(true);
  });

  test('before a Close no more than sendLimit is compressed of what goes on for ever', async () => {
    const { connection, client, heard } = await meet({ perMessageDeflate: true });
    let given = 0;
    const endless = function* (): Generator<string> {
      for (;;) {
        given++;
        yield piece;
      }
    };
    const sent = connection.sendFragments(endless());
    connection.close(4000);
    await once(client, 'close');
    expect([await sent, heard]).toEqual(['closed', []]);
    expect(given).toBeLessThan(30);
  });
});

test('contexts are counted in the memory budget, thrown away for others, and freed with their connection', async () => {
  const budget = new MemoryBudget(1_000_000);
  const { connection, end, server } = await meet({
    perMessageDeflate: { mode: 'contexts' },
    memoryBudget: budget,
  });
  expect(budget.bytes).toBe(0);
  connection.send(text);
  await until(() => connection.bufferedAmount === 0);
  expect(budget.bytes).toBe(104 * 1024);
  await end();
  await until(() => server.connections.size === 0);
  expect(budget.bytes).toBe(0);
});

test('a compressed message that is not complete counts, and its connection is not shed before caches are', async () => {
  const budget = new MemoryBudget(150_000);
  const { connection, call, server, end } = await meet({
    perMessageDeflate: { mode: 'contexts' },
    memoryBudget: budget,
  });
  connection.send(text);
  await until(() => connection.bufferedAmount === 0);
  const first = budget.bytes;
  const raw = await call(OFFER);
  const message = deflated(bytes('x'.repeat(50)));
  await raw.sendBytes(frame({ opcode: OPCODE.text, rsv: 4, fin: false, payload: message.subarray(0, 3) }));
  await until(() => budget.bytes > first);
  const other = await call(OFFER);
  await other.sendBytes(frame({ opcode: OPCODE.text, rsv: 4, fin: false, payload: message.subarray(0, 3) }));
  // The context has made room for both.
  await until(() => budget.bytes < first);
  expect(server.connections.size).toBe(3);
  connection.send(text);
  await end();
});

test('a bomb ends its own connection, and nothing of it is kept', async () => {
  const { call, server, errors } = await serve(
    { onMessage: () => {} },
    { perMessageDeflate: true, cap: 1e9 },
  );
  const opened = new Promise<Connection>((resolve) => server.connections$.subscribe(resolve));
  const client = await call(OFFER);
  const report = reportOf(await opened);
  const bomb = deflated(new Uint8Array(20_000_000));
  await client.sendBytes(frame({ opcode: OPCODE.binary, rsv: 4, payload: bomb }));
  expect(await client.ended()).toBe('fin');
  client.fin();
  expect(await report).toMatchObject({ code: 1009, initiator: 'server' });
  expect(errors[0]?.error).toMatchObject({ limit: 'maxInflation', closeCode: 1009 });
});

test.each(['whole', 'in fragments', 'as fragments', 'in a loop'] as const)(
  'messages that wait %s count as what they were inflated to',
  async (kind) => {
    const budget = new MemoryBudget(1e9);
    const never = () => new Promise<void>(() => {});
    const loop = { onOpen: (connection: Connection) => void takeNone(connection) };
    const slow = kind === 'as fragments' ? { onFragment: never } : { onMessage: never };
    const paths = { '/echo': kind === 'in a loop' ? loop : slow, '/other': { onMessage() {} } };
    const { server, call } = await serve({}, { perMessageDeflate: true, memoryBudget: budget, paths });
    const opened = new Promise<Connection>((resolve) => server.connections$.subscribe(resolve));
    const client = await call(OFFER);
    const connection = await opened;
    const size = 1_000_000;
    const payload = deflated(new Uint8Array(size));
    const message =
      kind === 'whole' || kind === 'in a loop'
        ? frame({ opcode: OPCODE.binary, rsv: 4, payload })
        : bytes(
            frame({ opcode: OPCODE.binary, rsv: 4, payload, fin: false }),
            frame({ opcode: OPCODE.continuation, payload: new Uint8Array(0) }),
          );
    await client.sendBytes(bytes(...Array.from({ length: 20 }, () => message)));
    // One is with the user, one waits, and a third one may have begun. 20 of them were 40 KB on the wire.
    await until(() => budget.bytes >= size);
    const other = await call({ path: '/other' });
    for (let i = 0; i < 3; i++) {
      await other.sendBytes(frame({ opcode: OPCODE.ping, payload: new Uint8Array(0) }));
      await other.nextFrame();
    }
    expect(connection.stats().messagesIn).toBeLessThanOrEqual(3);
    expect(budget.bytes).toBeLessThan(3.5 * size);
  },
);

/** Takes one message and asks for no other. */
async function takeNone(connection: Connection): Promise<void> {
  for await (const _ of connection) await new Promise(() => {});
}
