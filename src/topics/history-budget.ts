/**
 * How many bytes all histories of a server keep, and which of them forgets first when that is too much: the one that has been
 * silent longest.
 */
export class HistoryBudget<Room> {
  readonly #limit: number;
  /** Bytes of each room that keeps some; the one that has been silent longest comes first. */
  readonly #kept = new Map<Room, number>();
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A room keeps so many bytes now. `hasSpoken`: it has kept a message just now. */
  note(room: Room, bytes: number, hasSpoken: boolean): void {
    this.#bytes += bytes - (this.#kept.get(room) ?? 0);
    if (hasSpoken || bytes === 0) this.#kept.delete(room);
    if (bytes > 0) this.#kept.set(room, bytes);
  }

  /** Bytes that are too many. */
  get excess(): number {
    return Math.max(0, this.#bytes - this.#limit);
  }

  /** The room that forgets first; undefined when none keeps anything. */
  get first(): Room | undefined {
    return this.#kept.keys().next().value;
  }
}
