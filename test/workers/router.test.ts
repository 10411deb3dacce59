import { expect, test } from 'vitest';
import type { ToWorker } from '../../src/workers/protocol.ts';
import { type RoutedWorker, Router } from '../../src/workers/router.ts';

/** A worker that keeps what it is sent; `take` lets it leave. */
function makeWorker() {
  const got: ToWorker[] = [];
  const waiting: (() => void)[] = [];
  const worker: RoutedWorker = {
    send(message, done) {
      got.push(message);
      waiting.push(done);
    },
  };
  const take = () => {
    for (const done of waiting.splice(0)) done();
    return got.splice(0);
  };
  return { worker, take };
}

const begin = (router: Router, { worker, take }: ReturnType<typeof makeWorker>, engine = 1) => {
  router.take(worker, { portal: 'begin', engine });
  expect(take()).toEqual([{ portal: 'begun', engine }]);
};
const block = (text: string) => new TextEncoder().encode(text);

test('a message goes to those who are interested, but to who has sent it', () => {
  const router = new Router();
  const [a, b, c] = [makeWorker(), makeWorker(), makeWorker()];
  for (const each of [a, b, c]) begin(router, each);
  for (const { worker } of [a, b])
    router.take(worker, { portal: 'operations', engine: 1, list: [['+', 't']] });
  router.take(a.worker, {
    portal: 'operations',
    engine: 1,
    list: [
      ['t', block('1')],
      ['u', block('2')],
      ['t', block('3')],
    ],
  });
  expect([a.take(), c.take()]).toEqual([[], []]);
  expect(b.take()).toEqual([{ portal: 'deliver', engine: 1, list: ['t', block('1'), 't', block('3')] }]);
});

test('two engines of one worker are two', () => {
  const router = new Router();
  const a = makeWorker();
  begin(router, a, 1);
  begin(router, a, 2);
  router.take(a.worker, { portal: 'operations', engine: 2, list: [['+', 't']] });
  router.take(a.worker, { portal: 'operations', engine: 1, list: [['t', block('1')]] });
  expect(a.take()).toEqual([{ portal: 'deliver', engine: 2, list: ['t', block('1')] }]);
});

test('what a worker was interested in is forgotten: unsubscribed, ended, begun anew, died', () => {
  const router = new Router();
  const a = makeWorker();
  const subscribe = () => {
    begin(router, a);
    router.take(a.worker, {
      portal: 'operations',
      engine: 1,
      list: [
        ['+', 't'],
        ['+', 'u'],
      ],
    });
    expect(router.size).toBe(2);
  };
  subscribe();
  router.take(a.worker, {
    portal: 'operations',
    engine: 1,
    list: [
      ['-', 't'],
      ['-', 'u'],
      ['-', 'v'],
    ],
  });
  expect(router.size).toBe(0);
  subscribe();
  router.take(a.worker, { portal: 'end', engine: 1 });
  expect(router.size).toBe(0);
  subscribe();
  begin(router, a);
  expect(router.size).toBe(0);
  subscribe();
  router.forget(a.worker);
  expect(router.size).toBe(0);
  router.take(a.worker, { portal: 'operations', engine: 1, list: [['+', 't']] });
  expect(router.size).toBe(0);
});

test('one that takes too slowly is told so, and begins anew; nobody else waits for it', () => {
  const router = new Router(10);
  const [a, b, c] = [makeWorker(), makeWorker(), makeWorker()];
  for (const each of [a, b, c]) begin(router, each);
  for (const { worker } of [b, c])
    router.take(worker, { portal: 'operations', engine: 1, list: [['+', 't']] });
  const publish = () =>
    router.take(a.worker, { portal: 'operations', engine: 1, list: [['t', block('12345')]] });
  publish();
  c.take();
  publish();
  expect(c.take()).toHaveLength(1);
  expect(b.take().map(({ portal }) => portal)).toEqual(['deliver', 'lost']);
  publish();
  expect(b.take()).toEqual([]);
  begin(router, b);
  router.take(b.worker, { portal: 'operations', engine: 1, list: [['+', 't']] });
  publish();
  expect(b.take()).toHaveLength(1);
});
