// The engine in memory; that it is a backplane as any other is in backplane.test.ts.

import { expect, test } from 'vitest';
import { MemoryEngine } from '../../src/testing/memory-engine.ts';

const nobody = [() => {}, () => {}, () => {}] as const;

test('counts who is subscribed to a topic', async () => {
  const engine = new MemoryEngine();
  const [a, b, other] = [engine.backplane(), engine.backplane(), engine.backplane('other')];
  for (const plane of [a, b, other]) {
    await plane.start(...nobody);
    plane.subscribe('t');
  }
  expect([engine.subscribers('t'), engine.subscribers('t', 'other'), engine.subscribers('u')]).toEqual([
    2, 1, 0,
  ]);
  a.unsubscribe('t');
  expect(engine.subscribers('t')).toBe(1);
  await b.stop();
  expect(engine.subscribers('t')).toBe(0);
});

test('while it is down, those that were there are lost, and nobody connects', async () => {
  const engine = new MemoryEngine();
  const plane = engine.backplane();
  const failures: string[] = [];
  await plane.start(
    () => {},
    (error) => failures.push(error.message),
    () => {},
  );
  plane.subscribe('t');
  engine.down();
  expect(failures).toEqual(['the engine is down']);
  expect(engine.subscribers('t')).toBe(0);
  await expect(plane.start(...nobody)).rejects.toThrow('the engine is down');
  engine.up();
  await plane.start(...nobody);
  expect(engine.subscribers('t')).toBe(0);
});
