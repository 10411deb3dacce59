/** The histories of a server: their epochs, their budget, and a stamp that fails. */
import { expect, test } from 'vitest';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { Ticker } from '../../src/io/time/ticker.ts';
import { Histories } from '../../src/topics/histories.ts';
import { Room } from '../../src/topics/room.ts';
import { type FakeMember, message, textOf } from '../support/fake-member.ts';
import { historyRule } from '../support/fake-topics.ts';

function make(historyBudget = 1_000_000, overflow: 'close' | 'drop' = 'close') {
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  ticker.start();
  const expired: string[] = [];
  const errors: unknown[] = [];
  const owner = {
    expired: (room: Room<FakeMember>) => {
      expired.push(room.name);
      histories.expire(room);
    },
    failed: (error: unknown) => errors.push(error),
  };
  const histories = new Histories<FakeMember>(
    { limits: { historyBudget, sendLimit: 1000, overflow }, clock, ticker },
    owner,
    'origin',
  );
  const begin = (name: string, rule = historyRule(5, 100)) => {
    const room = new Room<FakeMember>(name, undefined, owner);
    const history = histories.begin(rule);
    room.history = history;
    const keep = (text: string) => {
      const stamped = histories.keep(room, history, message(text));
      return stamped && textOf(stamped);
    };
    return { room, history, keep };
  };
  return { begin, clock, ticker, expired, errors };
}

test('each has an epoch of its own', () => {
  const { begin } = make();
  expect([begin('a'), begin('b')].map(({ history }) => history.position.epoch)).toEqual([
    'origin1',
    'origin2',
  ]);
});

test('the form with the position is made only where a member asked for it', () => {
  const { begin } = make();
  const { room, keep } = begin('a');
  expect(keep('x')).toBeUndefined();
  room.stamped = new Set();
  expect(keep('y')).toBe('2:y');
});

test('a stamp that throws is told, and the message goes without', () => {
  const { begin, errors } = make();
  const error = new Error('no stamp');
  const rule = {
    ...historyRule(5),
    stamp: () => {
      throw error;
    },
  };
  const { room, keep, history } = begin('a', rule);
  room.stamped = new Set();
  expect(keep('x')).toBeUndefined();
  expect([errors, history.position.offset]).toEqual([[error], 1]);
});

test('a room is told when its newest message has expired, and not before', () => {
  const { begin, clock, expired, ticker } = make();
  const { keep, history } = begin('a');
  keep('x');
  clock.advance(90);
  keep('y');
  clock.advance(90);
  expect(history.expiresMs).toBe(190);
  clock.advance(150);
  expect(history.expiresMs).toBeUndefined();
  expect(expired.length).toBeGreaterThan(0);
  expect(ticker.size).toBe(0);
});

test('over the budget, the one that has been silent longest forgets', () => {
  const { begin, expired } = make(2000); // each topic counts about 800 bytes, each message 300
  const [a, b] = [begin('a'), begin('b')];
  a.keep('x');
  b.keep('y');
  b.keep('z');
  expect(expired).toEqual(['a']);
  expect([a.history.bytes, b.history.bytes > 0]).toEqual([0, true]);
});

test('what no member could be sent is not kept; what is too large only with its position is', () => {
  const { begin } = make(undefined, 'drop');
  const { room, history, keep } = begin('a');
  keep('x'.repeat(1001));
  expect(history.position.offset).toBe(0);
  keep('y'.repeat(1000));
  expect(history.position.offset).toBe(1);
  room.stamped = new Set();
  expect(keep('x'.repeat(1001))).toHaveLength(1003);
  expect(history.position.offset).toBe(1);
  // Those who asked for positions are not sent it, and see by the offsets that it is missing.
  expect(keep('z'.repeat(999))).toHaveLength(1001);
  expect(history.position.offset).toBe(2);
});

test('where a slow member is closed, a message that is too large for those who asked for positions is an error', () => {
  const { begin } = make();
  const { room, history, keep } = begin('a');
  keep('x'.repeat(1000));
  room.stamped = new Set();
  expect(() => keep('x'.repeat(999))).toThrow(/1001 bytes: sendLimit is 1000/);
  expect(history.position.offset).toBe(1);
  keep('x'.repeat(998));
  expect(history.position.offset).toBe(2);
});

test('a stamp that publishes has the position of its message', () => {
  const { begin } = make();
  let isNested = false;
  const rule = historyRule(5);
  const stamp: typeof rule.stamp = (...args) => {
    if (!isNested) {
      isNested = true;
      keep('inner');
    }
    return rule.stamp(...args);
  };
  const { room, keep, history } = begin('a', { ...rule, stamp });
  room.stamped = new Set();
  expect(keep('outer')).toBe('2:outer');
  expect(history.after({ epoch: history.position.epoch, offset: 0 }, 0, true)?.map(textOf)).toEqual([
    '1:inner',
    '2:outer',
  ]);
});
