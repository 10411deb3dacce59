/** From the request head to the verdict: paths, origins, authorize, subprotocols, plain requests, and hangs up. */
import { describe, expect, test } from 'vitest';
import type { Handlers, HandshakeRequest, PlainRequest, ServerOptions } from '../../src/index.ts';
import { bytes, pingFrame, RawClient, requestHead, textFrame } from '../support/raw-client.ts';
import { gate, record, reportOf, serve, until, word } from '../support/serving.ts';

const SECRET = 'the password is hunter2';
const Protocol = (value: string) => ({ headers: { 'Sec-WebSocket-Protocol': value } });

/** The answer to one request of a server with this `authorize`. */
async function ask(authorize: Handlers['authorize'], options: Partial<ServerOptions> = {}) {
  const served = await serve({ authorize, onMessage: (c, m) => void c.send(m) }, options);
  const client = await RawClient.connect(served.port);
  return { ...served, client, response: await client.response() };
}

describe('what a request gets, question by question', () => {
  const cases: [name: string, head: string, status: number][] = [
    ['a malformed head', 'GET /echo\r\n\r\n', 400],
    ['another method', requestHead().replace('GET', 'POST'), 405],
    ['no upgrade', 'GET /echo HTTP/1.1\r\nHost: a\r\n\r\n', 426],
    ['another version', requestHead({ headers: { 'Sec-WebSocket-Version': '8' } }), 426],
    ['no such path', requestHead({ path: '/nothing' }), 404],
    ['a foreign origin', requestHead({ headers: { Origin: 'https://evil.example' } }), 403],
    ['a TLS hello', '\u0016\u0003\u0001\u0000\u00a5\u0001\u0000\u0000\u00a1\u0003\u0003', 400],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 505],
  ];
  test.each(cases)('%s', async (_, head, status) => {
    const { port, errors } = await serve();
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(Buffer.from(head, 'latin1'));
    const response = await client.response();
    expect(response.status).toBeOneOf([status, 400]);
    if (status !== 505) expect(response.status).toBe(status);
    expect(response.headers.connection).toMatch(/close/i);
    expect(errors).toHaveLength(1);
    expect(errors).toMatchObject([{ connection: undefined, error: { code: 'ERR_HANDSHAKE' } }]);
  });

  test('maxHeadBytes and maxHeaders: 431, and not one less', async () => {
    const { port } = await serve({}, { maxHeadBytes: 400, maxHeaders: 8 });
    const filler = (size: number) => ({ headers: { 'X-Filler': 'x'.repeat(size) } });
    const host = `127.0.0.1:${port}`;
    const empty = requestHead(filler(0), host).length;
    const fits = await RawClient.connect(port, filler(400 - empty));
    expect((await fits.response()).status).toBe(101);
    const tooLong = await RawClient.connect(port, filler(401 - empty));
    expect((await tooLong.response()).status).toBe(431);
    const many = (count: number) => ({
      headers: Object.fromEntries(Array.from({ length: count }, (_, i) => [`X${i}`, ''])),
    });
    const eight = await RawClient.connect(port, many(3));
    expect((await eight.response()).status).toBe(101);
    const nine = await RawClient.connect(port, many(4));
    expect((await nine.response()).status).toBe(431);
  });

  test('an origin: none, the same host and loopback to loopback pass; a list and * do as they say', async () => {
    const status = async (origins: ServerOptions['origins'], origin: string | null) => {
      const { port } = await serve({}, { origins });
      const client = await RawClient.connect(port, { headers: { Origin: origin } });
      const { status: code, body } = await client.response();
      return code === 403 ? body : code;
    };
    expect(await status(undefined, null)).toBe(101);
    expect(await status(undefined, 'http://localhost:8080')).toBe(101);
    expect(await status('*', 'https://any.example')).toBe(101);
    const list = ['https://example.com', 'https://*.example.org'];
    expect(await status(list, 'https://example.com')).toBe(101);
    expect(await status(list, 'https://a.example.org')).toBe(101);
    const refused = await status(list, 'https://example.com.evil');
    expect(refused).toContain('https://example.com.evil');
    expect(refused).toContain('origins');
  });
});

