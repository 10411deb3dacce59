/** Sending: until when a message may go, and who is told that nothing waits any more. */
import { afterEach, describe, expect, test } from 'vitest';
import { type TestServer, testServer } from '../../src/testing/index.ts';

let served: TestServer;
afterEach(() => served.stop());

const meet = async () => {
  served = await testServer({ sendLimit: 1024 * 1024 }, { capacityBytes: 1024 });
  const path = served.server.path('/', {});
  const client = await served.connect('/');
  const [connection] = path.connections;
  if (connection === undefined) throw new Error('no connection');
  return { client, connection };
};
const LARGE = 'x'.repeat(100_000);

describe('a message may be sent', () => {
  test('while the connection is open', async () => {
    const { client, connection } = await meet();
    expect([connection.send('a'), connection.sendPing(), connection.sendPong()]).toEqual([
      'sent',
      true,
      true,
    ]);
    expect(await client.message()).toBe('a');
  });

  test('also inside a fragmented message of the peer', async () => {
    const { client, connection } = await meet();
    client.sendFrame({ opcode: 1, final: false, payload: 'he' });
    await served.advance(50);
    expect(connection.state).toBe('fragmenting');
    expect(connection.send('a')).toBe('sent');
  });

  const ends: [name: string, end: (all: Awaited<ReturnType<typeof meet>>) => unknown][] = [
    ['close()', ({ connection }) => connection.close()],
    ['terminate()', ({ connection }) => connection.terminate()],
    ['the peer’s Close', ({ client }) => void client.close()],
    ['the peer is gone', ({ client }) => client.drop()],
    ['the peer broke a rule', ({ client }) => client.sendBytes(Uint8Array.of(0x83, 0x80))],
  ];
  test.each(ends)('no more after %s', async (_, end) => {
    const all = await meet();
    end(all);
    const { connection } = all;
    if (connection.state === 'open') await served.advance(50);
    const fragments = connection.sendFragments(['a']);
    expect([connection.send('a'), connection.sendPing(), connection.sendPong()]).toEqual([
      'closed',
      false,
      false,
    ]);
    expect(await fragments).toBe('closed');
  });

  test('no more in the same turn in which close() was called', async () => {
    const { client, connection } = await meet();
    connection.send('last');
    connection.close(1000, 'bye');
    expect(connection.send('late')).toBe('closed');
    expect(await client.message()).toBe('last');
    expect(await client.closed).toMatchObject({ code: 1000, reason: 'bye' });
  });
});

describe('drained()', () => {
  test('resolves at once where nothing waits', async () => {
    const { connection } = await meet();
    await connection.drained();
    connection.send('small');
    await connection.drained();
    expect(connection.bufferedAmount).toBe(0);
  });

  test('resolves for all that wait when the peer has read, with drain$', async () => {
    const { client, connection } = await meet();
    let drains = 0;
    let resolved = 0;
    connection.drain$.subscribe(() => drains++);
    client.stall();
    connection.send(LARGE);
    for (let count = 0; count < 3; count++) void connection.drained().then(() => resolved++);
    await served.advance(50);
    expect([drains, resolved, connection.bufferedAmount > 0]).toEqual([0, 0, true]);
    client.resume();
    expect(await client.message()).toBe(LARGE);
    await served.advance(50);
    expect([drains, resolved, connection.bufferedAmount]).toEqual([1, 3, 0]);
  });

  test.each<[string, (all: Awaited<ReturnType<typeof meet>>) => void]>([
    ['terminate()', ({ connection }) => connection.terminate()],
    ['the peer is gone', ({ client }) => client.reset()],
  ])('resolves when the connection ends: %s', async (_, end) => {
    const all = await meet();
    all.client.stall();
    all.connection.send(LARGE);
    const drained = all.connection.drained();
    end(all);
    await drained;
    expect(all.connection.state).toBe('closed');
    await all.connection.drained();
  });
});

test('a queue over sendLimit fails the connection with 1013, and its error says the limit', async () => {
  const { client, connection } = await meet();
  const errors: unknown[] = [];
  served.server.errors$.subscribe(({ error }) => errors.push(error));
  client.stall();
  expect(connection.send('x'.repeat(1024 * 1024))).not.toBe('closed');
  expect(connection.send(LARGE)).toBe('closed');
  expect(errors).toMatchObject([{ name: 'SendLimitError', limit: 'sendLimit', closeCode: 1013 }]);
});
