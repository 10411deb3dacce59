// The engine with a primary that is in this process: what holds for every engine, and what this one adds.
import { describe, expect, test } from 'vitest';
import { eventLoopTurn } from '../../src/io/time/clock.ts';
import type { WorkerProcess } from '../../src/io/worker-process.ts';
import { backplaneTests } from '../../src/testing/backplane.ts';
import { ALONE, WorkersEngine } from '../../src/workers/engine.ts';
import type { FromWorker } from '../../src/workers/protocol.ts';
import { type RoutedWorker, Router } from '../../src/workers/router.ts';

/** A process whose primary is a router here. Messages are copied, and arrive in a later turn. */
function makeProcess(router: Router) {
  const takers = new Set<(message: unknown) => void>();
  const sent: FromWorker[] = [];
  const state = { isStuck: false, isBroken: false };
  const later = (task: () => void) => setImmediate(task);
  const worker: RoutedWorker = {
    send(message, done) {
      const copy = structuredClone(message);
      later(() => {
        for (const take of [...takers]) take(copy);
        done();
      });
    },
  };
  const process: WorkerProcess = {
    reusePort: false,
    isFirst: false,
    started: () => {},
    stopped: () => {},
    send(message, done) {
      const copy = structuredClone(message) as FromWorker;
      sent.push(copy);
      if (state.isBroken) later(() => done(new Error('the channel is closed')));
      else if (!state.isStuck)
        later(() => {
          router.take(worker, copy);
          done(null);
        });
    },
    listen(take) {
      takers.add(take);
      return () => takers.delete(take);
    },
  };
  return { process, sent, state, takers, die: () => router.forget(worker), tell: worker.send };
}

describe('what holds for every engine', () => {
  const router = new Router();
  const tests = backplaneTests({
    create: (namespace) => new WorkersEngine(makeProcess(router).process, namespace),
  });
  test.each(tests)('$name', ({ run }) => run());
});

const publication = (text: string) =>
  ['t', new TextEncoder().encode(text), { origin: 'o', binary: false }] as const;

/** An engine that is started, with what it was told. */
async function started(mostWaiting?: number) {
  const router = new Router();
  const made = makeProcess(router);
  const engine = new WorkersEngine(made.process, 'app', mostWaiting);
  const heard: string[] = [];
  const failures: string[] = [];
  const start = () =>
    engine.start(
      (topic, bytes) => heard.push(`${topic}: ${Buffer.from(bytes)}`),
      ({ message }) => failures.push(message),
    );
  await start();
  return { ...made, engine, router, heard, failures, start };
}

test('all of a turn leaves in one message', async () => {
  const { engine, sent } = await started();
  sent.length = 0;
  engine.subscribe('t');
  engine.publish(...publication('1'));
  engine.publish(...publication('2'));
  expect(sent).toEqual([]);
  await eventLoopTurn();
  const [message, ...others] = sent;
  const subjects = message?.portal === 'operations' ? message.list.map(([first]) => first) : [];
  expect([subjects, others]).toEqual([['+', 'app:t', 'app:t'], []]);
  await engine.stop();
});

test('a primary that takes nothing fails the engine once; then it may be started again', async () => {
  const { engine, state, failures, start } = await started(100);
  state.isStuck = true;
  for (let n = 0; n < 5; n++) {
    engine.publish(...publication('x'.repeat(40)));
    await eventLoopTurn();
  }
  expect(failures).toEqual(['more than 100 bytes wait for the primary of the workers']);
  state.isStuck = false;
  await start();
  await engine.stop();
});

test('a channel that is closed fails the engine, and a start', async () => {
  const { engine, state, failures, start } = await started();
  state.isBroken = true;
  engine.subscribe('t');
  await eventLoopTurn();
  await eventLoopTurn();
  expect(failures).toEqual(['the channel is closed']);
  await expect(start()).rejects.toThrow('the channel is closed');
  await engine.stop();
});

test('a primary that has given it up fails it', async () => {
  const { engine, takers, sent, failures } = await started();
  const number = sent[0]?.portal === 'begin' ? sent[0].engine : 0;
  for (const take of takers) take({ portal: 'lost', engine: number + 1 });
  expect(failures).toEqual([]);
  for (const take of takers) take({ portal: 'lost', engine: number });
  expect(failures).toEqual(['this worker took its messages too slowly']);
  await engine.stop();
});

test('messages of others on the channel are left alone, and blocks that are none', async () => {
  const { engine, takers, sent, heard } = await started();
  const number = sent[0]?.portal === 'begin' ? sent[0].engine : 0;
  for (const take of takers)
    for (const message of [
      null,
      'text',
      {},
      { portal: 'deliver', engine: number, list: ['app:t', Uint8Array.of(0xff)] },
    ])
      take(message);
  expect(heard).toEqual([]);
  await engine.stop();
});

test('a start that is pending rejects when it is stopped', async () => {
  const { process, state } = makeProcess(new Router());
  state.isStuck = true;
  const engine = new WorkersEngine(process, 'app');
  const starting = engine.start(
    () => {},
    () => {},
  );
  state.isStuck = false;
  const stopped = engine.stop();
  await expect(starting).rejects.toThrow('the engine was stopped');
  await stopped;
});

test('a program that runs alone hears nothing', async () => {
  await ALONE.start(
    () => expect.unreachable(),
    () => expect.unreachable(),
    () => {},
  );
  ALONE.subscribe('t');
  ALONE.publish(...publication('1'));
  ALONE.unsubscribe('t');
  await ALONE.stop();
});
