// Typed messages: schemas and codecs, what does not fit, subprotocols that choose, and promises that hold reading back.
// The types are beside this file, in codec.types.ts.

import * as v from 'valibot';
import { afterEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  type Codec,
  type Connection,
  createServer,
  InvalidMessageError,
  json,
  type Message,
  type Path,
  prepare,
  type StandardSchema,
} from '../../../src/index.ts';
import { type ConnectOptions, settled, type TestServer, testServer } from '../../../src/testing/index.ts';
import { gate } from '../../support/serving.ts';

let served: TestServer;
afterEach(() => served?.stop());

/** A server in memory with one path, and what its errors$ says. */
async function serve(define: (server: TestServer['server']) => unknown) {
  const errors: unknown[] = [];
  served = await testServer();
  served.server.errors$.subscribe(({ error }) => errors.push(error));
  define(served.server);
  return { errors, connect: (options?: ConnectOptions) => served.connect('/orders', options) };
}

const zodOrder = z.object({ id: z.number(), tags: z.array(z.string()).default([]) });
const valibotOrder = v.object({ id: v.number(), tags: v.optional(v.array(v.string()), []) });

describe.each([
  ['zod', zodOrder],
  ['valibot', valibotOrder],
])('a schema of %s', (_vendor, codec) => {
  test('makes values of JSON for onMessage, messages$ and the loop', async () => {
    const heard: unknown[] = [];
    const { connect } = await serve((server) => {
      const path = server.path('/orders', {
        codec,
        async onOpen(connection) {
          connection.messages$.subscribe((order) => heard.push(['connection', order.id]));
        },
        onMessage: (_, order) => void heard.push(['onMessage', order]),
      });
      path.messages$.subscribe(({ message }) => heard.push(['path', message.tags]));
      server.messages$.subscribe(({ message }) => heard.push(['server', message]));
    });
    const client = await connect();
    client.send('{"id":1}');
    await settled();
    expect(heard).toEqual([
      ['onMessage', { id: 1, tags: [] }],
      ['connection', 1],
      ['path', []],
      ['server', { id: 1, tags: [] }],
    ]);
  });

  test('is a loop over values', async () => {
    const ids: number[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec,
        async onOpen(connection) {
          for await (const order of connection) ids.push(order.id);
        },
      }),
    );
    const client = await connect();
    for (const id of [1, 2, 3]) client.send(JSON.stringify({ id }));
    await client.close();
    await settled();
    expect(ids).toEqual([1, 2, 3]);
  });

  test.each([
    ['{"id":"one"}', /id: /],
    ['{"id":1,"tags":[1]}', /tags\.0: /],
    ['[]', /Invalid|expected/i],
    ['{"id":1', /it is not JSON: /],
    ['', /it is not JSON: /],
    [Uint8Array.of(0x7b, 0x7d), /JSON comes as text/],
  ])('closes with 1007 on %j, and tells onError and errors$ why', async (message, why) => {
    const told: unknown[] = [];
    const { connect, errors } = await serve((server) =>
      server.path('/orders', {
        codec,
        onMessage: () => void told.push('onMessage'),
        onError(_, error) {
          told.push(error);
          return 'continue';
        },
      }),
    );
    const client = await connect();
    client.send(message);
    client.send('{"id":1}');
    expect(await client.closed).toMatchObject({ code: 1007, reason: 'message does not fit' });
    expect(told).toEqual(errors);
    const [error] = errors as [InvalidMessageError];
    expect(error).toBeInstanceOf(InvalidMessageError);
    expect(error.message).toMatch(why);
    expect(error).toMatchObject({ code: 'ERR_INVALID_MESSAGE', fault: 'peer', closeCode: 1007 });
  });

  test('says its issues', async () => {
    const { connect, errors } = await serve((server) => server.path('/orders', { codec, onMessage() {} }));
    const client = await connect();
    client.send('{"id":"one"}');
    await client.closed;
    const [issue] = (errors[0] as InvalidMessageError).issues;
    const [step] = issue?.path ?? [];
    expect(typeof step === 'object' ? step.key : step).toBe('id');
  });
});

