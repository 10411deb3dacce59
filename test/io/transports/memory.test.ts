import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MemoryListener, type MemoryOptions, memoryPair } from '../../../src/io/transports/memory.ts';
import type { Transport, TransportListener } from '../../../src/io/transports/transport.ts';

/** Writes down what a transport tells; `lent` keeps the chunks themselves. */
class Notes implements TransportListener {
  readonly told: string[] = [];
  readonly lent: Uint8Array[] = [];
  onBytes(chunk: Uint8Array, shared: boolean): void {
    this.told.push(`${shared ? 'lent ' : ''}${Buffer.from(chunk).toString('latin1')}`);
    this.lent.push(chunk);
  }
  onDrain(): void {
    this.told.push('<drain>');
  }
  onEnd(): void {
    this.told.push('<end>');
  }
  onError(error: Error): void {
    this.told.push(`<${error.message}>`);
  }
  onClosed(): void {
    this.told.push('<closed>');
  }
}

/** A pair whose tasks run when a test says so. */
function pair(options: MemoryOptions = {}) {
  const tasks: (() => void)[] = [];
  const [server, client] = memoryPair({ schedule: (task) => tasks.push(task), ...options });
  const atServer = new Notes();
  const atClient = new Notes();
  server.attach(atServer);
  client.attach(atClient);
  const run = (): void => {
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) task();
  };
  return { server, client, atServer, atClient, run };
}

const block = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'latin1'));
const written = (transport: Transport, ...texts: string[]): boolean => transport.write(texts.map(block));

test('bytes arrive in order, both ways, and never within a call', () => {
  const { server, client, atServer, atClient, run } = pair();
  expect(written(client, 'ab', '', 'c')).toBe(true);
  expect(written(server, 'x')).toBe(true);
  expect([...atServer.told, ...atClient.told]).toEqual([]);
  run();
  expect(atServer.told).toEqual(['abc']);
  expect(atClient.told).toEqual(['x']);
});

test('the memory of a write that was taken at once may be used again', () => {
  const { client, atServer, run } = pair();
  const memory = Buffer.from('abc');
  expect(client.write([memory])).toBe(true);
  memory.fill(0);
  run();
  expect(atServer.told).toEqual(['abc']);
});

test('the memory of a write that waits is the writer’s: what changes in it too early arrives changed', () => {
  const { client, atServer, run } = pair({ capacityBytes: 2 });
  const memory = block('abcd');
  expect(client.write([memory])).toBe(false);
  memory.set(block('ABCD'));
  run();
  expect(atServer.told).toEqual(['ab', 'CD']);
});

test('a write beyond the capacity waits, and drains when the reader has made room', () => {
  const { server, client, atServer, atClient, run } = pair({ capacityBytes: 4 });
  server.pause();
  expect(written(client, 'abc')).toBe(true);
  expect(written(client, 'defghij')).toBe(false);
  expect(client.bufferedAmount).toBe(6);
  run();
  expect([...atServer.told, ...atClient.told]).toEqual([]);
  server.resume();
  run();
  expect(atServer.told).toEqual(['abcd', 'efgh', 'ij']);
  expect(atClient.told).toEqual(['<drain>']);
  expect(client.bufferedAmount).toBe(0);
  expect(written(client, 'k')).toBe(true);
});

test('chunks are no larger than asked for, and a pause takes effect between two', () => {
  const { server, client, atServer, run } = pair({ chunkBytes: 2 });
  const onBytes = atServer.onBytes.bind(atServer);
  atServer.onBytes = (chunk, shared) => {
    onBytes(chunk, shared);
    server.pause();
  };
  written(client, 'abcde');
  run();
  expect(atServer.told).toEqual(['ab']);
  server.resume();
  run();
  server.resume();
  run();
  expect(atServer.told).toEqual(['ab', 'cd', 'e']);
});

test('bytes that are only lent are overwritten when the call returns, at the server’s side alone', () => {
  const { server, client, atServer, atClient, run } = pair({ shared: true });
  written(client, 'abc');
  written(server, 'xyz');
  run();
  expect(atServer.told).toEqual(['lent abc']);
  expect([...(atServer.lent[0] as Uint8Array)]).toEqual([0xee, 0xee, 0xee]);
  expect(atClient.told).toEqual(['xyz']);
  expect(atClient.lent[0]).toEqual(Buffer.from('xyz'));
});

test('each side ends by itself; the other may go on, and both are closed when both have ended', () => {
  const { server, client, atServer, atClient, run } = pair();
  written(client, 'last');
  client.end();
  run();
  expect(atServer.told).toEqual(['last', '<end>']);
  expect(atClient.told).toEqual([]);
  written(server, 'answer');
  server.end();
  run();
  expect(atClient.told).toEqual(['answer', '<end>', '<closed>']);
  expect(atServer.told).toEqual(['last', '<end>', '<closed>']);
});

test('an end comes behind what waits, and closes nothing before that has left', () => {
  const { server, client, atServer, atClient, run } = pair({ capacityBytes: 2 });
  server.pause();
  written(client, 'abcd');
  client.end();
  server.end();
  run();
  expect(atClient.told).toEqual(['<end>']);
  expect(atServer.told).toEqual([]);
  server.resume();
  run();
  expect(atServer.told).toEqual(['ab', 'cd', '<end>', '<closed>']);
  expect(atClient.told).toEqual(['<end>', '<drain>', '<closed>']);
});

