/**
 * How many bytes all histories of a server keep, and which of them forgets first when that is too much: the one that has been
 * silent longest.
 *
 * The rooms are a linked list: the iterator of a Map goes through all that was deleted from its beginning.
 */

/** What one room keeps. */
interface Share<Room> {
  readonly room: Room;
  bytes: number;
  /** Those that have been silent for longer, and for shorter. */
  before: Share<Room> | undefined;
  after: Share<Room> | undefined;
}

export class HistoryBudget<Room> {
  readonly #limit: number;
  /** What each room keeps that keeps some. */
  readonly #shares = new Map<Room, Share<Room>>();
  #first: Share<Room> | undefined;
  #last: Share<Room> | undefined;
  #bytes = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** A room keeps so many bytes now. `hasSpoken`: it has kept a message just now. */
  note(room: Room, bytes: number, hasSpoken: boolean): void {
    const known = this.#shares.get(room);
    this.#bytes += bytes - (known?.bytes ?? 0);
    if (known === undefined) {
      if (bytes === 0) return;
      const share = { room, bytes, before: undefined, after: undefined };
      this.#shares.set(room, share);
      this.#append(share);
      return;
    }
    known.bytes = bytes;
    if (bytes === 0) this.#shares.delete(room);
    else if (!hasSpoken || known === this.#last) return;
    this.#unlink(known);
    if (bytes > 0) this.#append(known);
  }

  #append(share: Share<Room>): void {
    share.before = this.#last;
    share.after = undefined;
    if (this.#last === undefined) this.#first = share;
    else this.#last.after = share;
    this.#last = share;
  }

  #unlink({ before, after }: Share<Room>): void {
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
  }

  /** Bytes that are too many. */
  get excess(): number {
    return Math.max(0, this.#bytes - this.#limit);
  }

  /** The room that forgets first; undefined when none keeps anything. */
  get first(): Room | undefined {
    return this.#first?.room;
  }
}