test('a schema may be a function (as those of ArkType are)', async () => {
  const schema: StandardSchema<number> = Object.assign(() => {}, {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] },
    } as const,
  });
  const { connect, errors } = await serve((server) =>
    server.path('/orders', {
      codec: schema,
      onMessage: (connection, n) => void connection.send(n + 1),
    }),
  );
  const client = await connect();
  client.send('41');
  expect(await client.message()).toBe('42');
  client.send('"41"');
  expect(await client.closed).toMatchObject({ code: 1007 });
  expect((errors[0] as Error).message).toBe('a message does not fit: no number');
});

describe('onInvalid: error', () => {
  test.each([
    ['continue', undefined],
    ['retry', undefined],
    ['close', 1007],
    [undefined, 1007],
  ] as const)('onError answers %s', async (decision, code) => {
    const told: unknown[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec: zodOrder,
        onInvalid: 'error',
        onMessage: (connection, order) => void connection.send(order),
        onError(_, error) {
          told.push(error);
          return decision;
        },
      }),
    );
    const client = await connect();
    client.send('"no order"');
    client.send('{"id":1}');
    if (code === undefined) expect(await client.message()).toBe('{"id":1,"tags":[]}');
    else expect(await client.closed).toMatchObject({ code });
    expect(told).toEqual([expect.objectContaining({ code: 'ERR_INVALID_MESSAGE' })]);
  });

  test('without an onError it closes with 1007', async () => {
    const { connect } = await serve((server) =>
      server.path('/orders', { codec: zodOrder, onInvalid: 'error', onMessage() {} }),
    );
    const client = await connect();
    client.send('1');
    expect(await client.closed).toMatchObject({ code: 1007 });
  });

  test('onError may answer the peer, and may close with a code of its own', async () => {
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec: json(zodOrder, z.object({ error: z.string() })),
        onInvalid: 'error',
        onMessage() {},
        onError(connection, error) {
          connection.send({ error: (error as Error).name });
          connection.close(4400, 'bad order');
        },
      }),
    );
    const client = await connect();
    client.send('1');
    expect(await client.message()).toBe('{"error":"InvalidMessageError"}');
    expect(await client.closed).toMatchObject({ code: 4400, reason: 'bad order' });
  });
});

describe('sending', () => {
  async function open(codec: Codec<unknown, unknown> | typeof zodOrder) {
    const opened = gate<Connection<undefined, object & Record<string, string>, unknown, unknown>>();
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec: codec as Codec,
        onOpen: (connection) => opened.open(connection as never),
        onMessage() {},
      }),
    );
    const client = await connect();
    return { client, connection: await opened.promise };
  }

  test('a value goes as JSON, by a schema as it is', async () => {
    const { client, connection } = await open(zodOrder);
    expect(connection.send({ id: 1, when: new Date(0) })).toBe('sent');
    expect(connection.send('text')).toBe('sent');
    expect(await client.message()).toBe('{"id":1,"when":"1970-01-01T00:00:00.000Z"}');
    expect(await client.message()).toBe('"text"');
  });

  test('what prepare made goes as it is', async () => {
    const { client, connection } = await open(zodOrder);
    connection.send(prepare('as it is'));
    expect(await client.message()).toBe('as it is');
  });

  test.each([
    ['undefined', undefined, /cannot send undefined as JSON/],
    ['a function', () => {}, /cannot send a Function as JSON|cannot send a function as JSON/],
    ['a bigint', 1n, /BigInt/],
  ])('%s is a TypeError at the call, and the connection lives', async (_, value, message) => {
    const { client, connection } = await open(zodOrder);
    expect(() => connection.send(value)).toThrow(TypeError);
    expect(() => connection.send(value)).toThrow(message);
    connection.send({ id: 1 });
    expect(await client.message()).toBe('{"id":1}');
  });

  test('a schema for what is sent checks it, and its transforms apply', async () => {
    const sent = z.object({ at: z.date().transform((date) => date.getTime()) });
    const { client, connection } = await open(json(zodOrder, sent) as Codec<unknown, unknown>);
    connection.send({ at: new Date(5) });
    expect(await client.message()).toBe('{"at":5}');
    expect(() => connection.send({ at: 'soon' })).toThrow(/cannot send what does not fit: at: /);
    const late = json(
      zodOrder,
      z.object({}).refine(async () => true),
    ) as Codec<unknown, unknown>;
    expect(() => late.encode({})).toThrow(/cannot be asynchronous/);
  });

  test('to a closed connection nothing is encoded', async () => {
    const { client, connection } = await open({ decode: String, encode: () => Promise.reject() as never });
    await client.close();
    expect(connection.send('late')).toBe('closed');
  });

  test('a codec that makes no message of a value is a TypeError', async () => {
    const { connection } = await open({ decode: String, encode: () => 5 as unknown as Message });
    expect(() => connection.send('value')).toThrow('the codec encoded a value as a number');
  });

  test('fragments are sent and seen as they are', async () => {
    const { client, connection } = await open(zodOrder);
    await connection.sendFragments(['not ', 'JSON']);
    expect(await client.message()).toBe('not JSON');
  });
});

