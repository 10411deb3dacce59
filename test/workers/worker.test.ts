import { expect, test } from 'vitest';
import { makeFleet } from './fake-fleet.ts';

test('one that starts no server within the deadline is killed', async () => {
  const { fleet, children, lines, pass } = makeFleet(1);
  const starting = fleet.start();
  starting.catch(() => {});
  await pass(999);
  expect(children[0]?.wasKilled).toBe(false);
  await pass(1);
  expect(children[0]?.wasKilled).toBe(true);
  expect(lines).toEqual(['worker 1 has started no server within 1 s; it is killed']);
  await expect(starting).rejects.toThrow('by SIGKILL');
});

test('one that does not end within the deadline and five seconds is killed', async () => {
  const { fleet, children, lines, pass, serve } = makeFleet(1);
  await serve();
  const stopped = fleet.stop();
  await pass(6_999);
  expect(children[0]?.wasKilled).toBe(false);
  await pass(1);
  await stopped;
  expect(lines).toEqual(['worker 1 has not ended within 7 s; it is killed']);
});

test('one that does not listen yet is killed at once; one that does is asked', async () => {
  const early = makeFleet(1);
  const starting = early.fleet.start().catch(() => {});
  await early.fleet.stop();
  expect(early.children[0]?.wasKilled).toBe(true);
  await starting;

  const late = makeFleet(1);
  const begun = late.fleet.start().catch(() => {});
  late.children[0]?.load();
  const stopped = late.fleet.stop();
  expect([late.children[0]?.wasKilled, late.children[0]?.got.length]).toEqual([false, 1]);
  late.children[0]?.end();
  await stopped;
  await begun;
});

test('messages of the program itself are left alone; topics go over the fleet', async () => {
  const { children, serve } = makeFleet(1);
  await serve();
  for (const message of [undefined, null, 'text', 1, { own: true }]) children[0]?.events.said(message);
  children[0]?.events.said({ portal: 'begin', engine: 7 });
  expect(children[0]?.got).toEqual([{ portal: 'begun', engine: 7 }]);
});

test('what is said of one that has ended goes nowhere', async () => {
  const { fleet, children, serve } = makeFleet(1);
  await serve();
  const stopped = fleet.stop();
  children[0]?.end();
  children[0]?.end('with code 2');
  await stopped;
  expect(fleet.pids).toEqual([]);
});
