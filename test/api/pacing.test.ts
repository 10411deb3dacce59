/** A stop in batches: how many at a time, and done by half of its deadline. */
import { describe, expect, test } from 'vitest';
import { Pacing } from '../../src/api/pacing.ts';
import { ManualClock } from '../../src/io/manual-clock.ts';
import { Ticker } from '../../src/io/ticker.ts';
import { closeFrame, type RawClient, textFrame } from '../support/raw-client.ts';
import { gate, make, reportOf, serve, until, word } from '../support/serving.ts';

function pace(count: number, batch: number, endTick: number, random = 0.5) {
  const clock = Object.assign(new ManualClock(), { random: () => random });
  const ticker = new Ticker(clock);
  ticker.start();
  const closed: number[] = [];
  const items = Array.from({ length: count }, (_, i) => i);
  const pacing = new Pacing({ ticker, clock }, { batch, endTick, items }, (item) => closed.push(item) > 0);
  return { clock, ticker, closed, pacing };
}

describe('batches', () => {
  test('the first goes at once, one follows at each tick, in order', () => {
    const { clock, closed, pacing, ticker } = pace(25, 10, 1000);
    pacing.start();
    expect(closed.length).toBe(10);
    clock.advance(50);
    expect(closed.length).toBe(20);
    clock.advance(50);
    expect(closed).toEqual(Array.from({ length: 25 }, (_, i) => i));
    expect(ticker.size).toBe(0);
  });

  test.each([
    [0, 5],
    [0.999_999, 15],
  ])('are spread by half: with a chance of %s, %s of 10', (random, first) => {
    const { closed, pacing } = pace(100, 10, 1000, random);
    pacing.start();
    expect(closed.length).toBe(first);
  });

  test('are larger where they would not be done by the end', () => {
    const { clock, closed, pacing } = pace(1000, 1, 10);
    pacing.start();
    expect(closed.length).toBe(100);
    clock.advance(450);
    expect(closed.length).toBe(1000);
  });

  test('Infinity is all at once', () => {
    const { closed, pacing } = pace(1000, Number.POSITIVE_INFINITY, 1000);
    pacing.start();
    expect(closed.length).toBe(1000);
  });

  test('stopped, no batch follows', () => {
    const { clock, closed, pacing, ticker } = pace(20, 10, 1000);
    pacing.start();
    pacing.stop();
    clock.advance(1000);
    expect([closed.length, ticker.size]).toEqual([10, 0]);
  });

  test('what has ended by itself takes no place in a batch', () => {
    const clock = Object.assign(new ManualClock(), { random: () => 0.5 });
    const ticker = new Ticker(clock);
    const closed: string[] = [];
    const pacing = new Pacing(
      { ticker, clock },
      { batch: 2, endTick: 100, items: ['gone', 'a', 'gone', 'b', 'c'] },
      (item) => {
        if (item === 'gone') return false;
        closed.push(item);
        return true;
      },
    );
    pacing.start();
    expect(closed).toEqual(['a', 'b']);
  });
});

describe('stop', () => {
  test('closes in batches; who waits for its turn is served as before', async () => {
    const { server, call } = await serve(
      { onMessage: (connection, message) => void connection.send(message) },
      { clock: Object.assign(new ManualClock(), { random: () => 0.5 }), closeDeadline: 60_000 },
    );
    const clients = [await call(), await call(), await call()];
    const closing = () => server.stats().connections.closing;
    const stopping = server.stop({ batch: 1, deadline: 60_000 });
    expect(closing()).toBe(1);
    await clients[2]?.sendBytes(textFrame('still here'));
    expect(await word(clients[2] as RawClient)).toBe('text still here');
    const rest = server.stop({ batch: 1000 });
    expect(rest).toBe(stopping);
    for (const client of clients) client.destroy();
    expect(await stopping).toEqual({ connections: 3, terminated: 0, refused: 0, handlers: 0 });
  });

  test.each([0, -1, 0.5, Number.NaN])('a batch of %s is a RangeError at the call', (batch) => {
    const { server } = make();
    expect(() => server.stop({ batch })).toThrow(RangeError);
  });

  test('waits for a handler under way, and says which it gave up on', async () => {
    const door = gate();
    const { server, meet, clock } = await serve({ onMessage: () => door.promise });
    const { client, connection } = await meet();
    await client.sendBytes(Uint8Array.of(0x81, 0x80, 0, 0, 0, 0));
    await until(() => connection.stats().messagesIn === 1);
    const report = reportOf(connection);
    let done = false;
    const stopping = server.stop({ deadline: 1000 }).finally(() => {
      done = true;
    });
    client.reset();
    expect((await report).code).toBe(1006);
    expect([done, server.state]).toEqual([false, 'draining']);
    clock.advance(1200);
    expect(await stopping).toEqual({ connections: 1, terminated: 0, refused: 0, handlers: 1 });
  });

  test('a handler that ends in time ends the stop', async () => {
    const door = gate();
    const { server, meet } = await serve({ onMessage: () => door.promise });
    const { client, connection } = await meet();
    await client.sendBytes(Uint8Array.of(0x81, 0x80, 0, 0, 0, 0));
    await until(() => connection.stats().messagesIn === 1);
    const stopping = server.stop({ deadline: 1000 });
    await client.sendBytes(closeFrame(1001));
    client.fin();
    door.open();
    expect(await stopping).toMatchObject({ terminated: 0, handlers: 0 });
  });
});
