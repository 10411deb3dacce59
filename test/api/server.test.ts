/** A server's life: starting, refusing, stopping, starting again; and what it tells of all its connections. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { type Connection, createServer } from '../../src/index.ts';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  pingFrame,
  RawClient,
  requestHead,
  textFrame,
} from '../support/raw-client.ts';
import { gate, make, record, reportOf, serve, until, word, words } from '../support/serving.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));
const portOf = (server: { address(): { port: number } | null }) => server.address()?.port ?? 0;

/** Whether somebody listens on a port. */
async function isOpen(port: number): Promise<boolean> {
  const socket = net.connect(port, '127.0.0.1');
  return await new Promise((resolve) => {
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

describe('start', () => {
  test('resolves with the server when it listens; address says where, before that null', async () => {
    const { server } = make();
    expect([server.state, server.address()]).toEqual(['stopped', null]);
    const starting = server.start();
    expect(server.state).toBe('starting');
    expect(await starting).toBe(server);
    expect(server.state).toBe('listening');
    expect(server.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: expect.any(Number) });
  });

  test('twice is one start', async () => {
    const { server } = make();
    expect(await Promise.all([server.start(), server.start()])).toEqual([server, server]);
    await server.start();
    expect(await isOpen(portOf(server))).toBe(true);
  });

  test('on a port that is taken rejects and says what to do; when it is free, the same server starts', async () => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { port } = squatter.address() as net.AddressInfo;
    const { server, clock } = make({ port });
    await expect(server.start()).rejects.toThrow(`port ${port} is in use`);
    expect([server.state, server.address(), clock.beats]).toEqual(['failed', null, 0]);
    await expect(server.start()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    squatter.close();
    await once(squatter, 'close');
    await server.start();
    expect([server.state, portOf(server)]).toEqual(['listening', port]);
  });

  test('that failed can be stopped, at once', async () => {
    const squatter = net.createServer().listen(0, '127.0.0.1');
    await once(squatter, 'listening');
    const { server } = make({ port: (squatter.address() as net.AddressInfo).port });
    await expect(server.start()).rejects.toThrow();
    expect(await server.stop()).toMatchObject({ connections: 0, terminated: 0 });
    expect(server.state).toBe('stopped');
    squatter.close();
    await once(squatter, 'close');
  });

  test('and stop before it listens: the start rejects, and no port stays open', async () => {
    const { server, clock } = make();
    const starting = server.start();
    const stopping = server.stop();
    await expect(starting).rejects.toThrow('stopped before it listened');
    expect(await stopping).toMatchObject({ connections: 0, terminated: 0 });
    expect([server.state, server.address(), clock.beats]).toEqual(['stopped', null, 0]);
    await turn();
    // The leak gate of this file would find the port, were it open.
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toEqual([]);
    await server.start();
    expect(await isOpen(portOf(server))).toBe(true);
  });

  test('start, stop, start, stop, start in one breath: the last word counts, on one port', async () => {
    const { server } = make();
    const first = server.start();
    const stops = [server.stop()];
    const second = server.start();
    stops.push(server.stop());
    const third = server.start();
    await expect(first).rejects.toThrow('stopped before it listened');
    await expect(second).rejects.toThrow('stopped before it listened');
    await Promise.all([...stops, third]);
    expect(server.state).toBe('listening');
    expect(process.getActiveResourcesInfo().filter((name) => name === 'TCPServerWrap')).toHaveLength(1);
    const [again, last] = [server.stop().then(() => server.start()), server.stop()];
    await last;
    await again;
    expect(server.state).toBe('listening');
  });
});

describe('stop', () => {
  test('of a server that is not started resolves at once', async () => {
    const { server } = make();
    expect(await server.stop()).toMatchObject({ connections: 0, terminated: 0 });
  });

  test('closes every connection with 1001, and resolves when they are gone and the port is free', async () => {
    const { server, port, meet } = await serve({});
    const peers = [await meet(), await meet()];
    const reports = peers.map(({ connection }) => reportOf(connection));
    const stopping = server.stop();
    expect(server.state).toBe('draining');
    let isStopped = false;
    stopping.then(() => {
      isStopped = true;
    });
    for (const { client } of peers) {
      expect(await word(client)).toBe('close 1001');
      expect(isStopped).toBe(false);
      await client.sendBytes(closeFrame(1001));
      await client.ended();
      client.fin();
    }
    expect(await Promise.all(reports)).toEqual(
      peers.map(() => ({ code: 1001, reason: '', wasClean: true, initiator: 'server' })),
    );
    expect(await stopping).toMatchObject({ connections: 2, terminated: 0 });
    expect([server.state, await isOpen(port), [...server.connections]]).toEqual(['stopped', false, []]);
  });

  test('with a code and a reason of its own; wrong ones throw at the call and stop nothing', async () => {
    const { server, call } = await serve({});
    const client = await call();
    expect(() => server.stop({ code: 1005 })).toThrow(RangeError);
    expect(() => server.stop({ code: 'nonsense' as never })).toThrow(RangeError);
    expect(() => server.stop({ reason: 'x'.repeat(124) })).toThrow(RangeError);
    for (const deadline of [-1, Number.NaN, '1s'] as number[]) {
      expect(() => server.stop({ deadline })).toThrow(RangeError);
    }
    expect(server.state).toBe('listening');
    const stopping = server.stop({ code: 1012, reason: 'restart' });
    expect(await word(client)).toBe('close 1012 restart');
    client.destroy();
    await stopping;
  });

  test('destroys at the deadline what is left, and counts it', async () => {
    const { server, meet, clock } = await serve({});
    const [stubborn, polite] = [await meet(), await meet()];
    const report = reportOf(stubborn.connection);
    const stopping = server.stop({ deadline: 3000 });
    await polite.client.sendBytes(closeFrame(1001));
    polite.client.fin();
    await reportOf(polite.connection);
    clock.advance(2900);
    expect([server.state, stubborn.connection.state]).toEqual(['draining', 'closing']);
    clock.advance(200);
    expect(await report).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'server' });
    expect(await stopping).toMatchObject({ connections: 2, terminated: 1 });
    expect(clock.beats).toBe(0);
  });

  test('twice while it stops is one stop', async () => {
    const { server, call } = await serve({});
    const client = await call();
    const first = server.stop();
    const second = server.stop({ code: 4000 });
    expect(await word(client)).toBe('close 1001');
    client.fin();
    expect(await first).toBe(await second);
  });

  test('refuses whom comes meanwhile with 503; the port closes when the last one has gone', async () => {
    const { server, port, call } = await serve({});
    const open = await call();
    const early = await RawClient.connect(port, { sendHead: false });
    await early.sendBytes(bytes('GET /echo'));
    const stopping = server.stop();
    const late = await RawClient.connect(port);
    for (const client of [early, late]) {
      const response = await client.response();
      expect([response.status, response.headers['retry-after']]).toEqual([503, '5']);
    }
    expect([server.address(), server.state]).toEqual([null, 'draining']);
    for (const client of [early, late, open]) client.destroy();
    expect(await stopping).toMatchObject({ connections: 2, terminated: 0, refused: 2 });
    expect(await isOpen(port)).toBe(false);
  });

  test('who comes while the last ones leave cannot keep it from stopping', async () => {
    const { server, port, call } = await serve({});
    const open = await call();
    const stopping = server.stop({ deadline: 1000 });
    const late = await RawClient.connect(port, { sendHead: false });
    await late.sendBytes(bytes('GET /echo'));
    await until(() => server.stats().connections.handshaking === 1);
    open.destroy();
    expect((await late.response()).status).toBe(503);
    expect(await stopping).toMatchObject({ connections: 1, terminated: 0, refused: 1 });
  });

  test('tells an authorize that is pending: 503, and its signal aborts', async () => {
    const decision = gate<true>();
    let signal: AbortSignal | undefined;
    const opened: Connection[] = [];
    const { server, port } = await serve({
      authorize(_, given) {
        signal = given;
        return decision.promise;
      },
      onOpen: (connection) => void opened.push(connection),
    });
    const client = await RawClient.connect(port);
    await until(() => signal !== undefined);
    const stopping = server.stop();
    expect((await client.response()).status).toBe(503);
    expect(signal?.aborted).toBe(true);
    decision.open(true);
    client.fin();
    await stopping;
    expect(opened).toEqual([]);
  });

  test('waits for handlers under way, also those of onClose, up to the deadline', async () => {
    for (const kind of ['message', 'close'] as const) {
      const work = gate();
      let began = false;
      const handler = () => {
        began = true;
        return work.promise;
      };
      const { server, call } = await serve(
        kind === 'message' ? { onMessage: handler } : { onClose: handler },
      );
      const client = await call();
      await client.sendBytes(textFrame('go'));
      if (kind === 'message') await until(() => began);
      let isStopped = false;
      const stopping = server.stop().then(() => {
        isStopped = true;
      });
      expect((await word(client)).slice(0, 5)).toBe('close');
      await client.sendBytes(closeFrame(1001));
      client.destroy();
      await until(() => began);
      for (let i = 0; i < 20; i++) await turn();
      expect(isStopped).toBe(false);
      work.open();
      await stopping;
    }
  });

  test('waits for no handler beyond the deadline', async () => {
    const { server, meet, clock } = await serve({ onMessage: () => gate().promise });
    const { client } = await meet();
    await client.sendBytes(textFrame('go'));
    await turn();
    const stopping = server.stop({ deadline: 1000 });
    expect(await word(client)).toBe('close 1001');
    clock.advance(1100);
    expect(await stopping).toMatchObject({ terminated: 1 });
  });

  test('called by a handler', async () => {
    const { server, call } = await serve({
      onMessage() {
        server.stop();
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('stop'), textFrame('more')));
    expect(await word(client)).toBe('close 1001');
    client.fin();
    await server.stop();
    expect(server.state).toBe('stopped');
  });

  test('and start again, with the same paths and subscribers', async () => {
    const { server, clock } = await serve({ onMessage: (c, m) => void c.send(m) });
    const connections = record(server.connections$);
    for (let round = 0; round < 3; round++) {
      const client = await RawClient.connect(portOf(server));
      await client.handshake();
      await client.sendBytes(textFrame(`round ${round}`));
      expect(await word(client)).toBe(`text round ${round}`);
      const stopping = server.stop({ deadline: 0 });
      clock.advance(100);
      await stopping;
      await server.start();
    }
    expect(connections.values.length).toBe(3);
  });

  test('a start while it stops begins when it has stopped', async () => {
    const { server, call } = await serve({});
    const client = await call();
    const stopping = server.stop();
    const starting = Promise.all([server.start(), server.start()]);
    client.destroy();
    await stopping;
    await starting;
    expect(server.state).toBe('listening');
    expect(await isOpen(portOf(server))).toBe(true);
  });

  test.each([
    ['nothing open', ''],
    ['an open connection that never answers', 'await dial();'],
  ])('lets the process end by itself: %s', async (_, before) => {
    const dist = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);
    const program = `
      import { createServer } from ${dist};
      import { connect } from 'node:net';
      const server = createServer({ port: 0, host: '127.0.0.1', paths: { '/': {} } });
      await server.start();
      async function dial() {
        const opened = new Promise((resolve) => server.connections$.subscribe(resolve));
        const socket = connect(server.address().port, '127.0.0.1', () => socket.write(
          'GET / HTTP/1.1\\r\\nHost: a\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n' +
          'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n'));
        socket.on('error', () => {}).resume();
        await opened;
      }
      ${before}
      console.log(JSON.stringify(await server.stop({ deadline: 100 })));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { timeout: 10_000 });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const [code, signal] = await once(child, 'close');
    const left = before === '' ? 0 : 1;
    expect({ code, signal, report: JSON.parse(stdout) }).toEqual({
      code: 0,
      signal: null,
      report: { connections: left, terminated: left, refused: 0, handlers: 0 },
    });
  });
});

describe('maxConnections', () => {
  test('so many pass, one more gets 503 with Retry-After; when one leaves, the next passes', async () => {
    const { port, meet, server } = await serve({}, { maxConnections: 2 });
    const [first] = [await meet(), await meet()];
    const third = await RawClient.connect(port);
    const response = await third.response();
    expect([response.status, response.headers['retry-after']]).toEqual([503, '5']);
    expect(response.body).toContain('maxConnections');
    first?.client.destroy();
    if (first !== undefined) await reportOf(first.connection);
    expect(server.connections.size).toBe(1);
    await meet();
  });

  test('connections that only shake hands or ask for a page do not count', async () => {
    const { port, meet } = await serve({}, { maxConnections: 1, onRequest: () => ({ status: 200 }) });
    const waiting = await RawClient.connect(port, { sendHead: false });
    await waiting.sendBytes(bytes('GET'));
    await meet();
    const page = await RawClient.connect(port, { sendHead: false });
    await page.sendBytes(bytes('GET / HTTP/1.1\r\nHost: a\r\n\r\n'));
    expect((await page.response()).status).toBe(200);
  });

  test('far beyond it nobody is answered', async () => {
    const listener = new MemoryListener();
    const { server } = make({ listener, maxConnections: 1, paths: { '/': {} } });
    await server.start();
    const dropped = { count: 0 };
    const listen = (onClosed: () => void) => ({
      onBytes() {},
      onDrain() {},
      onEnd() {},
      onError() {},
      onClosed,
    });
    const clients = Array.from({ length: 1030 }, () => {
      const client = listener.connect();
      client.attach({ ...listen(() => {}), onEnd: () => void dropped.count++ });
      return client;
    });
    await turn();
    expect(dropped.count).toBe(1030 - 1025);
    for (const client of clients) client.destroy();
    await turn();
  });

  test('maxConnectionsPerAddress counts each address by itself, and forgets those that left', async () => {
    const listener = new MemoryListener();
    const { server } = make({ listener, maxConnectionsPerAddress: 2, paths: { '/echo': {} } });
    await server.start();
    const ask = async (address: string) => {
      const client = listener.connect(address);
      const status = await new Promise<number>((resolve) => {
        client.attach({
          onBytes: (chunk) => resolve(Number(Buffer.from(chunk).toString('latin1').slice(9, 12))),
          onDrain() {},
          onEnd() {},
          onError() {},
          onClosed() {},
        });
        client.write([bytes(requestHead())]);
      });
      return { status, client };
    };
    const a = [await ask('192.0.2.1'), await ask('192.0.2.1'), await ask('192.0.2.1')];
    expect(a.map(({ status }) => status)).toEqual([101, 101, 503]);
    const b = await ask('192.0.2.2');
    expect(b.status).toBe(101);
    for (const { client } of a) client.destroy();
    await turn();
    await turn();
    const again = await ask('192.0.2.1');
    expect(again.status).toBe(101);
    for (const { client } of [b, again]) client.destroy();
  });
});

describe('streams of a server', () => {
  test('lifecycle$: each change with the connection, from where, to where, by which event, and when', async () => {
    const { server, meet, clock } = await serve({ onMessage: () => {} });
    const lifecycle = record(server.lifecycle$);
    const ofPath = record(server.path('/echo').lifecycle$);
    clock.advance(1234);
    const { client, connection } = await meet();
    await client.sendBytes(
      bytes(textFrame('a', { fin: false }), continuationFrame('b'), pingFrame(), closeFrame(1000)),
    );
    await client.ended();
    client.fin();
    await reportOf(connection);
    const change = (from: string, to: string, event: string) => ({ connection, from, to, event, at: 1234 });
    expect(lifecycle.values).toEqual([
      change('handshaking', 'open', 'handshake.accepted'),
      change('open', 'fragmenting', 'fragment.begin'),
      change('fragmenting', 'open', 'fragment.end'),
      change('open', 'closing', 'close.received'),
      change('closing', 'closed', expect.stringMatching(/^socket\./) as unknown as string),
    ]);
    expect(ofPath.values).toEqual(lifecycle.values);
  });

  test('connections$ and messages$ of the server and of one path; unsubscribing closes nothing', async () => {
    const { server, meet } = await serve({}, { paths: { '/a': {}, '/b': {} }, onMessage: () => {} });
    const all = record(server.connections$);
    const onlyA = record(server.path('/a').connections$);
    const messages = record(server.messages$);
    const messagesOfA = record(server.path('/a').messages$);
    const [a, b] = [await meet({ path: '/a' }), await meet({ path: '/b' })];
    await a.client.sendBytes(bytes(textFrame('to a'), pingFrame()));
    await word(a.client);
    await b.client.sendBytes(bytes(textFrame('to b'), pingFrame()));
    await word(b.client);
    expect(all.values).toEqual([a.connection, b.connection]);
    expect(onlyA.values).toEqual([a.connection]);
    const [toA, toB] = [
      { connection: a.connection, message: 'to a' },
      { connection: b.connection, message: 'to b' },
    ];
    expect([messages.values, messagesOfA.values]).toEqual([[toA, toB], [toA]]);
    expect([a.connection.state, server.state]).toEqual(['open', 'listening']);
  });

  test('connections is the set of those that are open', async () => {
    const { server, meet } = await serve({
      onOpen: (c) => void expect(server.connections.has(c)).toBe(true),
    });
    const { client, connection } = await meet();
    expect([...server.connections]).toEqual([connection]);
    client.destroy();
    await reportOf(connection);
    expect([...server.connections]).toEqual([]);
  });

  test('errors$ of a path: its own, and each error once', async () => {
    const { server, call, errors } = await serve(
      {},
      { paths: { '/a': { onMessage: () => Promise.reject(new Error('a')) }, '/b': {} } },
    );
    const [ofA, ofB] = [record(server.path('/a').errors$), record(server.path('/b').errors$)];
    const client = await call({ path: '/a' });
    await client.sendBytes(textFrame('x'));
    await word(client);
    expect([ofA.values.length, ofB.values.length, errors.length]).toEqual([1, 0, 1]);
    expect(errors[0]).toEqual(ofA.values[0]);
  });

  test('streams outlive a stop', async () => {
    const { server, clock } = await serve({});
    const streams = [server.connections$, server.messages$, server.lifecycle$, server.errors$];
    const records = streams.map((stream) => record(stream as typeof server.errors$));
    const stopping = server.stop({ deadline: 0 });
    clock.advance(100);
    await stopping;
    expect(records.map(({ ends }) => ends)).toEqual([[], [], [], []]);
  });
});

test('connections of one server live and end without those of another', async () => {
  const [one, two] = [await serve({}), await serve({ onMessage: (c, m) => void c.send(m) })];
  const client = await two.call();
  const stopping = one.server.stop();
  await stopping;
  await client.sendBytes(textFrame('still here'));
  expect(await words(client, 1)).toEqual(['text still here']);
});

test('the actor of a connection hangs below the server’s and is done with the report', async () => {
  const { server, meet } = await serve({});
  const { client, connection } = await meet();
  expect((connection.actor as unknown as { _parent: unknown })._parent).toBe(server.actor);
  client.fin();
  const report = await firstValueFrom(connection.closed$);
  await turn();
  expect(connection.actor.getSnapshot()).toMatchObject({ status: 'done', output: report });
});

describe('a listener that errs after it listens', () => {
  /** A listener of this test's own: it can err, and be lost. */
  class Fragile extends MemoryListener {
    lost = false;
    override address() {
      return this.lost ? null : super.address();
    }
  }

  test('a failed accept is told on errors$, and the server goes on', async () => {
    const listener = new Fragile();
    const server = createServer({ port: 0, listener });
    const errors = record(server.errors$);
    await server.start();
    listener.fail(new Error('EMFILE'));
    expect(server.state).toBe('listening');
    expect(errors.values.map(({ error }) => error)).toEqual([new Error('EMFILE')]);
    await server.stop();
  });

  test('one that is lost fails the server with the reason; it may be started again', async () => {
    const listener = new Fragile();
    const server = createServer({ port: 0, listener });
    const errors = record(server.errors$);
    await server.start();
    listener.connect();
    await turn();
    expect(server.stats().connections.handshaking).toBe(1);
    listener.lost = true;
    listener.fail(new Error('the interface went down'));
    expect(server.state).toBe('failed');
    expect(server.actor.getSnapshot().context.error).toEqual(new Error('the interface went down'));
    expect(server.stats().connections.handshaking).toBe(0);
    expect(errors.values.length).toBeGreaterThan(0);
    listener.lost = false;
    await server.start();
    expect(server.state).toBe('listening');
    await server.stop();
  });
});
