/** A connection as its user sees it: what it says of itself, what it sends and refuses, and its streams. */

import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { CloseReport, Connection, Overflow } from '../../../src/index.ts';
import { prepare } from '../../../src/index.ts';
import { closeKeywords } from '../../../src/io/frames/close-payload.ts';
import {
  binaryFrame,
  bytes,
  closeFrame,
  continuationFrame,
  OPCODE,
  pingFrame,
  pongFrame,
  RawClient,
  requestHead,
  textFrame,
} from '../../support/raw-client.ts';
import { record, reportOf, serve, until, word, words } from '../../support/serving.ts';

const MIB = 1024 * 1024;

/** A connection whose peer does not read: only 100 bytes more may wait for it. */
async function stuck(options: { overflow?: Overflow } = {}) {
  const sendLimit = 16 * MIB;
  const { meet, ...served } = await serve({}, { sendLimit, ...options });
  const { client, connection } = await meet();
  client.pause();
  expect(connection.send(new Uint8Array(12 * MIB))).toBeOneOf(['sent', 'queued']);
  // What the sockets' own buffers take, they take in the next few turns.
  let same = 0;
  for (let last = -1; same < 20; last = connection.bufferedAmount) {
    await new Promise((resolve) => setImmediate(resolve));
    same = connection.bufferedAmount === last ? same + 1 : 0;
  }
  const filler = sendLimit - connection.bufferedAmount - 100 - 10;
  expect(connection.send(new Uint8Array(filler))).toBe('queued');
  expect(connection.bufferedAmount).toBe(sendLimit - 100);
  /** The peer reads; the queue is dropped when the connection fails. */
  const read = async ({ isDropped = false } = {}) => {
    client.resume();
    expect((await client.nextFrame()).payload.length).toBe(12 * MIB);
    if (!isDropped) expect((await client.nextFrame()).payload.length).toBe(filler);
  };
  return { ...served, client, connection, read };
}

describe('what a connection says of itself', () => {
  test('path, params, query, headers, origin, subprotocol, address, state, id, actor', async () => {
    const { port, server } = await serve(
      {},
      { subprotocols: ['chat'], paths: { '/rooms/:room/:seat': {}, '/files/*': {} }, origins: '*' },
    );
    const opened = firstValueFrom(server.connections$);
    const headers = {
      Origin: 'https://example.com',
      'X-Two': 'a',
      'x-two ': null,
      'Sec-WebSocket-Protocol': 'chat',
    };
    await (await RawClient.connect(port, { path: '/rooms/caf%C3%A9/1?a=1&a=2', headers })).handshake();
    const connection: Connection = await opened;
    expect(connection).toMatchObject({
      path: '/rooms/caf%C3%A9/1',
      params: { room: 'café', seat: '1' },
      origin: 'https://example.com',
      subprotocol: 'chat',
      remoteAddress: '127.0.0.1',
      state: 'open',
      bufferedAmount: 0,
      data: undefined,
      rtt: undefined,
    });
    expect(connection.query.getAll('a')).toEqual(['1', '2']);
    expect(connection.headers).toMatchObject({ 'x-two': 'a', 'sec-websocket-version': '13' });
    expect(connection.actor.getSnapshot().value).toBe('open');
    const second = firstValueFrom(server.connections$);
    await (await RawClient.connect(port, { path: '/files/a/b%2Fc' })).handshake();
    const other = await second;
    expect(other.params).toEqual({ '*': 'a/b/c' });
    expect(other.id).not.toBe(connection.id);
    expect([other.origin, other.subprotocol]).toEqual([undefined, '']);
  });

  test('params cannot be reached through their prototype', async () => {
    const { meet } = await serve({}, { paths: { '/x/:name': {} } });
    const { connection } = await meet({ path: '/x/__proto__' });
    expect(connection.params.name).toBe('__proto__');
    expect(connection.params.toString).toBeUndefined();
    expect(Object.isFrozen(connection.params)).toBe(true);
  });
});

