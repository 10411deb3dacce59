/** The deadlines of a connection: each on both sides of its moment, by a clock that the test advances. */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readOptions } from '../../src/api/options/options.ts';
import { Deadlines } from '../../src/connection/deadlines.ts';
import type { ConnectionState } from '../../src/index.ts';
import type { ManualClock } from '../../src/io/time/manual-clock.ts';
import { Ticker } from '../../src/io/time/ticker.ts';
import {
  bytes,
  continuationFrame,
  OPCODE,
  pingFrame,
  pongFrame,
  type RawClient,
  type ServerFrame,
  textFrame,
} from '../support/raw-client.ts';
import { gate, reportOf, serve, until, word } from '../support/serving.ts';

const MIB = 1024 * 1024;

/** Deadlines with nothing around them, and a clock that may also jump. */
function alone(options: Record<string, number> = {}) {
  let nowMs = 0;
  let beat = () => {};
  const clock = {
    now: () => nowMs,
    epochMs: () => nowMs,
    random: () => 0.5,
    every(_ms: number, call: () => void) {
      beat = call;
      return () => {};
    },
  };
  const ticker = new Ticker(clock);
  ticker.start();
  const said: string[] = [];
  const timed = {
    held: false,
    unsentBytes: 0,
    state: 'handshaking' as ConnectionState,
    onAged() {
      said.push(`age at ${nowMs}`);
      deadlines.enter('closing');
    },
    onTimeout({ type }: { type: string }) {
      said.push(`${type.slice('timeout.'.length)} at ${nowMs}`);
      if (type === 'timeout.silence') deadlines.pinged();
      if (type === 'timeout.pong' || type === 'timeout.write') deadlines.enter('closed');
    },
  };
  const deadlines = new Deadlines(ticker, readOptions({ port: 0, ...options, clock }), timed);
  return {
    deadlines,
    ticker,
    timed,
    said,
    /** Lets time pass, a tick at a time. */
    pass(ms: number) {
      for (const end = nowMs + ms; nowMs < end; ) {
        nowMs += 50;
        beat();
      }
    },
    /** The event loop stands still for so long. */
    stall(ms: number) {
      nowMs += ms;
      beat();
    },
    byte() {
      deadlines.lastByteTick = ticker.tick;
    },
  };
}

describe('the deadlines alone', () => {
  test('are late by at most two ticks and never early', () => {
    const { pass, said } = alone({ handshakeDeadline: 1000 });
    pass(1000);
    expect(said).toEqual([]);
    pass(100);
    expect(said).toEqual(['handshake at 1050']);
  });

  test('messageDeadline blames no peer while we do not read: that time is left out', () => {
    const { deadlines, pass, said, timed } = alone({ messageDeadline: 1000, heartbeatInterval: Infinity });
    deadlines.enter('open');
    deadlines.insideMessage(true, 0);
    pass(600);
    timed.held = true;
    deadlines.readingStopped();
    pass(60_000);
    expect(said).toEqual([]);
    timed.held = false;
    deadlines.readingResumed();
    pass(300);
    const early = [...said];
    pass(300);
    expect([early.length, said.length]).toEqual([0, 1]);
    expect(said[0]).toMatch(/^message at /);
  });

  test('messageDeadline counts from the first byte of each message, and no later byte moves it', () => {
    const { deadlines, pass, said } = alone({ messageDeadline: 1000, heartbeatInterval: Infinity });
    deadlines.enter('open');
    for (let messages = 0; messages < 5; messages++) {
      deadlines.insideMessage(true, messages);
      pass(900);
    }
    expect(said).toEqual([]);
    for (let trickle = 0; trickle < 10; trickle++) {
      deadlines.insideMessage(true, 5);
      pass(150);
    }
    expect(said.length).toBe(1);
    expect(said[0]).toMatch(/^message at /);
  });

  test('each state has its own, and leaving the state ends it', () => {
    const { deadlines, pass, said } = alone({ messageDeadline: 1000, closeDeadline: 500 });
    deadlines.enter('open');
    pass(12_000);
    expect(said).toEqual([]);
    deadlines.insideMessage(true, 0);
    pass(900);
    deadlines.insideMessage(false, 1);
    pass(900);
    expect(said).toEqual([]);
    deadlines.insideMessage(true, 1);
    pass(1050);
    expect(said).toEqual(['message at 14850']);
    deadlines.enter('closing');
    pass(550);
    expect(said.at(-1)).toBe('close at 15400');
  });

  test.each(['pong', 'write'] as const)(
    'after the end by timeout.%s nothing waits and nothing falls due',
    (which) => {
      const { deadlines, pass, said, ticker } = alone({ messageDeadline: 60_000, writeDeadline: 46_000 });
      deadlines.enter('open');
      deadlines.enter('fragmenting');
      if (which === 'write') deadlines.writing(true);
      for (let i = 0; i < 45 && which === 'write'; i++) {
        pass(1000);
        deadlines.lastByteTick = ticker.tick;
      }
      pass(50_000);
      expect(said.at(-1)).toMatch(which);
      expect(ticker.size).toBe(0);
      const count = said.length;
      pass(120_000);
      expect(said.length).toBe(count);
    },
  );

  test('a ping after silence, and any byte is life', () => {
    const { deadlines, pass, said, byte } = alone({ heartbeatInterval: 10_000, pongDeadline: 5_000 });
    deadlines.enter('open');
    pass(9_000);
    byte();
    pass(9_900);
    expect(said).toEqual([]);
    pass(300);
    expect(said).toEqual(['silence at 19050']);
    pass(4_000);
    byte();
    pass(9_000);
    expect(said).toHaveLength(1);
    pass(6_500);
    expect(said.map((s) => s.split(' ')[0])).toEqual(['silence', 'silence', 'pong']);
  });

  test('a byte in the tick of the ping is life too', () => {
    const { deadlines, pass, said, byte } = alone({ heartbeatInterval: 10_000, pongDeadline: 5_000 });
    deadlines.enter('open');
    pass(10_050);
    expect(said).toHaveLength(1);
    byte();
    pass(9_000);
    expect(said).toHaveLength(1);
  });

  test('while reading is held there is neither ping nor pong deadline; afterwards both begin anew', () => {
    const { deadlines, pass, said, timed, byte } = alone({ heartbeatInterval: 10_000, pongDeadline: 5_000 });
    deadlines.enter('open');
    pass(10_100);
    expect(said).toHaveLength(1);
    timed.held = true;
    pass(100_000);
    expect(said).toHaveLength(1);
    timed.held = false;
    byte();
    pass(9_000);
    expect(said).toHaveLength(1);
    pass(1_050);
    expect(said.map((s) => s.split(' ')[0])).toEqual(['silence', 'silence']);
    pass(5_100);
    expect(said.at(-1)).toMatch('pong');
  });

  test('when our own event loop stood still, the pong deadline begins anew', () => {
    const { deadlines, pass, stall, said } = alone({ heartbeatInterval: 10_000, pongDeadline: 5_000 });
    deadlines.enter('open');
    pass(10_100);
    stall(60_000);
    expect(said).toHaveLength(1);
    pass(4_000);
    expect(said).toHaveLength(1);
    pass(1_200);
    expect(said.at(-1)).toMatch('pong');
  });
});

