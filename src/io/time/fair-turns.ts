/**
 * A turn of the event loop, shared fairly between connections.
 *
 * Node reads every socket that has bytes, one after the other, before it looks at new ones: that is one turn. What one
 * connection does in a turn, all others wait for. So a connection does a bounded piece, and when there is more to do, it
 * waits here for the next turn. Those that wait do a piece each, the first one first; one that still has more waits again
 * behind the others. All pieces of one turn may take `TURN_MS` together, and so may what connections do in the same turn
 * with bytes that have just arrived.
 */

/** One that waits for its turn. */
export interface FairTurn {
  /** Does one piece; calls `wait` when there is more. */
  onTurn(): void;
}

/** Milliseconds that all waiting pieces of one turn may take, and again all pieces with new bytes. */
export const TURN_MS = 5;
/** Nobody has asked for the time in this turn. */
const NOT_BEGUN = -1;

export class FairTurns {
  readonly #now: () => number;
  readonly #schedule: (task: () => void) => void;
  #waiting: FairTurn[] = [];
  #next = 0;
  #isScheduled = false;
  /** When the time of this turn is over. */
  #endMs = NOT_BEGUN;

  /** `now` in milliseconds; `schedule` runs a task in the next turn of the event loop. */
  constructor(now: () => number, schedule: (task: () => void) => void) {
    this.#now = now;
    this.#schedule = schedule;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length - this.#next;
  }

  /**
   * Whether the time of this turn is over, so that more work should wait. To be asked after every few frames, because it
   * asks the clock. Where nobody waits, the turn's time begins with the first question.
   */
  isOver(): boolean {
    const now = this.#now();
    if (this.#endMs !== NOT_BEGUN) return now >= this.#endMs;
    this.#endMs = now + TURN_MS;
    this.#plan();
    return false;
  }

  wait(work: FairTurn): void {
    this.#waiting.push(work);
    this.#plan();
  }

  #plan(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#schedule(() => {
      this.#isScheduled = false;
      this.#run();
    });
  }

  /** At least one piece, and more until the time is over; each one that waits now has one piece at most. */
  #run(): void {
    this.#endMs = this.#now() + TURN_MS;
    try {
      this.#doPieces(this.#waiting.length);
    } finally {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
      // From here on it is time for new bytes, until the next run.
      this.#endMs = this.#waiting.length > 0 ? this.#now() + TURN_MS : NOT_BEGUN;
      if (this.#waiting.length > 0) this.#plan();
    }
  }

  #doPieces(last: number): void {
    while (this.#next < last) {
      const work = this.#waiting[this.#next++] as FairTurn; // next < length
      work.onTurn();
      if (this.#now() >= this.#endMs) return;
    }
  }
}
