/**
 * How much memory peers can make a server hold, or several servers that share one budget.
 *
 * Each connection has two sides that can hold something: what it reads (a request head, an unfinished message, messages that
 * wait) and what it sends (its queue, and what its transport still has to write). The sides that hold something stand in a
 * list, in the order of their last progress. Over the limit, the one that has held longest without progress is shed, then
 * the next, until the limit is kept.
 *
 * Caches come before them: what they hold is counted too, and it goes first, since no peer can tell.
 *
 * Progress is what a stalled peer cannot pretend: a message was completed, or at least PROGRESS_BYTES and a PROGRESS_SHARE of
 * what is held have moved. A single byte now and then is no progress.
 */
import type { Cache, CacheMemory } from '../io/extensions/context-cache.ts';
import { HeldBlocks } from '../io/writing/held-blocks.ts';

/** Fewer bytes than this are no progress. */
export const PROGRESS_BYTES = 1024;
/** Less than this part of what is held is no progress. */
export const PROGRESS_SHARE = 1 / 64;
/** How many sides may prove, in one search for a victim, that they moved since anybody looked. */
export const LOOKS = 32;

/** What a connection holds because of what it reads, or because of what it sends. */
export interface Side {
  /** Bytes held now. */
  readonly heldBytes: number;
  /** Changes when a message is completed and leaves. */
  readonly completed: number;
  /** Bytes that have moved; may begin again at 0 when `completed` changes. */
  readonly movedBytes: number;
  /** It has held longest without progress, and must let go now. */
  shed(): void;
}

/** A side's place in the list. */
export class Holder {
  readonly side: Side;
  /** Whether the memory of this side is counted here; that of queues is counted by block. */
  readonly isCounted: boolean;
  /** Bytes it was last counted with. */
  bytes = 0;
  /** It was told to let go, and is not told again. */
  isShed = false;
  /** What had been completed and moved at its last progress. */
  completed = 0;
  movedBytes = 0;
  /** Its neighbours in the list. */
  older: Holder | undefined;
  newer: Holder | undefined;

  constructor(side: Side, isCounted: boolean) {
    this.side = side;
    this.isCounted = isCounted;
  }

  /** Whether it made progress since this was last true. */
  progressed(): boolean {
    const { completed, movedBytes } = this.side;
    if (completed === this.completed) {
      const moved = movedBytes - this.movedBytes;
      if (moved < 0) this.movedBytes = movedBytes;
      if (moved < PROGRESS_BYTES || moved < this.bytes * PROGRESS_SHARE) return false;
    }
    this.completed = completed;
    this.movedBytes = movedBytes;
    return true;
  }
}

export class Budget implements CacheMemory {
  /** Bytes that may be held; may be Infinity. */
  readonly limit: number;
  /** @internal Queued frames, and what transports still have to write. */
  readonly blocks = new HeldBlocks();
  /** Bytes that the sides hold which are counted here; without those of sides that were shed. */
  #bytes = 0;
  /** Bytes of sides that were shed and have not let go yet. */
  #leaving = 0;
  /** Bytes that caches hold. */
  #cachedBytes = 0;
  /** Those that hold something. */
  readonly #caches = new Set<Cache>();
  #holders = 0;
  #oldest: Holder | undefined;
  #newest: Holder | undefined;
  #isShedding = false;
  #looks = 0;
  /** The one that is being counted, if that has just made progress. */
  #moving: Holder | undefined;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes + this.#leaving + this.#cachedBytes + this.blocks.bytes;
  }

  /** @internal Sides that hold something and were not shed. */
  get holders(): number {
    return this.#holders;
  }

  /** @internal How many holders were looked at to find victims, in all. */
  get looks(): number {
    return this.#looks;
  }

  /** @internal Counts what this side holds now, and sheds until the limit is kept. */
  count(holder: Holder): void {
    const bytes = holder.side.heldBytes;
    const change = holder.isCounted ? bytes - holder.bytes : 0;
    const held = holder.bytes > 0;
    holder.bytes = bytes;
    if (holder.isShed) {
      this.#leaving += change;
      return;
    }
    this.#bytes += change;
    if (bytes > 0) this.#keep(holder, held);
    else if (held) this.#unlink(holder);
    // What a victim does to let go may count others: those are left to the loop that runs already.
    if (this.#isShedding) return;
    if (this.#isOver) this.#shed();
    this.#moving = undefined;
  }

  /** @internal This one lets go, and is not shed any more. */
  leave(holder: Holder): void {
    if (holder.isShed) return;
    holder.isShed = true;
    if (holder.bytes === 0) return;
    this.#unlink(holder);
    if (!holder.isCounted) return;
    this.#bytes -= holder.bytes;
    this.#leaving += holder.bytes;
  }

  /** @internal */
  addCache(cache: Cache): void {
    this.#caches.add(cache);
  }

  /** @internal */
  removeCache(cache: Cache): void {
    this.#caches.delete(cache);
  }

  /** @internal So many bytes more in a cache; false when there is no room for them. */
  reserve(bytes: number): boolean {
    const most = this.limit - bytes;
    while (this.#held > most) if (!this.#evict()) return false;
    this.#cachedBytes += bytes;
    return true;
  }

  /** @internal */
  giveBack(bytes: number): void {
    this.#cachedBytes -= bytes;
  }

  /** Lets go of one entry of a cache; false when all are empty. */
  #evict(): boolean {
    for (const cache of this.#caches) if (cache.evict()) return true;
    return false;
  }

  /** Without what is being let go already. */
  get #held(): number {
    return this.#bytes + this.#cachedBytes + this.blocks.bytes;
  }

  get #isOver(): boolean {
    return this.#held > this.limit;
  }

  #shed(): void {
    this.#isShedding = true;
    try {
      while (this.#isOver) {
        if (this.#evict()) continue;
        const victim = this.#findVictim();
        if (victim === undefined) return;
        this.leave(victim);
        victim.side.shed();
      }
    } finally {
      this.#isShedding = false;
    }
  }

  /**
   * The first of the list that has not moved since anybody looked. Nobody is told when a peer reads a part of what waits for
   * it, so it is looked at here. If all of many have moved, the one is taken whose progress was longest ago.
   */
  #findVictim(): Holder | undefined {
    const first = this.#oldest;
    for (let looks = 0; looks < LOOKS; looks++) {
      const oldest = this.#oldest;
      // Back at the first: all have moved.
      if (oldest === undefined || (looks > 0 && oldest === first)) return first;
      this.#looks++;
      if (!oldest.progressed() && oldest !== this.#moving) return oldest;
      this.#unlink(oldest);
      this.#link(oldest);
    }
    return first;
  }

  /** It holds something: a new one, or one that made progress, becomes the newest. */
  #keep(holder: Holder, held: boolean): void {
    if (held) {
      if (!holder.progressed()) return;
      this.#unlink(holder);
    } else {
      holder.completed = holder.side.completed;
      holder.movedBytes = holder.side.movedBytes;
    }
    this.#link(holder);
    if (!this.#isShedding) this.#moving = holder;
  }

  /** Makes it the newest. */
  #link(holder: Holder): void {
    holder.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = holder;
    else this.#newest.newer = holder;
    this.#newest = holder;
    this.#holders++;
  }

  #unlink(holder: Holder): void {
    const { older, newer } = holder;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    holder.older = undefined;
    holder.newer = undefined;
    this.#holders--;
  }
}
