/**
 * What holds for every connection, whatever its client and its user do.
 */
import { expect } from 'vitest';
import type { ConnectionState } from '../../src/machines/connection-ports.ts';
import type { Said } from './commands.ts';
import type { World } from './world.ts';

/** Which state may follow which. */
const NEXT: { readonly [State in ConnectionState]: readonly ConnectionState[] } = {
  handshaking: ['open', 'closed'],
  open: ['fragmenting', 'closing', 'closed'],
  fragmenting: ['open', 'closing', 'closed'],
  closing: ['closed'],
  closed: [],
};

/** After every command. */
export function check(said: Said, world: World): void {
  checkAlways(said, world);
  // Another connection of the server notices nothing.
  expect(world.bystander?.fault).toBeUndefined();
}

function checkAlways(said: Said, world: World): void {
  const { delivered, handled, states, wire, written, sent } = world;
  // Every rule for a server's frames: one Close at most, and nothing after it.
  expect([written.fault, wire.fault]).toEqual([undefined, undefined]);
  // Only what was said completely and validly, in order, and once.
  expect(delivered).toEqual(said.messages.slice(0, delivered.length));
  // Handlers get the same; again only when they are retried, which may be late.
  expect(isAmong(delivered, handled)).toBe(true);
  expect(handled.filter((message) => !delivered.includes(message))).toEqual([]);
  expect(handled.length).toBeLessThanOrEqual(delivered.length + world.retries);
  expect(world.intruders).toEqual([]);
  expect(world.breaks).toEqual([]);
  // No connection fails for what its client has not done.
  if (!said.isOver) expect(world.blames).toEqual([]);
  const isReading = states.at(-1) === 'open' || states.at(-1) === 'fragmenting';
  if (isReading && world.reads && !said.isOver) expect(delivered).toEqual(said.messages);
  states.forEach((state, index) => {
    if (index > 0) expect(NEXT[states[index - 1] as ConnectionState]).toContain(state);
  });
  checkOrder(world);
  expect(isAmong(wire.pongs, said.pings)).toBe(true);
  expect(world.connection.bufferedAmount).toBeGreaterThanOrEqual(0);
  expect(sent.length).toBeGreaterThanOrEqual(
    wire.messages.filter(({ payload }) => payload[0] === 's').length,
  );
  checkClosedLast(world);
}

/** When all is over. */
export function checkEnd(said: Said, world: World): void {
  checkAlways(said, world);
  expect(world.told.filter((line) => line === 'closed')).toHaveLength(1);
  expect(world.reports).toHaveLength(1);
  expect(world.connection.state).toBe('closed');
  expect(world.connection.bufferedAmount).toBe(0);
  expect(world.connection.send('late')).toBe('closed');
  expect(world.promises.filter(({ settled }) => !settled)).toEqual([]);
  checkNothingLost(world);
}

/** What arrives is what was sent; messages of one kind arrive in the order in which they were sent, each once. */
function checkOrder({ wire, texts }: World): void {
  expect(wire.messages.filter(({ payload }) => !texts.has(payload) && !/^f\d+:y*$/.test(payload))).toEqual(
    [],
  );
  for (const kind of ['s', 'f']) {
    const numbers = wire.messages
      .filter(({ payload }) => payload.startsWith(kind))
      .map(({ payload }) => Number(/^.(\d+):/.exec(payload)?.[1]));
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  }
}

/** Nothing follows the end but messages that the user held back when it was told: they delay it for a second at most. */
function checkClosedLast({ told, heldAtEnd }: World): void {
  const closed = told.indexOf('closed');
  if (closed < 0) return;
  const after = told.slice(closed + 1);
  expect(heldAtEnd ? after.filter((line) => line !== 'message') : after).toEqual([]);
}

/** Where the end was clean and the client read our Close, all that `send` took has arrived before it. */
function checkNothingLost({ wire, reports, sent, heldBack, setting }: World): void {
  if (reports[0]?.wasClean !== true || wire.close === undefined || setting.overflow === 'drop-oldest') return;
  const arrived = new Set(wire.messages.map(({ payload }) => Number(/^.(\d+):/.exec(payload)?.[1])));
  expect(sent.filter((number) => !arrived.has(number) && !heldBack.has(number))).toEqual([]);
}

/** Whether `some` are some of `all`, in order. */
function isAmong(some: readonly string[], all: readonly string[]): boolean {
  let at = 0;
  for (const one of some) {
    at = all.indexOf(one, at) + 1;
    if (at === 0) return false;
  }
  return true;
}
