// What topics are called in engines: different topics have different names, and no name does harm.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { channelOf, checkNamespace, subjectOf, topicOf } from '../../src/topics/engine-names.ts';
import { TIMES } from '../support/times.ts';

describe('a name space', () => {
  test('is portal, or what a user gives', () => {
    expect(checkNamespace(undefined)).toBe('portal');
    expect(checkNamespace('chat_2-b')).toBe('chat_2-b');
  });

  test.each(['', 'a.b', 'a b', 'a:b', '*', 'ä', 'x'.repeat(65), 1, null])('%j is none', (value) => {
    expect(() => checkNamespace(value)).toThrow(
      `option namespace is ${JSON.stringify(value)}; allowed is 1 to 64 letters, digits, "_" and "-"`,
    );
  });
});

describe('a subject', () => {
  test.each([
    ['room.42', 'p.room.42'],
    ['/rooms/42', 'p.%2Frooms%2F42'],
    ['a b*>%', 'p.a%20b%2A%3E%25'],
    ['a..b.', 'p.a.%.b.%'],
    ['€', 'p.%E2%82%AC'],
  ])('of %j is %j', (topic, subject) => {
    expect(subjectOf('p', topic)).toBe(subject);
  });

  test('that would be too long for a line of the protocol is a hash', () => {
    const [a, b] = [`${'€'.repeat(300)}a`, `${'€'.repeat(300)}b`];
    expect(subjectOf('p', a)).toMatch(/^p\.%long\.[0-9a-f]{64}$/);
    expect(subjectOf('p', a)).not.toBe(subjectOf('p', b));
    expect(subjectOf('p', 'x'.repeat(1022))).toHaveLength(1024);
    expect(subjectOf('p', 'x'.repeat(1023))).toContain('%long');
  });

  const name = fc.oneof(
    fc.string({ minLength: 1, unit: 'grapheme' }),
    fc.string({ minLength: 1, unit: fc.constantFrom('.', '%', '*', '>', 'a', ' ', '2', 'A', 'long') }),
  );

  test('has tokens that are not empty, no wildcard and no space, and is of one topic alone', () => {
    fc.assert(
      fc.property(name, name, (a, b) => {
        const subject = subjectOf('p', a);
        expect(subject).toMatch(/^p(?:\.[\w%!~'()-]+)+$/);
        expect(subject === subjectOf('p', b)).toBe(a === b);
      }),
      { numRuns: 300 * TIMES },
    );
  });
});

test('a channel holds the topic as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (topic) => {
      expect(topicOf('portal', channelOf('portal', topic))).toBe(topic);
    }),
  );
  expect(channelOf('p', 'a:b')).toBe('p:a:b');
});
