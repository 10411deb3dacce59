/**
 * Work that is left over from a turn of the event loop, shared fairly.
 *
 * A connection that has more to do than one turn allows waits here. Each does a bounded piece when its turn comes and, if
 * there is still more, waits again after the others. All pieces of one turn take at most some milliseconds together; then
 * the event loop reads sockets again, so that connections with little to do are not kept waiting.
 */

/** One that waits for its turn. */
export interface FairTurn {
  /** Does one piece; calls `wait` when there is more. */
  onTurn(): void;
}

/** Milliseconds that all pieces of one turn may take. */
export const TURN_MS = 8;

export class FairTurns {
  readonly #now: () => number;
  readonly #schedule: (task: () => void) => void;
  #waiting: FairTurn[] = [];
  #next = 0;
  #isScheduled = false;

  /** `now` in milliseconds; `schedule` runs a task in the next turn of the event loop. */
  constructor(now: () => number, schedule: (task: () => void) => void) {
    this.#now = now;
    this.#schedule = schedule;
  }

  /** How many wait. */
  get size(): number {
    return this.#waiting.length - this.#next;
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
    const end = this.#now() + TURN_MS;
    const last = this.#waiting.length;
    while (this.#next < last) {
      const work = this.#waiting[this.#next++] as FairTurn; // next < length
      work.onTurn();
      if (this.#now() >= end) break;
    }
    this.#waiting.splice(0, this.#next);
    this.#next = 0;
    if (this.#waiting.length > 0) this.#plan();
  }
}
