/**
 * Closes many connections in batches, one batch a tick, each of a random size: so their clients reconnect one after the
 * other, wherever they are sent, and not all at once.
 */
import type { Clock } from '../io/time/clock.ts';
import type { Ticker, Waiting } from '../io/time/ticker.ts';

/** A batch is larger or smaller by up to this share. */
const JITTER = 0.5;

export class Pacing<T> implements Waiting {
  dueTick = -1;
  readonly #ticker: Ticker;
  readonly #clock: Clock;
  /** Emptied when all are closed, so that nothing is kept in memory for them. */
  #items: readonly T[];
  readonly #batch: number;
  readonly #endTick: number;
  readonly #close: (item: T) => boolean;
  #at = 0;

  /**
   * Closes about `batch` items a tick, and more where they would not all be closed by `endTick`. `close` returns false for
   * an item that has ended by itself: that one does not count.
   */
  constructor(
    { ticker, clock }: { ticker: Ticker; clock: Clock },
    { batch, endTick, items }: { batch: number; endTick: number; items: readonly T[] },
    close: (item: T) => boolean,
  ) {
    this.#ticker = ticker;
    this.#clock = clock;
    this.#items = items;
    this.#batch = batch;
    this.#endTick = endTick;
    this.#close = close;
  }

  /** Closes the first batch now; the others follow with the ticks. */
  start(): void {
    this.onDue(this.#ticker.tick);
  }

  /** Closes no more of them. */
  stop(): void {
    this.#ticker.forget(this);
    this.#items = [];
  }

  onDue(tick: number): void {
    const left = this.#items.length - this.#at;
    const hurry = Math.ceil(left / Math.max(1, this.#endTick - tick));
    let count = Math.max(this.#jittered(), hurry);
    while (count > 0 && this.#at < this.#items.length) {
      if (this.#close(this.#items[this.#at++] as T)) count--;
    }
    if (this.#at < this.#items.length) this.#ticker.wait(this, this.#ticker.present + 1);
    else this.stop();
  }

  #jittered(): number {
    return Math.ceil(this.#batch * (1 - JITTER + 2 * JITTER * this.#clock.random()));
  }
}
