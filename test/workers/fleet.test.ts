import { describe, expect, test } from 'vitest';
import { delayAfter } from '../../src/workers/fleet.ts';
import { makeFleet } from './fake-fleet.ts';

test('the delay before a worker is replaced doubles from 0.1 s to 30 s', () => {
  expect([0, 1, 2, 3, 4, 9, 10, 1000].map(delayAfter)).toEqual([
    0, 100, 200, 400, 800, 25_600, 30_000, 30_000,
  ]);
});

describe('a start', () => {
  test('the first worker starts alone, the others together', async () => {
    const { fleet, children, settle } = makeFleet(3);
    const starting = fleet.start();
    await settle();
    expect(children.map(({ isFirst }) => isFirst)).toEqual([true]);
    children[0]?.serve();
    await settle();
    expect(children.map(({ isFirst }) => isFirst)).toEqual([true, false, false]);
    for (const child of children) child.serve();
    await starting;
    expect(fleet.pids).toEqual([1, 2, 3]);
  });

  test('one that fails stops the others, and rejects when they have ended', async () => {
    const { fleet, children, settle, timers } = makeFleet(2);
    const starting = fleet.start();
    starting.catch(() => {});
    children[0]?.serve();
    await settle();
    children[1]?.end('with code 1');
    await settle();
    expect(children[0]?.got).toEqual([{ portal: 'stop', restarts: false, deadline: 2000 }]);
    children[0]?.end();
    await expect(starting).rejects.toThrow(
      'a worker ended with code 1 before it served; what it printed says why',
    );
    expect(timers.size).toBe(0);
  });

  test('a stop meanwhile ends it without an error', async () => {
    const { fleet, children } = makeFleet(2);
    const starting = fleet.start();
    const stopped = fleet.stop();
    children[0]?.end();
    await stopped;
    await starting;
    await fleet.ended;
    expect(children.length).toBe(1);
  });
});

describe('replacing', () => {
  test('one that dies young waits longer each time; one that has lived is replaced at once', async () => {
    const { fleet, children, lines, pass, serve, settle } = makeFleet(2);
    await serve();
    children[0]?.end('by SIGSEGV');
    await settle();
    await pass(99);
    expect([children.length, fleet.pids]).toEqual([2, [2]]);
    await pass(1);
    children[2]?.serve();
    expect(fleet.pids).toEqual([3, 2]);
    children[2]?.end('with code 0');
    await settle();
    await pass(199);
    expect(children.length).toBe(3);
    await pass(1);
    children[3]?.serve();
    await settle();
    await pass(10_000);
    children[3]?.end('with code 0');
    await pass(0);
    await pass(0);
    expect(children.length).toBe(5);
    expect(lines).toEqual([
      'worker 1 ended by SIGSEGV; another is started in 0.1 s',
      'worker 3 ended with code 0; another is started in 0.2 s',
      'worker 4 ended with code 0; another is started now',
    ]);
  });

  test('while others serve it is tried for ever; when nobody does, five in a row end it', async () => {
    const { fleet, children, pass, serve, settle } = makeFleet(2);
    const ended = fleet.ended.catch((error: Error) => error.message);
    await serve();
    for (let n = 0; n < 10; n++) {
      children[n === 0 ? 0 : n + 1]?.end('with code 1');
      await settle();
      await pass(30_000);
    }
    expect(children.length).toBe(12);
    expect(fleet.pids).toEqual([2]);
    for (let n = 0; n < 5; n++) {
      for (const child of children) child.end('with code 9');
      await settle();
      await pass(30_000);
    }
    expect(await ended).toMatch(
      /^no worker serves, and 5 in a row did not start: a worker ended with code 9/,
    );
  });

  test('a stop during the delay starts nobody', async () => {
    const { fleet, children, pass, serve, settle, timers } = makeFleet(1);
    await serve();
    children[0]?.end();
    await settle();
    await fleet.stop();
    await pass(60_000);
    expect([children.length, timers.size]).toEqual([1, 0]);
    await fleet.ended;
  });
});

describe('a restart', () => {
  test('each old worker stops when its new one serves', async () => {
    const { fleet, children, serve, settle } = makeFleet(2);
    await serve();
    const restarting = fleet.restart();
    expect(fleet.restart()).toBe(restarting);
    expect(children[0]?.got).toEqual([]);
    children[2]?.serve();
    await settle();
    expect(children[0]?.got).toEqual([{ portal: 'stop', restarts: true, deadline: 2000 }]);
    expect(children.length).toBe(3);
    children[0]?.end();
    await settle();
    children[3]?.serve();
    await settle();
    children[1]?.end();
    await restarting;
    expect([fleet.pids, children.length]).toEqual([[3, 4], 4]);
  });

  test('an old worker that dies meanwhile is replaced once', async () => {
    const { fleet, children, pass, serve, settle } = makeFleet(1);
    await serve();
    const restarting = fleet.restart();
    children[0]?.end();
    await settle();
    await pass(100);
    expect(children.length).toBe(3);
    children[1]?.serve();
    await settle();
    children[2]?.end();
    await restarting;
    await pass(60_000);
    expect([fleet.pids, children.length]).toEqual([[2], 3]);
  });

  test('a stop ends it', async () => {
    const { fleet, children, serve, settle } = makeFleet(2);
    await serve();
    const restarting = fleet.restart();
    restarting.catch(() => {});
    const stopped = fleet.stop();
    for (const child of children) child.end();
    await settle();
    await stopped;
    await expect(restarting).rejects.toThrow();
  });
});

test('kill ends all of them', async () => {
  const { fleet, children, serve } = makeFleet(2);
  await serve();
  const stopped = fleet.stop();
  fleet.kill();
  await stopped;
  expect(children.map(({ wasKilled }) => wasKilled)).toEqual([true, true]);
});
