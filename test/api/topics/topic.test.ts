/** A topic as its user has it: over real sockets, with slow members and compression, its streams, presence and history. */
import { once } from 'node:events';
import { firstValueFrom, map, take } from 'rxjs';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { z } from 'zod';
import { type Connection, createServer, prepare, type ServerOptions } from '../../../src/index.ts';
import { MemoryTransport } from '../../../src/io/transports/memory.ts';
import { type TestServer, testServer } from '../../../src/testing/index.ts';
import { textFrame } from '../../support/raw-client.ts';
import { refusal } from '../../support/refusal.ts';
import { record, reportOf, serve, until, word, words } from '../../support/serving.ts';

let memory: TestServer | undefined;
afterEach(async () => {
  vi.restoreAllMocks();
  await memory?.stop();
  memory = undefined;
});

/** A server in memory whose connections join the topic that their path names. */
async function serveTopics(prepare: (server: ReturnType<typeof createServer>) => void = () => {}) {
  memory = await testServer((parts) => {
    const server = createServer(parts);
    prepare(server);
    server.path('/:topic', {
      authorize: ({ params, query }) => ({
        join: [{ topic: params.topic, since: query.get('since'), positions: query.has('positions') }],
      }),
      onMessage: (connection, message) => {
        server.topic(connection.params.topic).publish(message, { except: connection });
      },
    });
    return server;
  });
  return memory;
}

describe('publishing over sockets', () => {
  test('sends text, bytes and prepared messages to every member but one', async () => {
    const { server, meet } = await serve({ onOpen: (connection) => connection.join('t') });
    const [a, b] = [await meet(), await meet()];
    const topic = server.topic('t');
    expect(topic.size).toBe(2);
    expect([...topic.members]).toEqual([a.connection, b.connection]);
    topic.publish('tekst');
    topic.publish(Uint8Array.of(1, 2));
    topic.publish(prepare('made'), { except: a.connection });
    topic.publish('last', { except: b.connection.uid });
    expect(await words(a.client, 3)).toEqual(['text tekst', 'binary 0102', 'text last']);
    expect(await words(b.client, 3)).toEqual(['text tekst', 'binary 0102', 'text made']);
  });

  test.each([[undefined], [42], [{ a: 1 }], [null]])(
    'of %o is a TypeError, also with nobody there',
    async (value) => {
      const { server, call } = await serve({ onOpen: (connection) => connection.join('t') });
      const publish = () => server.topic('t').publish(value as never);
      expect(publish).toThrow(TypeError);
      await call();
      expect(publish).toThrow(TypeError);
    },
  );

  test('several messages of a turn leave in one write for each member', async () => {
    const { server, connect } = await serveTopics();
    const clients = [await connect('/t'), await connect('/t')];
    const write = vi.spyOn(MemoryTransport.prototype, 'write');
    for (let n = 0; n < 5; n++) server.topic('t').publish(`${n}`);
    for (const client of clients) {
      const heard = [];
      while (heard.length < 5) heard.push(await client.message());
      expect(heard).toEqual(['0', '1', '2', '3', '4']);
    }
    expect(write).toHaveBeenCalledTimes(2);
  });

  test('is compressed once for all who agreed on compression, and plain for the others', async () => {
    const { server, port, errors } = await serve(
      { onOpen: (connection) => connection.join('t') },
      { perMessageDeflate: true },
    );
    const open = async (perMessageDeflate: boolean) => {
      const client = new WebSocket(`ws://127.0.0.1:${port}/echo`, { perMessageDeflate });
      await once(client, 'open');
      return client;
    };
    const clients = [await open(true), await open(true), await open(false)];
    const text = 'again and '.repeat(500);
    const [one, two, plain] = [...server.topic('t').members] as [Connection, Connection, Connection];
    const before = [one, two, plain].map((each) => each.stats().bytesOut);
    const heard = clients.map((client) => once(client, 'message'));
    server.topic('t').publish(text);
    for (const message of heard) expect(String((await message)[0])).toBe(text);
    const bytes = [one, two, plain].map((each, n) => each.stats().bytesOut - (before[n] as number));
    expect(bytes[0]).toBeLessThan(200);
    expect(bytes[1]).toBe(bytes[0]);
    expect(bytes[2]).toBeGreaterThan(5000);
    expect(errors).toEqual([]);
    for (const client of clients) {
      client.terminate();
      await once(client, 'close');
    }
  });
});