describe('send', () => {
  test('text as text, bytes as binary, and what prepare made', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    expect(connection.send('grüß')).toBe('sent');
    expect(connection.send(Uint8Array.of(0, 255))).toBe('sent');
    expect(connection.send(Buffer.from([1]))).toBe('sent');
    expect(connection.send(prepare('made'))).toBe('sent');
    expect(connection.send('')).toBe('sent');
    expect(await words(client, 5)).toEqual(['text grüß', 'binary 00ff', 'binary 01', 'text made', 'text']);
  });

  test.each([
    [undefined],
    [null],
    [1],
    [{ a: 1 }],
    [['a']],
    [new ArrayBuffer(1)],
    [new Uint16Array(1)],
    [Object.create(null)],
    [{ frame: 'text' }],
    [Symbol('s')],
  ])('of %o is a TypeError at the call, also once the connection has ended', async (value) => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    expect(() => connection.send(value as never)).toThrow(TypeError);
    client.destroy();
    await reportOf(connection);
    expect(() => connection.send(value as never)).toThrow(TypeError);
  });

  test('is "queued" behind what the peer has not read, and arrives in order when it does', async () => {
    const { client, connection, read } = await stuck();
    expect(connection.send('1')).toBe('queued');
    expect(connection.send(Uint8Array.of(2))).toBe('queued');
    expect(connection.send(prepare('3'))).toBe('queued');
    await read();
    expect(await words(client, 3)).toEqual(['text 1', 'binary 02', 'text 3']);
  });

  test('changes nothing when the bytes it was given change later, once drained', async () => {
    const { meet } = await serve({}, { sendLimit: 16 * MIB });
    const { client, connection } = await meet();
    const small = Uint8Array.of(1, 2, 3);
    connection.send(small);
    small.fill(9);
    expect(await word(client)).toBe('binary 010203');
    const large = new Uint8Array(8 * MIB).fill(7);
    client.pause();
    connection.send(large);
    client.resume();
    await connection.drained();
    large.fill(9);
    const { payload } = await client.nextFrame();
    expect(payload.every((byte) => byte === 7)).toBe(true);
  });

  test('with a key takes the place of the waiting message of that key', async () => {
    const { client, connection, read } = await stuck();
    expect(['a1', 'b1', 'a2', 'a3'].map((m) => connection.send(m, { key: m.slice(0, 1) }))).toEqual(
      Array(4).fill('queued'),
    );
    connection.send('end');
    await read();
    expect(await words(client, 3)).toEqual(['text a3', 'text b1', 'text end']);
    expect(connection.send('a4', { key: 'a' })).toBe('sent');
    expect(await word(client)).toBe('text a4');
  });
});

describe('sendLimit', () => {
  test('up to the limit passes, the byte over it is the policy’s: close, with 1013 and an error', async () => {
    const { client, connection, errors, read } = await stuck();
    expect(connection.send('x'.repeat(60))).toBe('queued');
    expect(connection.state).toBe('open');
    expect(connection.send('x'.repeat(60))).toBe('closed');
    expect(connection.state).toBe('closing');
    expect(connection.send('x')).toBe('closed');
    expect(errors).toMatchObject([
      { connection, error: { code: 'ERR_LIMIT', limit: 'sendLimit', closeCode: 1013 } },
    ]);
    // What waited is not sent: the Close is next.
    await read({ isDropped: true });
    expect(await word(client)).toBe('close 1013 peer reads too slowly');
    client.fin();
    expect(await reportOf(connection)).toMatchObject({ code: 1013, wasClean: false, initiator: 'server' });
  });

  test('drop: the new message is dropped, the connection stays', async () => {
    const { client, connection, errors, read } = await stuck({ overflow: 'drop' });
    expect(connection.send('x'.repeat(60))).toBe('queued');
    expect(connection.send('y'.repeat(60))).toBe('dropped');
    expect(connection.send('z')).toBe('queued');
    await read();
    expect(await words(client, 2)).toEqual([`text ${'x'.repeat(60)}`, 'text z']);
    expect([connection.state, errors]).toEqual(['open', []]);
  });

  test('drop-oldest: room is made for the new one; what is too large for all of it is dropped', async () => {
    const { client, connection, read } = await stuck({ overflow: 'drop-oldest' });
    connection.sendPing('kept');
    expect(connection.send('x'.repeat(16 * MIB))).toBe('dropped');
    expect(['1', '2', '3', '4'].map((c) => connection.send(c.repeat(40)))).toEqual(Array(4).fill('queued'));
    // The oldest that waits here is the filler; what the sockets have cannot be taken back.
    await read({ isDropped: true });
    expect(await words(client, 5)).toEqual([
      'ping kept',
      ...['1', '2', '3', '4'].map((c) => `text ${c.repeat(40)}`),
    ]);
  });

  test('a message larger than the limit is never sent, though nothing waits', async () => {
    const { meet } = await serve({}, { sendLimit: 100, overflow: 'drop' });
    const { client, connection } = await meet();
    expect(connection.send('x'.repeat(101))).toBe('dropped');
    expect(connection.send(new Uint8Array(101))).toBe('dropped');
    expect(connection.send('x'.repeat(100))).toBe('sent');
    expect(await word(client)).toBe(`text ${'x'.repeat(100)}`);
  });

  test('a burst in one turn that the peer takes is no overflow', async () => {
    const { meet } = await serve({}, { sendLimit: 1000 });
    const { client, connection } = await meet();
    const results = Array.from({ length: 50 }, (_, i) => connection.send(`${i}`.padEnd(100, '.')));
    expect(new Set(results)).toEqual(new Set(['sent']));
    expect((await words(client, 50)).length).toBe(50);
  });
});

