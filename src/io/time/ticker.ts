/**
 * All deadlines of a server from one timer.
 *
 * Time is counted in ticks. What waits for a moment lies in the bucket of its tick; each tick opens one bucket, so a
 * tick costs what falls due and not what is open, and 100,000 idle connections cost no timer. A bucket of the wheel
 * may also hold entries of later turns: they are put back. Deadlines are therefore late by up to one tick, never early.
 */
import type { Clock } from './clock.ts';

/** Milliseconds a tick. Every deadline is coarse by this much. */
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
  /** The present tick. Traffic notes it, so that silence can be told without a timer. */
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
   * The tick that the clock says. While our event loop stands still it runs ahead of `tick`, which catches up bucket
   * by bucket: a deadline that is set from here is never early.
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

  /** Puts `entry` to wait for `tick`; an entry waits for one moment, the last one set. */
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

  /** `entry` waits no more. */
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