describe('a codec of your own', () => {
  /** Numbers as four bytes. */
  const numbers: Codec<number> = {
    decode(message) {
      if (typeof message === 'string' || message.length !== 4) throw new RangeError('four bytes, please');
      return new DataView(message.buffer, message.byteOffset).getInt32(0);
    },
    encode(value) {
      const bytes = new Uint8Array(4);
      new DataView(bytes.buffer).setInt32(0, value);
      return bytes;
    },
  };

  test('decodes and encodes binary', async () => {
    const { connect } = await serve((server) =>
      server.path('/orders', { codec: numbers, onMessage: (connection, n) => void connection.send(n + 1) }),
    );
    const client = await connect();
    client.send(Uint8Array.of(0, 0, 1, 255));
    expect(await client.message()).toEqual(Uint8Array.of(0, 0, 2, 0));
  });

  test('what decode throws is the cause; the peer hears nothing of it', async () => {
    const { connect, errors } = await serve((server) =>
      server.path('/orders', { codec: numbers, onMessage() {} }),
    );
    const client = await connect();
    client.send('four');
    expect(await client.closed).toMatchObject({ code: 1007, reason: 'message does not fit' });
    expect(errors).toEqual([expect.any(InvalidMessageError)]);
    expect((errors[0] as Error).cause).toBeInstanceOf(RangeError);
  });

  test('is called as a method, and gets whole messages of fragments', async () => {
    class Shout {
      readonly mark = '!';
      decode(message: Message) {
        return `${message}${this.mark}`;
      }
      encode(value: string) {
        return value + this.mark;
      }
    }
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec: new Shout(),
        onMessage: (connection, text) => void connection.send(text),
      }),
    );
    const client = await connect();
    client.sendFragments(['he', 'llo']);
    expect(await client.message()).toBe('hello!!');
  });

  test('broadcast encodes a value once for all of a codec', async () => {
    let encoded = 0;
    let path: Path<undefined, never, string, number> | undefined;
    const { connect } = await serve((server) => {
      const codec = { decode: String, encode: (n: number) => `${n} for call ${++encoded}` };
      path = server.path('/orders', { codec, onMessage() {} }) as never;
    });
    const clients = [await connect(), await connect()];
    expect(path?.broadcast(7)).toBe(2);
    expect(await Promise.all(clients.map((client) => client.message()))).toEqual([
      '7 for call 1',
      '7 for call 1',
    ]);
    expect(path?.broadcast(prepare('plain'))).toBe(2);
    expect(await clients[0]?.message()).toBe('plain');
  });
});

