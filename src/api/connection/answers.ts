/**
 * A handler that asks its peer something, and awaits the answer on `messages$` or `fragments$` of its connection.
 *
 * A pending handler holds messages back, so it would wait for itself. Therefore it does not while a subscription lasts
 * that was made in it: the next messages are delivered, to everybody. The same holds for `for await`, in `Holding`.
 */

/** What reading is asked for and told. */
export interface AnswerReading {
  /** Undefined where nobody has held messages back so far. */
  readonly held:
    | {
        /** A handler's promise is pending. */
        readonly isHandling: boolean;
        /** A subscription has ended. */
        askNoMore(subscription: object): void;
      }
    | undefined;
  hold(): {
    /** A subscription awaits an answer, until no handler is pending. */
    ask(subscription: object): void;
  };
  /** Goes on with what waits. */
  readAgain(): void;
}

export class Answers {
  /** Subscriptions so far. */
  count = 0;
  readonly #reading: AnswerReading;
  readonly #subscriptions = new Set<{ readonly number: number }>();

  constructor(reading: AnswerReading) {
    this.#reading = reading;
  }

  /** Somebody subscribes; returns what is called when that ends. */
  listening(): () => void {
    this.count++;
    const subscription = { number: this.count };
    this.#subscriptions.add(subscription);
    if (this.#reading.held?.isHandling) this.#ask(subscription);
    return () => {
      this.#subscriptions.delete(subscription);
      this.#reading.held?.askNoMore(subscription);
    };
  }

  /** A handler has returned a promise; `before` is `count` before it was called. */
  handlerPending(before: number): void {
    if (this.count === before) return;
    for (const subscription of this.#subscriptions) if (subscription.number > before) this.#ask(subscription);
  }

  #ask(subscription: object): void {
    this.#reading.hold().ask(subscription);
    // Not at once: the subscription is not made yet.
    queueMicrotask(() => this.#reading.readAgain());
  }
}
