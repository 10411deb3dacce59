/** Who is shed when peers make servers hold too much: who held longest without progress. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Budget, Holder, LOOKS, PROGRESS_BYTES, type Side } from '../../src/connection/memory-budget.ts';
import { MemoryBudget } from '../../src/index.ts';
import { binaryFrame, bytes, closeFrame, continuationFrame, textFrame } from '../support/raw-client.ts';
import { reportOf, serve, until, word } from '../support/serving.ts';

/** A side of a connection, and its place in a budget. */
class Fake implements Side {
  heldBytes = 0;
  completed = 0;
  movedBytes = 0;
  sheds = 0;
  /** What it does when it is shed. */
  onShed = () => this.hold(0);
  readonly holder: Holder;
  readonly #budget: Budget;

  constructor(budget: Budget, isCounted = true) {
    this.#budget = budget;
    this.holder = new Holder(this, isCounted);
  }

  hold(bytes: number): void {
    this.heldBytes = bytes;
    this.#budget.count(this.holder);
  }

  /** Bytes move, and it holds as much as before. */
  move(bytes: number): void {
    this.movedBytes += bytes;
    this.#budget.count(this.holder);
  }

  shed(): void {
    this.sheds++;
    this.onShed();
  }
}

function fakes(budget: Budget, count: number): Fake[] {
  return Array.from({ length: count }, () => new Fake(budget));
}

const shedOf = (all: readonly Fake[]) => all.flatMap(({ sheds }, i) => Array<number>(sheds).fill(i));

describe('the sum', () => {
  test('is what is held, and who holds something is kept', () => {
    const budget = new Budget(100);
    const [a, b] = fakes(budget, 2) as [Fake, Fake];
    a.hold(10);
    b.hold(90);
    expect([budget.bytes, budget.holders, shedOf([a, b])]).toEqual([100, 2, []]);
    a.hold(0);
    b.hold(20);
    expect([budget.bytes, budget.holders]).toEqual([20, 1]);
  });

  test('has what a shed one still holds until it lets go; it is not shed again, and nobody in its place', () => {
    const budget = new Budget(100);
    const [slow, other] = fakes(budget, 2) as [Fake, Fake];
    slow.onShed = () => {};
    slow.hold(60);
    other.hold(50);
    expect([budget.bytes, budget.holders, shedOf([slow, other])]).toEqual([110, 1, [0]]);
    other.hold(60);
    slow.hold(30);
    expect([budget.bytes, shedOf([slow, other])]).toEqual([90, [0]]);
    slow.hold(0);
    expect([budget.bytes, budget.holders]).toEqual([60, 1]);
  });

  test('counts blocks beside sides, once', () => {
    const budget = new Budget(2000);
    const [a, b] = [new Fake(budget, false), new Fake(budget, false)];
    const block = new Uint8Array(1000);
    for (const side of [a, b]) {
      budget.blocks.hold(block);
      side.hold(1000);
    }
    expect([budget.bytes < 2000, budget.holders, shedOf([a, b])]).toEqual([true, 2, []]);
    a.onShed = () => {
      budget.blocks.letGo(block);
      a.hold(0);
    };
    b.onShed = () => {
      budget.blocks.letGo(block);
      b.hold(0);
    };
    budget.blocks.hold(new Uint8Array(1000));
    new Fake(budget, false).hold(1000);
    expect([budget.bytes > 1000, shedOf([a, b])]).toEqual([true, [0, 1]]);
  });

  test('is that of the holders, and within the limit, whatever they do', () => {
    const step = fc.record({ who: fc.nat(5), bytes: fc.nat(200), moved: fc.nat(3000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const budget = new Budget(300);
        const sides = fakes(budget, 6);
        for (const { who, bytes, moved } of steps) {
          const side = sides[who] as Fake;
          side.movedBytes += moved;
          side.hold(side.sheds > 0 ? 0 : bytes);
          expect(budget.bytes).toBe(sides.reduce((sum, { heldBytes }) => sum + heldBytes, 0));
          expect(budget.bytes).toBeLessThanOrEqual(300);
          expect(budget.holders).toBe(sides.filter(({ heldBytes }) => heldBytes > 0).length);
          expect(sides.every(({ sheds }) => sheds < 2)).toBe(true);
        }
      }),
    );
  });
});

