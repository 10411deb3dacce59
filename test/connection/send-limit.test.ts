/** What counts against sendLimit, who is told, and who is blamed. */
import { describe, expect, test } from 'vitest';
import { type Connection, type Message, type Overflow, prepare, SendLimitError } from '../../src/index.ts';
import { closeFrame } from '../support/raw-client.ts';
import { reportOf, serve, until, warning, word } from '../support/serving.ts';

const LIMIT = 70_000;
const text = (bytes: number) => 'x'.repeat(bytes);
const binary = (bytes: number) => new Uint8Array(bytes);

/** All ways to send one message. */
const ways: Record<
  string,
  (connection: Connection, bytes: number, broadcast: (m: Message) => number) => unknown
> = {
  text: (connection, bytes) => connection.send(text(bytes)),
  'text beyond ASCII': (connection, bytes) =>
    connection.send(`${'é'.repeat(Math.floor(bytes / 2))}${text(bytes % 2)}`),
  binary: (connection, bytes) => connection.send(binary(bytes)),
  'text with a key': (connection, bytes) => connection.send(text(bytes), { key: 'k' }),
  'binary with a key': (connection, bytes) => connection.send(binary(bytes), { key: 'k' }),
  prepared: (connection, bytes) => connection.send(prepare(text(bytes))),
  'prepared, with a key': (connection, bytes) => connection.send(prepare(binary(bytes)), { key: 'k' }),
  broadcast: (_connection, bytes, broadcast) => broadcast(binary(bytes)),
};

describe.each(Object.entries(ways))('%s', (_, send) => {
  test('of up to sendLimit bytes of payload goes, alone or after small ones of the same turn', async () => {
    const { meet, server } = await serve({}, { sendLimit: LIMIT });
    const { client, connection } = await meet();
    const broadcast = (message: Message) => server.path('/echo').broadcast(message);
    for (const bytes of [LIMIT, LIMIT - 1, LIMIT - 2, LIMIT - 4, LIMIT - 10]) {
      for (const isFirst of [true, false]) {
        if (!isFirst) connection.send('small');
        expect(send(connection, bytes, broadcast)).toBeOneOf(['sent', 1]);
        if (!isFirst) expect(await word(client)).toBe('text small');
        expect((await client.nextFrame()).payload.length).toBe(bytes);
      }
    }
  });

  test('of more is a RangeError at the call that names sendLimit; the connection lives', async () => {
    const { meet, server, errors } = await serve({}, { sendLimit: LIMIT });
    const { client, connection } = await meet();
    const broadcast = (message: Message) => server.path('/echo').broadcast(message);
    const words = `cannot send a message of ${LIMIT + 1} bytes: sendLimit is ${LIMIT} bytes`;
    expect(() => send(connection, LIMIT + 1, broadcast)).toThrow(RangeError);
    expect(() => send(connection, LIMIT + 1, broadcast)).toThrow(words);
    connection.send('alive');
    expect(await word(client)).toBe('text alive');
    expect([connection.state, errors]).toEqual(['open', []]);
    client.destroy();
    await reportOf(connection);
    expect(send(connection, LIMIT + 1, broadcast)).toBeOneOf(['closed', 0]);
  });
});

describe('a message that is too large alone', () => {
  test.each(['drop', 'drop-oldest'] as Overflow[])(
    'with %s is dropped each time, and told once for all connections',
    async (overflow) => {
      const { meet, server, errors } = await serve({}, { sendLimit: LIMIT, overflow });
      const { connection } = await meet();
      await meet();
      expect(connection.send(text(LIMIT + 1))).toBe('dropped');
      expect(server.path('/echo').broadcast(binary(LIMIT + 1))).toBe(0);
      expect(errors).toMatchObject([{ connection, error: { name: 'RangeError' } }]);
      expect(String(errors[0]?.error)).toContain('sendLimit');
      expect(server.path('/echo').connections.size).toBe(2);
    },
  );

  test('in a handler that does not catch it: the developer hears of sendLimit, and the peer is not blamed', async () => {
    const { meet, errors } = await serve(
      { onMessage: (c) => void c.send(text(LIMIT + 1)) },
      { sendLimit: LIMIT },
    );
    const { client, connection } = await meet();
    await client.sendFrame({ opcode: 1, payload: Buffer.from('x') });
    expect(await word(client)).toBe('close 1011 internal error');
    expect(errors).toMatchObject([{ connection, error: { name: 'RangeError' } }]);
  });

  test('goes in pieces, each of sendLimit bytes at most', async () => {
    const { meet } = await serve({}, { sendLimit: LIMIT });
    const { client, connection } = await meet();
    expect(await connection.sendFragments([binary(2 * LIMIT + 5)])).toBeOneOf(['sent', 'queued']);
    const lengths = [];
    for (let fin = false; !fin; ) {
      const frame = await client.nextFrame();
      lengths.push(frame.payload.length);
      fin = frame.fin;
    }
    expect(lengths).toEqual([LIMIT, LIMIT, 5, 0]);
  });
});

