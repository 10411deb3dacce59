/** The end of a connection whose messages still wait: they come first, and the news of the end is late by a second at most. */
import { afterEach, describe, expect, test } from 'vitest';
import { LATE_END_MS, LateEnd } from '../../src/connection/late-end.ts';
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

  const leave = async () => {
    const seen: string[] = [];
    const { promise, open } = gate();
    served = await testServer({
      paths: {
        '/': {
          onMessage(_, message) {
            seen.push(String(message));
            return message === 'first' ? promise : undefined;
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
    return { seen, open };
  };

  test('what waited is delivered before the end is told', async () => {
    const { seen, open } = await leave();
    expect(seen).toEqual(['first']);
    open();
    await served.advance(TICK_MS);
    expect(seen).toEqual(['first', 'second', 'closed 1000']);
    await served.advance(2 * LATE_END_MS);
    expect(seen).toHaveLength(3);
  });

  test('a handler that does not settle hides the end for a second only; what waits still comes', async () => {
    const { seen, open } = await leave();
    await served.advance(LATE_END_MS - 4 * TICK_MS);
    expect(seen).toEqual(['first']);
    await served.advance(8 * TICK_MS);
    expect(seen).toEqual(['first', 'closed 1000']);
    open();
    await served.advance(TICK_MS);
    expect(seen).toEqual(['first', 'closed 1000', 'second']);
  });
});