/** Two members of a topic, one of which does not read. */
async function withSlowMember(options: Partial<ServerOptions>) {
  const served = await serve({ onOpen: (connection) => connection.join('t') }, options);
  const [slow, quick] = [await served.meet(), await served.meet()];
  slow.client.pause();
  return { ...served, slow, quick };
}

describe('a slow member', () => {
  const block = new Uint8Array(256 * 1024);
  const sendLimit = 1024 * 1024;

  test('is closed by its sendLimit; what onError publishes then reaches the others in order', async () => {
    const { server, slow, quick, errors } = await withSlowMember({ sendLimit });
    const topic = server.topic('t');
    server.errors$.subscribe(() => topic.publish('somebody was slow'));
    let report = topic.publish(block);
    for (let n = 0; n < 100 && report.dropped === 0; n++) {
      expect((await quick.client.nextFrame()).payload.length).toBe(block.length);
      report = topic.publish(block);
    }
    expect(report).toEqual({ sent: 1, queued: 0, dropped: 1 });
    expect((await quick.client.nextFrame()).payload.length).toBe(block.length);
    expect(await word(quick.client)).toBe('text somebody was slow');
    expect(topic.size).toBe(1);
    expect(errors).toMatchObject([{ connection: slow.connection, error: { limit: 'sendLimit' } }]);
  });

  test.each(['drop', 'drop-oldest'] as const)(
    'with overflow %s stays, and misses messages',
    async (overflow) => {
      const { server, slow, quick } = await withSlowMember({ sendLimit, overflow });
      const topic = server.topic('t');
      for (let n = 0; n < 40; n++) {
        topic.publish(block);
        await quick.client.nextFrame();
      }
      expect(slow.connection.stats().dropped).toBeGreaterThan(0);
      expect(slow.connection.bufferedAmount).toBeLessThanOrEqual(sendLimit + block.length);
      expect(topic.size).toBe(2);
    },
  );

  test('has only the newest message of a key', async () => {
    const { server, slow, quick } = await withSlowMember({ sendLimit: 64 * 1024 * 1024 });
    const topic = server.topic('t');
    while (topic.publish(block).queued === 0) await quick.client.nextFrame();
    const frames = { before: slow.connection.stats().messagesOut };
    for (let n = 0; n < 50; n++) topic.publish(`price ${n}`, { key: 'price' });
    expect(slow.connection.stats().messagesOut - frames.before).toBe(1);
    slow.client.resume();
    let last = '';
    while (last === '' || last.startsWith('binary')) last = await word(slow.client);
    expect(last).toBe('text price 49');
  });
});

describe('a member that is closing', () => {
  test('gets nothing any more, and is counted until it has left', async () => {
    const seen: unknown[] = [];
    const { server, meet } = await serve({
      onOpen: (connection) => connection.join('t'),
      onMessage: (connection) => {
        connection.close();
        seen.push(server.topic('t').publish('too late'));
      },
    });
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('go'));
    expect(await word(client)).toBe('close 1000');
    expect(seen).toEqual([{ sent: 0, queued: 0, dropped: 1 }]);
    expect(server.topic('t').size).toBe(0);
    client.destroy();
    await reportOf(connection);
  });

  test('has left when onClose is called, which may publish to those who stay', async () => {
    const { server, meet } = await serve({
      onOpen: (connection) => connection.join('t'),
      onClose: () => server.topic('t').publish('one less'),
    });
    const [a, b] = [await meet(), await meet()];
    b.client.destroy();
    expect(await word(a.client)).toBe('text one less');
    expect([...server.topic('t').members]).toEqual([a.connection]);
  });
});