test('nothing is written after the end', () => {
  const { client, atServer, run } = pair();
  client.end();
  expect(written(client, 'late')).toBe(true);
  client.end();
  run();
  expect(atServer.told).toEqual(['<end>']);
});

test('a side that is destroyed sends what had left and a FIN; who writes to it is reset', () => {
  const { server, client, atServer, atClient, run } = pair();
  written(client, 'abc');
  client.destroy();
  run();
  expect(atClient.told).toEqual(['<closed>']);
  expect(atServer.told).toEqual(['abc', '<end>']);
  expect(written(server, 'late')).toBe(true);
  run();
  expect(atServer.told).toEqual(['abc', '<end>', '<write EPIPE>', '<closed>']);
});

test('what waits is lost with a side that is destroyed', () => {
  const { server, client, atServer, run } = pair({ capacityBytes: 2 });
  server.pause();
  written(client, 'abcd');
  client.destroy();
  server.resume();
  run();
  expect(atServer.told).toEqual(['ab', '<end>']);
});

test('a side that is destroyed with bytes unread resets the other, as TCP does', () => {
  const { server, client, atServer, atClient, run } = pair();
  written(client, 'unread');
  server.destroy();
  run();
  expect(atServer.told).toEqual(['<closed>']);
  expect(atClient.told).toEqual(['<read ECONNRESET>', '<closed>']);
});

test('a reset is an error and an end at once, and bytes on their way are lost', () => {
  const { client, atServer, atClient, run } = pair();
  written(client, 'lost');
  client.reset();
  run();
  expect(atServer.told).toEqual(['<read ECONNRESET>', '<closed>']);
  expect(atClient.told).toEqual(['<closed>']);
});

test('after it is closed a side is told nothing, whatever is called', () => {
  const { server, client, atServer, atClient, run } = pair();
  written(server, 'a');
  client.reset();
  for (const side of [server, client]) {
    side.write([block('b')]);
    side.pause();
    side.resume();
    side.end();
    side.destroy();
  }
  client.reset();
  run();
  expect(atServer.told).toEqual(['<read ECONNRESET>', '<closed>']);
  expect(atClient.told).toEqual(['<closed>']);
});

test('bytes that come before somebody is attached wait', () => {
  const tasks: (() => void)[] = [];
  const [server, client] = memoryPair({ schedule: (task) => tasks.push(task) });
  written(client, 'early');
  const atServer = new Notes();
  server.attach(atServer);
  for (const task of tasks) task();
  expect(atServer.told).toEqual(['early']);
});

test('whatever the sizes, the bytes that arrive are the bytes that were written', () => {
  const size = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(
      fc.array(fc.string({ maxLength: 20 }), { maxLength: 8 }),
      size,
      size,
      (texts, most, chunk) => {
        const { client, atServer, run } = pair({ capacityBytes: most, chunkBytes: chunk });
        const ascii = texts.map((text) => text.replace(/[^\x20-\x7e]/g, '?'));
        for (const text of ascii) written(client, text);
        client.end();
        run();
        expect(atServer.told.join('')).toBe(`${ascii.join('')}<end>`);
        expect(atServer.lent.every((piece) => piece.length <= Math.min(most, chunk))).toBe(true);
      },
    ),
  );
});

test('sizes that hold nothing are refused', () => {
  expect(() => memoryPair({ capacityBytes: 0 })).toThrow(RangeError);
  expect(() => memoryPair({ chunkBytes: Number.NaN })).toThrow(RangeError);
});

test('a listener hands out the other end of each connection, later, and its address', async () => {
  const tasks: (() => void)[] = [];
  const listener = new MemoryListener({ schedule: (task) => tasks.push(task) });
  const accepted: Transport[] = [];
  expect(listener.address()).toBeNull();
  await listener.listen(
    (transport) => accepted.push(transport),
    () => undefined,
  );
  expect(listener.address()).toEqual({ address: 'memory', family: 'memory', port: 0 });
  listener.connect();
  listener.connect('192.0.2.7');
  expect(accepted).toEqual([]);
  for (const task of tasks) task();
  expect(accepted.map(({ name }) => name)).toEqual(['memory', 'memory']);
  expect(accepted.map((transport) => transport.remoteAddress)).toEqual(['127.0.0.1', '192.0.2.7']);
});

test('nobody can connect to a listener that is closed, and one that was on its way is reset', async () => {
  const listener = new MemoryListener();
  const accept = (): void => expect.unreachable();
  expect(() => listener.connect()).toThrow('ECONNREFUSED');
  await listener.listen(accept, () => undefined);
  await expect(listener.listen(accept, () => undefined)).rejects.toThrow('EADDRINUSE');
  const client = listener.connect();
  const notes = new Notes();
  client.attach(notes);
  const closed = new Promise<void>((resolve) => {
    notes.onClosed = resolve;
  });
  await listener.close();
  await closed;
  expect(notes.told).toEqual(['<read ECONNRESET>']);
  expect(() => listener.connect()).toThrow('ECONNREFUSED');
  await listener.listen(accept, () => undefined);
});

test('a listener that is lost says why', async () => {
  const listener = new MemoryListener();
  const failures: string[] = [];
  await listener.listen(
    () => undefined,
    (error) => failures.push(error.message),
  );
  listener.fail(new Error('gone'));
  expect(failures).toEqual(['gone']);
});
