/**
 * A transport that fails at the nth read or write, for every n along a conversation, in every way it can. One
 * connection fails: it ends once, with a report; nothing of it is left; and another one beside it is served on.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { watchables } from '../../src/api/inspection/inspection.ts';
import { type CloseReport, type Connection, createServer, type Failure } from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import type { MemoryTransport } from '../../src/io/transports/memory.ts';
import type { TransportListener } from '../../src/io/transports/transport.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  pingFrame,
  requestHead,
  textFrame,
} from '../support/raw-client.ts';
import { until } from '../support/serving.ts';
import { FAULTS, type Fault, FaultyListener } from './faulty.ts';

const LARGE = 'x'.repeat(3000);
/** What the client says, one after the other; it waits until all of it was answered. */
const SCRIPT: [says: Uint8Array | string, hears: RegExp][] = [
  [requestHead({ path: '/echo' }), /\r\n\r\n/],
  [textFrame('one'), /one/],
  [
    bytes(textFrame('two ', { fin: false }), pingFrame('between'), continuationFrame('halves')),
    /between.*two halves/s,
  ],
  [textFrame(LARGE), /x{3000}/],
  [bytes(textFrame('last'), closeFrame(1000)), /last.{4}$/s],
];

/** A client that speaks the script as far as it gets. */
class Speaker {
  heard = '';
  isOver = false;
  readonly #transport: MemoryTransport;
  #line = 0;

  constructor(transport: MemoryTransport) {
    this.#transport = transport;
    transport.attach({
      onBytes: (chunk) => this.#hear(chunk),
      onDrain: () => {},
      onEnd: () => transport.end(),
      onError: () => {},
      onClosed: () => {
        this.isOver = true;
      },
    });
    this.#say();
  }

  #say(): void {
    const said = SCRIPT[this.#line]?.[0];
    if (said !== undefined) this.#transport.write([Buffer.from(said)]);
  }

