/**
 * A handler that asks its peer something, and awaits the answer on `messages$` or `fragments$` of its connection.
 *
 * A pending handler holds messages back, so it would wait for itself. Therefore it does not while a subscription lasts
 * that was made in it: the next messages are delivered, to everybody. The same holds for `for await`, in `Holding`.
 */

/** What reading is asked for and told. */
export interface AnswerReading {
  /** A handler's promise is pending. */
  readonly isHandling: boolean;
  /** One more subscription awaits an answer (1), or one less (-1). */
  asking(change: 1 | -1): void;
  /** Goes on with what waits. */
  readAgain(): void;
}

interface Subscribed {
  readonly number: number;
  asks: boolean;
}

export class Answers {
  /** Subscriptions so far. */
  count = 0;
  readonly #reading: AnswerReading;
  readonly #subscribed = new Set<Subscribed>();

  constructor(reading: AnswerReading) {
    this.#reading = reading;
  }

  /** Somebody subscribes; returns what is called when that ends. */
  listening(): () => void {
    this.count++;
    const one: Subscribed = { number: this.count, asks: false };
    this.#subscribed.add(one);
    if (this.#reading.isHandling) this.#ask(one);
    return () => {
      this.#subscribed.delete(one);
      if (one.asks) this.#reading.asking(-1);
      one.asks = false;
    };
  }

  /** A handler has returned a promise; `before` is `count` before it was called. */
  handlerPending(before: number): void {
    if (this.count === before) return;
    for (const one of this.#subscribed) if (one.number > before && !one.asks) this.#ask(one);
  }

  /** A handler has settled. Once none is pending, subscriptions that last hold nothing open. */
  handlerSettled(): void {
    if (this.#reading.isHandling) return;
    for (const one of this.#subscribed) {
      if (one.asks) this.#reading.asking(-1);
      one.asks = false;
    }
  }

  #ask(one: Subscribed): void {
    one.asks = true;
    this.#reading.asking(1);
    // Not at once: the subscription is not made yet.
    queueMicrotask(() => this.#reading.readAgain());
  }
}
