/**
 * What one connection holds in its server's memory budget: one side for what it reads, one for what it sends. Each is made
 * when the connection first holds something there.
 */
import { type Budget, Holder, type Side } from './memory-budget.ts';

export class HeldMemory {
  readonly #budget: Budget;
  #reading: Holder | undefined;
  #sending: Holder | undefined;
  #isShed = false;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  /** The connection was told to let go. */
  get isShed(): boolean {
    return this.#isShed;
  }

  countReading(side: Side): void {
    if (this.#reading === undefined) {
      if (side.heldBytes === 0) return;
      this.#reading = this.#holder(side, true);
    }
    this.#budget.count(this.#reading);
  }

  /** Its memory is counted by block, as the queue and the transport hold it. */
  countSending(side: Side): void {
    if (this.#sending === undefined) {
      if (side.heldBytes === 0) return;
      this.#sending = this.#holder(side, false);
    }
    this.#budget.count(this.#sending);
  }

  /** The connection lets go of all; false when it was told already. */
  leave(): boolean {
    if (this.#isShed) return false;
    this.#isShed = true;
    if (this.#reading !== undefined) this.#budget.leave(this.#reading);
    if (this.#sending !== undefined) this.#budget.leave(this.#sending);
    return true;
  }

  #holder(side: Side, isCounted: boolean): Holder {
    const holder = new Holder(side, isCounted);
    holder.isShed = this.#isShed;
    return holder;
  }
}
