/**
 * How fast one peer may send: a token bucket, filled by the ticks of the server.
 *
 * The bucket counts in twentieths, one for each tick of a second, so that a tick adds exactly the rate and all of it
 * is whole numbers. Time in which this process did not read is not held against the peer: what it sent meanwhile
 * lies in the kernel and comes at once, so the tokens of that time are granted on top of a full bucket.
 */
import { TICK_MS, type Ticker } from '../io/time/ticker.ts';
import type { Limits } from './settings.ts';

const TICKS_A_SECOND = 1000 / TICK_MS;
type Time = Pick<Ticker, 'tick' | 'stalledMs'>;

export class RateLimit {
  readonly #perSecond: number;
  readonly #capacity: number;
  /** Twentieths of a token. */
  #level: number;
  #tick: number;

  /** `burst` in milliseconds: what the rate brings in that time may come at once, and never less than one. */
  constructor(perSecond: number, burst: number, { tick }: Time) {
    this.#perSecond = perSecond;
    this.#capacity = Math.max(TICKS_A_SECOND, Math.floor((perSecond * burst) / TICK_MS));
    this.#level = this.#capacity;
    this.#tick = tick;
  }

  /** Takes `count` tokens; false when there are not so many: the limit is breached. */
  take(count: number, time: Time): boolean {
    this.#fill(time);
    this.#level -= count * TICKS_A_SECOND;
    return this.#level >= 0;
  }

  /** Reading stood still for `ticks` until now, by our own doing. */
  forgive(ticks: number, time: Time): void {
    this.#fill(time);
    this.#grant(ticks);
  }

  /** A full bucket takes no more, and what was granted on top stays until it is used. */
  #fill({ tick, stalledMs }: Time): void {
    const ticks = tick - this.#tick;
    if (ticks <= 0) return;
    this.#tick = tick;
    if (this.#level < this.#capacity) {
      this.#level = Math.min(this.#capacity, this.#level + ticks * this.#perSecond);
    }
    // The whole process stood still until this tick.
    if (stalledMs > 0) this.#grant(stalledMs / TICK_MS);
  }

  /** Of what several pauses brought and was not used, only the largest stays: it does not add up without end. */
  #grant(ticks: number): void {
    const extra = Math.max(0, this.#level - this.#capacity);
    this.#level = Math.min(this.#level, this.#capacity) + Math.max(extra, ticks * this.#perSecond);
  }
}

/** The rates of one connection; made only where an option sets one. */
export class Rates {
  readonly #messages: RateLimit | undefined;
  readonly #bytes: RateLimit | undefined;
  #pausedTick: number;

  /** The rates that the options set, or undefined when they set none. */
  static of(limits: Limits, time: Time): Rates | undefined {
    const { maxMessagesPerSecond, maxBytesPerSecond } = limits;
    const unlimited = Number.POSITIVE_INFINITY;
    if (maxMessagesPerSecond === unlimited && maxBytesPerSecond === unlimited) return undefined;
    return new Rates(limits, time);
  }

  constructor({ maxMessagesPerSecond, maxBytesPerSecond, rateBurst }: Limits, time: Time) {
    const limit = (rate: number) =>
      rate === Number.POSITIVE_INFINITY ? undefined : new RateLimit(rate, rateBurst, time);
    this.#pausedTick = time.tick;
    this.#messages = limit(maxMessagesPerSecond);
    this.#bytes = limit(maxBytesPerSecond);
  }

  /** One message, Ping or Pong came; false when it is one too many. */
  message(time: Time): boolean {
    return this.#messages?.take(1, time) ?? true;
  }

  /** So many bytes came; false when they are too many. */
  bytes(count: number, time: Time): boolean {
    return this.#bytes?.take(count, time) ?? true;
  }

  /** We stopped to read. */
  paused({ tick }: Time): void {
    this.#pausedTick = tick;
  }

  /** We read again. */
  resumed(time: Time): void {
    const ticks = time.tick - this.#pausedTick;
    if (ticks <= 0) return;
    this.#messages?.forgive(ticks, time);
    this.#bytes?.forgive(ticks, time);
  }
}
