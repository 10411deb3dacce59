/**
 * The compression contexts of many connections, as a cache.
 *
 * To go on with a context is a permission and not a duty (RFC 7692 7.1.1): a message that refers to nothing before it can be
 * read by every peer. So a context may be thrown away at any time, and its connection begins a new one with its next message.
 * Here the least recently used ones go first: over a budget of their own, and whenever the server is short of memory.
 */
import { type DeflateLevel, type Deflater, deflaterBytes } from './zlib.ts';

/** Something whose memory can be had back at any time. */
export interface Cache {
  /** Lets go of the least recently used entry; false when there is none. */
  evict(): boolean;
}

/** The memory budget of the server. */
export interface CacheMemory {
  /** It holds something from now on. */
  addCache(cache: Cache): void;
  /** It is empty. */
  removeCache(cache: Cache): void;
  /** So many bytes more; false when there is no room for them, even without all that caches hold. */
  reserve(bytes: number): boolean;
  giveBack(bytes: number): void;
}

interface Entry {
  readonly deflater: Deflater;
  readonly level: DeflateLevel;
  readonly bytes: number;
}

export class ContextCache implements Cache {
  readonly #make: (level: DeflateLevel) => Deflater;
  readonly #budget: number;
  readonly #memory: CacheMemory;
  /** The least recently used first. */
  readonly #entries = new Map<object, Entry>();
  #bytes = 0;

  /** `budget`: bytes that all contexts together may have. */
  constructor(make: (level: DeflateLevel) => Deflater, budget: number, memory: CacheMemory) {
    this.#make = make;
    this.#budget = budget;
    this.#memory = memory;
  }

  /** Bytes of memory that the contexts have. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many contexts there are. */
  get size(): number {
    return this.#entries.size;
  }

  /** The context of this owner, or a new one; undefined when there is no memory for it. */
  take(owner: object, level: DeflateLevel): Deflater | undefined {
    const entry = this.#entries.get(owner) ?? this.#newEntry(level);
    if (entry === undefined) return undefined;
    this.#entries.delete(owner);
    this.#entries.set(owner, entry);
    return entry.deflater;
  }

  #newEntry(level: DeflateLevel): Entry | undefined {
    const bytes = deflaterBytes(level);
    while (this.#bytes + bytes > this.#budget) {
      const oldest = this.#removeOldest();
      if (oldest === undefined) return undefined;
      if (oldest.level === level) {
        oldest.deflater.reset();
        return oldest;
      }
      this.#close(oldest);
    }
    if (!this.#memory.reserve(bytes)) return undefined;
    if (this.#bytes === 0) this.#memory.addCache(this);
    this.#bytes += bytes;
    return { deflater: this.#make(level), level, bytes };
  }

  /** The owner needs its context no more. */
  free(owner: object): void {
    const entry = this.#entries.get(owner);
    if (entry === undefined) return;
    this.#entries.delete(owner);
    this.#close(entry);
  }

  evict(): boolean {
    const oldest = this.#removeOldest();
    if (oldest !== undefined) this.#close(oldest);
    return oldest !== undefined;
  }

  #removeOldest(): Entry | undefined {
    for (const [owner, entry] of this.#entries) {
      this.#entries.delete(owner);
      return entry;
    }
    return undefined;
  }

  #close({ deflater, bytes }: Entry): void {
    deflater.close();
    this.#bytes -= bytes;
    this.#memory.giveBack(bytes);
    if (this.#bytes === 0) this.#memory.removeCache(this);
  }
}