describe('after a stall of our own event loop', () => {
  test('what fell due gets a moment more, in which the bytes that came are read', () => {
    const { deadlines, pass, stall, said } = alone({ messageDeadline: 5_000, writeDeadline: 6_000 });
    deadlines.enter('open');
    deadlines.insideMessage(true, 0);
    deadlines.writing(true);
    stall(20_000);
    expect(said.filter((s) => !s.startsWith('silence'))).toEqual([]);
    deadlines.insideMessage(false, 1);
    deadlines.writing(false);
    pass(3_000);
    expect(said.filter((s) => !s.startsWith('silence'))).toEqual([]);
    deadlines.insideMessage(true, 1);
    stall(20_000);
    pass(1_000);
    expect(said.some((s) => s.startsWith('message'))).toBe(false);
    pass(100);
    expect(said.some((s) => s.startsWith('message'))).toBe(true);
  });

  test('what falls due in a stall under a second gets as long a time more', () => {
    for (const ms of [150, 300, 900]) {
      const { pass, stall, said } = alone({ handshakeDeadline: 1_000 });
      pass(1_000);
      stall(ms);
      pass(ms - 50);
      expect(said).toEqual([]);
      pass(100);
      expect(said).toHaveLength(1);
    }
  });

  test('a Pong that came in a stall under a second is read before its time is up', () => {
    const { deadlines, pass, stall, said } = alone({ heartbeatInterval: 2_000, pongDeadline: 1_000 });
    deadlines.enter('open');
    pass(2_450);
    expect(said).toHaveLength(1);
    stall(900);
    stall(900);
    expect(said).toHaveLength(1);
    pass(1_200);
    expect(said.at(-1)).toMatch('pong');
  });

  test('a loop that is always late suspends no deadline for ever', () => {
    const { stall, said } = alone({ handshakeDeadline: 1_000 });
    for (let late = 0; late < 30; late++) stall(200);
    expect(said).toHaveLength(1);
  });

  test('a closing gets that moment too', () => {
    const { deadlines, pass, stall, said } = alone({ handshakeDeadline: 1_000, closeDeadline: 2_000 });
    stall(900);
    pass(200);
    expect(said).toEqual(['handshake at 1050']);
    deadlines.enter('closing');
    stall(30_000);
    pass(900);
    expect(said).toHaveLength(1);
    pass(200);
    expect(said.at(-1)).toMatch('close');
  });
});

