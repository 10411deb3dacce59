/** What happens on one connection, and in which order: chunks in, handlers called, replies and Closes out. */
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { CloseReport, Connection, Message } from '../../src/index.ts';
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
    expect(await word(client)).toBe('pong end');
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

describe('replies', () => {
  test('to one chunk leave in order, also between handlers, pings and a Close (5.5.2)', async () => {
    const { call } = await serve({ onMessage: echo });
    const client = await call();
    await client.sendBytes(
      bytes(textFrame('1'), pingFrame('p'), textFrame('2'), closeFrame(1000, 'bye'), textFrame('late')),
    );
    expect(await words(client, 4)).toEqual(['text 1', 'pong p', 'text 2', 'close 1000']);
    expect(await client.ended()).toBe('fin');
  });

  test('a handler finds the connection in the state that its message made', async () => {
    const seen: string[] = [];
    const { call } = await serve({
      onMessage: (connection, message) => void seen.push(`message ${message} ${connection.state}`),
      onFragment: (connection, { data }) => void seen.push(`fragment ${data} ${connection.state}`),
    });
    const client = await call();
    await client.sendBytes(
      bytes(
        textFrame('a', { fin: false }),
        continuationFrame('b', { fin: false }),
        continuationFrame('c'),
        pingFrame(),
      ),
    );
    await word(client);
    expect(seen).toEqual([
      'fragment a fragmenting',
      'fragment b fragmenting',
      'fragment c open',
      'message abc open',
    ]);
  });

  test('a path with onFragment alone gets an unfragmented message as one fragment, first and final', async () => {
    const seen: unknown[] = [];
    const { call, errors } = await serve({ onFragment: (_, fragment) => void seen.push(fragment) });
    const client = await call();
    await client.sendBytes(bytes(textFrame('whole'), textFrame('h', { fin: false }), continuationFrame('')));
    await client.sendBytes(pingFrame());
    await word(client);
    expect(seen).toEqual([
      { data: 'whole', opcode: 'text', first: true, final: true },
      { data: 'h', opcode: 'text', first: true, final: false },
      { data: '', opcode: 'text', first: false, final: true },
    ]);
    expect(errors).toEqual([]);
  });

  test('a character cut by fragments comes whole, with the fragment that completes it', async () => {
    const seen: unknown[] = [];
    const { call } = await serve({ onFragment: (_, { data }) => void seen.push(data) });
    const client = await call();
    await client.sendBytes(textFrame(Uint8Array.of(0x61, 0xe2, 0x82), { fin: false }));
    await client.sendBytes(bytes(continuationFrame(Uint8Array.of(0xac, 0x62)), pingFrame()));
    await word(client);
    expect(seen).toEqual(['a', '€b']);
  });
});

