/** A path as a function: what it gives is sent, and what goes wrong in it stays with its connection. */
import {
  concat,
  EMPTY,
  firstValueFrom,
  map,
  merge,
  NEVER,
  Observable,
  of,
  Subject,
  take,
  throwError,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import {
  type Connection,
  json,
  OptionError,
  prepare,
  type Served,
  type ServeOptions,
} from '../../../src/index.ts';
import { bytes, closeFrame, RawClient, requestHead, textFrame } from '../../support/raw-client.ts';
import { make, reportOf, serve, until, word, words } from '../../support/serving.ts';

type Message = string | Uint8Array;
const boom = new Error('boom');
const later = () => new Promise((resolve) => setImmediate(resolve));

/** A server whose `/echo` is served by this function. */
async function serving(
  fn: (connection: Connection) => Served<Message>,
  options?: ServeOptions<Message>,
  handlers: Parameters<typeof serve>[0] = {},
) {
  const served = await serve(handlers);
  served.server.path('/echo').serve(fn, options);
  return served;
}

describe('an observable', () => {
  test('of its own messages is an echo server, from the first glued message on', async () => {
    const { server } = make();
    server.path('/echo').serve(({ messages$ }) => messages$);
    await server.start();
    const client = await RawClient.connect(server.address()?.port ?? 0, { sendHead: false });
    await client.sendBytes(bytes(requestHead(), textFrame('1'), textFrame('2')));
    expect(await words(client, 2)).toEqual(['text 1', 'text 2']);
    await client.sendBytes(closeFrame(1000));
    expect(await word(client)).toBe('close 1000');
  });

  test('is sent as send does: text, bytes, prepared messages; then 1000 when it completes', async () => {
    const { call } = await serving(() => of('a', Uint8Array.of(1), prepare('p')));
    expect(await words(await call(), 4)).toEqual(['text a', 'binary 01', 'text p', 'close 1000']);
  });

  test('begins behind onOpen, and each connection has its own', async () => {
    let count = 0;
    const { call } = await serving(() => concat(of(`number ${++count}`), NEVER), undefined, {
      onOpen: (connection) => void connection.send('open'),
    });
    expect(await words(await call(), 2)).toEqual(['text open', 'text number 1']);
    expect(await words(await call(), 2)).toEqual(['text open', 'text number 2']);
  });

  test('is unsubscribed from when its connection ends', async () => {
    let open = 0;
    const source = new Observable<string>((subscriber) => {
      open++;
      subscriber.next('hello');
      return () => {
        open--;
      };
    });
    const { call } = await serving(() => source);
    const client = await call();
    expect([await word(client), open]).toEqual(['text hello', 1]);
    client.reset();
    await until(() => open === 0);
  });

  test('is let go where it ends at once', async () => {
    let torn = 0;
    const { call } = await serving(
      () =>
        new Observable<string>((subscriber) => {
          subscriber.next(1 as never);
          return () => {
            torn++;
          };
        }),
    );
    expect(await word(await call())).toBe('close 1011 internal error');
    expect(torn).toBe(1);
  });
});

describe('an error', () => {
  const parse = (message: Message) => JSON.stringify(JSON.parse(String(message)));
  const ways: [name: string, fn: (connection: Connection) => Served<Message>][] = [
    ['of an operator', ({ messages$ }) => messages$.pipe(map(parse))],
    ['behind merge', ({ messages$ }) => merge(messages$.pipe(map(parse)), NEVER)],
    [
      'of an async generator',
      async function* (connection) {
        for await (const message of connection) yield parse(message);
      },
    ],
  ];
  test.each(ways)('%s ends that connection with 1011, is told once, and touches no other', async (_, fn) => {
    const { meet, errors } = await serving(fn);
    const good = await meet();
    const bad = await meet();
    await bad.client.sendBytes(bytes(textFrame('{no json'), textFrame('1')));
    expect(await word(bad.client)).toBe('close 1011 internal error');
    await good.client.sendBytes(textFrame('[1]'));
    expect(await word(good.client)).toBe('text [1]');
    const late = await meet();
    await late.client.sendBytes(textFrame('[2]'));
    expect(await word(late.client)).toBe('text [2]');
    expect(errors).toMatchObject([{ connection: bad.connection, error: { name: 'SyntaxError' } }]);
  });

  test.each<[string, () => unknown]>([
    [
      'a throw',
      () => {
        throw boom;
      },
    ],
    ['an error at once', () => throwError(() => boom)],
    ['a rejection', () => Promise.reject(boom)],
    [
      'a thenable that throws',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: what is tested
        then() {
          throw boom;
        },
      }),
    ],
    [
      'an iterator that rejects',
      () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(boom) }) }),
    ],
    [
      'an iterable that throws',
      () => ({
        [Symbol.asyncIterator]() {
          throw boom;
        },
      }),
    ],
  ])('%s: 1011, and told as it was thrown', async (_, fn) => {
    const { meet, errors } = await serving(fn as never);
    const { client, connection } = await meet();
    expect(await word(client)).toBe('close 1011 internal error');
    expect(errors).toEqual([{ connection, error: boom }]);
  });

  test.each([
    ['nothing', undefined],
    ['null', null],
    ['a list', ['a']],
    ['a string', 'a'],
  ])('%s returned: 1011, and a TypeError that says what is allowed', async (_, value) => {
    const { call, errors } = await serving((() => value) as never);
    expect(await word(await call())).toBe('close 1011 internal error');
    expect(errors).toMatchObject([
      { error: { name: 'TypeError', message: /an observable, an async iterable/ } },
    ]);
  });

  test('a value that cannot be sent: 1011, and the source is let go', async () => {
    let isOver = false;
    const { call, errors } = await serving(async function* () {
      try {
        yield {} as never;
      } finally {
        isOver = true;
      }
    });
    expect(await word(await call())).toBe('close 1011 internal error');
    expect([isOver, errors]).toMatchObject([true, [{ error: { name: 'TypeError' } }]]);
  });

  test('onError decides: retry calls the function again, continue leaves the connection open', async () => {
    let calls = 0;
    const decisions = ['retry', 'continue'] as const;
    const { meet } = await serving(() => (calls++ < 2 ? throwError(() => boom) : NEVER), undefined, {
      onError: () => decisions[calls - 1],
      onMessage: (connection) => void connection.send('alive'),
    });
    const { client } = await meet();
    await client.sendBytes(textFrame('x'));
    expect([await word(client), calls]).toEqual(['text alive', 2]);
  });
});