describe('heartbeat', () => {
  const options = { heartbeatInterval: 10_000, pongDeadline: 5_000 };

  /** Lets time pass until the ping is here. */
  async function pinged(client: RawClient, clock: ManualClock): Promise<ServerFrame> {
    for (let ms = 0; client.waitingFrames.length === 0; ms += 50) {
      if (ms > 12_200) throw new Error('no ping');
      clock.advance(50);
      await turn();
      await turn();
    }
    return await client.nextFrame();
  }

  test('between 80 and 120 % of heartbeatInterval comes a ping, and connections differ (5.5.2)', async () => {
    const { meet, clock } = await serve({}, options);
    const clients = [];
    for (let i = 0; i < 12; i++) clients.push((await meet()).client);
    const moments = new Map<number, number>();
    for (let ms = 0; ms < 12_200; ms += 50) {
      clock.advance(50);
      if (ms < 7_900 || ms % 200 > 0) continue;
      await turn();
      await turn();
      clients.forEach((client, i) => {
        if (client.waitingFrames.length > 0 && !moments.has(i)) moments.set(i, ms);
      });
    }
    await turn();
    expect(clients.every((client) => client.waitingFrames[0]?.opcode === OPCODE.ping)).toBe(true);
    expect(Math.min(...moments.values())).toBeGreaterThanOrEqual(8_000);
    expect(new Set(moments.values()).size).toBeGreaterThan(3);
  });

  test('no pong and no other byte within pongDeadline: 1006, not clean, an error of the peer', async () => {
    const { meet, clock, errors } = await serve({}, options);
    const { client, connection } = await meet();
    const report = reportOf(connection);
    expect((await pinged(client, clock)).opcode).toBe(OPCODE.ping);
    clock.advance(4_000);
    expect(connection.state).toBe('open');
    clock.advance(1_200);
    expect(await report).toEqual({
      code: 1006,
      reason: 'pong deadline passed',
      wasClean: false,
      initiator: 'server',
    });
    expect(errors).toMatchObject([{ connection, error: { code: 'ERR_CONNECTION_LOST', fault: 'peer' } }]);
    await client.ended();
  });

  test('the pong is not shown to pongs$ and gives the round-trip time; other pongs are and do not', async () => {
    const { meet, clock } = await serve({ onMessage: (c, m) => void c.send(m) }, options);
    const { client, connection } = await meet();
    const pongs: Uint8Array[] = [];
    connection.pongs$.subscribe((payload) => pongs.push(payload));
    const ping = await pinged(client, clock);
    clock.advance(120);
    await client.sendBytes(bytes(pongFrame('own'), pongFrame(ping.payload), textFrame('sync')));
    expect(await word(client)).toBe('text sync');
    expect(connection.rtt).toBeGreaterThanOrEqual(120);
    expect(connection.rtt).toBeLessThan(600);
    expect(pongs).toEqual([bytes('own')]);
  });

  test('half a frame is life as well', async () => {
    const { meet, clock } = await serve({}, options);
    const { client, connection } = await meet();
    await pinged(client, clock);
    const half = textFrame('half');
    const before = connection.actor.getSnapshot();
    await client.sendBytes(half.subarray(0, 3));
    await client.sendBytes(half.subarray(3, 5));
    for (let i = 0; i < 5; i++) await turn();
    clock.advance(5_500);
    expect([connection.state, connection.actor.getSnapshot() === before]).toEqual(['open', true]);
  });

  test('is suspended while we paused reading', async () => {
    const { meet, clock } = await serve({}, options);
    const { client, connection } = await meet();
    connection.pause();
    clock.advance(100_000);
    await turn();
    await turn();
    expect([connection.state, client.waitingFrames]).toEqual(['open', []]);
    connection.resume();
    expect((await pinged(client, clock)).opcode).toBe(OPCODE.ping);
  });

  test('goes on while a handler’s promise is pending: a peer that answers no Ping is lost', async () => {
    const slow = gate();
    let began = false;
    const { meet, clock } = await serve(
      {
        onMessage() {
          began = true;
          return slow.promise;
        },
      },
      options,
    );
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('x'));
    await until(() => began);
    const ping = await pinged(client, clock);
    expect(ping.opcode).toBe(OPCODE.ping);
    await client.sendBytes(pongFrame(ping.payload));
    await turn();
    expect((await pinged(client, clock)).opcode).toBe(OPCODE.ping);
    clock.advance(20_200);
    expect(connection.state).toBe('closed');
    expect(await reportOf(connection)).toMatchObject({ code: 1006, reason: 'pong deadline passed' });
    slow.open();
  });

  test('Infinity never pings', async () => {
    const { meet, clock } = await serve({}, { heartbeatInterval: Number.POSITIVE_INFINITY });
    const { client, connection } = await meet();
    clock.advance(3_600_000);
    await client.sendBytes(pingFrame('still here'));
    expect(await word(client)).toBe('pong still here');
    expect(connection.state).toBe('open');
  });
});