describe('the victim', () => {
  test('is the one that has held longest, neither the largest nor the one that grew, until the limit is kept', () => {
    const budget = new Budget(100);
    const [first, second, large] = fakes(budget, 3) as [Fake, Fake, Fake];
    first.hold(1);
    second.hold(30);
    large.hold(69);
    expect(shedOf([first, second, large])).toEqual([]);
    large.hold(70);
    expect(shedOf([first, second, large])).toEqual([0]);
    large.hold(100);
    expect([shedOf([first, second, large]), budget.bytes]).toEqual([[0, 1], 100]);
  });

  test('is the one that holds too much alone', () => {
    const budget = new Budget(100);
    const [alone] = fakes(budget, 1) as [Fake];
    alone.hold(101);
    expect([alone.sheds, budget.bytes, budget.holders]).toEqual([1, 0, 0]);
  });

  test.each([
    ['a byte less than a KiB is none', 10, PROGRESS_BYTES - 1, false],
    ['a KiB is some', 10, PROGRESS_BYTES, true],
    ['less than a share of what is held is none', 640_000, 9_999, false],
    ['a share of what is held is some', 640_000, 10_000, true],
  ])('of progress: %s', (_, held, moved, isProgress) => {
    const budget = new Budget(1_000_000);
    const [first, second] = fakes(budget, 2) as [Fake, Fake];
    first.hold(held);
    second.hold(10);
    first.move(moved);
    second.hold(1_000_000);
    expect(shedOf([first, second])).toEqual(isProgress ? [1] : [0]);
  });

  test('single bytes are progress when there are enough of them, once', () => {
    const budget = new Budget(1000);
    const sides = fakes(budget, 3) as [Fake, Fake, Fake];
    const [trickle, honest, last] = sides;
    trickle.hold(100);
    honest.hold(100);
    for (let i = 0; i < PROGRESS_BYTES; i++) trickle.move(1);
    honest.move(PROGRESS_BYTES);
    for (let i = 0; i < PROGRESS_BYTES - 1; i++) trickle.move(1);
    last.hold(801);
    expect(shedOf(sides)).toEqual([0]);
  });

  test('a message that was completed is progress', () => {
    const budget = new Budget(1000);
    const sides = fakes(budget, 2) as [Fake, Fake];
    for (const side of sides) side.hold(100);
    sides[0].completed++;
    sides[0].hold(100);
    sides[1].hold(1000);
    expect(shedOf(sides)).toEqual([1]);
  });

  test('what begins again at 0 has moved nothing, and counts from there', () => {
    const budget = new Budget(1_000_000);
    const [side, other] = fakes(budget, 2) as [Fake, Fake];
    side.movedBytes = 5000;
    side.hold(100);
    other.hold(100);
    side.movedBytes = 10;
    side.hold(100);
    side.move(PROGRESS_BYTES);
    other.hold(1_000_000);
    expect(shedOf([side, other])).toEqual([1]);
  });

  test('nobody is told when a peer reads: who moved since is looked at before somebody is shed', () => {
    const budget = new Budget(1000);
    const [reads, stuck, last] = fakes(budget, 3) as [Fake, Fake, Fake];
    reads.hold(400);
    stuck.hold(400);
    reads.movedBytes = 5000;
    last.hold(300);
    expect(shedOf([reads, stuck, last])).toEqual([1]);
  });

  test('if all have moved, it is the one whose progress was longest ago', () => {
    const budget = new Budget(1000);
    const all = fakes(budget, 3);
    for (const side of all) side.hold(300);
    for (const side of all) side.movedBytes = 5000;
    all[2]?.hold(500);
    expect(shedOf(all)).toEqual([0]);
  });

  test('a shed that makes others count themselves ends', () => {
    const budget = new Budget(100);
    const [chatty, other] = fakes(budget, 2) as [Fake, Fake];
    chatty.onShed = () => {
      chatty.hold(500);
      other.hold(60);
    };
    chatty.hold(70);
    other.hold(50);
    expect([shedOf([chatty, other]), budget.bytes]).toEqual([[0], 560]);
    chatty.hold(0);
    expect(budget.bytes).toBe(60);
  });

  test('is found in a few looks among 60,000, whoever has moved', () => {
    const count = 60_000;
    const budget = new Budget(count * 10);
    const all = fakes(budget, count);
    for (const side of all) side.hold(10);
    for (const [i, side] of all.entries()) if (i % 2 === 0) side.movedBytes = 5000;
    const extra = new Fake(budget);
    for (let held = 10; held <= 10_000; held += 10) {
      const before = budget.looks;
      extra.hold(held);
      expect(budget.looks - before).toBeLessThanOrEqual(LOOKS);
    }
    expect([shedOf(all).length, shedOf(all).slice(0, 3), budget.holders]).toEqual([
      1000,
      [1, 3, 5],
      count - 999,
    ]);
  });
});

