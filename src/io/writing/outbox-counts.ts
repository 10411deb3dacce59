/**
 * What one connection has given to its transport, and what waits.
 *
 * `Outbox` is built on this. It is a base class and not a part of its own, so that a connection has no further object.
 */
import type { SendQueue } from './send-queue.ts';
import type { TurnWriter } from './turn-writer.ts';

export abstract class OutboxCounts {
  protected readonly writer: TurnWriter;
  /** What cannot be given to the transport yet; undefined when that is nothing. */
  protected queue: SendQueue | undefined;

  constructor(writer: TurnWriter) {
    this.writer = writer;
    this.queue = undefined;
  }

  /** Bytes given to the transport. */
  get bytes(): number {
    return this.writer.bytes;
  }

  /** Bytes accepted that the network has not taken. */
  get bufferedAmount(): number {
    return this.writer.bufferedAmount + this.queuedBytes;
  }

  /** Of the bytes given to the transport, those that it could not write yet. They become fewer as the peer reads. */
  get unsentBytes(): number {
    return this.writer.unsentBytes;
  }

  /** Bytes that the system has taken. */
  get takenBytes(): number {
    return this.bytes - this.unsentBytes;
  }

  /** Bytes of memory in the queue. */
  get queuedBytes(): number {
    return this.queue?.bytes ?? 0;
  }

  /** True while the transport holds bytes that it could not write. */
  get waiting(): boolean {
    return this.writer.waiting;
  }
}
