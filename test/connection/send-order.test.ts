/** Messages leave in the order of the calls, however they are sent and however slowly the peer reads. */
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { type Connection, createServer, type Message, prepare, type Server } from '../../src/index.ts';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import { ClientPeer } from '../../src/testing/peer.ts';
import { bytes, OPCODE, requestHead } from '../support/raw-client.ts';
import { until } from '../support/serving.ts';

let server: Server | undefined;
afterEach(async () => void (await server?.stop({ deadline: 0 })));

/** A connection through which few bytes go at a time, and what its peer has read. */
async function meet() {
  const listener = new MemoryListener({ capacityBytes: 50, chunkBytes: 20 });
  let connection: Connection | undefined;
  const onOpen = (opened: Connection) => {
    connection = opened;
  };
  server = createServer({ port: 0, listener, paths: { '/echo': { onOpen } } });
  await server.start();
  const transport = listener.connect();
  const messages: string[] = [];
  const pings: string[] = [];
  let isClosed = false;
  const peer = new ClientPeer(transport, {
    onFrame({ opcode, data, message }) {
      if (opcode === OPCODE.ping) pings.push(String(Buffer.from(data as Uint8Array)));
      else if (opcode === OPCODE.close) isClosed = true;
      else if (message !== undefined) {
        messages.push(typeof message === 'string' ? message : String(Buffer.from(message)));
      }
    },
  });
  void peer.send(bytes(requestHead({}, 'memory')));
  await until(() => connection !== undefined);
  return {
    connection: connection as unknown as Connection,
    transport,
    messages,
    pings,
    isClosed: () => isClosed,
  };
}

type Kind = 'text' | 'binary' | 'prepared' | 'pieces' | 'bytes' | 'slow' | 'ping' | 'stall' | 'read' | 'turn';
interface Act {
  readonly kind: Kind;
  readonly size: number;
}
const acts = (...kinds: Kind[]): fc.Arbitrary<Act[]> =>
  fc.array(fc.record({ kind: fc.constantFrom(...kinds), size: fc.nat(120) }), { maxLength: 25 });

/** Does what is wanted, and says what the peer must get for it. */
function perform(
  { kind, size }: Act,
  name: string,
  { connection, transport }: Awaited<ReturnType<typeof meet>>,
): { message?: string; ping?: string; sent?: Promise<unknown>; wait?: Promise<void> } {
  const message = `${name} ${'x'.repeat(size)}`;
  const cut: Message[] = [message.slice(0, 3), message.slice(3, size), '', message.slice(Math.max(3, size))];
  async function* slowly() {
    for (const piece of cut) {
      for (let turns = size % 4; turns > 0; turns--) await turn();
      yield piece;
    }
  }
  switch (kind) {
    case 'text':
      connection.send(message);
      return { message };
    case 'binary':
      connection.send(Buffer.from(message));
      return { message };
    case 'prepared':
      connection.send(prepare(message), { key: name });
      return { message };
    case 'pieces':
      return { message, sent: connection.sendFragments(cut) };
    case 'bytes':
      return { message, sent: connection.sendFragments(cut.map((piece) => Buffer.from(piece as string))) };
    case 'slow':
      return { message, sent: connection.sendFragments(slowly()) };
    case 'ping':
      return connection.sendPing(name) ? { ping: name } : {};
    case 'stall':
      transport.pause();
      return {};
    case 'read':
      transport.resume();
      return {};
    case 'turn':
      return { wait: turn() };
  }
}

/** Does one after the other. */
async function performAll(given: readonly Act[], met: Awaited<ReturnType<typeof meet>>) {
  const done = [];
  for (const [i, act] of given.entries()) {
    const step = perform(act, `${i}`, met);
    done.push(step);
    await step.wait;
  }
  return done;
}

describe('whatever is sent in whichever way, while the peer reads and does not', () => {
  const numRuns = 60;

  test('arrives whole and in the order of the calls; Pings keep theirs', async () => {
    const kinds = acts(
      'text',
      'binary',
      'prepared',
      'pieces',
      'bytes',
      'slow',
      'ping',
      'stall',
      'read',
      'turn',
    );
    await fc.assert(
      fc.asyncProperty(kinds, async (given) => {
        const met = await meet();
        const done = await performAll(given, met);
        met.transport.resume();
        await Promise.all(done.map(({ sent }) => sent));
        await met.connection.drained();
        expect(met.connection.bufferedAmount).toBe(0);
        met.connection.close();
        await until(met.isClosed);
        expect(met.messages).toEqual(done.flatMap(({ message }) => message ?? []));
        expect(met.pings).toEqual(done.flatMap(({ ping }) => ping ?? []));
        await server?.stop({ deadline: 0 });
      }),
      { numRuns },
    );
  });

  test('and goes before a Close that follows, as long as its pieces are there', async () => {
    const kinds = acts('text', 'binary', 'prepared', 'pieces', 'bytes', 'ping', 'stall', 'read', 'turn');
    await fc.assert(
      fc.asyncProperty(kinds, async (given) => {
        const met = await meet();
        const done = await performAll(given, met);
        met.connection.close();
        met.transport.resume();
        await until(met.isClosed);
        expect(met.messages).toEqual(done.flatMap(({ message }) => message ?? []));
        expect(await Promise.all(done.flatMap(({ sent }) => sent ?? []))).not.toContain('closed');
        await server?.stop({ deadline: 0 });
      }),
      { numRuns },
    );
  });
});
