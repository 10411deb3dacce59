// The link at work, with an engine that the test plays by hand and time that stands still.

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createEmptyActor } from 'xstate';
import { eventLoopTurn } from '../../src/io/time/clock.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { Ticker } from '../../src/io/time/ticker.ts';
import type { Backplane, Deliver, Envelope } from '../../src/topics/backplane.ts';
import { Link } from '../../src/topics/link.ts';

/** An engine that writes down what it is asked for. */
class HandEngine implements Backplane {
  readonly name = 'hand';
  readonly calls: string[] = [];
  readonly published: { topic: string; text: string; envelope: Envelope }[] = [];
  deliver: Deliver = () => {};
  failed: (error: Error) => void = () => {};
  troubled: (error: Error) => void = () => {};
  /** Settles the promise of the start. */
  begun: { resolve(): void; reject(error: unknown): void } = { resolve() {}, reject() {} };
  ended: () => void = () => {};
  stopsAtOnce = true;
  refuses: Error | undefined;

  start(deliver: Deliver, failed: (error: Error) => void, troubled: (error: Error) => void): Promise<void> {
    this.calls.push('start');
    Object.assign(this, { deliver, failed, troubled });
    return new Promise((resolve, reject) => {
      this.begun = { resolve, reject };
    });
  }
  stop(): Promise<void> {
    this.calls.push('stop');
    return new Promise((resolve) => {
      this.ended = resolve;
      if (this.stopsAtOnce) resolve();
    });
  }
  subscribe(topic: string): void {
    if (this.refuses) throw this.refuses;
    this.calls.push(`+${topic}`);
  }
  unsubscribe(topic: string): void {
    this.calls.push(`-${topic}`);
  }
  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    if (this.refuses) throw this.refuses;
    this.published.push({ topic, text: Buffer.from(bytes).toString(), envelope });
  }
  take(): string[] {
    return this.calls.splice(0);
  }
}

let clock: ManualClock;
let ticker: Ticker;
let engine: HandEngine;
let link: Link;
let told: string[];

beforeEach(() => {
  clock = new ManualClock({ epochMs: 1_000_000 });
  ticker = new Ticker(clock);
  ticker.start();
  engine = new HandEngine();
  told = [];
  const parent = createEmptyActor();
  link = new Link(engine, {
    clock,
    ticker,
    origin: 'me',
    parent,
    received: (topic, bytes, { origin }) => told.push(`${topic}: ${Buffer.from(bytes)} of ${origin}`),
    gap: (topic, { from, to }) => told.push(`gap in ${topic}: ${from - 1_000_000}-${to - 1_000_000}`),
    failed: (error) => told.push(`failed: ${error.message}`),
    moved: (state) => told.push(state),
  });
});
afterEach(() => ticker.stop());

const take = () => told.splice(0);
const text = (value: string) => Uint8Array.from(Buffer.from(value));
const mine: Envelope = { origin: 'me', binary: false };
const theirs: Envelope = { origin: 'they', binary: false };

async function begin(): Promise<void> {
  link.start();
  engine.begun.resolve();
  await eventLoopTurn();
}

/** Lets time pass until the link connects again; says how long that was. */
function waited(): number {
  const from = clock.now();
  while (link.state === 'waiting') clock.advance(50);
  return clock.now() - from;
}