describe('codecs by subprotocol', () => {
  const codecs = {
    'orders.v2+json': z.object({ number: z.number() }),
    'orders.v1+json': z.object({ id: z.number() }),
  };

  test.each([
    [['orders.v1+json'], 'orders.v1+json', '{"id":1}', { id: 1 }],
    [['orders.v1+json', 'orders.v2+json'], 'orders.v2+json', '{"number":1}', { number: 1 }],
  ])('%j are offered: it is %s', async (subprotocols, chosen, message, value) => {
    const heard: unknown[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codecs,
        onMessage: ({ subprotocol }, order) => void heard.push([subprotocol, order]),
      }),
    );
    const client = await connect({ subprotocols });
    expect(client.subprotocol).toBe(chosen);
    client.send(message);
    await settled();
    expect(heard).toEqual([[chosen, value]]);
  });

  test('a message of the other subprotocol does not fit', async () => {
    const { connect } = await serve((server) => server.path('/orders', { codecs, onMessage() {} }));
    const client = await connect({ subprotocols: ['orders.v1+json'] });
    client.send('{"number":1}');
    expect(await client.closed).toMatchObject({ code: 1007 });
  });

  test.each([undefined, ['chat']])(
    'a peer that offers %j is refused with 400, and told what to offer',
    async (subprotocols) => {
      const { connect } = await serve((server) => server.path('/orders', { codecs, onMessage() {} }));
      await expect(connect({ subprotocols })).rejects.toMatchObject({
        status: 400,
        body: expect.stringContaining('offer orders.v2+json, orders.v1+json (Sec-WebSocket-Protocol)'),
      });
    },
  );

  test('codec is for those who agreed on none', async () => {
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec: { decode: (message: Message) => ({ plain: message }), encode: () => '' },
        codecs,
        onMessage: (connection, order) => void connection.send(prepare(JSON.stringify(order))),
      }),
    );
    const client = await connect();
    client.send('hello');
    expect(await client.message()).toBe('{"plain":"hello"}');
  });

  test('subprotocols change their order, and authorize may choose', async () => {
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codecs,
        subprotocols: ['orders.v1+json', 'orders.v2+json'],
        authorize: ({ query }) => ({ subprotocol: query.get('want') ?? undefined }),
        onMessage() {},
      }),
    );
    const subprotocols = ['orders.v2+json', 'orders.v1+json', 'chat'];
    expect((await connect({ subprotocols })).subprotocol).toBe('orders.v1+json');
    const chosen = await served.connect('/orders?want=orders.v2%2Bjson', { subprotocols });
    expect(chosen.subprotocol).toBe('orders.v2+json');
    await expect(served.connect('/orders?want=chat', { subprotocols })).rejects.toMatchObject({
      status: 400,
    });
  });

  test('broadcast writes each in its own codec', async () => {
    let path: Path<undefined, never, string, string> | undefined;
    const suffixed = (suffix: string) => ({ decode: String, encode: (text: string) => text + suffix });
    const { connect } = await serve((server) => {
      path = server.path('/orders', {
        codecs: { a: suffixed('A'), b: suffixed('B') },
        onMessage() {},
      }) as never;
    });
    const clients = [await connect({ subprotocols: ['a'] }), await connect({ subprotocols: ['b'] })];
    path?.broadcast('x');
    expect([await clients[0]?.message(), await clients[1]?.message()]).toEqual(['xA', 'xB']);
  });
});

