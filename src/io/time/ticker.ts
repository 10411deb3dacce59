/**
 * All deadlines of a server from one timer.
 *
 * This is a timer wheel. Time is counted in ticks, and an entry waits in the bucket of its tick. Each tick empties one
 * bucket, so its cost depends on what falls due and not on how many connections are open. A bucket may also hold entries
 * for a later turn of the wheel: they are put back. Deadlines are late by up to one tick, and never early.
 */
import type { Clock } from './clock.ts';

/** Milliseconds of a tick: the precision of every deadline. */
export const TICK_MS = 50;
/** A turn of the wheel: 1024 × 50 ms, 51 s. */
const BUCKETS = 1024;

/** Something that falls due; `dueTick` belongs to the ticker while it waits. */
export interface Waiting {
  dueTick: number;
  /** The moment has come; `tick` is now. */
  onDue(tick: number): void;
}

export class Ticker {
  /** The present tick. Traffic stores it, so that silence is noticed without a timer. */
  tick = 0;
  /** Milliseconds by which the last tick came late: our own event loop stalled. */
  stalledMs = 0;

  readonly #clock: Clock;
  readonly #buckets: (Set<Waiting> | undefined)[] = new Array(BUCKETS);
  #stop: (() => void) | undefined;
  #startMs = 0;
  #waiting = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whole ticks for a time in milliseconds, at least one; Infinity stays. */
  static ticks(ms: number): number {
    return ms === Number.POSITIVE_INFINITY ? ms : Math.max(1, Math.ceil(ms / TICK_MS) + 1);
  }

  /**
   * The tick by the clock. After a stall of the event loop it is ahead of `tick`, which catches up bucket by bucket. A
   * deadline that is counted from here is never early.
   */
  get present(): number {
    if (this.#stop === undefined) return this.tick;
    return Math.max(this.tick, this.#clockTick());
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting;
  }

  start(): void {
    if (this.#stop !== undefined) return;
    this.#startMs = this.#clock.now() - this.tick * TICK_MS;
    this.#stop = this.#clock.every(TICK_MS, () => this.#beat());
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  /** Makes `entry` wait for `tick`, in place of the tick that it waited for before. */
  wait(entry: Waiting, tick: number): void {
    if (entry.dueTick === tick) return;
    this.forget(entry);
    if (tick === Number.POSITIVE_INFINITY) return;
    const due = Math.max(tick, this.tick + 1);
    entry.dueTick = due;
    const at = due % BUCKETS;
    let bucket = this.#buckets[at];
    if (bucket === undefined) this.#buckets[at] = bucket = new Set();
    bucket.add(entry);
    this.#waiting++;
  }

  /** Makes `entry` wait no longer. */
  forget(entry: Waiting): void {
    if (entry.dueTick < 0) return;
    this.#buckets[entry.dueTick % BUCKETS]?.delete(entry);
    entry.dueTick = -1;
    this.#waiting--;
  }

  #beat(): void {
    const tick = this.#clockTick();
    this.stalledMs = Math.max(0, tick - this.tick - 1) * TICK_MS;
    while (this.tick < tick) {
      this.tick++;
      this.#open(this.tick);
    }
  }

  #clockTick(): number {
    return Math.floor((this.#clock.now() - this.#startMs) / TICK_MS);
  }

  #open(tick: number): void {
    const bucket = this.#buckets[tick % BUCKETS];
    if (bucket === undefined || bucket.size === 0) return;
    for (const entry of [...bucket]) {
      if (entry.dueTick !== tick) continue;
      this.forget(entry);
      entry.onDue(tick);
    }
  }
}