describe('authorize', () => {
  test('true and objects of known keys let in; false is 403', async () => {
    expect((await ask(() => true)).response.status).toBe(101);
    expect((await ask(() => ({ data: undefined }))).response.status).toBe(101);
    expect((await ask(() => ({ headers: { 'X-One': '1' } }))).response.status).toBe(101);
    expect((await ask(() => false)).response.status).toBe(403);
    expect((await ask(async () => false)).response.status).toBe(403);
  });

  test.each([
    [undefined],
    [null],
    [0],
    [1],
    [''],
    ['no'],
    [Symbol('user')],
    [() => true],
    [{}],
    [[]],
    [{ statusCode: 401 }],
    [{ error: 'no' }],
    [{ ok: false }],
    [{ data: 1, ok: true }],
    [{ status: 401, data: 1 }],
    [new Error('no')],
    [new Map([['data', 1]])],
    [new Response('no', { status: 401 })],
    [Object.create({ data: 1 })],
    [{ data: 1, [Symbol('error')]: 1 }],
    [Object.defineProperty({ data: 1 }, 'status', { value: 401 })],
  ])('what is no verdict, such as %s, lets nobody in: 500, and a TypeError to the user', async (answer) => {
    const { response, errors } = await ask(() => answer as never);
    expect(response.status).toBe(500);
    expect(errors).toMatchObject([{ error: { name: 'TypeError' } }]);
  });

  test('an answer that changes between two looks is read once; what cannot be read is a 500, also later', async () => {
    let looks = 0;
    const response = {
      status: 401,
      get body() {
        looks++;
        if (looks > 1) throw new Error('read twice');
        return 'no';
      },
    };
    expect((await ask(async () => response)).response.status).toBe(401);
    const unreadable = {
      status: 401,
      get body(): string {
        throw new Error('cannot be read');
      },
    };
    for (const answer of [() => unreadable, async () => unreadable]) {
      expect((await ask(answer)).response.status).toBe(500);
    }
  });

  test('an HTTP response denies with just that', async () => {
    const denial = { status: 401, headers: { 'WWW-Authenticate': 'Bearer' }, body: 'Who are you?' };
    for (const authorize of [() => denial, async () => denial]) {
      const { response } = await ask(authorize);
      expect(response).toMatchObject({
        status: 401,
        headers: { 'www-authenticate': 'Bearer', 'content-length': '12' },
        body: 'Who are you?',
      });
    }
  });

  test('sees the request', async () => {
    let seen: HandshakeRequest | undefined;
    const { port } = await serve(
      {},
      {
        paths: {
          '/rooms/:room': {
            authorize(request) {
              seen = request;
              return true;
            },
          },
        },
      },
    );
    const headers = { Origin: `http://127.0.0.1:${port}`, Cookie: 'a=1', 'Sec-WebSocket-Protocol': 'x, y' };
    const client = await RawClient.connect(port, { path: '/rooms/a%20b?q=1&q=2', headers });
    await client.handshake();
    expect(seen).toMatchObject({
      method: 'GET',
      path: '/rooms/a%20b',
      params: { room: 'a b' },
      origin: headers.Origin,
      subprotocols: ['x', 'y'],
      remoteAddress: '127.0.0.1',
    });
    expect(seen?.query.getAll('q')).toEqual(['1', '2']);
    expect(seen?.headers.cookie).toBe('a=1');
  });

  test('gives data, a subprotocol and headers of the 101 answer', async () => {
    const { meet } = await serve({
      authorize: () => ({
        data: { user: 7 },
        subprotocol: 'y',
        headers: { 'Set-Cookie': 'sid=1; HttpOnly' },
      }),
    });
    const { client, connection } = await meet(Protocol('x, y'));
    const { headers } = await client.handshake();
    expect(headers).toMatchObject({ 'set-cookie': 'sid=1; HttpOnly', 'sec-websocket-protocol': 'y' });
    expect([connection.data, connection.subprotocol]).toEqual([{ user: 7 }, 'y']);
  });

  const failures: [name: string, authorize: NonNullable<Handlers['authorize']>, message: string][] = [
    [
      'throws',
      () => {
        throw new Error(SECRET);
      },
      SECRET,
    ],
    ['rejects', () => Promise.reject(new Error(SECRET)), SECRET],
    ['chooses a subprotocol that was not offered', () => ({ subprotocol: SECRET }), SECRET],
    ['sets a header that is the handshake’s', () => ({ headers: { Upgrade: 'x' } }), 'Upgrade'],
    ['splits the response', () => ({ headers: { 'X-A': 'a\r\nX-B: b' } }), 'X-A'],
    ['denies with no HTTP status', () => ({ status: 101 }), '101'],
  ];
  test.each(failures)(
    'that %s: 500, told once to errors$, and not to the peer',
    async (_, authorize, message) => {
      const { response, errors } = await ask(authorize, {});
      expect(response.status).toBe(500);
      expect(response.head + response.body).not.toContain(message);
      expect(errors).toHaveLength(1);
      expect(errors[0]?.connection).toBeUndefined();
      expect(String(errors[0]?.error)).toContain(message);
    },
  );

  test('that fails is told on its path, too', async () => {
    const { server, port } = await serve({ authorize: () => Promise.reject(new Error('no database')) });
    const told = record(server.path('/echo').errors$);
    await (await RawClient.connect(port)).response();
    expect(told.values).toMatchObject([{ connection: undefined, error: { message: 'no database' } }]);
  });

  test('may take its time: frames that came meanwhile are delivered, in order, after onOpen', async () => {
    const decision = gate<true>();
    const seen: string[] = [];
    const { port } = await serve({
      authorize: () => decision.promise,
      onOpen: () => void seen.push('open'),
      onMessage: (_, message) => void seen.push(String(message)),
    });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(requestHead(), textFrame('glued'), textFrame('cut').subarray(0, 3)));
    await client.sendBytes(bytes(textFrame('cut').subarray(3), textFrame('later')));
    await new Promise((resolve) => setImmediate(resolve));
    expect(seen).toEqual([]);
    decision.open(true);
    await client.handshake();
    await client.sendBytes(pingFrame());
    expect(await word(client)).toBe('pong');
    expect(seen).toEqual(['open', 'glued', 'cut', 'later']);
  });

  test.each([
    ['hangs up', (client: RawClient) => client.fin()],
    ['resets', (client: RawClient) => client.reset()],
    [
      'hangs up after frames that nobody has read',
      async (client: RawClient) => {
        await client.sendBytes(textFrame('a'));
        await new Promise((resolve) => setImmediate(resolve));
        await client.sendBytes(textFrame('b'));
        client.fin();
      },
    ],
  ])('is told by its signal when the peer %s, and what it says then is void', async (_, leave) => {
    const decision = gate<true>();
    let signal: AbortSignal | undefined;
    const opened: unknown[] = [];
    const { port, server, errors } = await serve({
      authorize(_request, given) {
        signal = given;
        return decision.promise;
      },
      onOpen: (connection) => void opened.push(connection),
      onClose: (connection) => void opened.push(connection),
    });
    const client = await RawClient.connect(port);
    await until(() => signal !== undefined);
    expect(signal?.aborted).toBe(false);
    await leave(client);
    await until(() => signal?.aborted === true);
    decision.open(true);
    await new Promise((resolve) => setImmediate(resolve));
    expect([opened, [...server.connections], errors]).toEqual([[], [], []]);
  });

  test('later than handshakeDeadline: 408, the signal aborts, and a late verdict opens nothing', async () => {
    const decision = gate<true>();
    let signal: AbortSignal | undefined;
    const said: string[] = [];
    const { port, clock, errors, server } = await serve(
      {
        authorize(_, given) {
          signal = given;
          return decision.promise;
        },
        onOpen: () => void said.push('open'),
        onClose: () => void said.push('close'),
        onError: () => void said.push('error'),
      },
      { handshakeDeadline: 1000 },
    );
    const lifecycle = record(server.lifecycle$);
    const client = await RawClient.connect(port);
    await until(() => signal !== undefined);
    clock.advance(900);
    expect(signal?.aborted).toBe(false);
    clock.advance(200);
    expect(signal?.aborted).toBe(true);
    expect((await client.response()).status).toBe(408);
    decision.open(true);
    await new Promise((resolve) => setImmediate(resolve));
    client.fin();
    await until(() => lifecycle.values.some(({ to }) => to === 'closed'));
    expect(said).toEqual([]);
    expect(errors).toMatchObject([{ error: { code: 'ERR_HANDSHAKE', status: 408 } }]);
    expect(lifecycle.values.map(({ from, to }) => `${from} ${to}`)).toEqual(['handshaking closed']);
  });

  test('later than handshakeDeadline, and then it fails: nobody is told a second time', async () => {
    const decision = gate<true>();
    const asked = gate();
    const { port, clock, errors } = await serve({
      authorize() {
        asked.open();
        return decision.promise;
      },
    });
    const client = await RawClient.connect(port);
    await asked.promise;
    clock.advance(10_100);
    expect((await client.response()).status).toBe(408);
    decision.fail(new Error('aborted'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(errors).toHaveLength(1);
  });

  test('that accepts more than maxConnections at a time gets no more in', async () => {
    const decision = gate<true>();
    let asked = 0;
    const { port, server } = await serve(
      {
        authorize() {
          asked += 1;
          return decision.promise;
        },
      },
      { maxConnections: 1 },
    );
    const clients = [await RawClient.connect(port), await RawClient.connect(port)];
    await until(() => asked === 2);
    decision.open(true);
    const statuses = await Promise.all(clients.map(async (client) => (await client.response()).status));
    expect(statuses.sort()).toEqual([101, 503]);
    expect(server.connections.size).toBe(1);
  });
});

describe('authorize that stops the server', () => {
  test.each([
    ['decides at once', true],
    ['decides later', Promise.resolve(true)],
  ])('and %s: 503, and neither onOpen nor onClose', async (_, verdict) => {
    const told: string[] = [];
    const { port, server, errors } = await serve({
      authorize() {
        void server.stop();
        return verdict;
      },
      onOpen: () => void told.push('open'),
      onClose: () => void told.push('close'),
    });
    const client = await RawClient.connect(port);
    expect((await client.response()).status).toBe(503);
    client.fin();
    await until(() => server.state === 'stopped');
    expect(told).toEqual([]);
    for (const { error } of errors) expect(error).toMatchObject({ code: 'ERR_HANDSHAKE', status: 503 });
    expect(server.stats()).toMatchObject({ opened: 0, closed: 0 });
  });
});

describe('handshakeDeadline', () => {
  test('a head that never ends is answered with 408, and not before', async () => {
    const { port, clock } = await serve({}, { handshakeDeadline: 1000 });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes('GET /echo HTTP/1.1\r\n'));
    const other = await RawClient.connect(port);
    await other.handshake();
    clock.advance(950);
    await new Promise((resolve) => setImmediate(resolve));
    expect(client.hasEnded).toBe(false);
    clock.advance(150);
    expect((await client.response()).status).toBe(408);
  });

  test('a connection that never says anything is closed without an answer, and nobody is told', async () => {
    const { port, clock, server, errors } = await serve({}, { handshakeDeadline: 1000, closeDeadline: 1000 });
    const ended = record(server.lifecycle$);
    const client = await RawClient.connect(port, { sendHead: false });
    await new Promise((resolve) => setImmediate(resolve));
    await (await RawClient.connect(port)).handshake();
    ended.values.length = 0;
    clock.advance(1100);
    expect(await client.ended()).toBe('fin');
    await expect(client.response()).rejects.toThrow('ended (fin)');
    clock.advance(1100);
    await until(() => ended.values.length > 0);
    expect(ended.values).toMatchObject([{ from: 'handshaking', to: 'closed', event: 'timeout.close' }]);
    expect(errors).toEqual([]);
    expect(server.stats()).toMatchObject({ refused: 0, limits: { handshakeDeadline: 1 } });
  });
});

