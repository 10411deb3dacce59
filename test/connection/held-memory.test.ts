/** All that a connection makes its server hold is counted, and given back. */
import { describe, expect, test } from 'vitest';
import { HeldMemory } from '../../src/connection/held-memory.ts';
import { Budget, type Side } from '../../src/connection/memory-budget.ts';
import { MemoryBudget, prepare } from '../../src/index.ts';
import { binaryFrame, bytes, RawClient, requestHead, textFrame } from '../support/raw-client.ts';
import { gate, serve, until, word } from '../support/serving.ts';

const KIB = 1024;
const MIB = 1024 * KIB;
const unlimited = () => new MemoryBudget(Number.POSITIVE_INFINITY);
/** A client that has sent nothing yet. */
const knock = (port: number) => RawClient.connect(port, { sendHead: false });
const side = (heldBytes: number): Side => ({ heldBytes, completed: 0, movedBytes: 0, shed: () => {} });

describe('the two sides of a connection', () => {
  test('are not made before they hold something', () => {
    const budget = new Budget(100);
    const memory = new HeldMemory(budget);
    memory.countReading(side(0));
    memory.countSending(side(0));
    expect(budget.holders).toBe(0);
    memory.countReading(side(10));
    memory.countSending(side(20));
    // What is sent is counted by block.
    expect([budget.holders, budget.bytes]).toEqual([2, 10]);
  });

  test('leave together, once; what is held afterwards is counted, and nobody is shed for it', () => {
    const budget = new Budget(100);
    const memory = new HeldMemory(budget);
    memory.countReading(side(10));
    expect([memory.leave(), memory.leave(), memory.isShed]).toEqual([true, false, true]);
    expect([budget.holders, budget.bytes]).toEqual([0, 10]);
    memory.countSending(side(50));
    expect(budget.holders).toBe(0);
  });
});

test('a shed connection gives up once, and later lets its transport hold nothing', () => {
  const memory = new HeldMemory(new Budget(100));
  const did: string[] = [];
  const act = (name: string) => () => void did.push(name);
  const outbox = { waiting: false, drop: act('drop') };
  const owner = {
    report: undefined,
    reading: { forget: act('forget') },
    sending: { ...side(0), outbox, release: act('release') },
    exhausted: act('exhausted'),
    failForMemory: act('fail'),
    destroyTransport: act('destroy'),
  };
  memory.countSendingOf(owner);
  memory.shed(owner);
  memory.shed(owner);
  expect(did).toEqual(['fail', 'drop']);
  outbox.waiting = true;
  memory.countSendingOf(owner);
  expect(did).toEqual(['fail', 'drop', 'destroy', 'release']);
});

describe('counted is', () => {
  test('a request head that comes in pieces, and all of it while authorize decides', async () => {
    const memoryBudget = unlimited();
    const decision = gate<boolean>();
    const { port } = await serve({ authorize: () => decision.promise }, { memoryBudget });
    const client = await knock(port);
    const head = Buffer.from(requestHead({ path: '/echo', headers: { 'X-Long': 'x'.repeat(3000) } }));
    await client.sendBytes(head.subarray(0, 2000));
    await until(() => memoryBudget.bytes >= 2000);
    await client.sendBytes(head.subarray(2000));
    await until(() => memoryBudget.bytes >= 3000);
    decision.open(true);
    await until(() => memoryBudget.bytes === 0);
    expect(memoryBudget.holders).toBe(0);
  });

  test('what comes while authorize decides', async () => {
    const memoryBudget = unlimited();
    const decision = gate<boolean>();
    const heard: number[] = [];
    const { port } = await serve(
      { authorize: () => decision.promise, onMessage: (_, message) => void heard.push(message.length) },
      { memoryBudget },
    );
    const client = await knock(port);
    await client.sendBytes(bytes(requestHead({ path: '/echo' }), binaryFrame(new Uint8Array(10_000))));
    await until(() => memoryBudget.bytes >= 10_000);
    decision.open(true);
    await until(() => heard.length === 1);
    expect([heard, memoryBudget.bytes, memoryBudget.holders]).toEqual([[10_000], 0, 0]);
  });

  test('what waits for a handler, and is delivered after the peer has gone', async () => {
    const memoryBudget = unlimited();
    const handler = gate();
    let heard = 0;
    const { meet, clock } = await serve(
      {
        onMessage: () => {
          heard++;
          return handler.promise;
        },
      },
      { memoryBudget },
    );
    const { client, connection } = await meet();
    const message = binaryFrame(new Uint8Array(10_000));
    await client.sendBytes(bytes(message, message, message));
    await until(() => memoryBudget.bytes >= 20_000);
    client.reset();
    await until(() => connection.state === 'closed');
    clock.advance(2000);
    expect(memoryBudget.bytes).toBeGreaterThanOrEqual(20_000);
    handler.open();
    await until(() => heard === 3);
    await until(() => memoryBudget.bytes === 0);
    expect(memoryBudget.holders).toBe(0);
  });

  test('the rest of a chunk behind a pause', async () => {
    const memoryBudget = unlimited();
    const { meet } = await serve({ onMessage: (connection) => connection.pause() }, { memoryBudget });
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('stop'), binaryFrame(new Uint8Array(10_000))));
    await until(() => memoryBudget.bytes >= 10_000);
    connection.resume();
    await until(() => memoryBudget.bytes === 0);
  });

  test('a first fragment that fits into one chunk, though nothing follows it', async () => {
    const memoryBudget = unlimited();
    const { meet } = await serve({ onMessage: () => {} }, { memoryBudget });
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('x'.repeat(1_000), { fin: false }));
    await until(() => connection.state === 'fragmenting');
    expect(memoryBudget.bytes).toBeGreaterThanOrEqual(1_000);
  });

  test('what a resume reads, though nothing follows it', async () => {
    const memoryBudget = unlimited();
    const onMessage = (connection: { pause(): void; resume(): void }) => {
      connection.pause();
      setImmediate(() => connection.resume());
    };
    const { meet } = await serve({ onMessage }, { memoryBudget });
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('whole'), textFrame('x'.repeat(1_000), { fin: false })));
    await until(() => connection.state === 'fragmenting');
    expect(memoryBudget.bytes).toBeGreaterThanOrEqual(1_000);
  });

  test('one byte of a long message as 64', async () => {
    const memoryBudget = unlimited();
    const { meet } = await serve({}, { memoryBudget });
    const { client } = await meet();
    await client.sendBytes(binaryFrame(new Uint8Array(70_000)).subarray(0, 15));
    await until(() => memoryBudget.bytes > 0);
    expect(memoryBudget.bytes).toBe(64);
  });

  test('a broadcast once, in however many queues it is', async () => {
    const memoryBudget = unlimited();
    const { meet } = await serve({}, { memoryBudget, sendLimit: Number.POSITIVE_INFINITY });
    const peers = [await meet(), await meet(), await meet()];
    const message = prepare(new Uint8Array(16 * MIB));
    for (const { client, connection } of peers) {
      client.pause();
      for (let i = 0; i < 3; i++) connection.send(message);
    }
    expect(memoryBudget.holders).toBe(3);
    expect(memoryBudget.bytes).toBeGreaterThan(16 * MIB);
    expect(memoryBudget.bytes).toBeLessThan(17 * MIB);
    for (const { connection } of peers) connection.terminate();
    expect([memoryBudget.bytes, memoryBudget.holders, memoryBudget.blocks.size]).toEqual([0, 0, 0]);
  });

  test('an answer to a plain request', async () => {
    const memoryBudget = unlimited();
    const onRequest = () => ({ status: 200, body: new Uint8Array(16 * MIB) });
    const { port } = await serve({}, { memoryBudget, onRequest });
    const client = await knock(port);
    client.pause();
    await client.sendBytes(Buffer.from('GET /large HTTP/1.1\r\nHost: portal\r\n\r\n'));
    await until(() => memoryBudget.bytes > 16 * MIB);
    client.reset();
    await until(() => memoryBudget.bytes === 0);
    expect(memoryBudget.holders).toBe(0);
  });
});

