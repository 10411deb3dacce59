/** A peer that reads slowly and does not stop gets all that was sent before the Close, and whole HTTP answers. */
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import type { CloseReport, Connection, ServerOptions } from '../../src/index.ts';
import type { ManualClock } from '../../src/io/time/manual-clock.ts';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import { TcpTransport } from '../../src/io/transports/tcp.ts';
import type { Transport } from '../../src/io/transports/transport.ts';
import { bytes, closeFrame, requestHead } from '../support/raw-client.ts';
import { serve, until } from '../support/serving.ts';

const MIB = 1024 * 1024;
const SIZE = 16 * MIB;
const BODY = Buffer.alloc(SIZE, 'a');
/** The reader takes so much, and then so much time passes. In all it takes several times any deadline below. */
const STEP_BYTES = MIB / 2;
const STEP_MS = 100;
const DEADLINES = { closeDeadline: 500, writeDeadline: 2000, heartbeatInterval: Number.POSITIVE_INFINITY };

const carriers: Record<string, () => Partial<ServerOptions>> = {
  'TCP by handle': () => ({ tcp: 'handle' }),
  'TCP by socket': () => ({ tcp: 'socket' }),
  memory: () => ({ listener: new MemoryListener({ capacityBytes: MIB, chunkBytes: 64 * 1024 }) }),
};

const transports: Transport[] = [];
afterEach(() => {
  for (const transport of transports.splice(0)) transport.destroy();
});

async function open(options: Partial<ServerOptions>, port: number): Promise<Transport> {
  if (options.listener instanceof MemoryListener) return options.listener.connect();
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await new Promise((resolve) => socket.once('connect', resolve));
  return new TcpTransport(socket);
}

/** A client that reads as much as it is told to. */
class Reader {
  got = 0;
  tail = '';
  hasEnded = false;
  #wanted = 0;
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
    transport.attach({
      onBytes: (chunk) => {
        this.got += chunk.length;
        this.tail = (this.tail + String(Buffer.from(chunk.subarray(-20)))).slice(-20);
        if (this.got >= this.#wanted) transport.pause();
      },
      onDrain() {},
      onEnd: () => {
        this.hasEnded = true;
      },
      onError: () => {
        this.hasEnded = true;
      },
      onClosed: () => {
        this.hasEnded = true;
      },
    });
    transport.pause();
  }

  send(data: Uint8Array): void {
    this.#transport.write([data]);
  }

  end(): void {
    this.#transport.end();
  }

  async read(count: number): Promise<void> {
    this.#wanted = this.got + count;
    this.#transport.resume();
    await until(() => this.got >= this.#wanted || this.hasEnded);
  }

  /** Reads all there is, slowly. */
  async slowly(total: number, clock: ManualClock): Promise<void> {
    while (this.got < total && !this.hasEnded) {
      await this.read(Math.min(STEP_BYTES, total - this.got));
      clock.advance(STEP_MS);
    }
  }
}

describe.each(Object.entries(carriers))('%s', (_, carrier) => {
  async function met(handlers: object, more: Partial<ServerOptions> = {}) {
    const options = { ...carrier(), ...DEADLINES, sendLimit: 2 * SIZE, ...more };
    const served = await serve(handlers, options);
    const transport = await open(options, served.port);
    transports.push(transport);
    const reader = new Reader(transport);
    return { ...served, reader };
  }

  test('send(), then close(): the whole message, the Close, and a clean end', async () => {
    let report: CloseReport | undefined;
    const { reader, clock } = await met({
      onOpen(connection: Connection) {
        connection.send(BODY);
        connection.close(1000, 'that was all');
      },
      onClose: (_connection: Connection, closed: CloseReport) => {
        report = closed;
      },
    });
    reader.send(bytes(requestHead()));
    await reader.slowly(SIZE, clock);
    while (!reader.tail.endsWith('that was all') && !reader.hasEnded) await reader.read(1);
    expect(reader.tail.endsWith('that was all')).toBe(true);
    reader.send(closeFrame(1000));
    reader.end();
    await until(() => report !== undefined);
    expect(report).toMatchObject({ code: 1000, wasClean: true, initiator: 'server' });
  });

  test('the peer says Close first: what waited goes before the answer', async () => {
    let opened: Connection | undefined;
    const { reader, clock } = await met({
      onOpen(connection: Connection) {
        opened = connection;
        connection.send(BODY);
      },
    });
    reader.send(bytes(requestHead(), closeFrame(4000)));
    await until(() => opened?.state === 'closing');
    await reader.slowly(SIZE + 10, clock);
    expect(reader.got).toBeGreaterThan(SIZE);
  });

  test.each([
    ['of onRequest', { onRequest: () => ({ status: 200, body: BODY }) }, {}],
    ['of authorize', {}, { authorize: () => ({ status: 403, body: BODY }) }],
  ])('an HTTP answer %s arrives whole', async (_, more, handlers) => {
    const { reader, clock } = await met(handlers, more);
    const isUpgrade = 'authorize' in handlers;
    reader.send(isUpgrade ? bytes(requestHead()) : Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    await reader.slowly(SIZE, clock);
    while (!reader.hasEnded) await reader.read(1);
    expect(reader.got).toBeGreaterThan(SIZE);
    expect(reader.tail.endsWith('aaaa')).toBe(true);
  });

  test('a peer that stops reading is dropped when the longer of both deadlines has passed without progress', async () => {
    let opened: Connection | undefined;
    const { reader, clock } = await met({
      onOpen(connection: Connection) {
        opened = connection;
        connection.send(BODY);
        connection.close();
      },
    });
    reader.send(bytes(requestHead()));
    await until(() => (opened?.bufferedAmount ?? 0) > 0);
    await reader.slowly(2 * MIB, clock);
    clock.advance(1000);
    expect(opened?.state).toBe('closing');
    clock.advance(4000);
    expect(opened?.state).toBe('closed');
  });

  test('failing a connection does not wait for the queue: closeDeadline without progress ends it', async () => {
    let opened: Connection | undefined;
    const { reader, clock } = await met({
      onOpen(connection: Connection) {
        opened = connection;
        connection.send(BODY);
      },
    });
    reader.send(bytes(requestHead()));
    await until(() => (opened?.bufferedAmount ?? 0) > 0);
    reader.send(Buffer.from([0xf1, 0x80, 0, 0, 0, 0])); // reserved bits
    await until(() => opened?.state === 'closing');
    clock.advance(400);
    expect(opened?.state).toBe('closing');
    clock.advance(1000);
    expect(opened?.state).toBe('closed');
  });
});

test('when all has left, closeDeadline is the time for the answer to our Close, and progress moves it no more', async () => {
  const { meet, clock } = await serve({}, DEADLINES);
  const { client, connection } = await meet();
  connection.send('a');
  connection.close();
  await client.nextFrame();
  clock.advance(450);
  expect(connection.state).toBe('closing');
  clock.advance(200);
  expect(connection.state).toBe('closed');
});
