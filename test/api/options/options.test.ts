// Every option: its default, both sides of what it allows, and what a wrong one says.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/api/errors.ts';
import {
  checkHandlerNames,
  checkHandlers,
  readOptions,
  type ServerOptions,
} from '../../../src/api/options/options.ts';
import type { Limits } from '../../../src/connection/settings.ts';
import { createServer } from '../../../src/index.ts';
import { systemClock } from '../../../src/io/time/clock.ts';
import { refusal } from '../../support/refusal.ts';

const MIB = 1_048_576;
const DAY = 86_400_000;

/** Default, least, most, and whether Infinity is a value too. */
const limits: Record<keyof Limits, [standard: number, least: number, most: number, unlimited: boolean]> = {
  cap: [MIB, 0, Number.MAX_SAFE_INTEGER, false],
  maxInflation: [100, 1, 2 ** 31, true],
  maxFragments: [16_384, 1, 2 ** 31, false],
  messageDeadline: [30_000, 1, DAY, true],
  readAhead: [65_536, 0, 2 ** 40, true],
  maxHeadBytes: [16_384, 64, MIB, false],
  maxHeaders: [128, 1, 2 ** 31, false],
  handlerWarning: [30_000, 1, DAY, true],
  ipv6Prefix: [64, 1, 128, false],
  handshakeDeadline: [10_000, 1, DAY, false],
  heartbeatInterval: [25_000, 1, DAY, true],
  pongDeadline: [20_000, 1, DAY, false],
  closeDeadline: [5_000, 1, DAY, false],
  writeDeadline: [60_000, 1, DAY, true],
  sendLimit: [MIB, 1, 2 ** 40, true],
  maxPendingPongs: [64, 1, 2 ** 31, false],
  memoryBudget: [128 * MIB, 1, 2 ** 40, true],
  maxConnections: [65_536, 1, 2 ** 31, true],
  maxConnectionsPerAddress: [Number.POSITIVE_INFINITY, 1, 2 ** 31, true],
  maxHandshakes: [8_192, 1, 2 ** 31, true],
  maxMessagesPerSecond: [Number.POSITIVE_INFINITY, 1, 2 ** 31, true],
  maxBytesPerSecond: [Number.POSITIVE_INFINITY, 1, 2 ** 40, true],
  rateBurst: [1_000, 1, DAY, false],
  maxTopics: [1_000, 1, 2 ** 31, true],
  maxTopicLength: [255, 1, 65_535, false],
  historyBudget: [64 * MIB, 0, 2 ** 40, true],
  maxAge: [Number.POSITIVE_INFINITY, 1, DAY, true],
};

/** Options as a program without types may pass them. */
const untyped = (options: unknown) => options as ServerOptions;
const read = (options: object) => readOptions(untyped({ port: 0, ...options }));

test('all defaults', () => {
  const standards = Object.fromEntries(Object.entries(limits).map(([name, [standard]]) => [name, standard]));
  expect(readOptions({ port: 5005 })).toEqual({
    ...standards,
    places: [{ port: 5005 }],
    origins: { kind: 'own' },
    subprotocols: [],
    trustProxy: undefined,
    overflow: 'close',
    debugOnError: false,
    tcp: 'handle',
    onRequest: undefined,
    inspect: undefined,
    clock: systemClock,
    listener: undefined,
  });
});

describe.each(Object.entries(limits))('%s', (name, [standard, least, most, unlimited]) => {
  const value = (given: unknown) => read({ [name]: given })[name as keyof Limits];

  test(`is ${standard} when left out or undefined`, () => {
    expect(value(undefined)).toBe(standard);
  });

  test(`may be ${least} and ${most}`, () => {
    expect([value(least), value(most)]).toEqual([least, most]);
  });

  test.each([least - 1, most + 1, least + 0.5, -1, Number.NEGATIVE_INFINITY, Number.NaN])(
    'may not be %s',
    (wrong) => {
      const error = refusal(() => value(wrong));
      expect(error.option).toBe(name);
      expect(error.message).toContain(
        `option ${name} is ${wrong}; allowed is a whole number from ${least} to ${most}`,
      );
    },
  );

  test.each([String(least), null, true, 1n, {}, [], () => 1])('may not be the non-number %s', (wrong) => {
    expect(refusal(() => value(wrong)).option).toBe(name);
  });

  test(`${unlimited ? 'may' : 'may not'} be Infinity`, () => {
    const attempt = () => value(Number.POSITIVE_INFINITY);
    if (unlimited) expect(attempt()).toBe(Number.POSITIVE_INFINITY);
    else expect(refusal(attempt).message).toMatch(/ is Infinity; allowed is (?!.*Infinity)/);
  });
});

