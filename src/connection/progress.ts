/**
 * Whether bytes that wait for a peer become fewer.
 *
 * The system says when all of a write has left, and not when a part has. So the number of bytes that are left is looked at
 * from time to time: the patience counts from the last look that found fewer. It ends late by a quarter at most.
 */
import { TICK_MS, Ticker } from '../io/time/ticker.ts';
import { earliest, isDue, later, NEVER } from './ticks.ts';

/** Looks in the time of one patience. */
const LOOKS = 4;

export class Progress {
  /** When to look next; NEVER while nothing waits, or when patience has no end. */
  lookTick = NEVER;
  isWatching = false;
  #firstTick = 0;
  #patienceMs = Number.POSITIVE_INFINITY;
  #progressTick = 0;
  #bytesLeft = 0;

  /** So many bytes wait from now on, and none of them has left. */
  start(tick: number, patienceMs: number, bytesLeft: number): void {
    if (!this.isWatching) this.#firstTick = tick;
    this.isWatching = true;
    this.#progressTick = tick;
    this.#bytesLeft = bytesLeft;
    this.setPatience(tick, patienceMs);
  }

  /** How long none may leave, in milliseconds, or Infinity. It counts from the last progress. */
  setPatience(tick: number, patienceMs: number): void {
    this.#patienceMs = patienceMs;
    this.#planLook(tick);
  }

  /** Milliseconds for which some bytes or others have waited. */
  waitedMs(tick: number): number {
    return (tick - this.#firstTick) * TICK_MS;
  }

  /** Nothing waits any more. */
  stop(): void {
    this.isWatching = false;
    this.lookTick = NEVER;
  }

  /** Looks, if it is time to; true, once, when none has left for too long. */
  isOver(tick: number, bytesLeft: number): boolean {
    if (!isDue(this.lookTick, tick)) return false;
    if (bytesLeft < this.#bytesLeft) this.#progressTick = tick;
    this.#bytesLeft = bytesLeft;
    if (isDue(this.#endTick, tick)) {
      this.stop();
      return true;
    }
    this.#planLook(tick);
    return false;
  }

  /** Our own event loop stood still: what would be over at `tick` ends at `grace`. */
  forgive(tick: number, grace: number): void {
    if (isDue(this.lookTick, tick) && isDue(this.#endTick, tick)) {
      this.#progressTick = grace - Ticker.ticks(this.#patienceMs);
    }
  }

  get #endTick(): number {
    return later(this.#progressTick, this.#patienceMs);
  }

  #planLook(tick: number): void {
    const end = this.#endTick;
    if (end === NEVER) this.lookTick = NEVER;
    else this.lookTick = earliest(end, tick + Math.ceil(Ticker.ticks(this.#patienceMs) / LOOKS));
  }
}