describe('bufferedAmount, drained and drain$', () => {
  test('count what waits, and say when nothing does any more', async () => {
    const { client, connection, read } = await stuck();
    const drains = record(connection.drain$);
    connection.send('x'.repeat(50));
    expect(connection.bufferedAmount).toBeGreaterThan(50);
    let isDrained = false;
    const drained = connection.drained().then(() => {
      isDrained = true;
    });
    await new Promise((resolve) => setImmediate(resolve));
    expect(isDrained).toBe(false);
    await read();
    await drained;
    expect(connection.bufferedAmount).toBe(0);
    expect(drains.values.length).toBe(1);
    expect(await word(client)).toBe(`text ${'x'.repeat(50)}`);
  });

  test('drained resolves at once when nothing waits, and when the connection ends', async () => {
    const { meet } = await serve({});
    const { connection } = await meet();
    await connection.drained();
    connection.send('x');
    await connection.drained();
    const { client, connection: slow } = await stuck();
    const drained = slow.drained();
    client.destroy();
    await drained;
    expect(slow.bufferedAmount).toBe(0);
  });
});

describe('sendPing and sendPong', () => {
  test('send what they are given, up to 125 bytes (RFC 6455 5.5)', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    expect([connection.sendPing('é'), connection.sendPong(Uint8Array.of(1)), connection.sendPing()]).toEqual([
      true,
      true,
      true,
    ]);
    connection.sendPing('x'.repeat(125));
    expect(await words(client, 4)).toEqual(['ping é', 'pong \u0001', 'ping', `ping ${'x'.repeat(125)}`]);
    expect(() => connection.sendPing('x'.repeat(126))).toThrow(RangeError);
    expect(() => connection.sendPong('é'.repeat(63))).toThrow(RangeError);
    expect(() => connection.sendPing(1 as never)).toThrow(TypeError);
  });

  test('pass messages that wait', async () => {
    const { client, connection, read } = await stuck();
    connection.send('late');
    connection.sendPing('early');
    await read({ isDropped: true });
    expect(await word(client)).toBe('ping early');
    expect((await client.nextFrame()).opcode).toBe(OPCODE.binary);
    expect(await word(client)).toBe('text late');
  });
});