describe('sendLimit', () => {
  test('follows a larger cap when left out, so that what may come may also be sent', () => {
    expect(read({ cap: 2 * MIB }).sendLimit).toBe(2 * MIB);
    expect(read({ cap: 10 }).sendLimit).toBe(MIB);
    expect(read({ cap: 2 * MIB, sendLimit: 10 }).sendLimit).toBe(10);
  });
});

describe('port', () => {
  test.each([0, 1, 5005, 65_535])('may be %s', (port) => {
    expect(read({ port }).places).toEqual([{ port }]);
  });

  test.each([
    [-1, '-1'],
    [65_536, '65536'],
    [80.5, '80.5'],
    [Number.NaN, 'NaN'],
    [Number.POSITIVE_INFINITY, 'Infinity'],
    ['5005', '"5005"'],
    [null, 'null'],
    [undefined, 'undefined'],
  ])('may not be %s', (port, shown) => {
    expect(refusal(() => read({ port })).message).toBe(
      `option port is ${shown}; allowed is a whole number from 0 to 65535`,
    );
  });

  test('is not asked for when a listener stands in for it', () => {
    const listener = { listen: async () => {}, close: async () => {}, address: () => null };
    expect(readOptions(untyped({ listener })).places).toEqual([{ listener }]);
  });
});

describe.each([
  ['host', ['localhost', '::1', '0.0.0.0'], ['', 5, null, ['localhost']]],
  ['overflow', ['close', 'drop', 'drop-oldest'], ['', 'Close', 'latest', null, 1]],
  ['debugOnError', [true, false], ['true', 1, null]],
  ['tcp', ['handle', 'socket'], ['net', 0, null]],
  ['onRequest', [() => undefined], ['/', {}, null]],
  ['subprotocols', [[], ['v1'], ['v2.example', 'v1']], ['v1', [''], ['a b'], ['a', 'a'], [1], {}, null]],
  ['onOpen', [() => {}], [{}, 'open', null]],
  ['onMessage', [() => {}, undefined], ['echo', true, null]],
  ['onFragment', [() => {}], [1, null]],
  ['onClose', [() => {}], [1, null]],
  ['onError', [() => {}], ['close', null]],
  ['authorize', [() => true], [true, null]],
] as [string, unknown[], unknown[]][])('%s', (name, right, wrong) => {
  test.each(right.map((value) => [value]))('may be %j', (value) => {
    expect(() => read({ [name]: value })).not.toThrow();
  });

  test.each(wrong.map((value) => [value]))('may not be %j', (value) => {
    const { option, message } = refusal(() => read({ [name]: value }));
    expect(option).toBe(name);
    expect(message).toMatch(new RegExp(`^option ${name} is .+; allowed is .+`));
  });
});

describe('trustProxy', () => {
  test('may be a list of addresses and ranges; an empty one names nobody', () => {
    expect(read({ trustProxy: ['10.0.0.0/8', '::1'] }).trustProxy?.includes('10.1.2.3')).toBe(true);
    expect(read({ trustProxy: [] }).trustProxy).toBeUndefined();
  });

  test('may say which header the proxies write', () => {
    const { trustProxy } = read({ trustProxy: { addresses: ['::1'], header: 'x-forwarded-for' } });
    expect([trustProxy?.includes('::1'), trustProxy?.header]).toEqual([true, 'x-forwarded-for']);
  });

  test.each([
    '127.0.0.1',
    true,
    [true],
    ['nginx'],
    ['10.0.0.0/33'],
    null,
    {},
    { addresses: '::1' },
    { addresses: ['nginx'] },
    { addresses: [], header: 'Forwarded' },
    { addresses: [], proto: true },
  ])('may not be %j', (wrong) => {
    const error = refusal(() => read({ trustProxy: wrong }));
    expect([error.option, error.message]).toEqual(['trustProxy', expect.stringContaining('trustProxy')]);
  });
});

describe('subprotocols', () => {
  test('are copied: a later change to the list changes nothing', () => {
    const subprotocols = ['v1'];
    const settings = read({ subprotocols });
    subprotocols.push('v2');
    expect(settings.subprotocols).toEqual(['v1']);
  });
});

describe('origins', () => {
  test.each([['*'], [[]], [['https://example.com', 'https://*.example.com', 'null']]])(
    'may be %j',
    (origins) => {
      expect(() => read({ origins })).not.toThrow();
    },
  );

  test.each([
    ['https://example.com', '"https://example.com" is not an origin. Several or one, they stand in a list.'],
    [['example.com'], '"example.com" is not an origin. It lacks its scheme, such as https://.'],
    [['wss://example.com'], '"wss://example.com" is not an origin. It names the page, not the server'],
    [['*'], `"*" is not an origin. To allow any page, write origins: '*'.`],
    [[5], '5 is not an origin.'],
    [null, 'null is not an origin.'],
  ])('may not be %j', (origins, why) => {
    const { option, message } = refusal(() => read({ origins }));
    expect(option).toBe('origins');
    expect(message).toContain(why);
    expect(message).toContain("Allowed are '*' alone, or a list of origins");
  });
});