describe('streams', () => {
  test('tell who joins and leaves, and what is published; nothing is left when nobody listens', async () => {
    const { server, connect, advance } = await serveTopics();
    const topic = server.topic('t');
    const log: string[] = [];
    const subscriptions = [
      topic.joined$.subscribe(() => log.push('joined')),
      topic.left$.subscribe(() => log.push('left')),
      topic.messages$.subscribe((message) => log.push(`${message}`)),
    ];
    const client = await connect('/t');
    client.send('said');
    await advance(0);
    await client.close();
    expect(log).toEqual(['joined', 'said', 'left']);
    for (const subscription of subscriptions) subscription.unsubscribe();
    await connect('/t');
    expect(log).toHaveLength(3);
    expect(topic.joined$).toBe(topic.joined$);
  });

  test('of one name are told alike, whichever object they are of', async () => {
    const { server } = await serveTopics();
    const one = record(server.topic('t').messages$);
    const two = record(server.topic('t').messages$.pipe(map((message) => `${message}!`)));
    server.topic('t').publish('x');
    server.topic('t').publish(Uint8Array.of(1));
    expect(one.values).toEqual(['x', Uint8Array.of(1)]);
    expect(two.values).toEqual(['x!', '1!']);
  });

  test('whose subscriber throws: told on errors$, and the others are told all the same', async () => {
    const { server } = await serveTopics();
    const errors = record(server.errors$);
    const topic = server.topic('t');
    topic.messages$.subscribe(() => {
      throw new Error('mine');
    });
    const other = record(topic.messages$);
    topic.publish('x');
    expect(other.values).toEqual(['x']);
    expect(errors.values).toMatchObject([{ connection: undefined, error: { message: 'mine' } }]);
  });

  test('whose operator throws: who was ended by it is told with the name of the stream', async () => {
    const { server } = await serveTopics();
    const errors = record(server.errors$);
    const failing = map((): never => {
      throw new Error('in map');
    });
    server.topic('t').messages$.pipe(failing).subscribe();
    server.topic('t').publish('x');
    expect(errors.values).toMatchObject([
      { error: { message: 'in map' } },
      { error: { name: 'SubscriberError', message: expect.stringContaining('messages$') } },
    ]);
  });
});

describe('a codec', () => {
  const schema = z.object({ price: z.number() });

  test('types what is published, for members of any path; it is encoded once', async () => {
    const encode = vi.fn((value: number) => `${value}`);
    const { server, connect } = await serveTopics((made) =>
      made.topics('price.:symbol', { codec: { decode: Number, encode } }),
    );
    const clients = [await connect('/price.GOLD'), await connect('/price.GOLD')];
    const topic = server.topics('price.:symbol').topic({ symbol: 'GOLD' });
    const heard = record(topic.messages$);
    topic.publish(42 as never);
    for (const client of clients) expect(await client.message()).toBe('42');
    expect(encode).toHaveBeenCalledTimes(1);
    expect(heard.values).toEqual([42]);
  });

  test('that refuses a value throws at the call', async () => {
    const { server } = await serveTopics();
    const topic = server.topics('price.:symbol', { codec: schema }).topic({ symbol: 'GOLD' });
    expect(() => topic.publish(undefined as never)).toThrow(TypeError);
  });

  test('that does not decode what was published is told on errors$', async () => {
    const { server } = await serveTopics();
    const errors = record(server.errors$);
    const topic = server.topics('price.:symbol', { codec: schema }).topic({ symbol: 'GOLD' });
    const heard = record(topic.messages$);
    topic.publish(prepare('no JSON'));
    const later = server.topics('late', { codec: { decode: async () => 1, encode: String } }).topic('late');
    later.messages$.subscribe();
    later.publish(1);
    expect(heard.values).toEqual([]);
    expect(errors.values).toMatchObject([
      { error: { name: 'InvalidMessageError' } },
      { error: { message: 'the codec of topic late decodes by a promise; allowed is a value' } },
    ]);
  });
});

