// Which path a request is for: precedence, parameters, decoding, and the patterns that are refused.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/api/errors.ts';
import { areSegments, Router } from '../../../src/api/paths/router.ts';

/** A router of these patterns; each route is its own pattern. */
function routerOf(...patterns: string[]): Router<string> {
  const router = new Router<string>();
  for (const pattern of patterns) router.add(pattern, pattern);
  return router;
}

/** The pattern that takes a path, with the parameters, or undefined. */
function found(router: Router<string>, path: string) {
  const match = router.match(path);
  return match && [match.route, { ...match.params }];
}

describe('precedence', () => {
  const patterns = ['*', '/:a', '/echo', '/echo/*', '/echo/:b', '/echo/here', '/:a/here', '/'];

  test.each([
    ['/echo', '/echo', {}],
    ['/other', '/:a', { a: 'other' }],
    ['/', '/', {}],
    ['/echo/here', '/echo/here', {}],
    ['/echo/there', '/echo/:b', { b: 'there' }],
    ['/echo/there/too', '/echo/*', { '*': 'there/too' }],
    ['/other/here', '/:a/here', { a: 'other' }],
    ['/other/there', '*', { '*': 'other/there' }],
  ])(
    '%s is for %s: exact before parameter before *, in whatever order they were added',
    (path, ...expected) => {
      expect(found(routerOf(...patterns), path)).toEqual(expected);
      expect(found(routerOf(...patterns.toReversed()), path)).toEqual(expected);
    },
  );

  test('a segment is decided before those behind it, and taken back where they do not fit', () => {
    const router = routerOf('/a/b/c', '/a/:x/d', '/:y/b/e', '/a/*');
    expect(found(router, '/a/b/c')).toEqual(['/a/b/c', {}]);
    expect(found(router, '/a/b/d')).toEqual(['/a/:x/d', { x: 'b' }]);
    expect(found(router, '/a/b/e')).toEqual(['/a/*', { '*': 'b/e' }]);
    expect(found(router, '/z/b/e')).toEqual(['/:y/b/e', { y: 'z' }]);
    expect(found(router, '/z/b/c')).toBeUndefined();
  });
});

describe('a path', () => {
  test.each([
    ['/echo', '/Echo'],
    ['/echo', '/echo/'],
    ['/echo', '/echo/more'],
    ['/echo', '//echo'],
    ['/echo/', '/echo'],
    ['/', '//'],
    ['/:name', '/'],
    ['/a/:name/b', '/a//b'],
    ['/files/*', '/files'],
    ['/a/b', '/a'],
    ['*', '*'],
    ['/:name', 'name'],
    ['/:name', ''],
  ])('%s does not take %j', (pattern, path) => {
    expect(found(routerOf(pattern), path)).toBeUndefined();
  });

  test.each([
    ['/echo/', '/echo/', {}],
    ['/files/*', '/files/', { '*': '' }],
    ['/files/*', '/files/a//b/', { '*': 'a//b/' }],
    ['/:a/b/:c/*', '/1/b/2/3/4', { a: '1', c: '2', '*': '3/4' }],
    ['*', '/', { '*': '' }],
    ['/*', '/a/b', { '*': 'a/b' }],
    ['/:a_1', '/x', { a_1: 'x' }],
    ['/a.b-c~d', '/a.b-c~d', {}],
    ['/a:b', '/a:b', {}],
    ['/:__proto__', '/x', JSON.parse('{ "__proto__": "x" }')],
    ['/:constructor', '/x', { constructor: 'x' }],
  ])('%s takes %s', (pattern, path, params) => {
    const match = routerOf(pattern).match(path);
    expect(match?.route).toBe(pattern);
    expect(JSON.stringify(match?.params)).toBe(JSON.stringify(params));
  });

  test('names that every object has are segments like others', () => {
    expect(found(routerOf('/echo'), '/constructor')).toBeUndefined();
    expect(found(routerOf('/echo'), '/__proto__')).toBeUndefined();
  });

  test.each([
    ['/caf%C3%A9', '/café', {}],
    ['/%65cho', '/echo', {}],
    ['/rooms/a%2Fb', '/rooms/:room', { room: 'a/b' }],
    ['/rooms/100%25', '/rooms/:room', { room: '100%' }],
    ['/rooms/%3Aroom', '/rooms/:room', { room: ':room' }],
    ['/rooms/%2A', '/rooms/:room', { room: '*' }],
    ['/files/%61/b', '/files/*', { '*': 'a/b' }],
  ])('%s is decoded for %s', (path, ...expected) => {
    expect(found(routerOf('/café', '/echo', '/rooms/:room', '/files/*'), path)).toEqual(expected);
  });

  test('a pattern may be written encoded too', () => {
    expect(found(routerOf('/caf%C3%A9'), '/caf%C3%A9')).toEqual(['/caf%C3%A9', {}]);
    expect(() => routerOf('/café', '/caf%C3%A9')).toThrow(OptionError);
  });

  test.each(['/%', '/%4', '/%zz', '/%ff', '/%c3%28', '/%ed%a0%80', '/a/%'])(
    '%s, which is not percent-encoded UTF-8, is for nobody (RFC 3986 2.1)',
    (path) => {
      expect(found(routerOf('*', '/:a'), path)).toBeUndefined();
    },
  );

  test('256 segments are looked at, 257 are for nobody', () => {
    expect(found(routerOf('*'), '/a'.repeat(256))).toEqual(['*', { '*': 'a/'.repeat(256).slice(0, -1) }]);
    expect(found(routerOf('*'), '/a'.repeat(257))).toBeUndefined();
    expect(found(routerOf('*'), '/'.repeat(100_000))).toBeUndefined();
  });

  test('its parameters cannot be changed by one handler under the hands of another', () => {
    expect(Object.isFrozen(routerOf('/:a').match('/x')?.params)).toBe(true);
  });
});

