/**
 * Replies made in one turn leave in one write.
 *
 * While a chunk is processed, frames are written one after the other into a shared slab, and the outboxes that have some
 * are remembered. When the turn ends, each is flushed: one block, one write. Outside of a turn, the first frame begins
 * one, which ends when the running callback has returned. When the kernel has taken everything, the slab is filled again
 * from its start; where a write has to wait, its bytes stay, and later frames go after them.
 */
import { Buffer } from 'node:buffer';
import { HeldBlocks } from './held-blocks.ts';

/** Bytes of a slab; larger frames get memory of their own. */
export const SLAB_BYTES = 64 * 1024;
/** A block for one large frame is kept for the next one up to this size. */
const KEPT_BYTES = 256 * 1024;

/** What is flushed at the end of a turn. */
export interface Flushable {
  /** Writes what there is; calls `pin` when some of it has to wait. */
  flush(): void;
}

export class WriteTurn {
  /** Queued frames, and blocks that transports still have to write. */
  readonly held: HeldBlocks;
  slab: Buffer = Buffer.allocUnsafeSlow(SLAB_BYTES);
  used = 0;

  /** Bytes of this slab wait in some transport: it is only ever filled further, never begun again. */
  #pinned = false;
  #kept: Buffer | undefined;
  readonly #schedule: (task: () => void) => void;
  readonly #afterReads: (task: () => void) => void;
  readonly #dirty: Flushable[] = [];
  #depth = 0;
  #scheduled = false;
  #endsAfterReads = false;

  /**
   * `schedule` runs a task when the running callback has returned, `afterReads` when the event loop has read from all
   * sockets; what waits for peers is counted in `held`.
   */
  constructor(
    schedule: (task: () => void) => void,
    held = new HeldBlocks(),
    afterReads: (task: () => void) => void = schedule,
  ) {
    this.#schedule = schedule;
    this.#afterReads = afterReads;
    this.held = held;
  }

  begin(): void {
    this.#depth++;
  }

  end(): void {
    if (--this.#depth === 0 && this.#dirty.length > 0) this.#flush();
  }

  /** Ends a turn, but what was read comes in pieces: the replies to the next ones are to leave in the same write. */
  endAfterReads(): void {
    if (--this.#depth > 0 || this.#dirty.length === 0 || this.#endsAfterReads) return;
    this.#endsAfterReads = true;
    this.#afterReads(() => {
      this.#endsAfterReads = false;
      if (this.#depth === 0) this.#flush();
    });
  }

  /** `outbox` has something to flush. */
  mark(outbox: Flushable): void {
    this.#dirty.push(outbox);
    if (this.#depth > 0 || this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(() => {
      this.#scheduled = false;
      if (this.#depth === 0) this.#flush();
    });
  }

  /** Makes room for `bytes`, at most SLAB_BYTES, after what is in the slab; returns where. */
  reserve(bytes: number): number {
    if (this.used + bytes > SLAB_BYTES) {
      this.slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.used = 0;
      this.#pinned = false;
    }
    return this.used;
  }

  /** A block of at least `bytes` for one large frame. */
  borrow(bytes: number): Buffer {
    const kept = this.#kept;
    if (kept === undefined || kept.length < bytes) {
      return Buffer.allocUnsafeSlow(Math.max(bytes, KEPT_BYTES));
    }
    this.#kept = undefined;
    return kept;
  }

  /** Returns a borrowed block that no transport holds. */
  giveBack(block: Buffer): void {
    if (block.length === KEPT_BYTES) this.#kept = block;
  }

  /** Bytes of the slab are still to be read by a transport. */
  pin(): void {
    this.#pinned = true;
  }

  #flush(): void {
    for (let i = 0; i < this.#dirty.length; i++) (this.#dirty[i] as Flushable).flush();
    this.#dirty.length = 0;
    if (!this.#pinned) this.used = 0;
  }
}
