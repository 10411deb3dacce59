/**
 * The last messages of one topic, in memory: so many, for so long.
 *
 * Each has an offset, one more than the message before it. An epoch names one history: where it was lost, or has expired, a
 * new one begins with a new epoch, so that a position of the old one is never taken for one of the new.
 */
import type { EncodedMessage } from '../io/writing/encoded-message.ts';
import type { Position } from './backplane.ts';
import type { HistoryRule } from './member.ts';

interface Entry {
  readonly message: EncodedMessage;
  /** With its position; made when the first member asks for that. */
  stamped: EncodedMessage | undefined;
  readonly atMs: number;
}

export class History {
  readonly #rule: HistoryRule;
  readonly #epoch: string;
  /** Of the newest message. */
  #offset = 0;
  /** How many are kept. */
  #count = 0;
  /** The message with offset n is at n modulo `size`. */
  readonly #ring: (Entry | undefined)[] = [];

  constructor(rule: HistoryRule, epoch: string) {
    this.#rule = rule;
    this.#epoch = epoch;
  }

  /** That of the newest message. */
  get position(): Position {
    return { epoch: this.#epoch, offset: this.#offset };
  }

  /** When the newest message expires; undefined while none is kept. */
  get expiresMs(): number | undefined {
    return this.#count === 0 ? undefined : this.#entry(this.#offset).atMs + this.#rule.ttl;
  }

  append(message: EncodedMessage, nowMs: number): void {
    this.expire(nowMs);
    this.#offset++;
    this.#ring[this.#offset % this.#rule.size] = { message, stamped: undefined, atMs: nowMs };
    this.#count = Math.min(this.#count + 1, this.#rule.size);
  }

  /** Forgets what is too old. */
  expire(nowMs: number): void {
    while (this.#count > 0) {
      const oldest = this.#offset - this.#count + 1;
      if (this.#entry(oldest).atMs + this.#rule.ttl > nowMs) return;
      this.#ring[oldest % this.#rule.size] = undefined;
      this.#count--;
    }
  }

  /** The position before the newest `count` messages, or before all that are kept. */
  newest(count: number, nowMs: number): Position {
    this.expire(nowMs);
    return { epoch: this.#epoch, offset: this.#offset - Math.min(count, this.#count) };
  }

  /** The messages after a position, in order; undefined when some of them are gone, or it is of another epoch. */
  after({ epoch, offset }: Position, nowMs: number, stamped: boolean): EncodedMessage[] | undefined {
    this.expire(nowMs);
    if (epoch !== this.#epoch || offset > this.#offset || offset < this.#offset - this.#count)
      return undefined;
    const messages: EncodedMessage[] = [];
    for (let each = offset + 1; each <= this.#offset; each++)
      messages.push(stamped ? this.#stamped(each) : this.#entry(each).message);
    return messages;
  }

  /** The newest message with its position. */
  get newestStamped(): EncodedMessage {
    return this.#stamped(this.#offset);
  }

  #stamped(offset: number): EncodedMessage {
    const entry = this.#entry(offset);
    entry.stamped ??= this.#rule.stamp(entry.message, positionText({ epoch: this.#epoch, offset }));
    return entry.stamped;
  }

  #entry(offset: number): Entry {
    return this.#ring[offset % this.#rule.size] as Entry; // of an offset that is kept
  }
}

/** A position as it goes to clients, and comes back from them. */
export function positionText({ epoch, offset }: Position): string {
  return `${epoch}.${offset}`;
}

/** The position that a text stands for; undefined for any other text. */
export function readPosition(text: string): Position | undefined {
  const [, epoch, digits] = /^([\w-]{1,64})\.(\d{1,15})$/.exec(text) ?? [];
  return epoch === undefined ? undefined : { epoch, offset: Number(digits) };
}
