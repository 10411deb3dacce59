/**
 * One topic while somebody is in it, listens to it, or its history is kept.
 *
 * A delivery may call handlers: a slow member is closed at `sendLimit`, and that is told at once. What they publish must not overtake
 * the message that is being delivered, so whoever publishes or joins meanwhile first finishes the delivery that is under way.
 */
import type { Waiting } from '../io/time/ticker.ts';
import type { EncodedMessage } from '../io/writing/encoded-message.ts';
import type { History } from './history.ts';
import type { Member, PublishReport, Rule, Watcher } from './member.ts';
import type { Presence } from './presence.ts';

/** One message on its way to the members. */
export interface Delivery<M extends Member> {
  readonly message: EncodedMessage;
  /** With its position, for those who asked for positions. */
  readonly stamped: EncodedMessage | undefined;
  readonly key: string | undefined;
  /** The `id` of the member that does not get it. */
  readonly except: number | undefined;
  readonly report: { -readonly [Count in keyof PublishReport]: number };
  /** Called once, when all members have got it. */
  readonly finish: (room: Room<M>, delivery: Delivery<M>) => void;
}

/** A delivery that is under way. */
interface Running<M extends Member> {
  readonly delivery: Delivery<M>;
  /** Those who have not got it; whoever goes on with the delivery takes the next from here. */
  readonly rest: Iterator<M> & Iterable<M>;
  isOver: boolean;
}

/** Whom a room tells what it cannot do itself. */
export interface RoomOwner<M extends Member> {
  /** Its history may have expired. */
  expired(room: Room<M>): void;
  /** A member threw. */
  failed(error: unknown): void;
}

export class Room<M extends Member> implements Waiting {
  readonly name: string;
  readonly rule: Rule<M> | undefined;
  readonly members = new Set<M>();
  /** Those who asked for positions. */
  stamped: Set<M> | undefined;
  watchers: Set<Watcher<M>> | undefined;
  history: History | undefined;
  presence: Presence | undefined;
  /** Members that are about to join. */
  entering = 0;
  /** It waits for its history to expire. */
  dueTick = -1;
  #running: Running<M> | undefined;
  /** What those who look on are being told, while they are. */
  #untold: ((watcher: Watcher<M>) => void)[] | undefined;
  readonly #owner: RoomOwner<M>;

  constructor(name: string, rule: Rule<M> | undefined, owner: RoomOwner<M>) {
    this.name = name;
    this.rule = rule;
    this.#owner = owner;
  }

  /** Whether there is anything that must be remembered. Then messages from elsewhere are wanted, too. */
  get isInUse(): boolean {
    return (
      this.members.size > 0 ||
      this.watchers !== undefined ||
      this.entering > 0 ||
      this.history?.expiresMs !== undefined
    );
  }

  onDue(): void {
    this.#owner.expired(this);
  }

  deliver(delivery: Delivery<M>): void {
    this.settle();
    const running = { delivery, rest: this.members.values(), isOver: false };
    this.#running = running;
    this.#goOn(running);
  }

  /** Finishes the delivery that is under way, if there is one. */
  settle(): void {
    if (this.#running !== undefined) this.#goOn(this.#running);
  }

  #goOn(running: Running<M>): void {
    const { delivery, rest } = running;
    for (const member of rest) if (member.id !== delivery.except) this.#give(member, delivery);
    if (running.isOver) return;
    running.isOver = true;
    if (this.#running === running) this.#running = undefined;
    delivery.finish(this, delivery);
  }

  /**
   * Tells those who look on. What they do may make more to tell: that comes after this has been told to all, so that all are told
   * in the same order.
   */
  tell(event: (watcher: Watcher<M>) => void): void {
    if (this.#untold !== undefined) {
      this.#untold.push(event);
      return;
    }
    const untold = [event];
    this.#untold = untold;
    try {
      for (const each of untold) for (const watcher of [...(this.watchers ?? [])]) each(watcher);
    } finally {
      this.#untold = undefined;
    }
  }

  #give(member: M, { message, stamped, key, report }: Delivery<M>): void {
    const form = stamped !== undefined && this.stamped?.has(member) ? stamped : message;
    try {
      const result = member.deliver(form, key);
      if (result === 'sent') report.sent++;
      else if (result === 'queued') report.queued++;
      else report.dropped++;
    } catch (error) {
      report.dropped++;
      this.#owner.failed(error);
    }
  }
}