describe('a codec that answers with a promise', () => {
  /** Each message waits for its gate. */
  function gated() {
    const gates = new Map<string, ReturnType<typeof gate<void>>>();
    const gateOf = (name: string) => {
      const known = gates.get(name) ?? gate();
      gates.set(name, known);
      return known;
    };
    const codec: Codec<string> = {
      decode: async (message) => {
        await gateOf(String(message)).promise;
        return `<${message}>`;
      },
      encode: (text) => text,
    };
    return { codec, gateOf };
  }

  test.each(['terminate', 'close'] as const)(
    'all get the message whose handler calls %s, before the state changes',
    async (command) => {
      const { codec, gateOf } = gated();
      const heard: string[] = [];
      const { connect } = await serve((server) =>
        server.path('/orders', {
          codec,
          onOpen(connection) {
            connection.messages$.subscribe((text) => void heard.push(`to messages$: ${text}`));
            connection.state$.subscribe((state) => void heard.push(state));
          },
          onMessage(connection, text) {
            heard.push(text);
            connection[command]();
          },
        }),
      );
      const client = await connect();
      client.send('a');
      gateOf('a').open();
      await settled();
      const after = command === 'close' ? 'closing' : 'closed';
      expect(heard.slice(0, 4)).toEqual(['open', '<a>', 'to messages$: <a>', after]);
    },
  );

  test('holds reading back: messages keep their order, and a Close comes after them', async () => {
    const { codec, gateOf } = gated();
    const heard: string[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec,
        onMessage: (_, text) => void heard.push(text),
        onClose: (_, { code }) => void heard.push(`closed ${code}`),
      }),
    );
    const client = await connect();
    client.send('a');
    client.send('b');
    const closed = client.close(1000);
    gateOf('b').open();
    await settled();
    expect(heard).toEqual([]);
    gateOf('a').open();
    await closed;
    await settled();
    expect(heard).toEqual(['<a>', '<b>', 'closed 1000']);
  });

  test('so they do in a loop', async () => {
    const { codec, gateOf } = gated();
    const heard: string[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec,
        async onOpen(connection) {
          for await (const text of connection) heard.push(text);
        },
      }),
    );
    const client = await connect();
    for (const text of ['a', 'b']) client.send(text);
    gateOf('b').open();
    await settled();
    expect(heard).toEqual([]);
    gateOf('a').open();
    await settled();
    expect(heard).toEqual(['<a>', '<b>']);
  });

  test('a peer that drops while it thinks is told after the message', async () => {
    const { codec, gateOf } = gated();
    const heard: string[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', {
        codec,
        onMessage: (_, text) => void heard.push(text),
        onClose: (_, { code }) => void heard.push(`closed ${code}`),
      }),
    );
    const client = await connect();
    client.send('a');
    await settled();
    client.drop();
    await settled();
    gateOf('a').open();
    await settled();
    expect(heard).toEqual(['<a>', 'closed 1006']);
  });

  test('a connection that has failed or ended meanwhile hears of no message', async () => {
    const { codec, gateOf } = gated();
    const heard: string[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', { codec, onMessage: (_, text) => void heard.push(text) }),
    );
    const client = await connect();
    client.send('a');
    await settled();
    for (const connection of served.server.connections) connection.terminate();
    gateOf('a').open();
    await settled();
    expect(heard).toEqual([]);
  });

  test('after our own close() the message still comes', async () => {
    const { codec, gateOf } = gated();
    const heard: string[] = [];
    const { connect } = await serve((server) =>
      server.path('/orders', { codec, onMessage: (_, text) => void heard.push(text) }),
    );
    const client = await connect();
    client.send('a');
    await settled();
    for (const connection of served.server.connections) connection.close();
    gateOf('a').open();
    expect(await client.closed).toMatchObject({ code: 1000 });
    await settled();
    expect(heard).toEqual(['<a>']);
  });

  test('an asynchronous schema works, and its rejection is 1007', async () => {
    const codec = z.object({ id: z.number() }).refine(async ({ id }) => id > 0, 'not positive');
    const { connect, errors } = await serve((server) =>
      server.path('/orders', { codec, onMessage: (connection, order) => void connection.send(order) }),
    );
    const client = await connect();
    client.send('{"id":1}');
    client.send('{"id":0}');
    expect(await client.message()).toBe('{"id":1}');
    expect(await client.closed).toMatchObject({ code: 1007 });
    expect((errors[0] as Error).message).toBe('a message does not fit: not positive');
  });
});

describe('a wrong typing is an OptionError at the call', () => {
  const wrong = (handlers: object) => () => createServer({ port: 0, paths: { '/orders': handlers } });
  test.each([
    [{ codec: 'json' }, /codec of \/orders is "json"; allowed is a Standard Schema/],
    [{ codec: null }, /codec of \/orders is null/],
    [{ codec: { decode: String } }, /codec of \/orders/],
    [{ codecs: {} }, /codecs of \/orders is {}; allowed is an object with a codec for each subprotocol/],
    [{ codecs: { 'no token': zodOrder } }, /tokens/],
    [{ codecs: { v1: {} } }, /codecs\["v1"\] of \/orders/],
    [{ codecs: { v1: zodOrder }, subprotocols: ['v1', 'v2'] }, /subprotocols of \/orders/],
    [
      { codec: zodOrder, onInvalid: 'ignore' },
      /onInvalid of \/orders is "ignore"; allowed is 'close' or 'error'/,
    ],
    [{ onInvalid: 'ignore' }, /onInvalid of \/orders/],
  ])('%j', (handlers, message) => {
    expect(wrong(handlers)).toThrow(message);
  });

  test('json() wants schemas', () => {
    expect(() => json({} as never)).toThrow('json() takes Standard Schemas, not an Object');
  });

  test('a whole server has no codec', () => {
    expect(() => createServer({ port: 0, codec: zodOrder } as never)).toThrow('there is no option codec');
  });
});
