/** The last messages of a topic: how many, for how long, and what is told when they are gone. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { History, positionText, readPosition } from '../../src/topics/history.ts';
import { message, textOf } from '../support/fake-member.ts';
import { historyRule } from '../support/fake-topics.ts';

const make = (size: number, ttl?: number) => new History(historyRule(size, ttl), 'e');
const missedOf = (history: History, offset: number, nowMs = 0, epoch = 'e') =>
  history.after({ epoch, offset }, nowMs, false)?.map(textOf);

describe('a history', () => {
  test('has nothing before the first message, and nothing was missed', () => {
    const history = make(2);
    expect(history.position).toEqual({ epoch: 'e', offset: 0 });
    expect(history.expiresMs).toBeUndefined();
    expect(missedOf(history, 0)).toEqual([]);
  });

  test('gives what came after a position, in order', () => {
    const history = make(3);
    for (const text of ['a', 'b', 'c']) history.append(message(text), 0);
    expect([0, 1, 2, 3].map((offset) => missedOf(history, offset))).toEqual([
      ['a', 'b', 'c'],
      ['b', 'c'],
      ['c'],
      [],
    ]);
  });

  test('of a size says that the older ones are gone', () => {
    const history = make(2);
    for (const text of ['a', 'b', 'c']) history.append(message(text), 0);
    expect(missedOf(history, 0)).toBeUndefined();
    expect(missedOf(history, 1)).toEqual(['b', 'c']);
  });

  test('knows nothing of another epoch, nor of the future', () => {
    const history = make(2);
    history.append(message('a'), 0);
    expect(missedOf(history, 0, 0, 'f')).toBeUndefined();
    expect(missedOf(history, 2)).toBeUndefined();
  });

  test('forgets what is older than ttl, and goes on with the offsets', () => {
    const history = make(5, 100);
    history.append(message('a'), 0);
    history.append(message('b'), 50);
    expect(history.expiresMs).toBe(150);
    expect(missedOf(history, 0, 99)).toEqual(['a', 'b']);
    expect(missedOf(history, 0, 100)).toBeUndefined();
    expect(missedOf(history, 1, 100)).toEqual(['b']);
    expect(missedOf(history, 2, 150)).toEqual([]);
    expect(history.expiresMs).toBeUndefined();
    history.append(message('c'), 200);
    expect(history.position.offset).toBe(3);
    expect(missedOf(history, 2, 200)).toEqual(['c']);
  });

  test('forgets its oldest messages to free bytes, and counts what it holds', () => {
    const history = make(10);
    for (const text of ['a', 'b', 'c', 'd']) history.append(message(text), 0);
    const each = history.bytes / 4;
    history.forget(each + 1);
    expect(missedOf(history, 2)).toEqual(['c', 'd']);
    expect(history.bytes).toBe(2 * each);
    history.after({ epoch: 'e', offset: 3 }, 0, true);
    expect(history.bytes).toBe(3 * each + '4:d'.length - 1);
    history.forget(Number.POSITIVE_INFINITY);
    expect([history.bytes, history.expiresMs]).toEqual([0, undefined]);
    expect(missedOf(history, 3)).toBeUndefined();
    expect(missedOf(history, 4)).toEqual([]);
  });

  test('makes the form with the position once for each message', () => {
    const history = make(2);
    const first = history.stampNext(message('a'));
    expect(textOf(first)).toBe('1:a');
    history.append(message('a'), 0, first);
    history.append(message('b'), 0);
    const start = { epoch: 'e', offset: 0 };
    const [one, two] = history.after(start, 0, true) ?? [];
    expect([one, two && textOf(two)]).toEqual([first, '2:b']);
    expect(history.after(start, 0, true)?.[1]).toBe(two);
  });

  test('gives all or nothing of what may be too much, and makes no form with a position for nothing', () => {
    let stamps = 0;
    const rule = historyRule(10);
    const stamp: typeof rule.stamp = (...args) => {
      stamps++;
      return rule.stamp(...args);
    };
    const history = new History({ ...rule, stamp }, 'e');
    for (const length of [10, 200, 10]) history.append(message('x'.repeat(length)), 0);
    const start = { epoch: 'e', offset: 0 };
    const count = (most: number, stamped = false) => history.after(start, 0, stamped, most)?.length;
    const bytes = 2 + 10 + (4 + 200) + 10; // the header of the last is not counted: RFC 6455 5.2
    expect([count(bytes), count(bytes - 1), count(bytes - 1, true), stamps]).toEqual([
      3,
      undefined,
      undefined,
      0,
    ]);
    expect([count(bytes + 2, true), count(bytes + 5, true), stamps <= 3]).toEqual([
      undefined,
      undefined,
      true,
    ]);
    expect([count(bytes + 6, true), stamps]).toEqual([3, 3]);
    expect([history.after({ epoch: 'e', offset: 3 }, 0, true, -1), count(0)]).toEqual([[], undefined]);
    history.append(message(''), 0);
    expect(history.after({ epoch: 'e', offset: 3 }, 0, false, 0)?.length).toBe(1);
  });

  test('is as a list of all messages of which only the last are kept', () => {
    const steps = fc.array(fc.nat({ max: 40 }), { maxLength: 40 });
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 6 }), fc.nat({ max: 40 }), (pauses, size, since) => {
        const history = make(size, 100);
        const all: { text: string; at: number }[] = [];
        let now = 0;
        for (const pause of pauses) {
          now += pause;
          all.push({ text: `${all.length + 1}`, at: now });
          history.append(message(`${all.length}`), now);
        }
        const kept = all.slice(-size).filter(({ at }) => at + 100 > now);
        const missed = all.slice(since);
        const isThere = since <= all.length && missed.length <= kept.length;
        expect(missedOf(history, since, now)).toEqual(isThere ? missed.map(({ text }) => text) : undefined);
      }),
    );
  });
});

describe('a position', () => {
  test('comes back from its text', () => {
    const position = { epoch: 'aZ-_09', offset: 12 };
    expect(positionText(position)).toBe('aZ-_09.12');
    expect(readPosition('aZ-_09.12')).toEqual(position);
  });

  test.each([
    '',
    '.',
    'a',
    'a.',
    '.1',
    'a.-1',
    'a.1.2',
    'a.1e3',
    'a b.1',
    ' a.1',
    'a.1\n',
    `a.${'9'.repeat(16)}`,
  ])('%j is none', (text) => {
    expect(readPosition(text)).toBeUndefined();
  });
});