describe('connecting', () => {
  test('asks the engine, and is up when that says so', async () => {
    expect(take()).toEqual(['down']);
    link.start();
    expect([take(), engine.take()]).toEqual([['connecting'], ['start']]);
    engine.begun.resolve();
    await eventLoopTurn();
    expect(take()).toEqual(['up']);
  });

  test('that fails is told, and tried again after a time that doubles, with jitter, up to ten seconds', async () => {
    link.start();
    const times: number[] = [];
    for (let n = 0; n < 10; n++) {
      engine.begun.reject(new Error('refused'));
      await eventLoopTurn();
      expect(link.state).toBe('waiting');
      times.push(waited());
    }
    expect(take().filter((each) => each === 'failed: refused')).toHaveLength(10);
    for (const [n, ms] of times.entries()) {
      const longest = Math.min(10_000, 100 * 2 ** n);
      expect(ms).toBeGreaterThanOrEqual(longest / 2);
      expect(ms).toBeLessThanOrEqual(longest + 150);
    }
    expect(new Set(times.slice(-3)).size).toBe(3);
  });

  test('what no Error is, or is thrown at once, is told as one', async () => {
    engine.start = () => {
      throw 'no';
    };
    link.start();
    await eventLoopTurn();
    expect(take()).toEqual(['down', 'connecting', 'failed: no', 'waiting']);
  });

  test('what an earlier connection tells comes too late', async () => {
    await begin();
    const { failed, deliver, troubled } = engine;
    failed(new Error('lost'));
    failed(new Error('lost again'));
    deliver('t', text('late'), theirs);
    troubled(new Error('late'));
    waited();
    engine.begun.resolve();
    await eventLoopTurn();
    failed(new Error('lost before'));
    expect(take()).toEqual(['down', 'connecting', 'up', 'failed: lost', 'waiting', 'connecting', 'up']);
    expect(link.stats).toMatchObject({ state: 'up', reconnects: 1, delivered: 0 });
  });

  test('a loss while it connects counts, and the start that resolves after it does not', async () => {
    link.start();
    engine.failed(new Error('lost'));
    engine.begun.resolve();
    await eventLoopTurn();
    expect(link.state).toBe('waiting');
  });
});

describe('interest', () => {
  test('is told at once while it is up, and otherwise when it is', async () => {
    link.wanted('a');
    link.wanted('b');
    link.unwanted('b');
    await begin();
    link.wanted('c');
    expect(engine.take()).toEqual(['start', '+a', '+c']);
    expect(link.stats.topics).toBe(2);
  });

  test('ends a moment after the last member has gone, unless one comes back', async () => {
    await begin();
    link.wanted('a');
    link.wanted('b');
    link.unwanted('a');
    link.unwanted('b');
    clock.advance(500);
    link.wanted('b');
    expect(engine.take()).toEqual(['start', '+a', '+b']);
    clock.advance(1000);
    expect(engine.take()).toEqual(['-a']);
    link.unwanted('never wanted');
    expect(link.stats.topics).toBe(1);
  });

  test('is there again after a loss, but for what nobody wants any more', async () => {
    await begin();
    for (const topic of ['a', 'b', 'c']) link.wanted(topic);
    link.unwanted('a');
    engine.failed(new Error('lost'));
    link.unwanted('b');
    link.wanted('d');
    engine.take();
    waited();
    engine.begun.resolve();
    await eventLoopTurn();
    expect(engine.take()).toEqual(['start', '+c', '+d']);
    clock.advance(5000);
    expect(engine.take()).toEqual([]);
  });

  test('that the engine refuses is told, and no more', async () => {
    engine.refuses = new Error('forbidden');
    await begin();
    take();
    link.wanted('a');
    expect([take(), link.state]).toEqual([['failed: forbidden'], 'up']);
  });
});

describe('messages', () => {
  test('go to the engine while it is up; before and after they are dropped and counted', async () => {
    link.publish('t', text('early'), mine);
    await begin();
    engine.published.length = 0;
    link.publish('t', text('now'), mine);
    engine.failed(new Error('lost'));
    link.publish('t', text('late'), mine);
    expect(engine.published.map(({ text }) => text)).toEqual(['now']);
    expect(link.stats).toMatchObject({ published: 1, dropped: 2 });
  });

  test('that the engine does not take are told, and the link stays up', async () => {
    await begin();
    take();
    engine.refuses = new Error('too large');
    link.publish('t', text('much'), mine);
    expect([take(), link.state, link.stats.dropped]).toEqual([['failed: too large'], 'up', 1]);
  });

  test('of others are given on, its own are not', async () => {
    await begin();
    take();
    engine.deliver('t', text('own'), mine);
    engine.deliver('t', text('hello'), theirs);
    engine.deliver('t', text('{"count":1}'), { ...theirs, control: true });
    expect(take()).toEqual(['t: hello of they', 't: {"count":1} of they']);
    expect(link.stats.delivered).toBe(2);
  });

  test('trouble of the engine is told, and the link stays up', async () => {
    await begin();
    take();
    engine.troubled(new Error('forbidden'));
    expect([take(), link.state]).toEqual([['failed: forbidden'], 'up']);
  });
});

