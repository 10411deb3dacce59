/**
 * The histories of a server in its memory: when they begin, what they keep together, and when they expire. With an engine that
 * keeps history, this is the place where it is asked instead.
 */
import { Ticker } from '../io/time/ticker.ts';
import type { EncodedMessage } from '../io/writing/encoded-message.ts';
import { History } from './history.ts';
import { HistoryBudget } from './history-budget.ts';
import type { HistoryRule, Member } from './member.ts';
import type { Room, RoomOwner } from './room.ts';

/** What histories need. */
export interface HistoriesHost {
  readonly limits: { readonly historyBudget: number };
  readonly clock: { now(): number };
  readonly ticker: Ticker;
}

export class Histories<M extends Member> {
  readonly #host: HistoriesHost;
  /** Is told of rooms that have forgotten something. */
  readonly #owner: RoomOwner<M>;
  readonly #origin: string;
  readonly #budget: HistoryBudget<Room<M>>;
  #epochs = 0;

  /** `origin` leads the name of each epoch, so that no other process has the same. */
  constructor(host: HistoriesHost, owner: RoomOwner<M>, origin: string) {
    this.#host = host;
    this.#owner = owner;
    this.#origin = origin;
    this.#budget = new HistoryBudget(host.limits.historyBudget);
  }

  /** A new history, with an epoch of its own. */
  begin(rule: HistoryRule): History {
    this.#epochs++;
    return new History(rule, `${this.#origin}${this.#epochs.toString(36)}`);
  }

  /** Keeps a message; returns its form with the position, if any member asked for that. */
  keep(room: Room<M>, history: History, message: EncodedMessage): EncodedMessage | undefined {
    history.append(message, this.#host.clock.now());
    const stamped = room.stamped && this.#stamp(history);
    const budget = this.#budget;
    budget.note(room, history.bytes, true);
    for (let first = budget.first; budget.excess > 0 && first !== undefined; first = budget.first) {
      first.history?.forget(budget.excess);
      this.#owner.expired(first);
    }
    this.#awaitExpiry(room);
    return stamped;
  }

  /** The user's function may throw. Then those who asked for positions get the message without. */
  #stamp(history: History): EncodedMessage | undefined {
    try {
      return history.newestStamped;
    } catch (error) {
      this.#owner.failed(error);
      return undefined;
    }
  }

  /** Lets a room forget what is too old. */
  expire(room: Room<M>): void {
    const { history } = room;
    if (history === undefined) return;
    history.expire(this.#host.clock.now());
    this.#budget.note(room, history.bytes, false);
    this.#awaitExpiry(room);
  }

  /** Waits until the newest message expires. */
  #awaitExpiry(room: Room<M>): void {
    const { ticker, clock } = this.#host;
    const expiresMs = room.history?.expiresMs;
    if (expiresMs === undefined) ticker.forget(room);
    else if (room.dueTick < 0) ticker.wait(room, ticker.present + Ticker.ticks(expiresMs - clock.now()));
  }
}
