/** What happens on one connection: replies in order, and all the ways in which it closes. */
import { firstValueFrom } from 'rxjs';
import { describe, expect, test } from 'vitest';
import type { CloseReport, Connection, Message } from '../../src/index.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  pingFrame,
  type RawClient,
  textFrame,
} from '../support/raw-client.ts';
import { reportOf, serve, until, word, words } from '../support/serving.ts';

const echo = (connection: Connection, message: Message) => void connection.send(message);

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