describe('presence', () => {
  test('is a value, changes, and part of the first message', async () => {
    memory = await testServer((parts) => {
      const server = createServer(parts);
      server.topics('room.:id', { presence: ({ data }) => data });
      server.path('/:name', {
        authorize: ({ params }) => ({
          data: params.name,
          join: [{ topic: 'room.1', first: ({ present }) => `here: ${[...present.values()].join(', ')}` }],
        }),
        onMessage: () => {},
      });
      return server;
    });
    const { server, connect, advance } = memory;
    const room = server.topic('room.1');
    const changes = record(room.presence$);
    const ada = await connect('/ada');
    expect(await ada.message()).toBe('here: ada');
    const bob = await connect('/bob');
    expect(await bob.message()).toBe('here: ada, bob');
    await advance(0);
    expect([...room.presence.values()]).toEqual(['ada', 'bob']);
    await ada.close();
    await advance(0);
    const told = changes.values.map(({ joined, left }) => [[...joined.values()], [...left.values()]]);
    expect(told.flatMap(([joined]) => joined)).toEqual(['ada', 'bob']);
    expect(told.at(-1)).toEqual([[], ['ada']]);
    expect([...room.presence.values()]).toEqual(['bob']);
  });

  test('without the option is empty', async () => {
    const { server, connect } = await serveTopics();
    await connect('/t');
    expect(server.topic('t').presence.size).toBe(0);
  });

  test('`true` shows who is there and no more', async () => {
    const { server, connect } = await serveTopics((made) => made.topics('t', { presence: true }));
    await connect('/t');
    const [member] = server.topic('t').members;
    expect([...server.topic('t').presence]).toEqual([[member?.uid, undefined]]);
  });
});

describe('history', () => {
  test('a client that comes back gets what it missed, each with its position, then what is new', async () => {
    const { server, connect } = await serveTopics((made) => made.topics('t', { history: { size: 10 } }));
    const topic = server.topic('t');
    const first = await connect('/t?positions');
    topic.publish('a');
    const [position, text] = String(await first.message()).split('\n');
    expect([position, text]).toEqual([topic.position, 'a']);
    await first.close();
    topic.publish('b');
    topic.publish(Uint8Array.of(7));
    const back = await connect(`/t?positions&since=${position}`);
    topic.publish('c');
    const heard = [await back.message(), await back.message(), await back.message()];
    const epoch = position?.split('.')[0];
    expect(heard[0]).toBe(`${epoch}.2\nb`);
    expect(Buffer.from(heard[1] as Uint8Array).toString('latin1')).toBe(`${epoch}.3\n\x07`);
    expect(heard[2]).toBe(`${epoch}.4\nc`);
  });

  test('is kept while nobody is there, and forgotten after ttl', async () => {
    const { server, connect, advance } = await serveTopics((made) =>
      made.topics('t', { history: { size: 10, ttl: 1000 } }),
    );
    server.topic('t').publish('a');
    const before = server.topic('t').position;
    expect(before).toMatch(/\.1$/);
    await advance(1200);
    expect(server.topic('t').position).toBeUndefined();
    server.topic('t').publish('b');
    const client = await connect(`/t?since=${before}`);
    server.topic('t').publish('c');
    expect(await client.message()).toBe('c');
  });

  test('of no such option has no position', async () => {
    const { server } = await serveTopics();
    server.topic('t').publish('a');
    expect(server.topic('t').position).toBeUndefined();
  });
});

test('a name that is none is refused where it is given', () => {
  const server = createServer({ maxTopicLength: 5 });
  for (const name of ['', 'longer', 7]) {
    expect(() => server.topic(name as string)).toThrow('1 to 5 characters (maxTopicLength)');
  }
});

test('topics outlive a stop: who joins after the next start is in the same topic', async () => {
  const { server, meet, clock } = await serve({ onOpen: (connection) => connection.join('t') });
  const topic = server.topic('t');
  const log = record(topic.joined$);
  await meet();
  const stopped = server.stop({ deadline: 0 });
  clock.advance(200);
  await stopped;
  await until(() => topic.size === 0);
  expect(log.values).toHaveLength(1);
});

