/**
 * The histories of a server in its memory: when they begin, what they keep together, and when they expire. With an engine that
 * keeps history, this is the place where it is asked instead.
 */
import { Ticker } from '../io/time/ticker.ts';
import type { EncodedMessage } from '../io/writing/encoded-message.ts';
import { History } from './history.ts';
import { HistoryBudget } from './history-budget.ts';
import { checkSize, isTooLarge, type SizeLimits } from './joining.ts';
import type { HistoryRule, Member } from './member.ts';
import type { Room, RoomOwner } from './room.ts';

/** What histories need. */
export interface HistoriesHost {
  readonly limits: SizeLimits & { readonly historyBudget: number };
  readonly clock: { now(): number };
  readonly ticker: Ticker;
}

/** About what a topic costs that exists for its history alone, beside its name and the messages. */
const TOPIC_BYTES = 800;

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

  /**
   * Keeps a message; returns its form with the position, if any member here asked for that. A message that no member could be sent is
   * not kept, since nobody could be sent what came before it either.
   * @throws RangeError for a form that is larger than `sendLimit` (`overflow: 'close'`).
   */
  keep(room: Room<M>, history: History, message: EncodedMessage): EncodedMessage | undefined {
    const { limits, clock } = this.#host;
    const stamped = room.stamped && this.#stamp(history, message);
    if (stamped !== undefined) checkSize(stamped, limits);
    if (isTooLarge(message, limits)) return stamped;
    history.append(message, clock.now(), stamped);
    this.#note(room, true);
    this.#awaitExpiry(room);
    return stamped;
  }

  /** Members that joined may have had forms with positions made. */
  measure(room: Room<M>): void {
    this.#note(room, false);
  }

  #note(room: Room<M>, hasSpoken: boolean): void {
    const budget = this.#budget;
    budget.note(room, heldBy(room), hasSpoken);
    while (budget.excess > 0) {
      const { first } = budget;
      if (first === undefined) return;
      first.history?.forget(budget.excess);
      this.#owner.expired(first);
    }
  }

  /**
   * The user's function may throw. Then those who asked for positions get the message without. It may publish, too: then the position
   * is another one.
   */
  #stamp(history: History, message: EncodedMessage): EncodedMessage | undefined {
    try {
      for (;;) {
        const { offset } = history.position;
        const stamped = history.stampNext(message);
        if (history.position.offset === offset) return stamped;
      }
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
    this.#budget.note(room, heldBy(room), false);
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

/** Memory that the history of a room holds, about. */
function heldBy<M extends Member>({ name, history }: Room<M>): number {
  const bytes = history?.bytes ?? 0;
  return bytes === 0 ? 0 : bytes + TOPIC_BYTES + 2 * name.length;
}
