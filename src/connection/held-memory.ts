/**
 * What one connection holds in its server's memory budget: one side for what it reads, one for what it sends. Each is made
 * when the connection first holds something there. When the server is short of memory, the connection lets go of all at once.
 */
import type { CloseReport } from '../machines/connection-ports.ts';
import { type Budget, Holder, type Side } from './memory-budget.ts';

/** The connection that holds the memory. */
export interface MemoryOwner {
  readonly report: CloseReport | undefined;
  readonly reading: { forget(): void };
  readonly sending: Side & { readonly outbox: { readonly waiting: boolean; drop(): void }; release(): void };
  /** No message waits for the user any more. */
  exhausted(): void;
  /** Refuses the handshake, or fails the connection, because memory is short. */
  failForMemory(): void;
  destroyTransport(): void;
}

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

  /** Counts what waits for the peer. A connection that was shed lets nothing wait. */
  countSendingOf(owner: MemoryOwner): void {
    this.countSending(owner.sending);
    if (this.#isShed && owner.sending.outbox.waiting) this.#cutOff(owner);
  }

  /** The server is short of memory: this connection lets go of all that it holds, now. */
  shed(owner: MemoryOwner): void {
    if (!this.leave()) return;
    if (owner.report !== undefined) {
      owner.reading.forget();
      owner.exhausted();
      return;
    }
    owner.failForMemory();
    owner.sending.outbox.drop();
    if (owner.sending.outbox.waiting) this.#cutOff(owner);
  }

  /** What the transport still has to write can be freed only by destroying the transport. */
  #cutOff(owner: MemoryOwner): void {
    owner.destroyTransport();
    owner.sending.release();
    this.countSending(owner.sending);
  }

  #holder(side: Side, isCounted: boolean): Holder {
    const holder = new Holder(side, isCounted);
    holder.isShed = this.#isShed;
    return holder;
  }
}
