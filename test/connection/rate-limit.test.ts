/** How fast a peer may send: the bucket alone, then both rates over the wire. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { readOptions } from '../../src/api/options/options.ts';
import { RateLimit, Rates } from '../../src/connection/rate-limit.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  pingFrame,
  pongFrame,
  textFrame,
} from '../support/raw-client.ts';
import { gate, reportOf, serve, until, word, words } from '../support/serving.ts';

const at = (tick: number, stalledMs = 0) => ({ tick, stalledMs });
const takeAll = (limit: RateLimit, tick: number, stalledMs = 0) => {
  let taken = 0;
  while (taken < 100_000 && limit.take(1, at(tick, stalledMs))) taken++;
  return taken;
};

describe('the bucket', () => {
  test('begins full, with what the rate brings in the time of a burst', () => {
    expect(takeAll(new RateLimit(100, 1000, at(0)), 0)).toBe(100);
    expect(takeAll(new RateLimit(100, 250, at(0)), 0)).toBe(25);
  });

  test('holds one at least, however short the burst', () => {
    expect(takeAll(new RateLimit(1, 50, at(0)), 0)).toBe(1);
  });

  test('is filled by each tick with a twentieth of the rate, and is never more than full', () => {
    const limit = new RateLimit(10, 1000, at(0));
    for (let i = 0; i < 10; i++) expect(limit.take(1, at(0))).toBe(true);
    expect(limit.take(1, at(1))).toBe(false);
    // That one is owed now: three more ticks bring two tokens, and one of them pays it.
    expect(takeAll(limit, 4)).toBe(1);
    const rested = new RateLimit(10, 1000, at(0));
    rested.take(10, at(0));
    expect(takeAll(rested, 1_000_000)).toBe(10);
  });

  test('in any time lets no more pass than a full bucket and the rate of that time', () => {
    const step = fc.record({ ticks: fc.nat(5), count: fc.nat(30) });
    fc.assert(
      fc.property(fc.nat(200), fc.array(step), (extra, steps) => {
        const rate = 20 + extra;
        const limit = new RateLimit(rate, 1000, at(0));
        let [tick, passed] = [0, 0];
        for (const { ticks, count } of steps) {
          tick += ticks;
          if (limit.take(count, at(tick))) passed += count;
          expect(passed).toBeLessThanOrEqual(rate + (rate * tick) / 20);
        }
      }),
    );
  });

  test('a tick that came late brings what came meanwhile on top, once', () => {
    const limit = new RateLimit(20, 1000, at(0));
    expect(takeAll(limit, 100, 4_000)).toBe(20 + 80);
    expect(takeAll(limit, 100, 4_000)).toBe(0);
  });

  test('a small stall takes nothing of what a longer pause brought', () => {
    const limit = new RateLimit(20, 1000, at(0));
    limit.forgive(60, at(60));
    expect(limit.take(10, at(62, 50))).toBe(true);
    limit.forgive(1, at(63));
    expect(takeAll(limit, 65, 100)).toBe(20 + 60 - 10);
  });

  test('what pauses brought does not add up: the longest counts', () => {
    const limit = new RateLimit(20, 1000, at(0));
    limit.forgive(40, at(40));
    limit.forgive(60, at(100));
    expect(takeAll(limit, 100)).toBe(20 + 60);
  });

  test('is made only where an option sets a rate', () => {
    const of = (options: object) => Rates.of(readOptions({ port: 0, ...options }), at(0));
    expect(of({})).toBeUndefined();
    expect(of({ maxMessagesPerSecond: 5 })?.bytes(2 ** 40, at(0))).toBe(true);
    expect(of({ maxBytesPerSecond: 5 })?.message(at(0))).toBe(true);
  });
});

describe('maxMessagesPerSecond', () => {
  const limits = { maxMessagesPerSecond: 5 };
  const told = { error: { code: 'ERR_LIMIT', limit: 'maxMessagesPerSecond', closeCode: 1008 } };

  test('so many pass at once; one more is not delivered, and the connection fails with 1008', async () => {
    const heard: unknown[] = [];
    const { meet, errors, server } = await serve(
      { onMessage: (_, message) => void heard.push(message) },
      limits,
    );
    const { client, connection } = await meet();
    await client.sendBytes(bytes(...['a', 'b', 'c', 'd', 'e'].map((text) => textFrame(text))));
    await until(() => heard.length === 5);
    expect(connection.state).toBe('open');
    await client.sendBytes(bytes(textFrame('f'), textFrame('g')));
    expect(await client.closeFrame()).toEqual({ code: 1008, reason: 'too many messages a second' });
    expect(heard).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(errors).toMatchObject([told]);
    expect(server.stats().limits).toEqual({ maxMessagesPerSecond: 1 });
    client.fin();
    expect(await reportOf(connection)).toMatchObject({ code: 1008, wasClean: false, initiator: 'server' });
  });

  test('as time passes there is room again', async () => {
    const { call, clock } = await serve({ onMessage: (c, message) => void c.send(message) }, limits);
    const client = await call();
    for (let second = 0; second < 3; second++) {
      await client.sendBytes(bytes(...Array.from({ length: 5 }, () => textFrame(`${second}`))));
      expect(await words(client, 5)).toEqual(Array(5).fill(`text ${second}`));
      clock.advance(1000);
    }
  });

  test('counts Pings, Pongs and messages of several frames, each message once', async () => {
    const { call, errors } = await serve({ onMessage: (c, message) => void c.send(message) }, limits);
    const client = await call();
    const pieces = [textFrame('a', { fin: false }), ...Array(8).fill(continuationFrame('b', { fin: false }))];
    await client.sendBytes(
      bytes(...pieces, continuationFrame('c'), pingFrame('p'), pongFrame(), pingFrame('q')),
    );
    expect(await words(client, 3)).toEqual(
      ['text abbbbbbbbc', 'ping p', 'ping q'].map((w) => w.replace('ping', 'pong')),
    );
    await client.sendBytes(bytes(textFrame('x'), pingFrame('y')));
    expect(await words(client, 2)).toEqual(['text x', 'close 1008 too many messages a second']);
    expect(errors).toMatchObject([told]);
  });

  test('the time of our own handler is not held against the peer', async () => {
    const doors = [gate(), gate()];
    let heard = 0;
    const { call, clock, errors } = await serve(
      { onMessage: () => doors[heard++]?.promise },
      { ...limits, readAhead: 0 },
    );
    const client = await call();
    await client.sendBytes(textFrame('slow'));
    await until(() => heard === 1);
    // The next chunk finds the handler at work: reading stops, and the rest waits in the kernel.
    await client.sendBytes(textFrame('a'));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(10_000);
    await client.sendBytes(bytes(...Array.from({ length: 40 }, () => textFrame('b'))));
    for (const door of doors) door.open();
    await until(() => heard === 42);
    expect(errors).toEqual([]);
  });

  test('after our Close, what was under way still comes', async () => {
    const heard: unknown[] = [];
    const { meet } = await serve({ onMessage: (_, message) => void heard.push(message) }, limits);
    const { client, connection } = await meet();
    connection.close(1000);
    const report = reportOf(connection);
    await client.sendBytes(bytes(...Array.from({ length: 9 }, () => textFrame('a')), closeFrame(1000)));
    client.fin();
    expect(await report).toMatchObject({ code: 1000, wasClean: true });
    expect(heard.length).toBe(9);
  });
});

describe('maxBytesPerSecond', () => {
  const limits = { maxBytesPerSecond: 1000, rateBurst: 2000 };

  test('frame headers count; the burst passes, one byte more fails the connection with 1008', async () => {
    const { call, errors } = await serve(
      { onMessage: (c, message) => void c.send(`${message.length}`) },
      limits,
    );
    const client = await call();
    await client.sendBytes(textFrame('x'.repeat(1984)));
    expect(await word(client)).toBe('text 1984');
    // 8 bytes of header and 1984 of payload have passed; of the 2000, 8 are left.
    await client.sendBytes(pingFrame('12'));
    expect(await word(client)).toBe('pong 12');
    await client.sendBytes(hexByte());
    expect(await client.closeFrame()).toEqual({ code: 1008, reason: 'too many bytes a second' });
    expect(errors).toMatchObject([{ error: { limit: 'maxBytesPerSecond', closeCode: 1008 } }]);
  });

  test('the handshake does not count', async () => {
    const { call } = await serve({}, { maxBytesPerSecond: 1, rateBurst: 50 });
    expect((await call()).hasEnded).toBe(false);
  });
});

const hexByte = () => Uint8Array.of(0x81);
