// Every error: its class, its words, and how a program comes to see it. The second half makes the mistakes that a
// first user makes, and the ones that strangers make on the port.

import { once } from 'node:events';
import { connect as connectTls } from 'node:tls';
import { inspect } from 'node:util';
import { firstValueFrom, toArray } from 'rxjs';
import { build } from 'vite';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import * as errors from '../../src/api/errors.ts';
import {
  type Connection,
  ConnectionLostError,
  createServer,
  type Failure,
  type Handlers,
  HandshakeError,
  InternalError,
  LimitError,
  NameTakenError,
  NoMessageHandlerError,
  OptionError,
  PeerError,
  type PortalError,
  ProtocolError,
  prepare,
  SubscriberError,
  UnknownServerError,
  UserError,
} from '../../src/index.ts';
import { root } from '../package/source.ts';
import { bytes, closeFrame, frame, hex, RawClient, requestHead, textFrame } from '../support/raw-client.ts';

const abstract = ['PortalError', 'PeerError', 'UserError'];

describe('the classes', () => {
  test.each([
    [new ProtocolError(1002, 'why'), PeerError, 'ERR_PROTOCOL', 'why'],
    [new LimitError('cap', 1009, 'why'), PeerError, 'ERR_LIMIT', 'cap: why'],
    [new HandshakeError(404, 'why'), PeerError, 'ERR_HANDSHAKE', 'why'],
    [new HandshakeError(404, 'why', 'so'), PeerError, 'ERR_HANDSHAKE', 'why so'],
    [new ConnectionLostError('why'), PeerError, 'ERR_CONNECTION_LOST', 'why'],
    [new OptionError('cap', -1, 'more'), UserError, 'ERR_OPTION', 'option cap is -1; allowed is more'],
    [new OptionError('cap', -1, 'more', 'said better'), UserError, 'ERR_OPTION', 'said better'],
    [
      new NoMessageHandlerError('/a'),
      UserError,
      'ERR_NO_MESSAGE_HANDLER',
      'a message came on /a, which has no onMessage, and nobody is subscribed; give the path an onMessage, ' +
        'subscribe to messages$ as soon as the connection opens and not after an await, or let onError return "continue" to ignore it',
    ],
    [
      new SubscriberError('messages$', '/a', new TypeError('why')),
      UserError,
      'ERR_SUBSCRIBER_ENDED',
      'a subscriber to messages$ of /a has ended and gets nothing more, by this error: TypeError: why; ' +
        'RxJS ends a subscription at the first error of its operators, so catch errors for each message ' +
        '(catchError inside mergeMap), or use path.serve, where they end one connection only',
    ],
    [
      new NameTakenError('a'),
      UserError,
      'ERR_NAME_TAKEN',
      'a server named "a" exists already; getServer("a") returns it, and another one needs another name',
    ],
    [
      new UnknownServerError('a', []),
      UserError,
      'ERR_UNKNOWN_SERVER',
      'no server is named "a"; there is none yet; newServer(name, options) makes one',
    ],
    [
      new UnknownServerError('a', ['b', 'c']),
      UserError,
      'ERR_UNKNOWN_SERVER',
      'no server is named "a"; there are "b", "c"; newServer(name, options) makes one',
    ],
    [
      new InternalError('cause'),
      UserError,
      'ERR_INTERNAL',
      'an impossible state was reached; the connection was failed with 1011',
    ],
  ] as [PortalError, typeof PeerError, string, string][])('%s', (error, side, code, message) => {
    expect(error).toBeInstanceOf(side);
    expect(error).toMatchObject({
      name: error.constructor.name,
      code,
      message,
      fault: side === (PeerError as unknown) ? 'peer' : 'user',
    });
    expect(error.stack).toContain(`${error.name}: ${message}`);
  });

  test('have their own names in a program that was minified', async () => {
    const built = await build({
      root,
      configFile: false,
      logLevel: 'silent',
      build: { write: false, minify: true, lib: { entry: 'src/api/errors.ts', formats: ['es'] } },
    });
    const [{ output }] = built as unknown as [{ output: [{ code: string }] }];
    const minified: typeof errors = await import(
      `data:text/javascript;base64,${Buffer.from(output[0].code).toString('base64')}`
    );
    // The minifier has renamed the class, so this test shows what it says it shows.
    expect(minified.LimitError.name).not.toBe('LimitError');
    const error = new minified.LimitError('cap', 1009, 'why');
    expect(error.name).toBe('LimitError');
    expect(error.stack).toMatch(/^LimitError: cap: why\n/);
    expect(inspect(error)).not.toContain('name:');
    const concrete = Object.keys(errors).filter((name) => name.endsWith('Error') && !abstract.includes(name));
    const names = concrete.map((name) => Reflect.get(minified, name).prototype.name);
    expect(names).toEqual(concrete);
  }, 60_000);

  test('carry what a program asks for', () => {
    expect(new SubscriberError('messages$', undefined, 'why')).toMatchObject({
      stream: 'messages$',
      path: undefined,
      cause: 'why',
      message: /^a subscriber to messages\$ of the server has ended .* by this error: "why"; /,
    });
    expect(new ProtocolError(1007, '').closeCode).toBe(1007);
    expect(new LimitError('cap', 1009, '')).toMatchObject({ limit: 'cap', closeCode: 1009 });
    expect(new HandshakeError(431, '').status).toBe(431);
    expect(new OptionError('cap', -1, '').option).toBe('cap');
    expect(new InternalError('deep').cause).toBe('deep');
    expect(new ConnectionLostError('', { cause: 'reset' }).cause).toBe('reset');
  });

  const cyclic: Record<string, unknown> = Object.create(null);
  cyclic.self = cyclic;
  test.each([
    [undefined, 'undefined'],
    [null, 'null'],
    ['5', '"5"'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
    [5n, '5n'],
    [Symbol('s'), 'Symbol(s)'],
    [() => 5, 'a function'],
    [{ a: [1] }, '{"a":[1]}'],
    [cyclic, 'a object that cannot be shown'],
    ['x'.repeat(300), `"${'x'.repeat(199)}…`],
  ])('show a wrong value as it is written: %s', (value, shown) => {
    expect(new OptionError('o', value, 'a').message).toBe(`option o is ${shown}; allowed is a`);
  });
});

const server = createServer({ port: 0, host: '127.0.0.1' });
beforeAll(() => server.start());
afterAll(() => server.stop({ deadline: 0 }));
afterEach(() => RawClient.destroyAll());

let pathCount = 0;
const port = () => server.address()?.port ?? 0;
/** A path of its own for one test, and a client on it. */
async function onPath(handlers: Handlers<undefined>): Promise<{ path: string; client: RawClient }> {
  const path = `/${++pathCount}`;
  server.path(path, handlers);
  return { path, client: await RawClient.connect(port(), { path }) };
}

const nextFailure = () => firstValueFrom(server.errors$);
/** What is said to the operator when nobody listens to errors. */
const nextWarning = () =>
  new Promise<Error>((resolve) => {
    vi.spyOn(process, 'emitWarning').mockImplementationOnce((warning) => resolve(warning as Error));
  });
afterEach(() => void vi.restoreAllMocks());

describe('a handler that fails', () => {
  const secret = new Error('the password is swordfish');
  const failing: [string, Handlers<undefined>][] = [
    [
      'throws in onOpen',
      {
        onOpen: () => {
          throw secret;
        },
      },
    ],
    ['rejects in onOpen', { onOpen: () => Promise.reject(secret) }],
    [
      'throws in onMessage',
      {
        onMessage: () => {
          throw secret;
        },
      },
    ],
    ['rejects in onMessage', { onMessage: () => Promise.reject(secret) }],
    [
      'throws in onFragment',
      {
        onFragment: () => {
          throw secret;
        },
      },
    ],
    ['rejects in onFragment', { onFragment: () => Promise.reject(secret) }],
  ];

  test.each(failing)(
    '%s: told to onError and to errors$, 1011 for the peer, and no word of why',
    async (_, handlers) => {
      const told: unknown[] = [];
      const failure = nextFailure();
      const { client } = await onPath({
        ...handlers,
        onError: (_connection, error) => void told.push(error),
      });
      await client.handshake();
      await client.sendBytes(textFrame('hello'));
      expect(await client.closeFrame()).toEqual({ code: 1011, reason: 'internal error' });
      expect((await failure).error).toBe(secret);
      expect(told).toEqual([secret]);
    },
  );

  test.each(failing)('%s, with nobody listening: a warning with the error itself', async (_, handlers) => {
    const warning = nextWarning();
    const { client } = await onPath(handlers);
    await client.handshake();
    await client.sendBytes(textFrame('hello'));
    expect(await client.closeFrame()).toEqual({ code: 1011, reason: 'internal error' });
    expect(await warning).toMatchObject({
      name: 'PortalWarning',
      cause: secret,
      message: `unhandled Error: ${secret.message}; to handle it, give the path an onError or subscribe to errors$ of the server`,
      detail: secret.stack,
    });
  });

  test('throws in onClose: the connection is closed all the same, and onError hears of it', async () => {
    const failure = nextFailure();
    const { client } = await onPath({
      onMessage() {},
      onClose: () => {
        throw secret;
      },
    });
    await client.handshake();
    await client.sendBytes(closeFrame(1000));
    expect(await client.closeFrame()).toEqual({ code: 1000, reason: '' });
    client.fin();
    const { connection, error } = await failure;
    expect([connection?.state, error]).toEqual(['closed', secret]);
  });

  test('throws in onError itself: 1011', async () => {
    const warning = nextWarning();
    const second = new Error('onError failed');
    const { client } = await onPath({
      onMessage: () => {
        throw secret;
      },
      onError: () => {
        throw second;
      },
    });
    await client.handshake();
    await client.sendBytes(textFrame('hello'));
    expect((await client.closeFrame()).code).toBe(1011);
    expect((await warning).cause).toBe(second);
  });

  test.each([
    ['undefined', undefined],
    ['a string', 'not an error'],
    ['null', null],
  ])('throws %s: 1011, and errors$ has it as it was thrown', async (_, thrown) => {
    const failure = nextFailure();
    const { client } = await onPath({
      onMessage: () => {
        throw thrown;
      },
    });
    await client.handshake();
    await client.sendBytes(textFrame('hello'));
    expect((await client.closeFrame()).code).toBe(1011);
    expect((await failure).error).toBe(thrown);
  });

  test('and onError says continue: the connection lives', async () => {
    const { client } = await onPath({
      onMessage(connection, message) {
        if (message === 'bad') throw secret;
        connection.send(message);
      },
      onError: () => 'continue',
    });
    await client.handshake();
    await client.sendBytes(bytes(textFrame('bad'), textFrame('good')));
    expect(Buffer.from((await client.nextFrame()).payload).toString()).toBe('good');
  });

  test('and onError says retry: the same message again, three times at most', async () => {
    const tries: unknown[] = [];
    const { client } = await onPath({
      onMessage(_connection, message) {
        tries.push(message);
        throw secret;
      },
      onError: () => 'retry',
    });
    await client.handshake();
    await client.sendBytes(textFrame('again'));
    expect((await client.closeFrame()).code).toBe(1011);
    expect(tries).toEqual(['again', 'again', 'again', 'again']);
  });

  test.each([
    [
      'throws',
      () => {
        throw secret;
      },
    ],
    ['rejects', () => Promise.reject(secret)],
    ['answers with a status that is none', () => ({ status: 99 })],
    ['answers with a header of two lines', () => ({ headers: { 'X-A': 'a\r\nX-B: b' } })],
    ['chooses a subprotocol that was not offered', () => ({ subprotocol: 'v1' })],
  ] as [string, NonNullable<Handlers<undefined>['authorize']>][])(
    'authorize that %s: 500 for the peer, and no word of why',
    async (_, authorize) => {
      const failure = nextFailure();
      const { client } = await onPath({ authorize });
      const { status, body } = await client.response();
      expect([status, body]).toEqual([500, 'The server could not decide.\n']);
      const { connection, error } = await failure;
      expect(connection).toBeUndefined();
      expect(error).toBeInstanceOf(Error);
      expect(error).not.toBeInstanceOf(HandshakeError);
    },
  );
});

describe('no handler', () => {
  test('for a message: NoMessageHandlerError, and 1011 (the path is named, the peer not told)', async () => {
    const failure = nextFailure();
    const { path, client } = await onPath({});
    await client.handshake();
    await client.sendBytes(textFrame('anybody?'));
    expect(await client.closeFrame()).toEqual({ code: 1011, reason: 'internal error' });
    const { error } = await failure;
    expect(error).toBeInstanceOf(NoMessageHandlerError);
    expect((error as Error).message).toContain(`a message came on ${path}, `);
  });

  test('but a subscriber: nothing is wrong', async () => {
    const { path, client } = await onPath({});
    const message = firstValueFrom(server.path(path).messages$);
    await client.handshake();
    await client.sendBytes(textFrame('anybody?'));
    expect((await message).message).toBe('anybody?');
  });
});

/** Opens a connection and gives its server's side to `attempt`. */
async function withConnection(attempt: (connection: Connection) => void | Promise<void>) {
  const { path, client } = await onPath({ onMessage() {} });
  const opened = firstValueFrom(server.path(path).connections$);
  await client.handshake();
  const connection = await opened;
  await attempt(connection);
  return { connection, client };
}

describe('what cannot be sent', () => {
  test.each([
    [{ hello: 'you' }, 'Object'],
    [[1, 2], 'Array'],
    [42, 'number'],
    [5n, 'bigint'],
    [true, 'boolean'],
    [null, 'null'],
    [undefined, 'undefined'],
    [() => 'text', 'function'],
    [new ArrayBuffer(2), 'ArrayBuffer'],
    [new Uint16Array(2), 'Uint16Array'],
    [Promise.resolve('text'), 'Promise'],
  ])('%s is a TypeError at the call that says what can', async (value, kind) => {
    const { client } = await withConnection((connection) => {
      const attempt = () => connection.send(value as never);
      expect(attempt).toThrow(TypeError);
      expect(attempt).toThrow(
        new RegExp(`^cannot send (an? )?${kind}; a message is a string, a Uint8Array, `),
      );
      expect(attempt).toThrow('JSON goes as JSON.stringify(value)');
      connection.send('after it');
    });
    expect(Buffer.from((await client.nextFrame()).payload).toString()).toBe('after it');
  });

  test('is a TypeError for a closed connection too, where a message is "closed"', async () => {
    const { connection, client } = await withConnection((connection) => connection.terminate());
    await client.ended();
    expect(connection.send('text')).toBe('closed');
    expect(() => connection.send({} as never)).toThrow(TypeError);
  });

  test('a control frame of 125 bytes can be sent, one of 126 is a RangeError (RFC 6455 5.5)', async () => {
    await withConnection((connection) => {
      expect(connection.sendPing('x'.repeat(125))).toBe(true);
      expect(connection.sendPong(new Uint8Array(125))).toBe(true);
      expect(() => connection.sendPing('x'.repeat(126))).toThrow(
        'control payload is 126 bytes; allowed are 0-125',
      );
      expect(() => connection.sendPong('é'.repeat(63))).toThrow(RangeError);
      expect(() => connection.sendPing(5 as never)).toThrow(
        "a control frame's payload is a string or a Uint8Array, not a number",
      );
    });
  });

  test('cannot be prepared either', () => {
    expect(() => prepare({} as never)).toThrow(/^cannot send an Object; a message is a string/);
  });

  test('by broadcast is a TypeError also when nobody is there to hear it', () => {
    expect(() => server.path('/nobody').broadcast({} as never)).toThrow(TypeError);
  });
});

describe('how a connection cannot be closed (RFC 6455 7.4.1)', () => {
  test.each([1004, 1005, 1006, 1015, 0, 999, 1016, 2999, 5000, 65_536, -1, 1000.5, '1000', 'bye', null])(
    '%s is a RangeError at the call, and the connection stays open',
    async (code) => {
      await withConnection((connection) => {
        const attempt = () => connection.close(code as number);
        const why = code === 1005 || code === 1006 ? ', it only reports that none came' : '';
        expect(attempt).toThrow(RangeError);
        expect(attempt).toThrow(
          `close code ${JSON.stringify(code)} may not be sent${why}; allowed are 1000-1003, 1007-1014, 3000-4999, or one of normal, going-away,`,
        );
        expect(connection.state).toBe('open');
      });
    },
  );

  test.each([5, null, ['bye']])('a reason that is no string, %j, is a TypeError', async (reason) => {
    await withConnection((connection) => {
      expect(() => connection.close(1000, reason as never)).toThrow(
        /^close reason is an? \w+; allowed is a string$/,
      );
    });
  });

  test('a reason of 123 bytes is sent, one of 124 is a RangeError (RFC 6455 5.5)', async () => {
    const { client } = await withConnection((connection) => {
      expect(() => connection.close(1000, 'x'.repeat(124))).toThrow(
        'close reason is 124 bytes of UTF-8; allowed are 0-123',
      );
      expect(() => connection.close(1000, `${'é'.repeat(61)}xx`)).toThrow(RangeError);
      connection.close(1000, `${'é'.repeat(61)}x`);
    });
    expect((await client.closeFrame()).reason).toBe(`${'é'.repeat(61)}x`);
  });
});

describe('subscribing late', () => {
  test('to closed$ still gives the report, to messages$ nothing but its end', async () => {
    const { connection, client } = await withConnection((connection) => connection.close(4001, 'bye'));
    await client.closeFrame();
    const closed = firstValueFrom(connection.closed$);
    await client.sendBytes(closeFrame(4001));
    client.fin();
    const report = { code: 4001, reason: '', wasClean: true, initiator: 'server' };
    expect(await closed).toEqual(report);
    expect(await firstValueFrom(connection.closed$)).toEqual(report);
    expect(await firstValueFrom(connection.state$)).toBe('closed');
    expect(await firstValueFrom(connection.messages$.pipe(toArray()))).toEqual([]);
    expect(await firstValueFrom(connection.drain$.pipe(toArray()))).toEqual([]);
  });

  test('to connections$ misses those that are open: they are in path.connections', async () => {
    const { path, client } = await onPath({ onMessage() {} });
    await client.handshake();
    const late: Connection[] = [];
    const subscription = server.path(path).connections$.subscribe((connection) => late.push(connection));
    expect([late.length, server.path(path).connections.size]).toEqual([0, 1]);
    subscription.unsubscribe();
  });
});

describe('an opening handshake that is refused', () => {
  test.each([
    ['a path that is not there', { path: '/nowhere', headers: {} }, 404, 'There is nothing at /nowhere.'],
    [
      'an origin that is not ours',
      { headers: { Origin: 'https://evil.example' } },
      403,
      'Pages from the origin "https://evil.example" may not connect here.',
    ],
    [
      'another version',
      { headers: { 'Sec-WebSocket-Version': '8' } },
      426,
      'Only WebSocket version 13 is spoken here.',
    ],
  ])('%s: the peer and errors$ read why', async (_, fields, status, why) => {
    server.path('/echo');
    const failure = nextFailure();
    const client = await RawClient.connect(port(), fields);
    const response = await client.response();
    expect([response.status, response.body]).toEqual([status, expect.stringContaining(why)]);
    const { connection, error } = await failure;
    expect(connection).toBeUndefined();
    expect(error).toMatchObject({ code: 'ERR_HANDSHAKE', status, message: expect.stringContaining(why) });
    const origin = 'Origin' in fields.headers ? 'https://evil.example' : undefined;
    expect(error).toMatchObject({ remoteAddress: '127.0.0.1', origin });
  });
});

describe('a peer that breaks the rules', () => {
  test.each([
    [
      'a frame that is not masked (5.1)',
      frame({ opcode: 1, mask: false, payload: 'x' }),
      ProtocolError,
      1002,
    ],
    ['an unknown opcode (5.2)', frame({ opcode: 3 }), ProtocolError, 1002],
    ['text that is not UTF-8 (8.1)', textFrame(Uint8Array.of(0xff)), ProtocolError, 1007],
    [
      'a message over the cap (7.4.1)',
      frame({ opcode: 1, length: { declared: 1_048_577 } }),
      LimitError,
      1009,
    ],
  ])('by %s is told to onError and errors$, and failed', async (_, data, kind, closeCode) => {
    const failure = nextFailure();
    const told: unknown[] = [];
    const { client } = await onPath({
      onMessage() {},
      onError: (_connection, error) => void told.push(error),
    });
    await client.handshake();
    await client.sendBytes(data);
    expect((await client.closeFrame()).code).toBe(closeCode);
    const { connection, error } = await failure;
    expect(error).toBeInstanceOf(kind);
    expect(error).toMatchObject({ closeCode, fault: 'peer' });
    expect(told).toEqual([error]);
    expect(connection?.state).toBe('closing');
  });

  test('by a reset is a ConnectionLostError with the cause', async () => {
    const failure = nextFailure();
    const { client } = await onPath({ onMessage() {} });
    await client.handshake();
    client.reset();
    const { error } = await failure;
    expect(error).toBeInstanceOf(ConnectionLostError);
    expect((error as Error).cause).toMatchObject({ code: 'ECONNRESET' });
  });
});

describe('traffic that is no WebSocket', () => {
  const get = (head: string) => bytes(`${head}\r\n\r\n`);
  test.each([
    [
      'a TLS hello',
      hex(`16 0301 00c8 01 0000c4 0303 ${'00'.repeat(190)}`),
      400,
      'This port speaks ws://, not TLS (wss://).',
    ],
    ['an HTTP/2 preface', get('PRI * HTTP/2.0\r\n\r\nSM'), 505, 'Only HTTP/1.1 is spoken here'],
    [
      'a handshake in HTTP/1.0',
      get('GET / HTTP/1.0\r\nHost: a\r\nSec-WebSocket-Version: 13'),
      505,
      'Only HTTP/1.1 is spoken here',
    ],
    [
      'a plain GET in HTTP/1.0',
      get('GET / HTTP/1.0'),
      426,
      'This is a WebSocket server: connect with ws://.',
    ],
    ['a plain GET', get('GET / HTTP/1.1\r\nHost: a'), 426, 'This is a WebSocket server: connect with ws://.'],
    [
      'a POST',
      bytes('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi'),
      405,
      'Only GET is answered here.',
    ],
    ['OPTIONS *', get('OPTIONS * HTTP/1.1\r\nHost: a'), 400, 'The request target must be a path'],
    ['a request without Host', get('GET / HTTP/1.1'), 400, 'exactly one Host header'],
    ['a proxy request', get('CONNECT a:443 HTTP/1.1\r\nHost: a'), 400, 'The request target must be a path'],
    ['an SSH greeting', bytes('SSH-2.0-OpenSSH_9.2\r\n'), 400, 'The method must be a token'],
    ['an SMTP greeting', bytes('EHLO a\r\n'), 400, 'The request target must be a plain path'],
    ['a Redis command', bytes('*1\r\n$4\r\nPING\r\n'), 400, 'The method must be a token'],
    ['zero bytes', new Uint8Array(64), 400, 'A request begins with a method.'],
    ['a frame without a handshake', textFrame('hello'), 400, 'A request begins with a method.'],
    ['a line without an end', bytes('GET /'.padEnd(17_000, 'a')), 431, 'maxHeadBytes'],
    ['the PROXY protocol', bytes('PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n'), 400, 'trustProxy'],
  ])('%s gets an answer that a person can read, and the end', async (_, data, status, why) => {
    const failure = nextFailure();
    const client = await RawClient.connect(port(), { sendHead: false });
    await client.sendBytes(data);
    const response = await client.response();
    expect([response.status, response.body]).toEqual([status, expect.stringContaining(why)]);
    expect(response.headers).toMatchObject({
      'content-type': 'text/plain; charset=utf-8',
      connection: /close/,
    });
    expect((await failure).error).toMatchObject({ code: 'ERR_HANDSHAKE', status });
  });

  test('random bytes get a 4xx or 5xx, and the end', async () => {
    for (let seed = 1; seed <= 64; seed += 1) {
      const client = await RawClient.connect(port(), { sendHead: false });
      // The first byte is none that may begin a request, so that the answer does not wait for more.
      await client.sendBytes(
        Uint8Array.from({ length: 256 }, (_, n) => (n === 0 ? 0x80 + seed : (n * seed * 167) & 255)),
      );
      expect((await client.response()).status).toBeGreaterThanOrEqual(400);
    }
  });

  test('a client of TLS is told so by its own library', async () => {
    const client = connectTls({ port: port(), host: '127.0.0.1', rejectUnauthorized: false });
    const [error] = await once(client, 'error');
    expect(error.message).toContain('wrong version number');
  });

  test('a peer that connects and leaves is nobody’s error', async () => {
    const failures: Failure[] = [];
    const subscription = server.errors$.subscribe((failure) => failures.push(failure));
    const client = await RawClient.connect(port(), { sendHead: false });
    client.fin();
    expect(await client.ended()).toBe('fin');
    const reset = await RawClient.connect(port(), { sendHead: false });
    await reset.sendBytes(bytes(requestHead().slice(0, 20)));
    reset.reset();
    const last = await RawClient.connect(port(), { path: '/last' });
    await last.response();
    subscription.unsubscribe();
    expect(failures.map(({ error }) => (error as HandshakeError).status)).toEqual([404]);
  });
});
