/** The memory that peers make this process hold: counted for all together, and the largest holders are shed. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Holder, MemoryBudget, processBudget } from '../../src/connection/memory-budget.ts';
import { bytes, closeFrame, continuationFrame, textFrame } from '../support/raw-client.ts';
import { reportOf, serve, until, word } from '../support/serving.ts';

class Fake implements Holder {
  countedBytes = 0;
  sheds = 0;
  shed(): void {
    this.sheds += 1;
  }
}

describe('the budget alone', () => {
  test('keeps the sum, and who holds something', () => {
    const budget = new MemoryBudget();
    const [a, b] = [new Fake(), new Fake()];
    budget.count(a, 10, 100);
    budget.count(b, 90, 100);
    expect([budget.bytes, budget.holders, a.sheds + b.sheds]).toEqual([100, 2, 0]);
    budget.count(a, 0, 100);
    budget.count(b, 20, 100);
    expect([budget.bytes, budget.holders]).toEqual([20, 1]);
  });

  test('sheds the largest, not the one that grew, until the limit is kept', () => {
    const budget = new MemoryBudget();
    const [small, large, larger] = [new Fake(), new Fake(), new Fake()];
    budget.count(large, 40, 100);
    budget.count(larger, 50, 100);
    budget.count(small, 10, 100);
    expect(larger.sheds).toBe(0);
    budget.count(small, 11, 100);
    expect([small.sheds, large.sheds, larger.sheds, budget.bytes]).toEqual([0, 0, 1, 51]);
    budget.count(small, 101, 100);
    expect([small.sheds, large.sheds, budget.bytes]).toEqual([1, 0, 40]);
  });

  test('what was shed is counted no more, whatever it still holds', () => {
    const budget = new MemoryBudget();
    const holder = new Fake();
    budget.count(holder, 101, 100);
    budget.count(holder, 200, 100);
    budget.count(holder, 0, 100);
    expect([holder.sheds, budget.bytes, budget.holders]).toEqual([1, 0, 0]);
  });

  test('one that lets go over the limit sheds nobody', () => {
    const budget = new MemoryBudget();
    const holder = new Fake();
    budget.count(holder, 100, 1000);
    budget.count(holder, 90, 50);
    expect(holder.sheds).toBe(0);
  });

  test('a shed that makes another holder count itself ends', () => {
    const budget = new MemoryBudget();
    const other = new Fake();
    const chatty = new (class extends Fake {
      override shed(): void {
        super.shed();
        budget.count(this, 500, 100);
        budget.count(other, 60, 100);
      }
    })();
    budget.count(other, 50, 100);
    budget.count(chatty, 70, 100);
    expect([chatty.sheds, other.sheds, budget.bytes]).toEqual([1, 0, 60]);
  });

  test('never holds more than the limit, and its sum is that of the holders', () => {
    const step = fc.record({ who: fc.nat(5), bytes: fc.nat(200) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new MemoryBudget();
        const holders = Array.from({ length: 6 }, () => new Fake());
        for (const { who, bytes } of steps) {
          budget.count(holders[who] as Fake, bytes, 300);
          const counted = holders.filter(({ countedBytes }) => countedBytes > 0);
          expect(budget.bytes).toBe(counted.reduce((sum, { countedBytes }) => sum + countedBytes, 0));
          expect(budget.bytes).toBeLessThanOrEqual(300);
          expect(budget.holders).toBe(counted.length);
        }
      }),
    );
  });
});

describe('over the wire', () => {
  /** A frame that lacks its last byte: its whole payload is held. */
  const unfinished = (size: number) => textFrame('x'.repeat(size)).subarray(0, -1);
  const lastByte = (size: number) => textFrame('x'.repeat(size)).subarray(-1);

  test('the connection with the largest unfinished message closes with 1013; the others live', async () => {
    const { meet, errors } = await serve(
      { onMessage: (connection, message) => void connection.send(`${message.length}`) },
      { memoryBudget: 300_000 },
    );
    const [large, small, last] = [await meet(), await meet(), await meet()];
    await large.client.sendBytes(unfinished(200_000));
    await until(() => processBudget.bytes === 200_000);
    await small.client.sendBytes(unfinished(100_000));
    await until(() => processBudget.bytes === 300_000);
    expect(large.connection.state).toBe('open');
    await last.client.sendBytes(unfinished(1_000));
    expect(await large.client.closeFrame()).toEqual({ code: 1013, reason: 'server is short of memory' });
    expect(errors).toMatchObject([
      { connection: large.connection, error: { code: 'ERR_LIMIT', limit: 'memoryBudget', closeCode: 1013 } },
    ]);
    await small.client.sendBytes(lastByte(100_000));
    await last.client.sendBytes(lastByte(1_000));
    expect([await word(small.client), await word(last.client)]).toEqual(['text 100000', 'text 1000']);
    large.client.fin();
    expect(await reportOf(large.connection)).toMatchObject({ code: 1013, initiator: 'server' });
    expect(processBudget.bytes).toBe(0);
  });

  test('a first fragment that fits into one chunk counts, though nothing follows it', async () => {
    const { meet } = await serve({ onMessage: () => {} });
    const { client, connection } = await meet();
    await client.sendBytes(textFrame('x'.repeat(1_000), { fin: false }));
    await until(() => connection.state === 'fragmenting');
    expect(processBudget.bytes).toBeGreaterThanOrEqual(1_000);
  });

  test('what a resume reads counts, though nothing follows it', async () => {
    const { meet } = await serve({
      onMessage(connection) {
        connection.pause();
        setImmediate(() => connection.resume());
      },
    });
    const { client, connection } = await meet();
    await client.sendBytes(bytes(textFrame('whole'), textFrame('x'.repeat(1_000), { fin: false })));
    await until(() => connection.state === 'fragmenting');
    expect(processBudget.bytes).toBeGreaterThanOrEqual(1_000);
  });

  test('send queues count, what the socket could not take included', async () => {
    const MIB = 1024 * 1024;
    const { meet, errors } = await serve({}, { memoryBudget: 40 * MIB, sendLimit: 64 * MIB });
    const [slow, slower] = [await meet(), await meet()];
    for (const { client } of [slow, slower]) client.pause();
    slow.connection.send(new Uint8Array(12 * MIB));
    slower.connection.send(new Uint8Array(16 * MIB));
    await until(() => processBudget.bytes > 8 * MIB);
    expect([slow.connection.state, slower.connection.state]).toEqual(['open', 'open']);
    slow.connection.send(new Uint8Array(28 * MIB));
    expect([slow.connection.state, slower.connection.state]).toEqual(['closing', 'open']);
    expect(errors).toMatchObject([{ connection: slow.connection, error: { limit: 'memoryBudget' } }]);
    slower.client.resume();
    expect((await slower.client.nextFrame()).payload.length).toBe(16 * MIB);
    await slower.connection.drained();
    expect(processBudget.bytes).toBe(0);
  });

  test('every end gives back what was counted', async () => {
    const { meet, server, clock } = await serve({}, { cap: 500_000, closeDeadline: 1000 });
    const ends = [
      (c: Awaited<ReturnType<typeof meet>>) => c.client.reset(),
      (c: Awaited<ReturnType<typeof meet>>) => c.client.fin(),
      (c: Awaited<ReturnType<typeof meet>>) => c.connection.terminate(),
      (c: Awaited<ReturnType<typeof meet>>) => c.client.sendBytes(closeFrame(1000)),
      (c: Awaited<ReturnType<typeof meet>>) => c.client.sendBytes(textFrame('bare', { mask: false })),
      (c: Awaited<ReturnType<typeof meet>>) =>
        c.client.sendBytes(bytes(continuationFrame(new Uint8Array(500_000), { fin: false }))),
    ];
    for (const end of ends) {
      const peer = await meet();
      await peer.client.sendBytes(textFrame('x'.repeat(100_000), { fin: false }));
      await until(() => processBudget.bytes >= 100_000);
      await end(peer);
      await until(() => peer.connection.state === 'closing' || peer.connection.state === 'closed');
      clock.advance(1100);
      await until(() => peer.connection.state === 'closed');
      expect([processBudget.bytes, processBudget.holders]).toEqual([0, 0]);
    }
    expect(server.connections.size).toBe(0);
  });
});
