/**
 * The end of a connection whose messages still wait for the user.
 *
 * What came before the end is delivered first. But a handler that never settles must not hide the end: after a second it
 * is told all the same.
 */
import { Ticker, type Waiting } from '../io/time/ticker.ts';

/** Milliseconds that messages which wait may delay the news of the end. */
export const LATE_END_MS = 1000;

export class LateEnd implements Waiting {
  dueTick = -1;
  readonly #ticker: Ticker;
  readonly #tell: () => void;
  isTold = false;

  constructor(ticker: Ticker, tell: () => void) {
    this.#ticker = ticker;
    this.#tell = tell;
    ticker.wait(this, ticker.present + Ticker.ticks(LATE_END_MS));
  }

  onDue(): void {
    this.isTold = true;
    this.#tell();
  }

  /** Tells nothing later; false when it was told already. */
  cancel(): boolean {
    this.#ticker.forget(this);
    return !this.isTold;
  }
}