describe('messages that are too many at once', () => {
  const MIB = 1024 * 1024;

  test('within one callback: the program is to blame, not a peer that has had no time to read', async () => {
    const { meet, errors } = await serve({}, { sendLimit: 16 * MIB });
    const { client, connection } = await meet();
    let result = 'sent';
    for (let i = 0; i < 10 && result !== 'closed'; i++) result = connection.send(binary(8 * MIB));
    expect(result).toBe('closed');
    expect(errors).toMatchObject([
      { connection, error: { code: 'ERR_SEND_LIMIT', fault: 'user', closeCode: 1013 } },
    ]);
    expect(errors[0]?.error).toBeInstanceOf(SendLimitError);
    for (let frame = await client.nextFrame(); frame.opcode === 2; frame = await client.nextFrame()) {
      if (client.waitingFrames[0]?.opcode === 8) break;
    }
  });

  test('after a message whose pieces do not come: that is told, and the peer is not blamed', async () => {
    const { meet, errors } = await serve({}, { sendLimit: 1000 });
    const { client, connection } = await meet();
    const never: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise<never>(() => {}) }),
    };
    const sent = connection.sendFragments(never);
    expect(connection.send(text(500))).toBe('queued');
    expect(connection.sendPing('passes')).toBe(true);
    expect(await word(client)).toBe('ping passes');
    expect(connection.send(text(500))).toBe('closed');
    expect(await sent).toBe('closed');
    expect(await word(client)).toBe('close 1013 a message was not finished');
    expect(errors).toMatchObject([{ connection, error: { code: 'ERR_SEND_LIMIT', limit: 'sendLimit' } }]);
    expect(String(errors[0]?.error)).toContain('sendFragments()');
    await client.sendBytes(closeFrame(1013));
  });

  test('after such a message with drop: the later ones are dropped, and it can still end', async () => {
    const { meet, errors } = await serve({}, { sendLimit: 1000, overflow: 'drop' });
    const { client, connection } = await meet();
    let give = (_: string) => {};
    const piece = new Promise<string>((resolve) => {
      give = resolve;
    });
    const sent = connection.sendFragments([piece] as never);
    expect([connection.send(text(600)), connection.send(text(600))]).toEqual(['queued', 'dropped']);
    give('late');
    expect(await sent).toBe('sent');
    expect([await word(client), await word(client), await word(client)]).toEqual([
      'text- late',
      'continuation',
      `text ${text(600)}`,
    ]);
    expect(errors).toEqual([]);
  });

  test('a newer message of a key counts what it is larger than the one whose place it takes', async () => {
    const { meet } = await serve({}, { sendLimit: 1000, overflow: 'drop' });
    const { client, connection } = await meet();
    let give = (_: string) => {};
    const piece = new Promise<string>((resolve) => {
      give = resolve;
    });
    void connection.sendFragments([piece] as never);
    expect(connection.send('first', { key: 'k' })).toBe('queued');
    expect(connection.send(text(600), { key: 'other' })).toBe('queued');
    expect(connection.send(text(500), { key: 'k' })).toBe('dropped');
    expect(connection.send('newer', { key: 'k' })).toBe('queued');
    expect(connection.send(text(700), { key: 'other' })).toBe('queued');
    expect(connection.bufferedAmount).toBeLessThanOrEqual(1010);
    give('piece');
    await until(() => connection.bufferedAmount === 0);
    for (const wanted of ['text- piece', 'continuation', 'text newer', `text ${text(700)}`]) {
      expect(await word(client)).toBe(wanted);
    }
  });
});

test('without a listener for errors, a message that is dropped for its size is a warning of the process', async () => {
  const { server, meet } = await serve({}, { sendLimit: 100, overflow: 'drop' });
  const { connection } = await meet();
  // `serve` subscribes to errors$, so an own server is asked here.
  expect(server.path('/echo').connections.size).toBe(1);
  const { createServer } = await import('../../src/index.ts');
  const other = createServer({
    port: 0,
    host: '127.0.0.1',
    sendLimit: 100,
    overflow: 'drop',
    paths: { '/echo': { onOpen: (opened) => void opened.send(text(101)) } },
  });
  await other.start();
  const { RawClient } = await import('../support/raw-client.ts');
  const told = await warning(async () => {
    const client = await RawClient.connect(other.address()?.port ?? 0);
    await client.handshake();
  });
  expect(told.message).toContain('sendLimit is 100 bytes');
  connection.terminate();
  await other.stop({ deadline: 0 });
});