describe('a promise', () => {
  test('its value is sent, then 1000', async () => {
    const { call } = await serving(async ({ path }) => `you are at ${path}`);
    expect(await words(await call(), 2)).toEqual(['text you are at /echo', 'close 1000']);
  });

  test('of nothing: what the function sends itself, then 1000', async () => {
    const { call } = await serving(async (connection) => {
      for await (const message of connection) {
        connection.send(message);
        break;
      }
    });
    const client = await call();
    await client.sendBytes(textFrame('x'));
    expect(await words(client, 2)).toEqual(['text x', 'close 1000']);
  });

  test('of an observable, or of an async iterable: those', async () => {
    const observable = await serving(async () => of('a', 'b'));
    expect(await words(await observable.call(), 3)).toEqual(['text a', 'text b', 'close 1000']);
    const iterable = await serving(async () => EMPTY);
    expect(await word(await iterable.call())).toBe('close 1000');
  });

  test('that settles after the end changes nothing', async () => {
    let resolve = (_: string): void => {};
    const promise = new Promise<string>((settle) => {
      resolve = settle;
    });
    const { meet, errors } = await serving(() => promise);
    const { client, connection } = await meet();
    client.reset();
    await reportOf(connection);
    const before = errors.length;
    resolve('late');
    await later();
    expect(errors.length).toBe(before);
  });
});

