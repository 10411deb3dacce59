/**
 * A clock that only moves when it is advanced: time and random numbers for tests, those of users included.
 *
 * `advance` calls the beats in the order of their moments, and `now()` is that moment while a beat runs. Nothing
 * here asks the machine for the time, so a run can be repeated exactly.
 */
import type { Clock } from './clock.ts';

interface Beat {
  readonly everyMs: number;
  readonly call: () => void;
  nextMs: number;
}

export interface ManualClockOptions {
  /** Milliseconds since 1970 at the start. Default 0. */
  readonly epochMs?: number;
  /** Which series of random numbers, a whole number. Default 1. */
  readonly seed?: number;
}

export class ManualClock implements Clock {
  readonly #epochMs: number;
  readonly #beats = new Set<Beat>();
  #nowMs = 0;
  #seed: number;
  #advancing = false;

  constructor({ epochMs = 0, seed = 1 }: ManualClockOptions = {}) {
    this.#epochMs = epochMs;
    this.#seed = seed >>> 0;
  }

  /** How many beats are running; 0 when everybody who asked for one has stopped it. */
  get beats(): number {
    return this.#beats.size;
  }

  /** Milliseconds advanced so far. */
  now(): number {
    return this.#nowMs;
  }

  epochMs(): number {
    return this.#epochMs + this.#nowMs;
  }

  /** The next number of the seed's series, from 0 up to 1 (mulberry32). */
  random(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) >>> 0;
    const mixed = Math.imul(this.#seed ^ (this.#seed >>> 15), this.#seed | 1);
    const more = mixed ^ (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61));
    return ((more ^ (more >>> 14)) >>> 0) / 2 ** 32;
  }

  /** @throws RangeError unless `ms` is more than 0. */
  every(ms: number, beat: () => void): () => void {
    if (!(ms > 0)) throw new RangeError(`a beat every ${ms} ms; allowed is more than 0`);
    const entry: Beat = { everyMs: ms, call: beat, nextMs: this.#nowMs + ms };
    this.#beats.add(entry);
    return () => void this.#beats.delete(entry);
  }

  /**
   * Lets `ms` milliseconds pass and calls every beat that falls due, in the order of their moments; of one moment, in
   * the order in which they were asked for.
   * @throws RangeError for a negative time; Error when called from a beat.
   */
  advance(ms: number): void {
    if (!(ms >= 0)) throw new RangeError(`advance by ${ms} ms; allowed is 0 or more`);
    if (this.#advancing) throw new Error('advance was called from a beat');
    const end = this.#nowMs + ms;
    this.#advancing = true;
    try {
      for (let beat = this.#next(end); beat !== undefined; beat = this.#next(end)) {
        this.#nowMs = beat.nextMs;
        beat.nextMs += beat.everyMs;
        beat.call();
      }
      this.#nowMs = end;
    } finally {
      this.#advancing = false;
    }
  }

  /** The beat that falls due first, up to and with `end`. */
  #next(end: number): Beat | undefined {
    let first: Beat | undefined;
    for (const beat of this.#beats) {
      if (beat.nextMs <= end && (first === undefined || beat.nextMs < first.nextMs)) first = beat;
    }
    return first;
  }
}
