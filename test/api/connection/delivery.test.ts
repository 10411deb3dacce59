/** What a handler or a subscriber that fails does to its connection, and who is told. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { firstValueFrom, map, merge, mergeMap, type Observable, take } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { Connection, Decision, Handlers, Message } from '../../../src/index.ts';
import { PATIENCE_MS } from '../../support/patience.ts';
import { bytes, continuationFrame, pingFrame, RawClient, textFrame } from '../../support/raw-client.ts';
import { gate, make, record, reportOf, serve, until, warning, word, words } from '../../support/serving.ts';

const SECRET = 'password=hunter2';
const fail = (): never => {
  throw new Error(SECRET);
};
const reject = (): Promise<never> => Promise.reject(new Error(SECRET));
const messageOf = (error: unknown) => (error as Error).message;

describe('a handler that fails', () => {
  const kinds: [name: string, handlers: Handlers][] = [
    ['onMessage throws', { onMessage: fail }],
    ['onMessage rejects', { onMessage: reject }],
    ['onFragment throws', { onFragment: fail }],
    ['onFragment rejects', { onFragment: reject }],
    ['onOpen throws', { onOpen: fail, onMessage: () => {} }],
    ['onOpen rejects', { onOpen: reject, onMessage: () => {} }],
  ];
  test.each(kinds)(
    '%s: 1011 with a fixed reason, told once, and not one word of it to the peer',
    async (_, handlers) => {
      const { meet, errors } = await serve(handlers);
      const { client, connection } = await meet();
      await client.sendBytes(textFrame('go'));
      expect(await word(client)).toBe('close 1011 internal error');
      expect(await client.ended()).toBe('fin');
      client.fin();
      expect(await reportOf(connection)).toEqual({
        code: 1011,
        reason: 'internal error',
        wasClean: false,
        initiator: 'server',
      });
      expect(errors).toMatchObject([{ connection, error: { message: SECRET } }]);
    },
  );

  test('onClose throws or rejects: told once, after the report, and the process lives', async () => {
    for (const onClose of [fail, reject]) {
      const { meet, errors } = await serve({ onClose });
      const { client, connection } = await meet();
      client.destroy();
      await reportOf(connection);
      await until(() => errors.length > 0);
      expect(errors).toMatchObject([{ connection, error: { message: SECRET } }]);
    }
  });

  test('fails its own connection and no other, in the same turn of the loop', async () => {
    const { call, server } = await serve({
      onMessage: (connection, message) => (message === 'bad' ? fail() : void connection.send(message)),
    });
    const [bad, good] = [await call(), await call()];
    await Promise.all([bad.sendBytes(textFrame('bad')), good.sendBytes(textFrame('good'))]);
    expect(await word(bad)).toBe('close 1011 internal error');
    expect(await word(good)).toBe('text good');
    expect(server.state).toBe('listening');
  });

  test('what it sent before it failed goes out first; the frames behind are not read', async () => {
    const seen: string[] = [];
    const { call } = await serve({
      onMessage(connection, message) {
        seen.push(String(message));
        connection.send('partial');
        fail();
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    expect(await words(client, 2)).toEqual(['text partial', 'close 1011 internal error']);
    expect(seen).toEqual(['1']);
  });

  test.each([
    ['undefined', undefined],
    ['a string', 'oops'],
    ['an object without a prototype', Object.create(null)],
    ['an object that cannot be shown', { toString: fail, toJSON: fail }],
    ['a symbol', Symbol('s')],
  ])('may throw %s', async (_, thrown) => {
    const { call, errors } = await serve({
      onMessage() {
        throw thrown;
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('go'));
    expect(await word(client)).toBe('close 1011 internal error');
    expect(errors.map(({ error }) => error)).toEqual([thrown]);
  });

  test('nobody listens: it is a warning of the process, whatever was thrown', async () => {
    for (const thrown of [new Error('unheard'), Object.create(null), 'oops']) {
      const { server } = make({
        onMessage: () => Promise.reject(thrown),
        paths: { '/echo': {} },
      });
      await server.start();
      const client = await RawClient.connect(server.address()?.port ?? 0);
      await client.handshake();
      const warned = await warning(() => client.sendBytes(textFrame('go')));
      expect(warned.cause).toBe(thrown);
      const shown = thrown instanceof Error ? 'Error: unheard' : typeof thrown === 'string' ? '"oops"' : '{}';
      expect(warned.message).toContain(`unhandled ${shown}; `);
    }
  });
});

describe('onError', () => {
  /** Messages are answered; `bad` fails. What `decide` says is what onError says. */
  async function deciding(
    decide: (attempt: number) => Decision | undefined,
    isAsync: boolean,
    cure = Infinity,
  ) {
    let attempts = 0;
    let errors = 0;
    const handle = (connection: Connection, message: unknown) => {
      if (message !== 'bad') return void connection.send(`ok ${message}`);
      attempts += 1;
      if (attempts <= cure) fail();
      connection.send('cured');
    };
    const { call } = await serve({
      onMessage: isAsync ? async (c, m) => handle(c, m) : handle,
      onError() {
        errors += 1;
        return decide(errors);
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('bad'), textFrame('next')));
    return { client, counts: () => ({ attempts, errors }) };
  }

  describe.each([
    ['a throw', false],
    ['a rejection', true],
  ])('decides about %s', (_, isAsync) => {
    test('close, also by default: 1011', async () => {
      for (const decision of ['close', undefined] as const) {
        const { client, counts } = await deciding(() => decision, isAsync);
        expect(await word(client)).toBe('close 1011 internal error');
        expect(counts()).toEqual({ attempts: 1, errors: 1 });
      }
    });

    test('continue: the message is dropped, the next one comes', async () => {
      const { client, counts } = await deciding(() => 'continue', isAsync);
      expect(await word(client)).toBe('text ok next');
      expect(counts()).toEqual({ attempts: 1, errors: 1 });
    });

    test('retry: the handler again, before the next frame', async () => {
      const { client, counts } = await deciding(() => 'retry', isAsync, 2);
      expect(await words(client, 2)).toEqual(['text cured', 'text ok next']);
      expect(counts()).toEqual({ attempts: 3, errors: 2 });
    });

    test('retry for ever: three times, then 1011', async () => {
      const { client, counts } = await deciding(() => 'retry', isAsync);
      expect(await word(client)).toBe('close 1011 internal error');
      expect(counts()).toEqual({ attempts: 4, errors: 4 });
    });

    test('retry, then continue: the next message has its own three', async () => {
      const { client, counts } = await deciding((n) => (n % 4 === 0 ? 'continue' : 'retry'), isAsync);
      expect(await word(client)).toBe('text ok next');
      await client.sendBytes(bytes(textFrame('bad'), textFrame('last')));
      expect(await word(client)).toBe('text ok last');
      expect(counts()).toEqual({ attempts: 8, errors: 8 });
    });
  });

  test('retry of two handlers that fail on one frame calls each of them again', async () => {
    const calls: string[] = [];
    const once = new Set<string>();
    const flaky = (name: string) => () => {
      calls.push(name);
      if (once.has(name)) return;
      once.add(name);
      fail();
    };
    const { call } = await serve({
      onMessage: flaky('message'),
      onFragment: flaky('fragment'),
      onError: () => 'retry',
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('a'), pingFrame('alive')));
    expect(await word(client)).toBe('pong alive');
    expect(calls).toEqual(['fragment', 'message', 'fragment', 'message']);
  });

  test('retry of onOpen', async () => {
    let calls = 0;
    const { call } = await serve({
      onOpen(connection) {
        calls += 1;
        if (calls < 3) fail();
        connection.send('welcome');
      },
      onError: () => 'retry',
    });
    expect(await word(await call())).toBe('text welcome');
  });

  test('retry where there is nothing to call again, as with a subscriber, goes on', async () => {
    const { call, server } = await serve({ onMessage: (c, m) => void c.send(m), onError: () => 'retry' });
    server.messages$.subscribe(fail);
    const client = await call();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    expect(await words(client, 2)).toEqual(['text 1', 'text 2']);
  });

  test('that throws or rejects itself: 1011, and both errors are told', async () => {
    const second = new Error('second');
    const failing: Handlers['onError'][] = [
      () => {
        throw second;
      },
      (() => Promise.reject(second)) as never,
    ];
    for (const onError of failing) {
      const { call, errors } = await serve({ onMessage: fail, onError });
      const client = await call();
      await client.sendBytes(textFrame('go'));
      expect(await word(client)).toBe('close 1011 internal error');
      await until(() => errors.length === 2);
      expect(errors.map(({ error }) => messageOf(error))).toEqual([SECRET, 'second']);
    }
  });

  test('is told of the peer’s faults; its answer changes nothing there', async () => {
    const told: unknown[] = [];
    const { call } = await serve({
      onError(_, error) {
        told.push(error);
        return 'continue';
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('x', { rsv: 4 }));
    expect((await client.closeFrame()).code).toBe(1002);
    expect(told).toMatchObject([{ code: 'ERR_PROTOCOL', fault: 'peer', closeCode: 1002 }]);
  });

  test('may close with a code of its own', async () => {
    const { call } = await serve({
      onMessage: fail,
      onError(connection) {
        connection.close(4444, 'my way');
        return 'continue';
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('go'));
    expect(await word(client)).toBe('close 4444 my way');
  });

  test('decides about a fragment, inside the message', async () => {
    const seen: unknown[] = [];
    const { call } = await serve({
      onFragment(_, { data }) {
        if (data === 'b') fail();
        seen.push(data);
      },
      onError: () => 'continue',
    });
    const client = await call();
    const parts = ['a', 'b', 'c'].map((part, i) =>
      i === 0 ? textFrame(part, { fin: false }) : continuationFrame(part, { fin: i === 2 }),
    );
    await client.sendBytes(bytes(...parts, pingFrame()));
    expect(await word(client)).toBe('pong');
    expect(seen).toEqual(['a', 'c']);
  });
});

describe('a subscriber that fails', () => {
  type Subscribe = (served: Awaited<ReturnType<typeof serve>>) => unknown;
  const inside = (subscribe: (connection: Connection) => unknown): Subscribe => {
    return ({ server }) => server.connections$.subscribe((connection) => void subscribe(connection));
  };
  const ways: [name: string, subscribe: Subscribe][] = [
    ['connection.messages$', inside((c) => c.messages$.subscribe(fail))],
    ['connection.messages$ behind map', inside((c) => c.messages$.pipe(map(fail)).subscribe())],
    ['connection.fragments$', inside((c) => c.fragments$.subscribe(fail))],
    ['connection.state$ at once', inside((c) => c.state$.subscribe(fail))],
    ['connections$', ({ server }) => server.connections$.subscribe(fail)],
    ['connections$ by its promise', ({ server }) => server.connections$.subscribe(reject)],
    ['connections$ of the path', ({ server }) => server.path('/echo').connections$.subscribe(fail)],
    ['messages$ of the server', ({ server }) => server.messages$.subscribe(fail)],
    ['messages$ of the server behind map', ({ server }) => server.messages$.pipe(map(fail)).subscribe()],
    [
      'messages$ of the path, in front of map',
      ({ server }) =>
        server
          .path('/echo')
          .messages$.pipe(map(({ message }) => message))
          .subscribe(fail),
    ],
    ['lifecycle$', ({ server }) => server.lifecycle$.subscribe(fail)],
    [
      'connections$ of the server merged into their messages$',
      ({ server }) => server.connections$.pipe(mergeMap(({ messages$ }) => messages$)).subscribe(fail),
    ],
    [
      'connections$ of the path merged into their messages$, behind map',
      ({ server }) =>
        server
          .path('/echo')
          .connections$.pipe(
            mergeMap(({ messages$ }) => messages$),
            map(fail),
          )
          .subscribe(),
    ],
  ];
  test.each(ways)('of %s: its connection is failed with 1011, once, and no other', async (_, subscribe) => {
    const served = await serve({ onMessage: (connection, message) => void connection.send(message) });
    const { client: other } = await served.meet();
    const failed = record(served.server.errors$);
    subscribe(served);
    const { client, connection } = await served.meet();
    await client.sendBytes(textFrame('go'));
    let last = await word(client);
    if (last === 'text go') last = await word(client);
    expect(last).toBe('close 1011 internal error');
    expect(failed.values[0]).toMatchObject({ connection, error: { message: SECRET } });
    other.destroy();
  });

  test('of pings$ and pongs$: 1011, and the ping was answered', async () => {
    const served = await serve({});
    const { client, connection } = await served.meet();
    connection.pings$.subscribe(fail);
    await client.sendBytes(pingFrame('p'));
    expect(await words(client, 2)).toEqual(['pong p', 'close 1011 internal error']);
  });

  test('of closed$, and of a completion: told, and everything else still ends', async () => {
    const served = await serve({});
    const { client, connection } = await served.meet();
    connection.messages$.subscribe({ complete: fail });
    connection.closed$.subscribe({ next: fail, complete: fail });
    const end = record(connection.closed$);
    client.destroy();
    await until(() => end.ends.length > 0);
    expect(end.values).toHaveLength(1);
    expect(served.errors.map(({ error }) => messageOf(error))).toEqual([SECRET, SECRET, SECRET]);
  });

  test('of errors$ is a warning, and no error of an error', async () => {
    const served = await serve({ onMessage: () => Promise.reject(new Error('first')) });
    const { client } = await served.meet();
    served.server.errors$.subscribe(() => {
      throw new Error('in errors$');
    });
    const warned = await warning(() => client.sendBytes(textFrame('go')));
    expect(warned.message).toContain('unhandled Error: in errors$; ');
    expect(await word(client)).toBe('close 1011 internal error');
    expect(served.errors.map(({ error }) => messageOf(error))).toEqual(['first']);
  });
});

describe('a subscriber that an error has ended', () => {
  const parse = ({ message }: { message: Message }): unknown => JSON.parse(String(message));
  const pipeline: Serve = ({ server }) => server.path('/echo').messages$.pipe(map(parse)).subscribe();
  type Serve = (served: Awaited<ReturnType<typeof serve>>) => unknown;

  test.each<[string, string, string | undefined, Serve]>([
    ['messages$ of the path', 'messages$', '/echo', pipeline],
    [
      'messages$ of the server',
      'messages$',
      undefined,
      ({ server }) => server.messages$.pipe(map(parse)).subscribe(),
    ],
    [
      'messages$ of the path, merged with another',
      'messages$',
      '/echo',
      ({ server }) =>
        merge(server.path('/echo').messages$, server.path('/other').messages$).pipe(map(parse)).subscribe(),
    ],
    [
      'connections$ merged into messages$',
      'connections$',
      '/echo',
      ({ server }) =>
        server
          .path('/echo')
          .connections$.pipe(
            mergeMap(({ messages$ }) => messages$.pipe(map((message) => parse({ message })))),
          )
          .subscribe(),
    ],
  ])(
    '%s: told once, and later messages of others are no fault of theirs',
    async (_, stream, path, subscribe) => {
      const served = await serve({});
      subscribe(served);
      const [good, bad] = [await served.meet(), await served.meet()];
      await bad.client.sendBytes(bytes(textFrame('{no json'), textFrame('1')));
      expect(await word(bad.client)).toBe('close 1011 internal error');
      const late = await served.meet();
      for (const { client } of [good, late]) {
        await client.sendBytes(textFrame('1'));
        expect(await word(client)).toBe('close 1011 internal error');
      }
      expect(served.errors).toMatchObject([
        { connection: bad.connection, error: { name: 'SyntaxError' } },
        {
          connection: undefined,
          error: { code: 'ERR_SUBSCRIBER_ENDED', stream, path, cause: { name: 'SyntaxError' } },
        },
      ]);
    },
  );

  test('onError hears it for each message that nobody takes, and may let it pass', async () => {
    const heard: unknown[] = [];
    const served = await serve({
      onError(_, error) {
        heard.push((error as Error).name);
        return 'continue';
      },
    });
    pipeline(served);
    const { client } = await served.meet();
    await client.sendBytes(bytes(textFrame('{no json'), textFrame('1'), textFrame('2'), pingFrame('p')));
    expect(await word(client)).toBe('pong p');
    expect(heard).toEqual(['SyntaxError', 'SubscriberError', 'SubscriberError']);
    expect(served.errors.map(({ error }) => (error as Error).name)).toEqual([
      'SyntaxError',
      'SubscriberError',
    ]);
  });

  test('of one connection is told when that goes on and a message is left to nobody', async () => {
    const served = await serve({ onError: () => 'continue' });
    const { client, connection } = await served.meet();
    connection.messages$.pipe(map(fail)).subscribe();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2'), pingFrame('p')));
    expect(await word(client)).toBe('pong p');
    expect(served.errors).toMatchObject([
      { connection, error: { message: SECRET } },
      { connection: undefined, error: { name: 'SubscriberError', stream: 'messages$', path: '/echo' } },
    ]);
  });

  test('that takes errors itself is told of when a message is left to nobody', async () => {
    const served = await serve({});
    served.server
      .path('/echo')
      .messages$.pipe(map(parse))
      .subscribe({ error: () => {} });
    const [first, second] = [await served.meet(), await served.meet()];
    await first.client.sendBytes(textFrame('{no json'));
    await first.client.sendBytes(pingFrame('p'));
    expect(await word(first.client)).toBe('pong p');
    expect(served.errors).toEqual([]);
    for (const { client } of [first, second]) {
      await client.sendBytes(textFrame('1'));
      expect(await word(client)).toBe('close 1011 internal error');
    }
    expect(served.errors).toMatchObject([
      { error: { name: 'SubscriberError', cause: { name: 'SyntaxError' } } },
    ]);
  });

  test('is a warning where nobody listens to errors', async () => {
    const { server } = make();
    const path = server.path('/echo', { onError: () => 'continue' });
    path.messages$.pipe(map(parse)).subscribe();
    await server.start();
    const client = await RawClient.connect(server.address()?.port ?? 0);
    await client.handshake();
    const warned = await warning(() => client.sendBytes(textFrame('{no json')));
    expect(warned.message).toContain(
      'unhandled SubscriberError: a subscriber to messages$ of /echo has ended',
    );
  });

  test('is forgotten when another one comes', async () => {
    const served = await serve({});
    pipeline(served);
    const { client: bad } = await served.meet();
    await bad.sendBytes(textFrame('{no json'));
    await word(bad);
    const again = record(served.server.path('/echo').messages$);
    const { client } = await served.meet();
    await client.sendBytes(bytes(textFrame('1'), pingFrame('p')));
    expect([await word(client), again.values.length]).toEqual(['pong p', 1]);
  });
});

describe('who subscribes while something is delivered gets what comes after it', () => {
  const streams: [
    name: string,
    of: (served: Awaited<ReturnType<typeof serve>>, c: Connection) => Observable<unknown>,
  ][] = [
    ['connection.messages$', (_, { messages$ }) => messages$],
    ['path.messages$', ({ server }) => server.path('/echo').messages$.pipe(map(({ message }) => message))],
    ['server.messages$', ({ server }) => server.messages$.pipe(map(({ message }) => message))],
    ['connection.fragments$', (_, { fragments$ }) => fragments$.pipe(map(({ data }) => data))],
  ];
  type Where = (
    served: Awaited<ReturnType<typeof serve>>,
    listen: (connection: Connection) => void,
  ) => unknown;
  const places: [name: string, where: Where][] = [
    ['onMessage', ({ server }, listen) => server.path('/echo', { onMessage: listen })],
    ['onFragment', ({ server }, listen) => server.path('/echo', { onFragment: listen })],
    [
      'a subscriber to the connection’s messages$',
      ({ server }, listen) => server.connections$.subscribe((c) => c.messages$.subscribe(() => listen(c))),
    ],
    [
      'a subscriber to the connection’s fragments$',
      ({ server }, listen) => server.connections$.subscribe((c) => c.fragments$.subscribe(() => listen(c))),
    ],
    [
      'a subscriber to the path’s messages$',
      ({ server }, listen) =>
        server.path('/echo').messages$.subscribe(({ connection }) => listen(connection)),
    ],
    [
      'a subscriber to the server’s messages$',
      ({ server }, listen) => server.messages$.subscribe(({ connection }) => listen(connection)),
    ],
  ];
  describe.each(places)('in %s', (_, where) => {
    test.each(streams)('to %s', async (_, of) => {
      const served = await serve({});
      // The others that take messages are there before.
      served.server.messages$.subscribe();
      const got: unknown[] = [];
      let isListening = false;
      where(served, (connection) => {
        if (isListening) return;
        isListening = true;
        of(served, connection).subscribe((value) => got.push(value));
      });
      const { client } = await served.meet();
      await client.sendBytes(bytes(textFrame('ask'), textFrame('answer'), pingFrame('p')));
      await word(client);
      expect(got).toEqual(['answer']);
    });
  });

  test('in a handler that nobody else is beside, and in a for await that begins there', async () => {
    const seen: unknown[] = [];
    const served = await serve({
      onMessage(connection, message) {
        if (message !== 'ask') return;
        void firstValueFrom(connection.messages$).then((value) => seen.push(`first ${value}`));
        void (async () => {
          for await (const value of connection) seen.push(`loop ${value}`);
        })();
      },
    });
    const { client } = await served.meet();
    await client.sendBytes(bytes(textFrame('ask'), textFrame('1')));
    await until(() => seen.length === 2);
    expect(seen.sort()).toEqual(['first 1', 'loop 1']);
  });

  test('connections$ of the server, in a subscriber to that of the path', async () => {
    const { server, meet } = await serve({});
    const late: unknown[] = [];
    server
      .path('/echo')
      .connections$.pipe(take(1))
      .subscribe(() => server.connections$.subscribe((connection) => late.push(connection)));
    await meet();
    const { connection } = await meet();
    expect(late).toEqual([connection]);
  });

  test('lifecycle$ and errors$ of the server, in a subscriber to those of the path', async () => {
    const { server, meet } = await serve({ onMessage: fail });
    const late: unknown[] = [];
    const path = server.path('/echo');
    const { client } = await meet();
    path.lifecycle$.pipe(take(1)).subscribe(({ to: seen }) => {
      server.lifecycle$.pipe(take(1)).subscribe(({ to }) => late.push(`${seen}, then ${to}`));
    });
    path.errors$.subscribe(() => server.errors$.subscribe((failure) => late.push(failure)));
    await client.sendBytes(textFrame('x'));
    expect(await word(client)).toBe('close 1011 internal error');
    client.destroy();
    await until(() => late.length > 0);
    expect(late).toEqual(['closing, then closed']);
  });
});

describe('debugOnError', () => {
  /** A program that fails in a handler at the first message; the built package, as a user has it. */
  const program = (handler: string) => `
    import { createServer } from ${JSON.stringify(new URL('../../../dist/index.js', import.meta.url).href)};
    const server = createServer({ port: 0, host: '127.0.0.1', debugOnError: true });
    function theGuilty() { throw new Error('found me'); }
    server.path('/', ${handler});
    await server.start();
    const socket = (await import('node:net')).connect(server.address().port, '127.0.0.1', () => {
      socket.write('GET / HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n');
      socket.write(Uint8Array.of(0x81, 0x80, 1, 2, 3, 4));
    });
  `;

  test.each([
    ['throws', '{ onMessage() { theGuilty(); } }'],
    ['rejects', '{ async onMessage() { theGuilty(); } }'],
    ['authorize throws', '{ authorize() { theGuilty(); } }'],
  ])('ends the process with the handler’s own stack: %s', async (_, handler) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program(handler)], {
      timeout: PATIENCE_MS,
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, 'close');
    expect(stderr).toMatch(/Error: found me\n\s+at theGuilty/);
    expect(code).toBe(1);
  });
});

test('a promise handler that never settles ends with its connection', async () => {
  const { meet } = await serve({ onMessage: () => gate().promise });
  const { client, connection } = await meet();
  await client.sendBytes(textFrame('go'));
  await new Promise((resolve) => setImmediate(resolve));
  client.reset();
  expect(await reportOf(connection)).toMatchObject({ code: 1006 });
});
