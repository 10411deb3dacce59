/** Patterns of topics: names and parameters, and the options that are refused. */
import { describe, expect, test } from 'vitest';
import { readPattern, segmentsOf, separatorOf } from '../../../src/api/topics/topic-pattern.ts';
import { createServer } from '../../../src/index.ts';
import { refusal } from '../../support/refusal.ts';

const make = () => createServer({});

describe('names and parameters', () => {
  test.each([
    ['room.:id', { id: '42' }, 'room.42'],
    ['room.:id', { id: 'a/b' }, 'room.a/b'],
    ['/rooms/:id', { id: 'a.b c%20' }, '/rooms/a.b c%20'],
    ['/:a/x/:b', { a: '1', b: '2' }, '/1/x/2'],
    ['log.*', { '*': 'a.b' }, 'log.a.b'],
    ['/log/*', { '*': 'a/b' }, '/log/a/b'],
    ['news', {}, 'news'],
  ])('%s of %j is %s, and back', (pattern, params, name) => {
    const topics = make().topics(pattern as string);
    expect(topics.topic(params).name).toBe(name);
    expect(topics.topic(name).params).toEqual(params);
  });

  test.each([
    ['room.:id', 'room'],
    ['room.:id', 'room.'],
    ['room.:id', 'room.a.b'],
    ['room.:id', '/room/a'],
    ['/rooms/:id', '/rooms'],
    ['log.*', 'log'],
    ['news', 'olds'],
  ])('%s does not match %s', (pattern, name) => {
    expect(refusal(() => make().topics(pattern).topic(name)).message).toContain(
      `a name that ${pattern} matches`,
    );
  });

  test.each([
    ['room.:id', {}],
    ['room.:id', { id: '' }],
    ['room.:id', { id: 'a.b' }],
    ['room.:id', { id: 7 }],
    ['/rooms/:id', { id: 'a/b' }],
    ['log.*', { '*': '' }],
  ])('%s refuses the parameters %j', (pattern, params) => {
    const error = refusal(() =>
      make()
        .topics(pattern)
        .topic(params as never),
    );
    expect(error.option).toMatch(/^(?:id|\*) of topics /);
  });

  test('what begins with / is split there, all else at .', () => {
    expect([separatorOf('/a.b'), segmentsOf('/a.b/c')]).toEqual(['/', ['a.b', 'c']]);
    expect([separatorOf('a/b.c'), segmentsOf('a/b.c')]).toEqual(['.', ['a/b', 'c']]);
    expect(readPattern('a.:b')).toEqual(['a', ':b']);
  });
});

describe('which pattern a topic is of', () => {
  test('exact segments come before parameters, and those before *', () => {
    const server = make();
    const codec = (by: string) => ({ decode: String, encode: (value: unknown) => `${by} ${value}` });
    for (const pattern of ['*', 'room.:id', 'room.main', '/room/:id'])
      server.topics(pattern, { codec: codec(pattern) });
    const by = (name: string) => server.topic(name).params;
    expect(by('room.7')).toEqual({ id: '7' });
    expect(by('room.main')).toEqual({});
    expect(by('other.x')).toEqual({ '*': 'other.x' });
    expect(by('/room/a.b')).toEqual({ id: 'a.b' });
    expect(by('/elsewhere')).toEqual({});
  });

  test('it is declared once, and asked for again without options', () => {
    const server = make();
    const rooms = server.topics('room.:id', { presence: true });
    expect(server.topics('room.:id')).toBe(rooms);
    expect(refusal(() => server.topics('room.:id', {})).message).toContain('give them once');
    expect(refusal(() => server.topics('room.:name')).message).toContain('a pattern that no other equals');
  });
});

describe('what is wrong is refused, by its name', () => {
  test.each(['', 'a.*.b', 'a.x*', ':.a', 'a.:b.:b', 'a.:b-c', '/a/:'])('the pattern %j', (pattern) => {
    expect(refusal(() => make().topics(pattern)).option).toBe('topics');
  });

  test.each<[string, unknown, string]>([
    ['no object', 7, 'topics t'],
    ['an unknown option', { codecs: {} }, 'topics t.codecs'],
    ['a codec that is none', { codec: {} }, 'codec of topics t'],
    ['a presence that is none', { presence: 'yes' }, 'presence of topics t'],
    ['a history that is none', { history: 50 }, 'history of topics t'],
    ['a history without a size', { history: { ttl: 1 } }, 'size of history of topics t'],
    ['a history of nothing', { history: { size: 0 } }, 'size of history of topics t'],
    ['a history of half a message', { history: { size: 1.5 } }, 'size of history of topics t'],
    ['a history for ever', { history: { size: 1, ttl: Infinity } }, 'ttl of history of topics t'],
    ['an unknown option of a history', { history: { size: 1, age: 1 } }, 'history of topics t.age'],
    ['a stamp that is none', { history: { size: 1, stamp: 'x' } }, 'stamp of history of topics t'],
  ])('%s', (_, options, option) => {
    expect(refusal(() => make().topics('t', options as never)).option).toBe(option);
  });
});

test.each(['rooms/:id', 'a.b/:id', '/rooms.:id', 'rooms:/:id'])(
  '%s is refused: its parameter would be plain text',
  (pattern) => {
    expect(refusal(() => make().topics(pattern)).message).toContain('within a segment');
  },
);

test.each(['urn:rooms', '/urn:x/:id', 'a:b.:id'])('%s may have colons in plain text', (pattern) => {
  expect(make().topics(pattern).pattern).toBe(pattern);
});