describe('RFC 6455 7: closing', () => {
  interface Ending {
    reports: CloseReport[];
    closed: CloseReport[];
    completed: number;
  }

  /** A connection, and all that is said of its end. */
  async function ending(
    options = {},
  ): Promise<
    Ending & { client: RawClient; connection: Connection; over: Promise<unknown>; advance(ms: number): void }
  > {
    const reports: CloseReport[] = [];
    const closed: CloseReport[] = [];
    const said: Ending = { reports, closed, completed: 0 };
    const { meet, clock } = await serve(
      { onMessage: echo, onClose: (_, report) => void reports.push(report) },
      options,
    );
    const { client, connection } = await meet();
    const over = new Promise<void>((resolve) => {
      connection.closed$.subscribe({
        next: (report) => closed.push(report),
        complete() {
          said.completed += 1;
          resolve();
        },
      });
    });
    return Object.assign(said, { client, connection, over, advance: (ms: number) => clock.advance(ms) });
  }

  function expectOnce({ reports, closed, completed }: Ending, report: CloseReport): void {
    expect({ reports, closed, completed }).toEqual({ reports: [report], closed: [report], completed: 1 });
  }

  test('the peer begins: its code and reason, clean, and the server ends TCP first (7.1.1)', async () => {
    const end = await ending();
    await end.client.sendBytes(closeFrame(4001, 'enough'));
    expect(await word(end.client)).toBe('close 4001');
    expect(await end.client.ended()).toBe('fin');
    end.client.fin();
    await end.over;
    expectOnce(end, { code: 4001, reason: 'enough', wasClean: true, initiator: 'peer' });
  });

  test('the server begins: reported with the code of the answer, clean (7.1.5)', async () => {
    const end = await ending();
    end.connection.close(4002, 'over');
    expect(end.connection.state).toBe('closing');
    expect(await word(end.client)).toBe('close 4002 over');
    await end.client.sendBytes(closeFrame(4002, 'fine'));
    expect(await end.client.ended()).toBe('fin');
    end.client.fin();
    await end.over;
    expectOnce(end, { code: 4002, reason: 'fine', wasClean: true, initiator: 'server' });
  });

  test('both at the same time: one Close each way, clean', async () => {
    const end = await ending();
    await end.client.sendBytes(closeFrame(1001, 'me too'));
    end.connection.close(1000);
    expect((await end.client.closeFrame()).code).toBeOneOf([1000, 1001]);
    expect(await end.client.ended()).toBe('fin');
    end.client.fin();
    await end.over;
    expect(end.closed).toMatchObject([{ code: 1001, wasClean: true }]);
    expect(end.reports).toEqual(end.closed);
  });

  test('both at the same time, the server first: the code of the first Close received (7.1.5)', async () => {
    const end = await ending();
    end.connection.close(1000);
    await end.client.sendBytes(closeFrame(1001, 'crossed'));
    expect(await word(end.client)).toBe('close 1000');
    await end.client.ended();
    end.client.fin();
    await end.over;
    expectOnce(end, { code: 1001, reason: 'crossed', wasClean: true, initiator: 'server' });
  });

  test('a peer that never answers is dropped at closeDeadline, and the report says so', async () => {
    const end = await ending({ closeDeadline: 1000 });
    end.connection.close();
    expect(await word(end.client)).toBe('close 1000');
    end.advance(900);
    expect(end.connection.state).toBe('closing');
    end.advance(200);
    await end.over;
    expectOnce(end, {
      code: 1006,
      reason: 'close deadline passed',
      wasClean: false,
      initiator: 'server',
    });
  });

  test('a peer that answers and never ends TCP is dropped at closeDeadline, and the closing was clean', async () => {
    const end = await ending({ closeDeadline: 1000 });
    await end.client.sendBytes(closeFrame(1000));
    await end.client.ended();
    end.advance(1100);
    await end.over;
    expectOnce(end, { code: 1000, reason: '', wasClean: true, initiator: 'peer' });
  });

  test('a FIN without a Close is 1006 (7.1.5)', async () => {
    const end = await ending();
    end.client.fin();
    await end.over;
    expectOnce(end, { code: 1006, reason: '', wasClean: false, initiator: 'peer' });
    expect(await end.client.ended()).toBe('fin');
  });

  test('a FIN instead of the answer to our Close is not clean', async () => {
    const end = await ending();
    end.connection.close();
    await word(end.client);
    end.client.fin();
    await end.over;
    expectOnce(end, { code: 1006, reason: '', wasClean: false, initiator: 'server' });
  });

  test('a half-closed peer still gets the replies to what it sent before its FIN', async () => {
    const end = await ending();
    await end.client.sendBytes(bytes(textFrame('1'), textFrame('2')));
    end.client.fin();
    expect(await words(end.client, 2)).toEqual(['text 1', 'text 2']);
    await end.over;
    expect(end.reports).toHaveLength(1);
  });

  test('a reset is 1006, and an error of the peer', async () => {
    const { meet, errors } = await serve({ onMessage: echo });
    const { client, connection } = await meet();
    client.reset();
    expect(await reportOf(connection)).toEqual({
      code: 1006,
      reason: '',
      wasClean: false,
      initiator: 'peer',
    });
    expect(errors).toMatchObject([{ connection, error: { code: 'ERR_CONNECTION_LOST', fault: 'peer' } }]);
  });

  test('a reset while our Close waits for its answer is reported once, and is nobody else’s error', async () => {
    const { meet, errors } = await serve({ onMessage: echo });
    const { client, connection } = await meet();
    connection.close();
    await word(client);
    client.reset();
    expect(await reportOf(connection)).toMatchObject({ code: 1006, initiator: 'server' });
    expect(errors).toEqual([]);
  });

  test('terminate while closing ends it at once', async () => {
    const end = await ending();
    end.connection.close();
    end.connection.terminate();
    await end.over;
    expectOnce(end, { code: 1006, reason: '', wasClean: false, initiator: 'server' });
  });

  test('close, terminate, pause, resume and send after the end change nothing', async () => {
    const end = await ending();
    end.client.destroy();
    await end.over;
    const { connection } = end;
    connection.close();
    connection.terminate();
    connection.pause();
    connection.resume();
    expect([
      connection.send('x'),
      connection.sendPing(),
      connection.state,
      connection.bufferedAmount,
    ]).toEqual(['closed', false, 'closed', 0]);
    await connection.drained();
    expect(end.reports).toHaveLength(1);
  });

  test('a second close changes nothing: the first code goes out, once', async () => {
    const end = await ending();
    end.connection.close(4000);
    end.connection.close(4001);
    expect(await word(end.client)).toBe('close 4000');
    await end.client.sendBytes(closeFrame(4000));
    await end.client.ended();
  });

  test('a close while a fragmented message comes in: its rest is read and delivered, then the closing ends', async () => {
    const seen: string[] = [];
    const { meet } = await serve({
      onMessage: (connection, message) => void seen.push(`${message} in ${connection.state}`),
      onFragment: (_, { data, final }) => void seen.push(`${data}${final ? '.' : ''}`),
    });
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('un', { fin: false }));
    await firstValueFrom(connection.fragments$).catch(() => {});
    await until(() => seen.length === 1);
    connection.close();
    expect(connection.actor.getSnapshot().value).toEqual({ closing: { local: 'fragmenting' } });
    expect(await word(client)).toBe('close 1000');
    await client.sendBytes(bytes(continuationFrame('finish', { fin: false }), continuationFrame('ed')));
    await client.sendBytes(bytes(textFrame('one more'), closeFrame(1000)));
    expect(await client.ended()).toBe('fin');
    client.fin();
    expect(await reportOf(connection)).toMatchObject({ code: 1000, wasClean: true, initiator: 'server' });
    expect(seen).toEqual([
      'un',
      'finish',
      'ed.',
      'unfinished in closing',
      'one more.',
      'one more in closing',
    ]);
  });

  test('a violation after our Close ends the reading; no second Close goes out', async () => {
    const { meet, errors } = await serve({ onMessage: echo });
    const { client, connection } = await meet();
    connection.close();
    await word(client);
    await client.sendBytes(textFrame('bare', { mask: false }));
    expect(await client.ended()).toBe('fin');
    client.fin();
    expect(await reportOf(connection)).toMatchObject({ code: 1002, wasClean: false, initiator: 'server' });
    expect(errors).toMatchObject([{ error: { code: 'ERR_PROTOCOL', closeCode: 1002 } }]);
  });

  test('what waits goes out before our Close', async () => {
    const { meet } = await serve({}, { sendLimit: 16 * 1024 * 1024 });
    const { client, connection } = await meet();
    client.pause();
    connection.send(new Uint8Array(8 * 1024 * 1024));
    expect(connection.send('behind')).toBe('queued');
    connection.close(4000);
    client.resume();
    expect((await client.nextFrame()).payload.length).toBe(8 * 1024 * 1024);
    expect(await word(client)).toBe('text behind');
    expect(await word(client)).toBe('close 4000');
  });

  test('a paused connection still closes cleanly: reading goes on for the peer’s Close', async () => {
    const end = await ending();
    end.connection.pause();
    end.connection.close();
    expect(await word(end.client)).toBe('close 1000');
    await end.client.sendBytes(closeFrame(1000));
    await end.client.ended();
    end.client.fin();
    await end.over;
    expect(end.closed).toMatchObject([{ code: 1000, wasClean: true }]);
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