describe('a pattern', () => {
  test.each([
    '',
    'echo',
    'echo/',
    '**',
    '/*/more',
    '/a*',
    '/*a',
    '/:',
    '/:a-b',
    '/:a.b',
    '/:é',
    '/:a/:a',
    '/a b',
    '/a\n',
    '/a?b=c',
    '/a#b',
    'ws://localhost/echo',
    5,
    null,
    undefined,
    {},
    /\/echo/,
  ])('may not be %s', (pattern) => {
    expect(() => routerOf(pattern as string)).toThrow(OptionError);
    expect(() => routerOf(pattern as string)).toThrow(
      /^option paths is .*; allowed is "\*", or segments each led by/,
    );
  });

  test.each([
    ['/echo', '/echo'],
    ['/:a', '/:b'],
    ['/a/:b/c', '/a/:x/c'],
    ['/files/*', '/files/*'],
    ['/*', '*'],
    ['/', '/'],
  ])('%s and %s take the same paths: the second is refused', (first, second) => {
    const router = routerOf(first);
    expect(() => router.add(second, second)).toThrow(
      `is "${second}"; allowed is a pattern that no other equals`,
    );
    expect(router.match(first)?.route).toBe(first);
  });

  test('that is refused leaves nothing behind', () => {
    const router = routerOf();
    expect(() => router.add('/a/:b/:b', 'wrong')).toThrow(OptionError);
    expect(router.match('/a/1/2')).toBeUndefined();
    router.add('/a/:b/:c', 'right');
    expect(router.match('/a/1/2')?.route).toBe('right');
  });
});

describe('properties', () => {
  const segment = fc.constantFrom('a', 'b', 'c');
  const inPattern = fc.oneof(segment, fc.constantFrom(':p', ':q', ':r'));
  const pattern = fc
    .tuple(fc.uniqueArray(inPattern, { maxLength: 4 }), fc.boolean())
    .map(([segments, rest]) => `/${[...segments, ...(rest ? ['*'] : [])].join('/')}`);
  const path = fc.array(segment, { maxLength: 5 }).map((segments) => `/${segments.join('/')}`);

  /** What decides between patterns that take a path, segment by segment: exact 0, parameter 1, rest 2. */
  const ranks = (of: string) =>
    of
      .split('/')
      .slice(1)
      .map((part) => (part === '*' ? 2 : part.startsWith(':') ? 1 : 0))
      .join('');

  /** Whether a pattern takes a path, by a regular expression. */
  const takes = (of: string, given: string) =>
    new RegExp(`^${of.replace(/\*$/, '.*').replace(/:\w/g, '[^/]+')}$`).test(given);

  test('the route is the one that asking each pattern alone, and then comparing them, would give', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(pattern, { selector: (of) => of.replace(/:\w/g, ':'), maxLength: 12 }),
        path,
        (patterns, given) => {
          const [best] = patterns
            .filter((of) => takes(of, given))
            .sort((a, b) => ranks(a).localeCompare(ranks(b)));
          expect(routerOf(...patterns).match(given)?.route).toBe(best);
        },
      ),
      { numRuns: 2000 },
    );
  });

  test('any text that is percent-encoded into one segment comes out as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (text) => {
        expect(found(routerOf('/rooms/:room'), `/rooms/${encodeURIComponent(text)}`)).toEqual([
          '/rooms/:room',
          { room: text },
        ]);
      }),
    );
  });

  test('no path throws', () => {
    const router = routerOf('*', '/:a/b', '/a/:b/*', '/a/%61');
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        router.match(text);
        router.match(`/${text}`);
      }),
    );
  });
});

test('what was split elsewhere is matched alike, and * puts the separator back', () => {
  const router = new Router<string>();
  router.addSegments('room.:id', ['room', ':id'], 'one', 'topics');
  router.addSegments('*', ['*'], 'all', 'topics');
  expect(router.matchSegments(['room', 'a%20/b'], '.')).toEqual({ route: 'one', params: { id: 'a%20/b' } });
  expect(router.matchSegments(['room', 'a', 'b'], '.')).toEqual({
    route: 'all',
    params: { '*': 'room.a.b' },
  });
  expect(() => router.addSegments('room.:name', ['room', ':name'], 'two', 'topics')).toThrow(
    /^option topics is/,
  );
});

test('segments are plain text, :name, or a last *', () => {
  expect([['a', ':b', '*'], [''], []].map(areSegments)).toEqual([true, true, true]);
  expect([['*', 'a'], ['a*'], [':'], [':a-b'], [':a', ':a']].filter(areSegments)).toEqual([]);
});