describe('the streams of a topic that is kept', () => {
  test('go on for the others when one subscriber ends, by itself, by an operator or by an error', async () => {
    const { server } = await serve({});
    const topic = server.topic('t');
    const errors: unknown[] = [];
    server.errors$.subscribe((error) => errors.push(error));
    const heard: unknown[] = [];
    topic.messages$.subscribe((message) => heard.push(message));
    const ends = [
      topic.messages$.subscribe(() => {}),
      topic.messages$.pipe(take(1)).subscribe(),
      topic.messages$
        .pipe(
          map(() => {
            throw new Error('operator');
          }),
        )
        .subscribe(),
    ];
    const first = firstValueFrom(topic.messages$);
    topic.publish('1');
    expect(await first).toBe('1');
    for (const end of ends) end.unsubscribe();
    topic.publish('2');
    expect(heard).toEqual(['1', '2']);
    expect(errors.length).toBeGreaterThan(0);
  });

  test('give nothing of the delivery in which somebody subscribes, of whichever object of the topic', async () => {
    const { server } = await serve({});
    const [topic, same] = [server.topic('t'), server.topic('t')];
    const heard: string[] = [];
    same.messages$.subscribe((message) => heard.push(`same ${message}`));
    topic.messages$.pipe(take(1)).subscribe(() => {
      for (const each of [topic, same, server.topic('t')])
        each.messages$.subscribe((message) => heard.push(`late ${message}`));
    });
    same.messages$.subscribe((message) => heard.push(`last ${message}`));
    topic.publish('1');
    expect(heard).toEqual(['same 1', 'last 1']);
    topic.publish('2');
    expect(heard.slice(2).sort()).toEqual(['last 2', 'late 2', 'late 2', 'late 2', 'same 2']);
  });
});

describe('a promise where a value must be', () => {
  test("is an error that is told, and its rejection is nobody else's", async () => {
    const rejections: unknown[] = [];
    const onRejection = (error: unknown) => rejections.push(error);
    process.on('unhandledRejection', onRejection);
    try {
      const late = (): never => Promise.reject(new Error('late')) as never;
      const { server, meet } = await serve({});
      const errors: string[] = [];
      server.errors$.subscribe(({ error }) => errors.push(String((error as Error).cause ?? error)));
      const decoded = server
        .topics('decode.:n', { codec: { decode: late, encode: String } })
        .topic('decode.1');
      decoded.messages$.subscribe();
      decoded.publish('x' as never);
      expect(errors.join()).toMatch(/decodes by a promise/);
      const encoded = server
        .topics('encode.:n', { codec: { decode: String, encode: late } })
        .topic('encode.1');
      expect(() => encoded.publish('x' as never)).toThrow(TypeError);
      const { connection } = await meet();
      server.topics('show.:n', { presence: late });
      expect(() => connection.join('show.1')).toThrow(/returned a promise/);
      expect(() => connection.join('t', { first: late })).toThrow(TypeError);
      expect(() => connection.send(late())).toThrow(TypeError);
      expect(() => prepare(late())).toThrow(TypeError);
      expect(() => connection.sendPing(late())).toThrow(TypeError);
      await expect(connection.sendFragments(late())).rejects.toThrow(TypeError);
      // Node tells of a rejection that nobody has handled after the microtasks of the turn in which it came.
      await new Promise(setImmediate);
      await new Promise(setImmediate);
      expect(rejections).toEqual([]);
      expect(connection.topics).toEqual([]);
    } finally {
      process.off('unhandledRejection', onRejection);
    }
  });
});

test('the members of an empty topic are its own', async () => {
  const { server } = await serve({});
  const members = server.topic('a').members as Set<unknown>;
  members.add('x');
  expect([server.topic('a').members.size, server.topic('b').size]).toEqual([0, 0]);
});

test('wrong options of publish are errors that name them', async () => {
  const { server, meet } = await serve({ onOpen: (connection) => connection.join('t') });
  const { client, connection } = await meet();
  const wrong: readonly [unknown, string][] = [
    [{ expect: connection }, 'publish.expect'],
    [{ except: connection.id }, 'publish.except'],
    [{ except: null }, 'publish.except'],
    [{ except: {} }, 'publish.except'],
    [{ key: 5 }, 'publish.key'],
    [connection, 'options of publish'],
    [5, 'options of publish'],
    [null, 'options of publish'],
    [[], 'options of publish'],
  ];
  for (const [options, name] of wrong) {
    const error = refusal(() => server.topic('t').publish('m', options as never));
    expect([error.name, error.option]).toEqual(['OptionError', name]);
  }
  for (const options of [null, 0, '', 'since'])
    expect(refusal(() => connection.join('u', options as never)).option).toBe('options of join');
  server.topic('t').publish('right', { except: undefined, key: undefined });
  expect(await words(client, 1)).toEqual(['text right']);
});
