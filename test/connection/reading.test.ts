/** Reading: what holds it back, in which order commands and frames are handled, and the limits of one message. */
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ITEM_BYTES } from '../../src/connection/read-ahead.ts';
import { FRAMES_A_LOOK, FRAMES_A_TURN } from '../../src/connection/reading.ts';
import type { Connection, Handlers, Message, ServerOptions } from '../../src/index.ts';
import type { ManualClock } from '../../src/io/time/manual-clock.ts';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  OPCODE,
  pingFrame,
  RawClient,
  requestHead,
  textFrame,
} from '../support/raw-client.ts';
import { gate, reportOf, serve, until, word, words } from '../support/serving.ts';

const echo = (connection: Connection, message: Message) => void connection.send(message);

describe('commands of a handler', () => {
  test('close is processed when the handler returns and before the next frame of the same chunk', async () => {
    const seen: string[] = [];
    const { meet } = await serve({
      onMessage(connection, message) {
        seen.push(`${message} in ${connection.state}`);
        if (message === 'close') connection.close();
        seen.push(`after ${message} ${connection.state}`);
      },
    });
    const { client } = await meet();
    await client.sendBytes(bytes(textFrame('a'), textFrame('close'), textFrame('b')));
    expect(await word(client)).toBe('close 1000');
    expect(seen).toEqual([
      'a in open',
      'after a open',
      'close in open',
      'after close open',
      'b in closing',
      'after b closing',
    ]);
  });

  test('send after close in the same handler returns "closed", and nothing follows the Close (5.5.1)', async () => {
    const results: unknown[] = [];
    const { call } = await serve({
      async onMessage(connection) {
        results.push(connection.send('before'));
        connection.close(4000, 'done');
        results.push(connection.send('after'), connection.sendPing(), connection.sendPong());
        results.push(await connection.sendFragments(['x']));
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('go'));
    expect(await words(client, 2)).toEqual(['text before', 'close 4000 done']);
    await client.sendBytes(closeFrame(4000));
    expect(await client.ended()).toBe('fin');
    expect(results).toEqual(['sent', 'closed', false, false, 'closed']);
  });

  test('pause holds back the next frame of the same chunk until resume', async () => {
    const seen: Message[] = [];
    const { meet } = await serve({
      onMessage(connection, message) {
        seen.push(message);
        if (message === 'pause') connection.pause();
      },
    });
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('pause'), textFrame('held'), pingFrame('held too')));
    await until(() => seen.length > 0);
    expect(seen).toEqual(['pause']);
    connection.resume();
    expect(await word(client)).toBe('pong held too');
    expect(seen).toEqual(['pause', 'held']);
  });

  test('pause and resume in one handler change nothing', async () => {
    const { call } = await serve({
      onMessage(connection, message) {
        connection.pause();
        connection.resume();
        connection.send(message);
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    await client.sendBytes(textFrame('3'));
    expect(await words(client, 3)).toEqual(['text 1', 'text 2', 'text 3']);
  });

  test('terminate drops the connection before the next frame, without a Close', async () => {
    const seen: Message[] = [];
    const { meet } = await serve({
      onMessage(connection, message) {
        seen.push(message);
        connection.terminate();
      },
    });
    const { client, connection } = await meet();
    const report = reportOf(connection);
    await client.sendBytes(bytes(textFrame('a'), textFrame('b')));
    expect(await report).toEqual({ code: 1006, reason: '', wasClean: false, initiator: 'server' });
    await client.ended();
    expect([seen, client.waitingFrames]).toEqual([['a'], []]);
  });

  test('in onOpen come before the first message, also when it is glued to the head', async () => {
    const seen: string[] = [];
    const { port } = await serve({
      onOpen(connection) {
        connection.pause();
        seen.push(`open in ${connection.state}`);
      },
      onMessage: (_, message) => void seen.push(String(message)),
    });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(requestHead(), textFrame('first')));
    await client.handshake();
    expect(seen).toEqual(['open in open']);
  });

  test('a close in onOpen is answered, and what the peer had sent already is delivered', async () => {
    const seen: Message[] = [];
    const { port, server } = await serve({
      onOpen: (connection) => connection.close('going-away'),
      onMessage: (_, message) => void seen.push(message),
    });
    const report = firstValueFrom(server.connections$).then(reportOf);
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(bytes(requestHead(), textFrame('early')));
    await client.handshake();
    expect(await word(client)).toBe('close 1001');
    await client.sendBytes(closeFrame(1001));
    await client.ended();
    client.fin();
    expect(await report).toMatchObject({ code: 1001, wasClean: true, initiator: 'server' });
    expect(seen).toEqual(['early']);
  });
});

describe('a handler that returns a promise', () => {
  test('holds back its own connection and no other', async () => {
    const gates = [gate(), gate()];
    const seen: string[] = [];
    const { call } = await serve({
      async onMessage(connection, message) {
        seen.push(`${message} begins`);
        if (message === 'slow') await gates[0]?.promise;
        seen.push(`${message} ends`);
        connection.send(message);
      },
    });
    const [slow, quick] = [await call(), await call()];
    await slow.sendBytes(bytes(textFrame('slow'), textFrame('next')));
    await until(() => seen.length === 1);
    await quick.sendBytes(textFrame('quick'));
    expect(await word(quick)).toBe('text quick');
    expect(seen).toEqual(['slow begins', 'quick begins', 'quick ends']);
    gates[0]?.open();
    expect(await words(slow, 2)).toEqual(['text slow', 'text next']);
  });

  test('holds back frames of the same chunk, of later chunks, and inside a fragmented message', async () => {
    const order: string[] = [];
    const { call } = await serve({
      async onMessage(_, message) {
        order.push(`<${message}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${message}>`);
      },
      async onFragment(_, { data }) {
        order.push(`{${data}`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${data}}`);
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('a', { fin: false }), continuationFrame('b', { fin: false })));
    await client.sendBytes(bytes(continuationFrame('c'), textFrame('d'), pingFrame('end')));
    // A Ping is answered at once, though messages wait.
    expect(await word(client)).toBe('pong end');
    await until(() => order.at(-1) === 'd>');
    expect(order.join(' ')).toBe('{a a} {b b} {c <abc c} abc> {d <d d} d>');
  });

  test('onOpen holds back the first message', async () => {
    const open = gate();
    const seen: string[] = [];
    const { call } = await serve({
      async onOpen() {
        await open.promise;
        seen.push('opened');
      },
      onMessage(connection, message) {
        seen.push(String(message));
        connection.send(message);
      },
    });
    const client = await call();
    await client.sendBytes(textFrame('m'));
    open.open();
    expect(await word(client)).toBe('text m');
    expect(seen).toEqual(['opened', 'm']);
  });

  test('lets TCP hold the peer back: what is kept here is bounded', async () => {
    const slow = gate();
    let began = false;
    const { meet } = await serve(
      {
        onMessage() {
          began = true;
          return slow.promise;
        },
      },
      { cap: 64 * 1024 * 1024 },
    );
    const { client } = await meet();
    const before = process.memoryUsage().arrayBuffers;
    await client.sendBytes(textFrame('hold'));
    await until(() => began);
    let taken = 0;
    let stuck = false;
    const piece = bytes(textFrame('x'.repeat(65_000)));
    const sending = (async () => {
      while (taken < 2_000 && !stuck) {
        await client.sendBytes(piece);
        taken += 1;
      }
    })();
    // Loopback sockets take a few MiB; then the peer's own write waits.
    let last = -1;
    for (let same = 0; same < 200; same++) {
      await new Promise((resolve) => setImmediate(resolve));
      if (taken !== last) same = 0;
      last = taken;
    }
    expect(taken).toBeLessThan(500);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    stuck = true;
    client.destroy();
    slow.open();
    await sending;
  });

  test('messages in hand are delivered before a FIN that came behind them is told', async () => {
    const first = gate();
    const seen: string[] = [];
    const { meet } = await serve({
      async onMessage(_, message) {
        seen.push(String(message));
        if (message === '1') await first.promise;
      },
      onClose: (_, { code }) => void seen.push(`closed ${code}`),
    });
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('1'), textFrame('2'), textFrame('3')));
    client.fin();
    await until(() => seen.length === 1);
    for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
    first.open();
    await reportOf(connection);
    expect(seen).toEqual(['1', '2', '3', 'closed 1006']);
  });

  test('whose own `then` throws is a failed handler, and holds nothing back', async () => {
    const seen: string[] = [];
    const { call } = await serve({
      onMessage: (_, message) => ({
        // biome-ignore lint/suspicious/noThenProperty: a thenable that misbehaves is what is tested
        then() {
          throw new Error(`bad ${message}`);
        },
      }),
      onError(_, error) {
        seen.push((error as Error).message);
        return 'continue';
      },
    });
    const client = await call();
    await client.sendBytes(bytes(textFrame('a'), textFrame('b'), pingFrame()));
    expect(await word(client)).toBe('pong');
    expect(seen).toEqual(['bad a', 'bad b']);
  });
});

describe('limits of one message', () => {
  test('cap: exactly so many bytes pass, one more is refused with 1009 and a LimitError', async () => {
    const { call, errors } = await serve({ onMessage: echo }, { cap: 10 });
    const client = await call();
    await client.sendBytes(textFrame('x'.repeat(10)));
    expect(await word(client)).toBe(`text ${'x'.repeat(10)}`);
    await client.sendBytes(textFrame('x'.repeat(11)));
    expect(await client.closeFrame()).toMatchObject({ code: 1009 });
    expect(errors).toMatchObject([{ error: { code: 'ERR_LIMIT', limit: 'cap', closeCode: 1009 } }]);
  });

  test('maxFragments: exactly so many frames pass, one more is refused with 1008', async () => {
    const { call, errors } = await serve({ onMessage: echo }, { maxFragments: 3 });
    const client = await call();
    const part = (fin: boolean) => continuationFrame('', { fin });
    await client.sendBytes(bytes(textFrame('a', { fin: false }), part(false), part(true)));
    expect(await word(client)).toBe('text a');
    await client.sendBytes(bytes(textFrame('a', { fin: false }), part(false), part(false), part(true)));
    expect(await client.closeFrame()).toMatchObject({ code: 1008 });
    expect(errors).toMatchObject([{ error: { limit: 'maxFragments', closeCode: 1008 } }]);
  });

  test('maxPendingPongs: of the pings of a peer that does not read, so many are answered, then the newest', async () => {
    const { meet } = await serve({}, { maxPendingPongs: 3, sendLimit: 16 * 1024 * 1024 });
    const { client, connection } = await meet();
    client.pause();
    const big = new Uint8Array(8 * 1024 * 1024);
    connection.send(big);
    expect(connection.send('behind')).toBe('queued');
    let pings = 0;
    connection.pings$.subscribe(() => {
      pings += 1;
    });
    await client.sendBytes(bytes(...Array.from({ length: 9 }, (_, i) => pingFrame(`p${i}`))));
    await until(() => pings === 9);
    client.resume();
    expect((await client.nextFrame()).opcode).toBe(OPCODE.binary);
    expect(await words(client, 4)).toEqual(['pong p0', 'pong p1', 'pong p8', 'text behind']);
  });

  test('maxPendingPongs: a ping of ours among them is neither counted nor dropped', async () => {
    const { meet } = await serve({}, { maxPendingPongs: 2, sendLimit: 16 * 1024 * 1024 });
    const { client, connection } = await meet();
    client.pause();
    connection.send(new Uint8Array(12 * 1024 * 1024));
    expect(connection.send('behind')).toBe('queued');
    const pings: unknown[] = [];
    connection.pings$.subscribe((payload) => pings.push(payload));
    await client.sendBytes(pingFrame('1'));
    await until(() => pings.length === 1);
    connection.sendPing('ours');
    await client.sendBytes(pingFrame('2'));
    await until(() => pings.length === 2);
    connection.sendPing('ours too');
    await client.sendBytes(pingFrame('3'));
    await until(() => pings.length === 3);
    client.resume();
    await client.nextFrame();
    expect(await words(client, 5)).toEqual(['pong 1', 'ping ours', 'ping ours too', 'pong 3', 'text behind']);
  });
});

describe('frames of one connection in a turn of the event loop', () => {
  /** A server within this process, and for each message the number of the turn in which it was delivered. */
  async function inTurns(handlers: Handlers = {}, options: Partial<ServerOptions> = {}) {
    const listener = new MemoryListener();
    const turns: number[] = [];
    const seen: Message[] = [];
    let now = 0;
    const served = await serve(
      {
        ...handlers,
        onMessage(connection, message) {
          turns.push(now);
          seen.push(message);
          return handlers.onMessage?.(connection, message);
        },
      },
      { listener, ...options },
    );
    const connect = () => {
      const transport = listener.connect();
      transport.attach({ onBytes() {}, onDrain() {}, onEnd() {}, onError() {}, onClosed() {} });
      transport.write([bytes(requestHead({ path: '/echo' }))]);
      return transport;
    };
    /** Goes on until `done`; says how many messages each turn brought. */
    const run = async (done: () => boolean): Promise<number[]> => {
      for (; !done(); now++) await new Promise((resolve) => setImmediate(resolve));
      return [...new Set(turns)].map((turn) => turns.filter((other) => other === turn).length);
    };
    return { ...served, connect, run, seen };
  }
  const texts = (count: number) => bytes(...Array.from({ length: count }, (_, i) => textFrame(`${i}`)));
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => `${i}`);

  test('so many are handled at once', async () => {
    const { connect, run, seen } = await inTurns();
    connect().write([texts(FRAMES_A_TURN)]);
    expect(await run(() => seen.length === FRAMES_A_TURN)).toEqual([FRAMES_A_TURN]);
  });

  test('more wait for the next turn, in their order, and a FIN behind them waits, too', async () => {
    const ends: number[] = [];
    const { connect, run, seen } = await inTurns({ onClose: () => void ends.push(seen.length) });
    const peer = connect();
    peer.write([texts(3 * FRAMES_A_TURN + 1)]);
    peer.end();
    expect(await run(() => ends.length > 0)).toEqual([FRAMES_A_TURN, FRAMES_A_TURN, FRAMES_A_TURN, 1]);
    expect(seen).toEqual(numbers(3 * FRAMES_A_TURN + 1));
    expect(ends).toEqual([3 * FRAMES_A_TURN + 1]);
  });

  test('another connection is served between', async () => {
    const { connect, run, seen } = await inTurns();
    const [one, other] = [connect(), connect()];
    one.write([texts(2 * FRAMES_A_TURN)]);
    other.write([textFrame('other')]);
    await run(() => seen.length > 2 * FRAMES_A_TURN);
    expect(seen.indexOf('other')).toBe(FRAMES_A_TURN);
  });

  test('Pings and fragments count, too', async () => {
    const { connect, run, seen } = await inTurns();
    const pair = bytes(pingFrame(), textFrame('a', { fin: false }), continuationFrame('b'));
    connect().write([bytes(...Array(FRAMES_A_TURN).fill(pair))]);
    // Three frames for a message: as many turns as frames of one turn.
    expect(await run(() => seen.length === FRAMES_A_TURN)).toEqual([85, 85, 86]);
  });

  test('fewer, where the handler is slow: after some frames it is asked whether the turn has time left', async () => {
    let served: { readonly clock: ManualClock } | undefined;
    const { connect, run, seen, clock } = await inTurns({ onMessage: () => served?.clock.advance(1) });
    served = { clock };
    connect().write([texts(4 * FRAMES_A_LOOK)]);
    // In the first turn, its time begins with the first question.
    const brought = await run(() => seen.length === 4 * FRAMES_A_LOOK);
    expect(brought).toEqual([2 * FRAMES_A_LOOK, FRAMES_A_LOOK, FRAMES_A_LOOK]);
  });

  test('messages that waited behind a promise count as well', async () => {
    const { connect, run, seen } = await inTurns({ onMessage: async () => {} });
    connect().write([texts(4 * FRAMES_A_TURN)]);
    const brought = await run(() => seen.length === 4 * FRAMES_A_TURN);
    expect(Math.max(...brought)).toBeLessThanOrEqual(FRAMES_A_TURN);
    expect(seen).toEqual(numbers(4 * FRAMES_A_TURN));
  });

  test('what waits for the next turn is not delivered after terminate()', async () => {
    const { connect, run, seen, server } = await inTurns({
      onMessage: (connection, message) => void (message === '300' && connection.terminate()),
    });
    connect().write([texts(4 * FRAMES_A_TURN)]);
    await run(() => server.stats().closed === 1);
    expect(seen.length).toBe(301);
  });

  test('a command from outside is obeyed before the rest', async () => {
    const { connect, run, seen, server } = await inTurns();
    connect().write([texts(4 * FRAMES_A_TURN)]);
    await run(() => seen.length > 0);
    for (const connection of server.connections) connection.terminate();
    await run(() => server.stats().closed === 1);
    expect(seen.length).toBeLessThan(4 * FRAMES_A_TURN);
  });

  test('empty messages behind a promise fill the read-ahead, too', async () => {
    const { connect, run, seen, server } = await inTurns(
      { onMessage: () => new Promise(() => {}) },
      { readAhead: 10 * ITEM_BYTES },
    );
    connect().write([bytes(...Array.from({ length: 100 }, () => textFrame('')))]);
    await run(() => seen.length === 1);
    expect(server.stats().messagesIn).toBe(11);
  });
});
