/** What a connection has done, read off its parts. */
import { afterEach, expect, test } from 'vitest';
import { statsOf } from '../../src/connection/stats.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { TICK_MS, Ticker } from '../../src/io/time/ticker.ts';
import { type TestServer, testServer } from '../../src/testing/index.ts';

let served: TestServer | undefined;
afterEach(() => served?.stop());

test('each number is that of the part which counts it; the age is in milliseconds', () => {
  const ticker = new Ticker(new ManualClock());
  ticker.tick = 30;
  const counted = {
    reading: { messages: 1, bytes: 2 },
    sending: { outbox: { messages: 3, dropped: 4, bytes: 5, bufferedAmount: 6 } },
    bornTick: 10,
    rtt: 7,
  };
  expect(statsOf(counted, ticker)).toEqual({
    messagesIn: 1,
    messagesOut: 3,
    dropped: 4,
    bytesIn: 2,
    bytesOut: 5,
    buffered: 6,
    age: 20 * TICK_MS,
    rtt: 7,
  });
});

test('a connection counts messages whole, and bytes with their headers', async () => {
  served = await testServer({ paths: { '/': { onMessage: (connection, m) => void connection.send(m) } } });
  const client = await served.connect('/');
  const [connection] = served.server.path('/').connections;
  const before = connection?.stats();
  client.sendFragments(['he', 'llo']);
  expect(await client.message()).toBe('hello');
  await served.advance(1000);
  const after = connection?.stats();
  expect([before?.messagesIn, before?.messagesOut]).toEqual([0, 0]);
  expect([after?.messagesIn, after?.messagesOut, after?.dropped, after?.buffered]).toEqual([1, 1, 0, 0]);
  // Masked frames of a client have six bytes of header, those of a server two. Some clients end with an empty fragment.
  expect((after?.bytesIn ?? 0) - (before?.bytesIn ?? 0)).toBeGreaterThanOrEqual(2 * 6 + 5);
  expect((after?.bytesOut ?? 0) - (before?.bytesOut ?? 0)).toBe(2 + 5);
  expect((after?.age ?? 0) - (before?.age ?? 0)).toBeGreaterThanOrEqual(1000);
});