const budgeted = (limit = Number.POSITIVE_INFINITY) => new MemoryBudget(limit);

describe('over the wire', () => {
  /** A frame that lacks its last byte: its whole payload is held. */
  const unfinished = (size: number) => textFrame('x'.repeat(size)).subarray(0, -1);
  const lastByte = (size: number) => textFrame('x'.repeat(size)).subarray(-1);

  test('who held longest closes with 1013; the others live', async () => {
    const budget = budgeted(300_000);
    const { meet, errors } = await serve(
      { onMessage: (connection, message) => void connection.send(`${message.length}`) },
      { memoryBudget: budget },
    );
    const [first, large, last] = [await meet(), await meet(), await meet()];
    await first.client.sendBytes(unfinished(100_000));
    await until(() => budget.bytes === 100_000);
    await large.client.sendBytes(unfinished(200_000));
    await until(() => budget.bytes === 300_000);
    expect(first.connection.state).toBe('open');
    await last.client.sendBytes(unfinished(1_000));
    expect(await first.client.closeFrame()).toEqual({ code: 1013, reason: 'server is short of memory' });
    expect(errors).toMatchObject([
      { connection: first.connection, error: { code: 'ERR_LIMIT', limit: 'memoryBudget', closeCode: 1013 } },
    ]);
    // What was shed is released at once, though its closing handshake is not over.
    expect([budget.bytes, first.connection.state]).toEqual([201_000, 'closing']);
    await large.client.sendBytes(lastByte(200_000));
    await last.client.sendBytes(lastByte(1_000));
    expect([await word(large.client), await word(last.client)]).toEqual(['text 200000', 'text 1000']);
    first.client.fin();
    expect(await reportOf(first.connection)).toMatchObject({ code: 1013, initiator: 'server' });
    expect([budget.bytes, budget.holders]).toEqual([0, 0]);
  });

  test('peers that hold a byte each do not starve an upload', async () => {
    const budget = budgeted(100_000);
    let whole = 0;
    const { meet } = await serve({ onMessage: () => void whole++ }, { memoryBudget: budget });
    const tiny = binaryFrame(new Uint8Array(70_000)).subarray(0, 15);
    const hoarders = await Promise.all(Array.from({ length: 60 }, () => meet()));
    for (const { client } of hoarders) await client.sendBytes(tiny);
    await until(() => budget.holders === 60);
    expect(budget.bytes).toBeLessThanOrEqual(60 * 64);
    for (let i = 0; i < 3; i++) {
      const { client, connection } = await meet();
      const upload = binaryFrame(new Uint8Array(90_000));
      await client.sendBytes(upload.subarray(0, 50_000));
      await until(() => budget.bytes > 50_000);
      await client.sendBytes(upload.subarray(50_000));
      await until(() => whole === i + 1);
      expect(connection.state).toBe('open');
    }
  });

  test('a queue that moves outlives one that is stuck, and what the socket could not take counts', async () => {
    const MIB = 1024 * 1024;
    const budget = budgeted(40 * MIB);
    const { meet, errors, server } = await serve({}, { memoryBudget: budget, sendLimit: 64 * MIB });
    const [slow, slower] = [await meet(), await meet()];
    for (const { client } of [slow, slower]) client.pause();
    slow.connection.send(new Uint8Array(12 * MIB));
    slower.connection.send(new Uint8Array(16 * MIB));
    await until(() => budget.bytes > 28 * MIB);
    expect([slow.connection.state, slower.connection.state]).toEqual(['open', 'open']);
    slow.connection.send(new Uint8Array(28 * MIB));
    expect([slow.connection.state, slower.connection.state]).toEqual(['closing', 'open']);
    expect(errors).toMatchObject([{ connection: slow.connection, error: { limit: 'memoryBudget' } }]);
    // Its peer does not read: what its socket holds goes with the socket, and not at closeDeadline.
    expect(budget.bytes).toBeLessThan(17 * MIB);
    expect(await reportOf(slow.connection)).toMatchObject({ code: 1013, initiator: 'server' });
    expect(server.stats().limits).toMatchObject({ memoryBudget: 1 });
    slower.client.resume();
    expect((await slower.client.nextFrame()).payload.length).toBe(16 * MIB);
    await slower.connection.drained();
    expect([budget.bytes, budget.holders, budget.blocks.size]).toEqual([0, 0, 0]);
  });

  test('every end gives back what was counted', async () => {
    const budget = budgeted();
    const { meet, server, clock } = await serve(
      {},
      { cap: 500_000, closeDeadline: 1000, memoryBudget: budget },
    );
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
      await until(() => budget.bytes >= 100_000);
      await end(peer);
      await until(() => peer.connection.state === 'closing' || peer.connection.state === 'closed');
      clock.advance(1100);
      await until(() => peer.connection.state === 'closed');
      expect([budget.bytes, budget.holders]).toEqual([0, 0]);
    }
    expect(server.connections.size).toBe(0);
  });
});

