/** The end of a connection whose messages still wait: they come first, and the news of the end is late by a second at most. */
import { afterEach, describe, expect, test } from 'vitest';
import { LATE_END_MS, LateEnd } from '../../src/connection/late-end.ts';
import type { Connection } from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { TICK_MS, Ticker } from '../../src/io/time/ticker.ts';
import { type TestServer, testServer } from '../../src/testing/index.ts';
import { gate } from '../support/serving.ts';

describe('alone', () => {
  const make = () => {
    const clock = new ManualClock();
    const ticker = new Ticker(clock);
    ticker.start();
    let told = 0;
    const late = new LateEnd(ticker, () => told++);
    return { clock, ticker, late, told: () => told };
  };

  test('tells once, when the time is over', () => {
    const { clock, late, told } = make();
    clock.advance(LATE_END_MS);
    expect([told(), late.isTold]).toEqual([0, false]);
    clock.advance(2 * TICK_MS);
    expect([told(), late.isTold]).toEqual([1, true]);
    clock.advance(10 * LATE_END_MS);
    expect(told()).toBe(1);
    expect(late.cancel()).toBe(false);
  });

  test('cancelled in time tells nothing, and waits for nothing', () => {
    const { clock, ticker, late, told } = make();
    expect(ticker.size).toBe(1);
    expect(late.cancel()).toBe(true);
    expect(ticker.size).toBe(0);
    clock.advance(10 * LATE_END_MS);
    expect(told()).toBe(0);
  });
});

describe('of a connection', () => {
  let served: TestServer;
  afterEach(() => served.stop());

  /** Sends `first`, whose handler waits, then `second` and a Close. `onSecond` is what the handler of `second` does. */
  const leave = async (onSecond: (connection: Connection) => void = () => undefined) => {
    const seen: string[] = [];
    const connections: Connection[] = [];
    const { promise, open } = gate();
    served = await testServer({
      paths: {
        '/': {
          onOpen(connection) {
            connections.push(connection);
            connection.messages$.subscribe((message) => void seen.push(`to messages$: ${message}`));
          },
          onMessage(connection, message) {
            seen.push(String(message));
            if (message === 'first') return promise;
            onSecond(connection);
            return undefined;
          },
          onClose: (_, { code }) => void seen.push(`closed ${code}`),
        },
      },
    });
    const client = await served.connect('/');
    client.send('first');
    client.send('second');
    void client.close(1000, '');
    await served.advance(TICK_MS);
    expect(seen.splice(0)).toEqual(['first', 'to messages$: first']);
    const [connection] = connections;
    if (connection === undefined) throw new Error('no connection');
    return { seen, open, connection };
  };

  test('what waited is delivered before the end is told', async () => {
    const { seen, open } = await leave();
    open();
    await served.advance(TICK_MS);
    expect(seen).toEqual(['second', 'to messages$: second', 'closed 1000']);
    await served.advance(2 * LATE_END_MS);
    expect(seen).toHaveLength(3);
  });

  test('a handler that does not settle hides the end for a second only; what waits still comes', async () => {
    const { seen, open } = await leave();
    await served.advance(LATE_END_MS - 4 * TICK_MS);
    expect(seen).toEqual([]);
    await served.advance(8 * TICK_MS);
    expect(seen).toEqual(['closed 1000']);
    open();
    await served.advance(TICK_MS);
    expect(seen).toEqual(['closed 1000', 'second', 'to messages$: second']);
  });

  test('all get a message whose handler terminates, and only then the end is told', async () => {
    const { seen, open } = await leave((connection) => connection.terminate());
    open();
    await served.advance(TICK_MS);
    expect(seen).toEqual(['second', 'to messages$: second', 'closed 1000']);
  });

  test('pause holds back what waits, before the end is told and after it, until resume', async () => {
    const { seen, open, connection } = await leave();
    connection.pause();
    open();
    await served.advance(TICK_MS);
    expect(seen).toEqual([]);
    await served.advance(2 * LATE_END_MS);
    connection.pause();
    expect(seen).toEqual(['closed 1000']);
    connection.resume();
    expect(seen).toEqual(['closed 1000', 'second', 'to messages$: second']);
  });

  test('a loop over the messages ends after the last one, also when it was paused at the end', async () => {
    const { open, connection } = await leave();
    const taken: unknown[] = [];
    connection.pause();
    const loop = (async () => {
      for await (const message of connection) taken.push(message);
    })();
    open();
    await served.advance(2 * LATE_END_MS);
    expect(taken).toEqual([]);
    connection.resume();
    await loop;
    expect(taken).toEqual(['second']);
  });
});