describe('close', () => {
  test('takes each keyword and each number that may be sent', async () => {
    const { meet } = await serve({});
    const forms = [...Object.entries(closeKeywords), ...[1012, 1013, 1014, 3000, 4999].map((n) => [n, n])];
    for (const [form, code] of forms) {
      const { client, connection } = await meet();
      connection.close(form as never, 'why');
      expect(await client.closeFrame()).toEqual({ code, reason: 'why' });
      client.destroy();
    }
  });

  test('without arguments is 1000 without a reason', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    connection.close();
    expect(await word(client)).toBe('close 1000');
  });

  test('of any other code throws a RangeError and closes nothing', async () => {
    const { meet } = await serve({});
    const { connection } = await meet();
    const wrong = [
      0,
      999,
      1004,
      1005,
      1006,
      1015,
      1016,
      2999,
      5000,
      -1,
      1000.5,
      Number.NaN,
      '1000',
      'bye',
      '',
    ];
    for (const code of [...wrong, 'toString', '__proto__', null, {}]) {
      expect(() => connection.close(code as never), String(code)).toThrow(RangeError);
    }
    expect(() => connection.close(1000, 'x'.repeat(124))).toThrow(RangeError);
    expect(() => connection.close(1000, 'é'.repeat(62))).toThrow(RangeError);
    expect(connection.state).toBe('open');
    connection.close(1000, 'é'.repeat(61));
  });
});

