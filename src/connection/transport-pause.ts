/**
 * Pausing and resuming the transport of one connection. It is made at the first pause.
 *
 * There are two kinds of pause. Where the user's side takes no more (`stop`), the peer cannot be late, so the deadlines
 * of what it sends stand still. Where only this turn of the event loop is over (`pause`), they go on.
 */
import type { Ticker } from '../io/time/ticker.ts';
import type { Transport } from '../io/transports/transport.ts';
import type { Holding } from './holding.ts';
import type { Rates } from './rate-limit.ts';

/** What is told of a stop. */
export interface PauseOwner {
  readingStopped(): void;
  readingResumed(): void;
}

export class TransportPause {
  /** Nothing is read from the transport. */
  isPaused = false;
  /** The user's side takes no more. */
  #isStopped = false;
  readonly #owner: PauseOwner;
  readonly #transport: Transport;
  readonly #ticker: Ticker;

  constructor(owner: PauseOwner, transport: Transport, ticker: Ticker) {
    this.#owner = owner;
    this.#transport = transport;
    this.#ticker = ticker;
  }

  /** Reads no more because the user's side takes no more. `rates` are those of the connection, here and below. */
  stop(rates: Rates | undefined): void {
    if (!this.#isStopped) {
      this.#isStopped = true;
      this.#owner.readingStopped();
    }
    this.pause(rates);
  }

  /** Reads no more for now. */
  pause(rates: Rates | undefined): void {
    if (this.isPaused) return;
    this.isPaused = true;
    rates?.paused(this.#ticker);
    this.#transport.pause();
  }

  /** Reads again, unless somebody still holds that back. */
  resume(rates: Rates | undefined, holding: Holding | undefined): void {
    if (this.#isStopped && holding?.stopped !== true) {
      this.#isStopped = false;
      this.#owner.readingResumed();
    }
    if (!this.isPaused || holding?.wire === true) return;
    rates?.resumed(this.#ticker);
    this.release();
  }

  /** Reads again, whoever holds that back: what comes is dropped. */
  release(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#transport.resume();
  }
}