describe('whose budget it is', () => {
  const fragment = (size: number) => binaryFrame(new Uint8Array(size), { fin: false });

  test('a server has its own: what one holds closes no connection of another', async () => {
    const large = budgeted();
    const [generous, small] = [
      await serve({}, { memoryBudget: large }),
      await serve({}, { memoryBudget: 1000 }),
    ];
    const kept = await generous.meet();
    await kept.client.sendBytes(fragment(500_000));
    await until(() => large.bytes >= 500_000);
    const { client } = await small.meet();
    await client.sendBytes(fragment(5000));
    expect(await client.closeFrame()).toMatchObject({ code: 1013 });
    expect(kept.connection.state).toBe('fragmenting');
    expect(generous.server.stats().limits).toEqual({});
  });

  test('several servers may share one: who held longest goes, whichever server it is of', async () => {
    const shared = budgeted(100_000);
    const [one, two] = [await serve({}, { memoryBudget: shared }), await serve({}, { memoryBudget: shared })];
    const [first, second] = [await one.meet(), await two.meet()];
    await first.client.sendBytes(fragment(20_000));
    await until(() => shared.bytes >= 20_000);
    // A fragment that does not end its message gets twice its room.
    await second.client.sendBytes(fragment(40_000));
    expect(await first.client.closeFrame()).toMatchObject({ code: 1013 });
    expect([second.connection.state, two.server.stats().limits]).toEqual(['fragmenting', {}]);
    second.connection.terminate();
    await until(() => shared.bytes === 0);
    expect(shared.holders).toBe(0);
  });
});
