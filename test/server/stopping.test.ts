/** How a server stops: whom it closes, whom it refuses, what it waits for, and what it says of it. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { Connection } from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { PATIENCE_MS } from '../support/patience.ts';
import { isOpen } from '../support/ports.ts';
import { bytes, closeFrame, RawClient, textFrame } from '../support/raw-client.ts';
import { gate, make, reportOf, serve, until, word } from '../support/serving.ts';

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

  test('closePortFirst: the port is closed before the connections are gone', async () => {
    const { server, port, meet } = await serve({});
    const { client } = await meet();
    const stopping = server.stop({ closePortFirst: true });
    expect(await isOpen(port)).toBe(false);
    expect(server.state).toBe('draining');
    expect(await word(client)).toBe('close 1001');
    await client.sendBytes(closeFrame(1001));
    client.fin();
    expect(await stopping).toMatchObject({ connections: 1, terminated: 0 });
    await server.start();
    await server.stop();
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

  test('closes without an answer who never sent a byte, and waits for none of them', async () => {
    const { server, port, call } = await serve({});
    const open = await call();
    const early = await RawClient.connect(port, { sendHead: false });
    await until(() => server.stats().connections.handshaking === 1);
    const stopping = server.stop({ deadline: 60_000 });
    // While another connection still leaves.
    await expect(early.response()).rejects.toThrow('the connection ended (fin)');
    expect(server.state).toBe('draining');
    const late = await RawClient.connect(port, { sendHead: false });
    await until(() => server.stats().connections.handshaking === 1);
    open.destroy();
    await expect(late.response()).rejects.toThrow('the connection ended (fin)');
    expect(await stopping).toEqual({ connections: 2, terminated: 0, refused: 0, handlers: 0 });
  });

  test('answers who has sent a byte that was not read yet', async () => {
    const { server, port, call } = await serve({});
    const open = await call();
    const client = await RawClient.connect(port, { sendHead: false });
    await until(() => server.stats().connections.handshaking === 1);
    await client.sendBytes(bytes('GET /echo'));
    const stopping = server.stop({ deadline: 60_000 });
    expect((await client.response()).status).toBe(503);
    RawClient.destroyAll();
    open.destroy();
    expect(await stopping).toMatchObject({ connections: 2, terminated: 0, refused: 1 });
  });

  test('waits for a handler with the port open, also when no connection is left', async () => {
    const door = gate();
    const { server, port, meet } = await serve({ onMessage: () => door.promise });
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('go'));
    await until(() => connection.stats().messagesIn === 1);
    const gone = reportOf(connection);
    client.reset();
    await gone;
    const stopping = server.stop();
    const late = await RawClient.connect(port);
    expect((await late.response()).status).toBe(503);
    late.fin();
    door.open();
    expect(await stopping).toEqual({ connections: 0, terminated: 0, refused: 1, handlers: 0 });
    expect(await isOpen(port)).toBe(false);
  });

  test('waits for no onClose that the deadline itself has called, and counts it', async () => {
    const { server, meet, clock } = await serve({ onClose: () => gate().promise });
    const { client } = await meet();
    const stopping = server.stop({ deadline: 1000 });
    expect(await word(client)).toBe('close 1001');
    clock.advance(1100);
    expect(await stopping).toEqual({ connections: 1, terminated: 1, refused: 0, handlers: 1 });
  });

  test('tells handlers of draining from the first that it closes', async () => {
    const states: string[] = [];
    const { server, meet } = await serve({ onClose: () => void states.push(server.state) });
    const { client } = await meet();
    const watching = server.lifecycle$.subscribe(({ to }) => states.push(`${to} ${server.state}`));
    const stopping = server.stop();
    watching.unsubscribe();
    expect(states).toEqual(['closing draining']);
    client.fin();
    await stopping;
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

  test('closes in batches; who waits for its turn is served as before', async () => {
    const { server, call } = await serve(
      { onMessage: (connection, message) => void connection.send(message) },
      { clock: Object.assign(new ManualClock(), { random: () => 0.5 }), closeDeadline: 60_000 },
    );
    const clients = [await call(), await call(), await call()];
    const closing = () => server.stats().connections.closing;
    const stopping = server.stop({ batch: 1, deadline: 60_000 });
    expect(closing()).toBe(1);
    await clients[2]?.sendBytes(textFrame('still here'));
    expect(await word(clients[2] as RawClient)).toBe('text still here');
    const rest = server.stop({ batch: 1000 });
    expect(rest).toBe(stopping);
    for (const client of clients) client.destroy();
    expect(await stopping).toEqual({ connections: 3, terminated: 0, refused: 0, handlers: 0 });
  });

  test.each([0, -1, 0.5, Number.NaN])('a batch of %s is a RangeError at the call', (batch) => {
    const { server } = make();
    expect(() => server.stop({ batch })).toThrow(RangeError);
  });

  test('waits for a handler under way, and says which it gave up on', async () => {
    const door = gate();
    const { server, meet, clock } = await serve({ onMessage: () => door.promise });
    const { client, connection } = await meet();
    await client.sendBytes(Uint8Array.of(0x81, 0x80, 0, 0, 0, 0));
    await until(() => connection.stats().messagesIn === 1);
    const report = reportOf(connection);
    let done = false;
    const stopping = server.stop({ deadline: 1000 }).finally(() => {
      done = true;
    });
    client.reset();
    expect((await report).code).toBe(1006);
    expect([done, server.state]).toEqual([false, 'draining']);
    clock.advance(1200);
    expect(await stopping).toEqual({ connections: 1, terminated: 0, refused: 0, handlers: 1 });
  });

  test('a handler that was given up on ends no later stop', async () => {
    const doors = [gate(), gate()];
    const begun: unknown[] = [];
    const onMessage = (_: unknown, which: unknown) => {
      begun.push(which);
      return doors[Number(which)]?.promise;
    };
    const { server, clock } = await serve({ onMessage });
    const begin = async (which: string) => {
      const client = await RawClient.connect(server.address()?.port ?? 0);
      await client.handshake();
      await client.sendBytes(textFrame(which));
      await until(() => begun.includes(which));
    };
    await begin('0');
    const first = server.stop({ deadline: 0 });
    clock.advance(200);
    expect(await first).toMatchObject({ handlers: 1 });
    await server.start();
    await begin('1');
    const second = server.stop({ deadline: 1000 });
    doors[0]?.open();
    await turn();
    expect(server.state).toBe('draining');
    clock.advance(1200);
    expect(await second).toMatchObject({ handlers: 1 });
  });

  test('a handler that ends in time ends the stop', async () => {
    const door = gate();
    const { server, meet } = await serve({ onMessage: () => door.promise });
    const { client, connection } = await meet();
    await client.sendBytes(Uint8Array.of(0x81, 0x80, 0, 0, 0, 0));
    await until(() => connection.stats().messagesIn === 1);
    const stopping = server.stop({ deadline: 1000 });
    await client.sendBytes(closeFrame(1001));
    client.fin();
    door.open();
    expect(await stopping).toMatchObject({ terminated: 0, handlers: 0 });
  });

  test('keeps the process alive until it has settled, though a handler never does', async () => {
    const dist = JSON.stringify(new URL('../../dist/index.js', import.meta.url).href);
    const program = `
      import { createServer } from ${dist};
      const server = createServer({ port: 0, host: '127.0.0.1' });
      const came = new Promise((resolve) => server.path('/', {
        onOpen(connection) { resolve(connection); return new Promise(() => {}); } }));
      await server.start();
      console.log(server.address().port);
      const { closed$ } = await came;
      await new Promise((resolve) => closed$.subscribe({ complete: resolve }));
      console.log(JSON.stringify(await server.stop({ deadline: 100 })));
    `;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { timeout: 10_000 });
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    const ended = once(child, 'close');
    await until(() => stdout.includes('\n'));
    const client = await RawClient.connect(Number(stdout), { path: '/' });
    await client.handshake();
    client.reset();
    expect(await ended).toEqual([0, null]);
    expect(JSON.parse(stdout.split('\n')[1] ?? '')).toMatchObject({ terminated: 0, handlers: 1 });
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
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { timeout: PATIENCE_MS });
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
