// The suite for users' own engines: what is right passes, and each way to be wrong is found.

import { describe, expect, test } from 'vitest';
import { backplaneTests } from '../../src/testing/backplane.ts';
import { MemoryEngine } from '../../src/testing/memory-engine.ts';
import type { Backplane, Deliver, Envelope } from '../../src/topics/backplane.ts';

const engine = new MemoryEngine();
const restart = async () => {
  engine.down();
  engine.up();
};

describe('an engine in memory', () => {
  const tests = backplaneTests({ create: (namespace) => engine.backplane(namespace), restart });
  test.each(tests)('$name', ({ run }) => run());

  test('a restart is tested where it can be made', () => {
    const without = backplaneTests({ create: () => engine.backplane() });
    expect(without).toHaveLength(tests.length - 1);
  });
});

/** A backplane that does one thing otherwise. */
type Wrong = (plane: Backplane, namespace: string) => Partial<Backplane>;

const wrongs: Record<string, Wrong> = {
  'keeps what was lent': (plane) => ({
    publish: (topic, bytes, envelope) => {
      queueMicrotask(() => plane.publish(topic, bytes, envelope));
    },
  }),
  'loses the key': (plane) => ({
    publish: (topic, bytes, { key: _, ...rest }) => plane.publish(topic, bytes, rest),
  }),
  'makes text of everything': (plane) => ({
    publish: (topic, bytes, envelope) => plane.publish(topic, bytes, { ...envelope, binary: false }),
  }),
  'takes two names for one': (plane) => ({
    subscribe: (topic) => plane.subscribe(topic.toLowerCase()),
    publish: (topic, bytes, envelope) => plane.publish(topic.toLowerCase(), bytes, envelope),
  }),
  'delivers twice': (plane) => ({
    start: (deliver, ...rest) =>
      plane.start(
        (topic, bytes, envelope) => {
          deliver(topic, bytes, envelope);
          deliver(topic, bytes, envelope);
        },
        ...rest,
      ),
  }),
  'changes the order': (plane) => {
    const kept: [string, Uint8Array, Envelope][] = [];
    return {
      publish: (topic, bytes, envelope) => {
        kept.unshift([topic, bytes.slice(), envelope]);
        queueMicrotask(() => {
          for (const each of kept.splice(0)) plane.publish(...each);
        });
      },
    };
  },
  'never unsubscribes': () => ({ unsubscribe: () => {} }),
  'has one name space': () => engine.backplane('one'),
  'stays subscribed': (plane) => {
    const topics = new Set<string>();
    return {
      start: async (...parts) => {
        await plane.start(...parts);
        for (const topic of topics) plane.subscribe(topic);
      },
      subscribe: (topic) => {
        topics.add(topic);
        plane.subscribe(topic);
      },
    };
  },
};

const METHODS = ['start', 'stop', 'subscribe', 'unsubscribe', 'publish'] as const;

describe.each(Object.keys(wrongs))('one that %s', (name) => {
  test('is found', async () => {
    const create = (namespace: string): Backplane => {
      const plane = engine.backplane(namespace);
      const own: Partial<Backplane> = wrongs[name]?.(plane, namespace) ?? {};
      const wrong = Object.fromEntries(
        METHODS.map((method) => [
          method,
          (...args: never[]) =>
            ((own[method] ?? plane[method]) as (...values: never[]) => unknown).apply(
              own[method] ? own : plane,
              args,
            ),
        ]),
      );
      return { name, ...wrong } as unknown as Backplane;
    };
    const results = await Promise.allSettled(
      backplaneTests({ create, patienceMs: 300 }).map(({ run }) => run()),
    );
    expect(results.some(({ status }) => status === 'rejected')).toBe(true);
  });
});

test('a delivery that nobody asked for is none', async () => {
  const [from, to] = [engine.backplane('a'), engine.backplane('a')];
  const heard: Parameters<Deliver>[] = [];
  await from.start(
    () => {},
    () => {},
    () => {},
  );
  await to.start(
    (...each) => heard.push(each),
    () => {},
    () => {},
  );
  from.publish('t', Uint8Array.of(1), { origin: 'o', binary: true });
  await Promise.resolve();
  expect(heard).toEqual([]);
});