describe('what is no options', () => {
  test.each([undefined, null, 5005, '5005'])('%j is refused', (options) => {
    expect(refusal(() => readOptions(untyped(options))).message).toBe(
      'a server is made with an object such as { port: 5005 }',
    );
  });

  test.each(['maxPayload', 'Port', 'path', ''])('a name that no option has, %j, is refused', (name) => {
    const { option, message } = refusal(() => read({ [name]: 1 }));
    expect(option).toBe(name);
    expect(message).toContain(`there is no option ${name}; the options are port, host, reusePort, `);
    for (const limit of Object.keys(limits)) expect(message).toContain(limit);
  });

  test.each(['constructor', 'toString', '__proto__'])('nor may a name be %j', (name) => {
    refusal(() => readOptions(JSON.parse(`{ "port": 0, "${name}": 1 }`)));
  });
});

describe('paths', () => {
  const withPaths = (paths: unknown) => createServer(untyped({ port: 0, paths }));

  test.each([undefined, {}, { '/echo': {} }, { '*': { onMessage() {} } }])('may be %j', (paths) => {
    expect(withPaths(paths).state).toBe('stopped');
  });

  test.each([5, true, '/echo', null, [], new Map([['/echo', {}]])])('may not be %j', (paths) => {
    refusal(() => withPaths(paths));
  });

  test.each([
    [{ echo: {} }, 'option paths is "echo"; allowed is "*", or segments each led by "/"'],
    [
      { '/echo': () => {} },
      'option paths["/echo"] is a function; allowed is an object of handlers, such as {',
    ],
    [{ '/echo': null }, 'option paths["/echo"] is null; allowed is an object of handlers'],
    [
      { '/echo': { onmessage() {} } },
      'there is no handler onmessage, as for /echo; a path has onOpen, onMessage,',
    ],
    [{ '/echo': { onMessage: 'echo' } }, 'option onMessage of /echo is "echo"; allowed is a function'],
    [
      { '/echo': { subprotocols: ['a b'] } },
      'option subprotocols is ["a b"]; allowed is a list of different tokens',
    ],
    [{ '/a/:x': {}, '/a/:y': {} }, 'option paths is "/a/:y"; allowed is a pattern that no other equals'],
  ])('may not be %j', (paths, why) => {
    expect(refusal(() => withPaths(paths)).message).toContain(why);
  });
});

describe.each([
  ['clock', systemClock, [5, null, {}, { now: () => 0 }]],
  ['listener', { listen() {}, close() {}, address() {} }, [5, null, {}, { listen() {} }]],
  ['inspect', { next() {} }, [5, null, {}, 'yes']],
] as [string, object, unknown[]][])('%s', (name, right, wrong) => {
  test('may be what has the methods that are called', () => {
    const settings = read({ [name]: right });
    expect(name === 'listener' ? settings.places[0] : settings).toMatchObject({ [name]: right });
  });

  test.each(wrong.map((value) => [value]))('may not be %j', (value) => {
    const { option, message } = refusal(() => read({ [name]: value }));
    expect(option).toBe(name);
    expect(message).toMatch(/; allowed is .*an object with /);
  });
});

describe('handlers', () => {
  test('those of a path are checked under its name, those of a server under their own', () => {
    const handlers = { onClose: 1 } as never;
    expect(refusal(() => checkHandlerNames('/a', handlers)).option).toBe('onClose of /a');
    expect(refusal(() => checkHandlers(handlers)).option).toBe('onClose');
  });

  test.each(['onRequest', 'port', 'constructor'])('a path has no %s', (name) => {
    expect(refusal(() => checkHandlerNames('/a', { [name]: () => {} })).option).toBe(`${name} of /a`);
  });
});

test('a long value is not repeated whole', () => {
  expect(refusal(() => read({ host: ['x'.repeat(10_000)] })).message.length).toBeLessThan(300);
});

test('whatever comes as options is taken, or refused by an OptionError that names one', () => {
  const names = [...Object.keys(limits), 'port', 'host', 'origins', 'subprotocols', 'overflow', 'onMessage'];
  const anything = fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true });
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...names), anything), (options) => {
      try {
        read(options);
      } catch (error) {
        expect(error).toBeInstanceOf(OptionError);
        expect(names).toContain((error as OptionError).option);
      }
    }),
    { numRuns: 1000 },
  );
});