describe('streams of a connection', () => {
  test('the very first message reaches a subscriber of connections$, even glued to the head', async () => {
    for (const glued of [true, false]) {
      const { port, server } = await serve({});
      const seen: unknown[] = [];
      server.connections$.subscribe((connection) => connection.messages$.subscribe((m) => seen.push(m)));
      const client = await RawClient.connect(port, { sendHead: false });
      const frames = bytes(textFrame('first'), binaryFrame(Uint8Array.of(2)), pingFrame());
      if (glued) await client.sendBytes(bytes(requestHead(), frames));
      else {
        await client.sendBytes(bytes(requestHead()));
        await client.sendBytes(frames);
      }
      expect(await word(client)).toBe('pong');
      expect(seen).toEqual(['first', Uint8Array.of(2)]);
    }
  });

  test('messages$, fragments$, pings$ and pongs$ say what came, each its own', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const messages = record(connection.messages$);
    const fragments = record(connection.fragments$);
    const pings = record(connection.pings$);
    const pongs = record(connection.pongs$);
    await client.sendBytes(
      bytes(
        textFrame('a', { fin: false }),
        pingFrame('1'),
        continuationFrame('b'),
        pongFrame('2'),
        binaryFrame(Uint8Array.of(3)),
        pingFrame('end'),
      ),
    );
    await words(client, 2);
    expect(messages.values).toEqual(['ab', Uint8Array.of(3)]);
    expect(fragments.values).toEqual([
      { data: 'a', opcode: 'text', first: true, final: false },
      { data: 'b', opcode: 'text', first: false, final: true },
      { data: Uint8Array.of(3), opcode: 'binary', first: true, final: true },
    ]);
    expect(pings.values).toEqual([bytes('1'), bytes('end')]);
    expect(pongs.values).toEqual([bytes('2')]);
  });

  test('a payload is the subscriber’s to keep', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const pings = record(connection.pings$);
    const messages = record(connection.messages$);
    await client.sendBytes(bytes(pingFrame('first'), binaryFrame(Uint8Array.of(1, 2))));
    await client.sendBytes(bytes(pingFrame('other'), binaryFrame(Uint8Array.of(3, 4))));
    await words(client, 2);
    expect(pings.values.map((p) => Buffer.from(p).toString())).toEqual(['first', 'other']);
    expect(messages.values).toEqual([Uint8Array.of(1, 2), Uint8Array.of(3, 4)]);
  });

  test('are hot: who comes late gets what comes later, and unsubscribing closes nothing', async () => {
    const { meet } = await serve({ onMessage: (connection, message) => void connection.send(message) });
    const { client, connection } = await meet();
    const early: unknown[] = [];
    const subscription = connection.messages$.subscribe((m) => early.push(m));
    await client.sendBytes(textFrame('1'));
    await word(client);
    subscription.unsubscribe();
    const late = record(connection.messages$);
    await client.sendBytes(textFrame('2'));
    await word(client);
    expect([early, late.values, connection.state]).toEqual([['1'], ['2'], 'open']);
  });

  test('state$ replays the present state, says each change once, and completes', async () => {
    const { meet } = await serve({ onMessage: () => {} });
    const { client, connection } = await meet();
    const states = record(connection.state$);
    await client.sendBytes(bytes(textFrame('a', { fin: false }), pingFrame()));
    await word(client);
    const later = record(connection.state$);
    await client.sendBytes(bytes(continuationFrame('b'), closeFrame(1000)));
    await client.ended();
    client.fin();
    await reportOf(connection);
    expect(states).toEqual({
      values: ['open', 'fragmenting', 'open', 'closing', 'closed'],
      ends: ['complete'],
    });
    expect(later.values).toEqual(['fragmenting', 'open', 'closing', 'closed']);
    expect(record(connection.state$)).toEqual({ values: ['closed'], ends: ['complete'] });
  });

  const endings: [name: string, end: (client: RawClient, connection: Connection) => unknown][] = [
    ['a closing handshake', (client) => client.sendBytes(closeFrame(1000)).then(() => client.fin())],
    ['a reset', (client) => client.reset()],
    ['a FIN', (client) => client.fin()],
    ['a violation', (client) => client.sendBytes(textFrame('x', { mask: false })).then(() => client.fin())],
    ['terminate', (_, connection) => connection.terminate()],
  ];
  test.each(endings)('messages$ and the others complete and never error: %s', async (_, end) => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const { messages$, fragments$, pings$, pongs$, drain$, state$, closed$ } = connection;
    const streams = [messages$, fragments$, pings$, pongs$, drain$, state$, closed$] as const;
    const records = streams.map((stream) => record(stream as typeof messages$));
    const report = reportOf(connection);
    await end(client, connection);
    await report;
    expect(records.map(({ ends }) => ends)).toEqual(streams.map(() => ['complete']));
    expect(streams.map((stream) => record(stream as typeof messages$).ends)).toEqual(
      streams.map(() => ['complete']),
    );
  });

  test('closed$ gives one report, then completes; also to those who come late', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const early = record(connection.closed$);
    expect(early).toEqual({ values: [], ends: [] });
    client.reset();
    const report = await reportOf(connection);
    const expected = { values: [report], ends: ['complete'] };
    expect([early, record(connection.closed$)]).toEqual([expected, expected]);
  });

  test('closed$ gives one report to those who come in the very moment: in onClose, in a completion', async () => {
    for (const early of [true, false]) {
      const seen: { values: CloseReport[]; ends: string[] }[] = [];
      const { meet, server } = await serve({
        onClose: (connection) => void seen.push(record(connection.closed$)),
      });
      const { client, connection } = await meet();
      if (early) connection.closed$.subscribe();
      connection.messages$.subscribe({ complete: () => seen.push(record(connection.closed$)) });
      server.lifecycle$.subscribe(({ to }) => {
        if (to === 'closed') seen.push(record(connection.closed$));
      });
      client.fin();
      await until(() => seen.length === 3 && seen.every(({ ends }) => ends.length > 0));
      expect(seen.map(({ values, ends }) => [values.length, ends])).toEqual(Array(3).fill([1, ['complete']]));
    }
  });

  test('a subscriber may close, send and unsubscribe in what it is told', async () => {
    const { meet } = await serve({});
    const { client, connection } = await meet();
    const seen: unknown[] = [];
    const subscription = connection.messages$.subscribe((message) => {
      seen.push(message);
      connection.send('bye');
      connection.close(4000);
      subscription.unsubscribe();
    });
    connection.messages$.subscribe();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    expect(await words(client, 2)).toEqual(['text bye', 'close 4000']);
    expect(seen).toEqual(['1']);
  });
});

test('a frame of every kind to a connection that nobody looks at leaves it open', async () => {
  const { meet } = await serve({ onMessage: () => {} });
  const { client, connection } = await meet();
  const frames = [textFrame('a'), binaryFrame('b'), pongFrame('c'), textFrame('', { fin: false })];
  await client.sendBytes(bytes(...frames, continuationFrame(''), pingFrame('end')));
  expect((await client.nextFrame()).opcode).toBe(OPCODE.pong);
  expect(connection.state).toBe('open');
});