describe('RFC 6455 1.9: subprotocols', () => {
  test('the first of the path’s that is offered, in place of the server’s', async () => {
    const { meet } = await serve(
      {},
      {
        subprotocols: ['server'],
        paths: { '/echo': { subprotocols: ['b', 'a'] }, '/plain': {} },
      },
    );
    const chosen = async (path: string, offer: string) =>
      (await meet({ path, ...Protocol(offer) })).connection.subprotocol;
    expect(await chosen('/echo', 'a, b')).toBe('b');
    expect(await chosen('/plain', 'x, server')).toBe('server');
    expect(await chosen('/echo', 'server')).toBe('');
  });
});

describe('onRequest', () => {
  const get = async (onRequest: ServerOptions['onRequest'], head = 'GET /health?x=1 HTTP/1.1') => {
    const { port, errors } = await serve({}, { onRequest });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(`${head}\r\nHost: 127.0.0.1\r\nX-A: 1\r\n\r\n`));
    return { response: await client.response(), errors };
  };

  test('answers a plain GET, sync or async, with text or bytes', async () => {
    let seen: PlainRequest | undefined;
    const sync = await get((request) => {
      seen = request;
      return { status: 200, headers: { 'Content-Type': 'text/html' }, body: '<p>é' };
    });
    expect(sync.response).toMatchObject({
      status: 200,
      headers: { 'content-type': 'text/html', 'content-length': '5', connection: 'close' },
    });
    expect(Buffer.from(sync.response.body, 'latin1').toString()).toBe('<p>é');
    expect(seen).toMatchObject({ method: 'GET', path: '/health', remoteAddress: '127.0.0.1' });
    expect([seen?.query.get('x'), seen?.headers['x-a']]).toEqual(['1', '1']);
    const later = await get(async () => ({ status: 503, body: Uint8Array.of(0x6e, 0x6f) }));
    expect(later.response).toMatchObject({ status: 503, body: 'no' });
  });

  test('undefined leaves it to 426', async () => {
    expect((await get(() => undefined)).response.status).toBe(426);
    expect((await get(async () => undefined)).response.status).toBe(426);
  });

  test('HEAD gets the same head and no body (RFC 9110 9.3.2)', async () => {
    const { response } = await get(() => ({ status: 200, body: 'four' }), 'HEAD / HTTP/1.1');
    expect(response).toMatchObject({ status: 200, headers: { 'content-length': '4' }, body: '' });
  });

  test('that throws, rejects or answers nonsense is a 500 that says nothing of it', async () => {
    const failing: NonNullable<ServerOptions['onRequest']>[] = [
      () => {
        throw new Error(SECRET);
      },
      () => Promise.reject(new Error(SECRET)),
      () => ({ status: 200, body: { secret: SECRET } }) as never,
      () => ({ status: 42 }),
      () => null as never,
    ];
    for (const onRequest of failing) {
      const { response, errors } = await get(onRequest);
      expect(response.status).toBe(500);
      expect(response.body).not.toContain('hunter2');
      expect(errors).toHaveLength(1);
      expect(errors[0]?.error).not.toMatchObject({ code: 'ERR_HANDSHAKE' });
    }
  });

  test('a large page is sent whole, also to a peer that sends a body nobody reads', async () => {
    const body = 'p'.repeat(3_000_000);
    const { port } = await serve({}, { onRequest: () => ({ status: 200, body }) });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n', 'z'.repeat(100_000)));
    expect((await client.response()).body.length).toBe(3_000_000);
  });

  test('is not asked for an upgrade', async () => {
    const asked: PlainRequest[] = [];
    const { meet } = await serve(
      {},
      {
        onRequest: (request) => void asked.push(request) as undefined,
      },
    );
    const { connection, client } = await meet();
    client.destroy();
    await reportOf(connection);
    expect(asked).toEqual([]);
  });
});