describe('what is shed lets go at once', () => {
  test('a handshake gets 503', async () => {
    const memoryBudget = new MemoryBudget(20_000);
    const { port, server } = await serve(
      { authorize: () => new Promise<boolean>(() => {}) },
      { memoryBudget },
    );
    const [first, second] = [await knock(port), await knock(port)];
    const early = bytes(requestHead({ path: '/echo' }), binaryFrame(new Uint8Array(12_000)));
    await first.sendBytes(early);
    await until(() => memoryBudget.bytes > 12_000);
    await second.sendBytes(early);
    expect((await first.response()).status).toBe(503);
    expect(memoryBudget.bytes).toBeLessThan(13_000);
    expect(server.stats().limits).toMatchObject({ memoryBudget: 1 });
  });

  test('messages that wait for a handler are dropped, also those of a peer that has gone', async () => {
    const memoryBudget = new MemoryBudget(30_000);
    let heard = 0;
    const never = new Promise<void>(() => {});
    const onMessage = () => {
      heard++;
      return never;
    };
    const { meet } = await serve({ onMessage }, { memoryBudget });
    const [first, second] = [await meet(), await meet()];
    const message = binaryFrame(new Uint8Array(10_000));
    await first.client.sendBytes(bytes(message, message, message));
    await until(() => memoryBudget.bytes >= 20_000);
    first.client.reset();
    await until(() => first.connection.state === 'closed');
    await second.client.sendBytes(bytes(message, message, message));
    await until(() => heard === 2 && memoryBudget.bytes < 30_000 && memoryBudget.holders === 1);
    expect(second.connection.state).toBe('open');
  });

  test('an answer that its peer does not read goes with its socket', async () => {
    const memoryBudget = new MemoryBudget(20 * MIB);
    const onRequest = () => ({ status: 200, body: new Uint8Array(16 * MIB) });
    const { port, server } = await serve({}, { memoryBudget, onRequest });
    const [first, second] = [await knock(port), await knock(port)];
    for (const client of [first, second]) {
      client.pause();
      await client.sendBytes(Buffer.from('GET /large HTTP/1.1\r\nHost: portal\r\n\r\n'));
      await until(() => memoryBudget.bytes > 16 * MIB);
    }
    await until(() => server.stats().connections.handshaking === 1);
    expect(memoryBudget.bytes).toBeLessThan(17 * MIB);
  });

  test('a sender that is shed by its own message sends nothing more, and the next one is served', async () => {
    const memoryBudget = new MemoryBudget(8 * MIB);
    const { meet } = await serve({}, { memoryBudget, sendLimit: Number.POSITIVE_INFINITY });
    const [stuck, healthy] = [await meet(), await meet()];
    stuck.client.pause();
    stuck.connection.send(new Uint8Array(16 * MIB));
    expect(stuck.connection.send('more')).toBe('closed');
    expect([memoryBudget.bytes, memoryBudget.holders]).toEqual([0, 0]);
    healthy.connection.send('well');
    expect(await word(healthy.client)).toBe('text well');
  });
});