describe('messageDeadline', () => {
  test('from the first fragment: one that ends in time passes, one that does not fails with 1008', async () => {
    const { meet, clock, errors } = await serve(
      { onMessage: (connection, message) => void connection.send(message) },
      { messageDeadline: 1000 },
    );
    const { client, connection } = await meet();
    const begin = async () => {
      await client.sendBytes(textFrame('a', { fin: false }));
      await until(() => connection.state === 'fragmenting');
    };
    await begin();
    clock.advance(950);
    await client.sendBytes(continuationFrame('b'));
    expect(await word(client)).toBe('text ab');
    clock.advance(5_000);
    await begin();
    clock.advance(600);
    await client.sendBytes(continuationFrame('x', { fin: false }));
    await turn();
    clock.advance(500);
    expect(await client.closeFrame()).toEqual({ code: 1008, reason: 'message took too long' });
    client.fin();
    expect(await reportOf(connection)).toMatchObject({ code: 1008, wasClean: false, initiator: 'server' });
    expect(errors).toMatchObject([{ error: { limit: 'messageDeadline', closeCode: 1008 } }]);
  });
});

describe('writeDeadline', () => {
  test('a peer that accepts nothing: 1006 and an error of the peer; one that does lives', async () => {
    const { meet, clock, errors } = await serve(
      {},
      { writeDeadline: 1000, sendLimit: 64 * MIB, heartbeatInterval: Number.POSITIVE_INFINITY },
    );
    const { client, connection } = await meet();
    client.pause();
    connection.send(new Uint8Array(12 * MIB));
    await until(() => connection.bufferedAmount > 0);
    clock.advance(900);
    client.resume();
    expect((await client.nextFrame()).payload.length).toBe(12 * MIB);
    await connection.drained();
    clock.advance(5_000);
    expect(connection.state).toBe('open');
    client.pause();
    connection.send(new Uint8Array(12 * MIB));
    await until(() => connection.bufferedAmount > 0);
    const report = reportOf(connection);
    clock.advance(1_100);
    expect(await report).toEqual({
      code: 1006,
      reason: 'write deadline passed',
      wasClean: false,
      initiator: 'server',
    });
    expect(errors).toMatchObject([{ connection, error: { code: 'ERR_CONNECTION_LOST' } }]);
  });

  test('is no matter while closing: closeDeadline is, and nobody is told of an error', async () => {
    const { meet, clock, errors } = await serve(
      {},
      { writeDeadline: 1000, closeDeadline: 5000, sendLimit: 64 * MIB },
    );
    const { client, connection } = await meet();
    client.pause();
    connection.close();
    connection.send('refused');
    clock.advance(3000);
    expect([connection.state, errors]).toEqual(['closing', []]);
    const { client: other, connection: full } = await meet();
    other.pause();
    full.send(new Uint8Array(12 * MIB));
    full.close();
    await turn();
    clock.advance(2000);
    expect([full.state, errors]).toEqual(['closing', []]);
    const report = reportOf(full);
    clock.advance(3200);
    expect(await report).toMatchObject({ code: 1006, reason: 'close deadline passed' });
    expect(errors).toEqual([]);
  });
});

describe('maxAge', () => {
  const middling = { random: () => 0.5 };

  test('closes with 1001 when the connection has been open so long, however busy, and never before', async () => {
    const { meet, clock, server, errors } = await serve(
      { onMessage: (connection, message) => void connection.send(message) },
      { maxAge: 10_000, heartbeatInterval: Number.POSITIVE_INFINITY },
    );
    Object.assign(clock, middling);
    const { client, connection } = await meet();
    const fragments = [textFrame('a', { fin: false }), continuationFrame('b')];
    for (let second = 0; second < 9; second++) {
      clock.advance(1000);
      await client.sendBytes(bytes(...fragments));
      expect(await word(client)).toBe('text ab');
    }
    clock.advance(950);
    expect(connection.state).toBe('open');
    clock.advance(200);
    expect(await client.closeFrame()).toEqual({ code: 1001, reason: 'connection reached its age limit' });
    expect([server.stats().limits, errors]).toEqual([{ maxAge: 1 }, []]);
  });

  test.each([
    [0, 9_000],
    [0.999_999, 11_000],
  ])('is spread by a tenth: with a chance of %s it is %s ms', async (chance, age) => {
    const { meet, clock } = await serve({}, { maxAge: 10_000 });
    Object.assign(clock, { random: () => chance });
    const { connection } = await meet();
    clock.advance(age - 50);
    expect(connection.state).toBe('open');
    clock.advance(200);
    expect(connection.state).toBe('closing');
  });
});