describe('messages', () => {
  test('wait for an async function until it takes them: none is lost', async () => {
    const { call } = await serving(async function* (connection) {
      await later();
      for await (const message of connection) yield message;
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    expect(await words(client, 2)).toEqual(['text 1', 'text 2']);
  });

  test('come to onMessage where there is one, whatever the function does', async () => {
    const { call } = await serving(() => new Promise(() => {}), undefined, {
      onMessage: (connection, message) => void connection.send(message),
    });
    const client = await call();
    await client.sendBytes(textFrame('1'));
    expect(await word(client)).toBe('text 1');
  });

  test('that an async function subscribes to come while it is pending', async () => {
    const { call } = await serving(async ({ messages$ }) => `got ${await firstValueFrom(messages$)}`);
    const client = await call();
    await client.sendBytes(textFrame('1'));
    expect(await words(client, 2)).toEqual(['text got 1', 'close 1000']);
  });

  test('after the observable has completed are no fault', async () => {
    const { call, errors } = await serving(({ messages$ }) => messages$.pipe(take(1)));
    const client = await call();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2'), closeFrame(1000)));
    expect(await words(client, 2)).toEqual(['text 1', 'close 1000']);
    expect(errors).toEqual([]);
  });

  test('that an observable leaves to nobody are a fault of the program', async () => {
    const { call, errors } = await serving(() => NEVER);
    const client = await call();
    await client.sendBytes(textFrame('1'));
    expect(await word(client)).toBe('close 1011 internal error');
    expect(errors).toMatchObject([{ error: { name: 'NoMessageHandlerError' } }]);
  });
});

describe('an async iterable', () => {
  test('is sent; its end closes with 1000', async () => {
    const { call } = await serving(async function* () {
      yield 'a';
      yield 'b';
    });
    expect(await words(await call(), 3)).toEqual(['text a', 'text b', 'close 1000']);
  });

  test('its finally runs when the connection ends', async () => {
    let isOver = false;
    const { meet } = await serving(async function* (connection) {
      try {
        for await (const message of connection) yield message;
      } finally {
        isOver = true;
      }
    });
    const { client } = await meet();
    await client.sendBytes(textFrame('x'));
    expect(await word(client)).toBe('text x');
    client.reset();
    await until(() => isOver);
  });

  test('the next value is taken when a slow peer has read the last', async () => {
    let taken = 0;
    const block = new Uint8Array(512 * 1024);
    const { meet } = await serving(async function* () {
      for (; taken < 64; taken++) yield block;
    });
    const { client, connection } = await meet();
    client.pause();
    await until(() => connection.bufferedAmount > 0);
    await later();
    expect(taken).toBeLessThan(64);
    client.resume();
    for (let i = 0; i < 64; i++) expect((await client.nextFrame()).payload.length).toBe(block.length);
    expect(await word(client)).toBe('close 1000');
  });
});

describe('a slow reader', () => {
  const block = (n: number) => new Uint8Array(100_000).fill(n);

  test('of an observable meets sendLimit', async () => {
    const source = new Subject<Uint8Array>();
    const { meet, errors } = await serving(() => source);
    const { client, connection } = await meet();
    client.pause();
    for (let i = 0; i < 200 && connection.state === 'open'; i++) {
      source.next(block(i));
      await later();
    }
    expect(errors).toMatchObject([{ connection, error: { limit: 'sendLimit' } }]);
    expect(source.observed).toBe(false === (connection.state === 'closed'));
  });

  test.each<[string, ServeOptions<Message>['key']]>([
    ['one key for all', 'newest'],
    ['a key of each value', (value) => `key ${typeof value}`],
  ])('with %s gets the newest, and is not closed', async (_, key) => {
    const source = new Subject<Uint8Array>();
    const { meet, errors } = await serving(() => source, { key });
    const { client, connection } = await meet();
    client.pause();
    for (let i = 0; i < 200; i++) {
      source.next(block(i));
      await later();
    }
    expect([connection.state, errors]).toEqual(['open', []]);
    client.resume();
    const got: number[] = [];
    while (got.at(-1) !== 199) got.push((await client.nextFrame()).payload[0] ?? -1);
    expect(got.length).toBeLessThan(200);
  });
});

test('what is given goes through the codec of the path', async () => {
  const { server, call } = await serve({});
  const number = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] },
      types: undefined as { input: number; output: number } | undefined,
    },
  };
  server
    .path('/double', { codec: json(number, number) })
    .serve(({ messages$ }) => messages$.pipe(map((n) => n * 2)));
  const client = await call({ path: '/double' });
  await client.sendBytes(textFrame('21'));
  expect(await word(client)).toBe('text 42');
});

test('a later function serves the connections that open then', async () => {
  const { server, call } = await serving(() => concat(of('first'), NEVER));
  expect(await word(await call())).toBe('text first');
  server.path('/echo').serve(() => concat(of('second'), NEVER));
  expect(await word(await call())).toBe('text second');
});

test('what is no function, and a wrong key, is an OptionError', () => {
  const path = make().server.path('/echo');
  expect(() => path.serve(undefined as never)).toThrow(OptionError);
  expect(() => path.serve(() => NEVER, { key: 1 as never })).toThrow(/key of serve of \/echo is 1/);
});
