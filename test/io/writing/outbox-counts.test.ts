// The counts as an outbox shows them are tested with it; here what they are made of.
import { expect, test } from 'vitest';
import { HeldBlocks } from '../../../src/io/writing/held-blocks.ts';
import { OutboxCounts } from '../../../src/io/writing/outbox-counts.ts';
import { SendQueue } from '../../../src/io/writing/send-queue.ts';
import type { TurnWriter } from '../../../src/io/writing/turn-writer.ts';

class Counts extends OutboxCounts {
  constructor(writer: Partial<TurnWriter>, queued: number) {
    super(writer as TurnWriter);
    if (queued === 0) return;
    this.queue = new SendQueue(new HeldBlocks());
    this.queue.push(new Uint8Array(queued), undefined);
  }
}

test('what waits is what the writer has and what is queued', () => {
  const counts = new Counts({ bytes: 100, bufferedAmount: 30, unsentBytes: 20, waiting: true }, 7);
  expect([counts.bytes, counts.takenBytes, counts.unsentBytes]).toEqual([100, 80, 20]);
  expect([counts.bufferedAmount, counts.queuedBytes, counts.waiting]).toEqual([37, 7, true]);
  expect(new Counts({ bufferedAmount: 0, unsentBytes: 0 }, 0).bufferedAmount).toBe(0);
});