describe('a gap', () => {
  test('is none when the first attempt to connect succeeds', async () => {
    link.wanted('t');
    clock.advance(1000);
    await begin();
    expect(take()).toEqual(['down', 'connecting', 'up']);
  });

  test('is told to each topic when the engine is back, from the loss or from when it was wanted', async () => {
    await begin();
    link.wanted('a');
    clock.advance(1000);
    engine.failed(new Error('lost'));
    take();
    clock.advance(50);
    link.wanted('b');
    const ms = 1050 + waited();
    engine.begun.resolve();
    await eventLoopTurn();
    expect(take()).toEqual(['connecting', 'up', `gap in a: 1000-${ms}`, `gap in b: 1050-${ms}`]);
  });

  test('is told to other processes in topics that it has published to meanwhile', async () => {
    await begin();
    engine.failed(new Error('lost'));
    link.publish('t', text('lost'), mine);
    link.publish('t', text('lost, too'), mine);
    waited();
    engine.begun.resolve();
    await eventLoopTurn();
    const [notice, ...more] = engine.published;
    expect(more).toEqual([]);
    expect(notice).toMatchObject({ topic: 't', envelope: { origin: 'me', control: true } });
    const { gap } = JSON.parse(notice?.text ?? '');
    expect(gap).toEqual({ from: 1_000_000, to: 1_000_000 + clock.now() });

    take();
    engine.deliver('t', text(notice?.text ?? ''), { ...theirs, control: true });
    expect(take()).toEqual([`gap in t: 0-${clock.now()}`]);
  });

  test.each(['', '{', '[]', 'null', '{"gap":{"from":1}}', '{"gap":{"from":"1","to":"2"}}'])(
    'is not made of %j',
    async (notice) => {
      await begin();
      take();
      engine.deliver('t', text(notice), { ...theirs, control: true });
      expect(take()).toEqual([`t: ${notice} of they`]);
    },
  );
});

describe('a stop', () => {
  test('ends the engine, and has ended when that has', async () => {
    await begin();
    engine.stopsAtOnce = false;
    link.stop();
    let isOver = false;
    link.stopped.then(() => {
      isOver = true;
    });
    await eventLoopTurn();
    expect([link.state, isOver]).toEqual(['down', false]);
    engine.ended();
    await eventLoopTurn();
    expect(isOver).toBe(true);
    engine.failed(new Error('too late'));
    expect(take()).toEqual(['down', 'connecting', 'up', 'down']);
    await link.stopped;
  });

  test('while it connects or waits calls that off, and a start after it begins anew', async () => {
    link.start();
    link.stop();
    engine.begun.resolve();
    await link.stopped;
    expect(link.state).toBe('down');
    link.start();
    engine.begun.reject(new Error('refused'));
    await eventLoopTurn();
    link.stop();
    await link.stopped;
    clock.advance(60_000);
    expect(engine.take()).toEqual(['start', 'stop', 'start', 'stop']);
    await begin();
    expect(link.state).toBe('up');
  });

  test('a start in its middle begins when it has ended', async () => {
    await begin();
    engine.stopsAtOnce = false;
    link.stop();
    link.start();
    await eventLoopTurn();
    expect(engine.take()).toEqual(['start', 'stop']);
    engine.ended();
    await link.stopped;
    await eventLoopTurn();
    expect([link.state, engine.take()]).toEqual(['connecting', ['start']]);
  });

  test('that the engine fails is told, and has ended', async () => {
    await begin();
    take();
    engine.stop = () => Promise.reject(new Error('stuck'));
    link.stop();
    await link.stopped;
    expect(take()).toEqual(['down', 'failed: stuck']);
  });

  test('of what was not started has ended at once', async () => {
    link.stop();
    await link.stopped;
    expect(engine.take()).toEqual([]);
  });

  test('forgets what lingers, and keeps what is wanted for the next start', async () => {
    await begin();
    link.wanted('a');
    link.wanted('b');
    link.unwanted('b');
    link.stop();
    await link.stopped;
    engine.take();
    await begin();
    expect(engine.take()).toEqual(['start', '+a']);
    expect(ticker.size).toBe(0);
  });
});

test('shows itself as its name and counts', () => {
  expect(link.toJSON()).toMatchObject({ name: 'hand', state: 'down', topics: 0 });
  expect(link.actor.getPersistedSnapshot()).toMatchObject({ context: { port: { name: 'hand' } } });
});
