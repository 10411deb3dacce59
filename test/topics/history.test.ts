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
    void history.newestStamped;
    expect(history.bytes).toBe(2 * each + '4:d'.length);
    history.forget(Number.POSITIVE_INFINITY);
    expect([history.bytes, history.expiresMs]).toEqual([0, undefined]);
    expect(missedOf(history, 3)).toBeUndefined();
    expect(missedOf(history, 4)).toEqual([]);
  });

  test('makes the form with the position once for each message', () => {
    const history = make(2);
    history.append(message('a'), 0);
    const first = history.newestStamped;
    expect(textOf(first)).toBe('1:a');
    expect(history.after({ epoch: 'e', offset: 0 }, 0, true)).toEqual([first]);
    expect(history.newestStamped).toBe(first);
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