  #hear(chunk: Uint8Array): void {
    this.heard += Buffer.from(chunk).toString('latin1');
    if (SCRIPT[this.#line]?.[1].test(this.heard) !== true) return;
    this.heard = '';
    this.#line++;
    this.#say();
  }
}

async function begin() {
  const listener = new FaultyListener();
  const clock = new ManualClock();
  const ends: [Connection, CloseReport][] = [];
  const errors: Failure[] = [];
  const server = createServer({
    port: 0,
    listener,
    clock,
    paths: {
      '/echo': {
        onMessage: (connection, message) => void connection.send(message),
        onClose: (connection, report) => void ends.push([connection, report]),
      },
    },
  });
  server.errors$.subscribe((failure) => errors.push(failure));
  await server.start();
  const healthy = listener.connect().client;
  let echo = '';
  const nothing = () => {};
  const onBytes = (chunk: Uint8Array) => {
    echo += Buffer.from(chunk).toString('latin1');
  };
  healthy.attach({ onBytes, onDrain: nothing, onEnd: nothing, onError: nothing, onClosed: nothing });
  healthy.write([Buffer.from(requestHead({ path: '/echo' }))]);
  await until(() => server.connections.size === 1);
  const [other] = server.connections;
  const isServed = async (text: string) => {
    echo = '';
    healthy.write([textFrame(text)]);
    await until(() => echo.includes(text));
  };
  return { listener, clock, ends, errors, server, other, isServed };
}

/** Runs the script with that fault; lets every deadline pass; says how it went. */
async function converse(fault?: Fault, at?: number) {
  const all = await begin();
  const { listener, clock, server, isServed } = all;
  const { client, faulty } = listener.connect(fault, at);
  const speaker = new Speaker(client);
  await isServed('during');
  // Only the healthy one is left.
  const isDone = () => Object.values(server.stats().connections).reduce((sum, count) => sum + count) === 1;
  // Longer than any deadline, in steps that let both sides speak; the healthy one is heard of in each.
  for (let seconds = 0; seconds < 100 && !isDone(); seconds++) {
    for (let i = 0; i < 12; i++) await turn();
    if (isDone()) break;
    clock.advance(1000);
    await isServed(`${seconds}`);
  }
  await isServed('after');
  return { ...all, faulty, speaker };
}

test('without a fault the conversation goes to its end, and is long enough', async () => {
  const { ends, faulty, errors, server, clock } = await converse();
  expect(ends.map(([, report]) => report)).toEqual([
    { code: 1000, reason: '', wasClean: true, initiator: 'peer' },
  ]);
  expect(errors).toEqual([]);
  expect([faulty.reads > 60, faulty.writes >= SCRIPT.length]).toEqual([true, true]);
  const stopping = server.stop({ deadline: 0 });
  clock.advance(200);
  await stopping;
});

const clean = await (async () => {
  const { faulty, server, clock } = await converse();
  const { reads, writes } = faulty;
  const stopping = server.stop({ deadline: 0 });
  clock.advance(200);
  await stopping;
  return { read: reads, write: writes };
})();

describe.each(Object.entries(FAULTS))('%s', (name, kind) => {
  const places = Array.from({ length: clean[kind] }, (_, i) => i + 1);

  test(`at each of the ${clean[kind]} ${kind}s fails that connection alone`, async () => {
    for (const at of places) {
      const { ends, errors, server, other, faulty, clock } = await converse(name as Fault, at);
      const where = `${kind} ${at}`;
      expect(faulty[`${kind}s`], where).toBeGreaterThanOrEqual(at);
      const { opened, closed, refused, connections, buffered } = server.stats();
      // It ended, once, opened or not; and the healthy one is there still.
      // One that never sent a byte was refused nothing.
      const counted = server.stats().bytesIn > 0 && at > 1 ? 1 : closed + refused;
      expect([opened - closed, closed + refused, connections.open], where).toEqual([1, counted, 1]);
      expect(connections, where).toEqual({ handshaking: 0, open: 1, fragmenting: 0, closing: 0 });
      expect(ends.length, where).toBe(closed);
      const budget = watchables.get(server)?.core.budget;
      expect([budget?.bytes, budget?.holders, buffered], where).toEqual([0, 0, 0]);
      for (const [connection, report] of ends) {
        expect(connection, where).not.toBe(other);
        // 1008: a read that lost bytes left a message without its end, until its deadline.
        expect([1000, 1006, 1008], where).toContain(report.code);
        // What broke is told: in the report, and where the connection was open, as an error that names it.
        const told = errors.filter((failure) => failure.connection === connection);
        if (report.code === 1006 && report.initiator === 'server') {
          expect(told.length + report.reason.length, where).toBeGreaterThan(0);
        }
      }
      for (const { error } of errors) expect(error, where).not.toMatchObject({ code: 'ERR_INTERNAL' });
      const stopping = server.stop({ deadline: 0 });
      clock.advance(200);
      expect(await stopping, where).toMatchObject({ connections: 1 });
      expect(clock.beats, where).toBe(0);
    }
  });
});

/** A transport of a user's own that breaks its word as it is taken. */
function odd(attach: (listener: TransportListener) => void) {
  const destroyed = { count: 0 };
  const destroy = () => {
    destroyed.count++;
  };
  const [write, nothing] = [() => true, () => undefined];
  const transport = { name: 'tcp' as const, remoteAddress: '::1', bufferedAmount: 0, attach, write, destroy };
  return { destroyed, transport: { ...transport, pause: nothing, resume: nothing, end: nothing } };
}

test('a transport that throws as it is taken is reported and destroyed, and the server goes on', async () => {
  const { listener, errors, server, isServed, clock } = await begin();
  listener.give({
    get remoteAddress(): string {
      throw new Error('no address');
    },
  } as never);
  const { transport, destroyed } = odd(() => {
    throw new Error('not attached');
  });
  listener.give(transport);
  expect(destroyed.count).toBe(1);
  const internal = { connection: undefined, error: { code: 'ERR_INTERNAL' } };
  expect(errors).toMatchObject([internal, internal]);
  await isServed('still');
  expect(server.stats().connections).toMatchObject({ handshaking: 0, open: 1 });
  const stopping = server.stop({ deadline: 0 });
  clock.advance(200);
  expect(await stopping).toMatchObject({ connections: 1 });
});

test('a transport that has ended before it is taken leaves nothing', async () => {
  const { listener, server, isServed, clock } = await begin();
  listener.give(odd((taken) => taken.onClosed()).transport);
  await isServed('still');
  expect(server.stats().connections).toMatchObject({ handshaking: 0, open: 1 });
  const stopping = server.stop({ deadline: 0 });
  clock.advance(200);
  await stopping;
});
