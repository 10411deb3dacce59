/**
 * The last messages of one topic, in memory: so many, for so long.
 *
 * Each has an offset, one more than the message before it. An epoch names one history: where it was lost, or has expired, a
 * new one begins with a new epoch, so that a position of the old one is never taken for one of the new.
 */
import { headerBytes } from '../io/frames/frame-encoder.ts';
import { type EncodedMessage, formOf } from '../io/writing/encoded-message.ts';
import type { Position } from './backplane.ts';
import type { HistoryRule } from './member.ts';

/** Memory of a message, or of its form with the position, beside its own bytes, about: objects, frame, place in the list. */
const OVERHEAD_BYTES = 300;

interface Entry {
  readonly message: EncodedMessage;
  /** With its position; made when the first member asks for that. */
  stamped: EncodedMessage | undefined;
  readonly atMs: number;
  /** Bytes of the frames of this history up to this one, itself included, as they are without positions. */
  readonly endBytes: number;
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
  #bytes = 0;
  /** Bytes of all frames so far. */
  #endBytes = 0;

  constructor(rule: HistoryRule, epoch: string) {
    this.#rule = rule;
    this.#epoch = epoch;
  }

  /** That of the newest message. */
  get position(): Position {
    return { epoch: this.#epoch, offset: this.#offset };
  }

  /** Memory that is held, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** When the newest message expires; undefined while none is kept. */
  get expiresMs(): number | undefined {
    return this.#count === 0 ? undefined : this.#entry(this.#offset).atMs + this.#rule.ttl;
  }

  /** `stamped`: what `stampNext` made of it, if it is to be kept, too. */
  append(message: EncodedMessage, nowMs: number, stamped?: EncodedMessage): void {
    this.expire(nowMs);
    if (this.#count === this.#rule.size) this.#dropOldest();
    this.#offset++;
    this.#count++;
    this.#endBytes += frameBytes(message);
    const entry = { message, stamped, atMs: nowMs, endBytes: this.#endBytes };
    this.#ring[this.#offset % this.#rule.size] = entry;
    this.#bytes += bytesOf(entry);
  }

  #dropOldest(): void {
    const at = (this.#offset - this.#count + 1) % this.#rule.size;
    this.#bytes -= bytesOf(this.#ring[at] as Entry); // called while some are kept
    this.#ring[at] = undefined;
    this.#count--;
  }

  /** Forgets the oldest messages, until so many bytes are free. */
  forget(bytes: number): void {
    const most = this.#bytes - bytes;
    while (this.#count > 0 && this.#bytes > most) this.#dropOldest();
  }

  /** Forgets what is too old. */
  expire(nowMs: number): void {
    while (this.#count > 0) {
      const oldest = this.#offset - this.#count + 1;
      if (this.#entry(oldest).atMs + this.#rule.ttl > nowMs) return;
      this.#dropOldest();
    }
  }

  /** The position before the newest `count` messages, or before all that are kept. */
  newest(count: number, nowMs: number): Position {
    this.expire(nowMs);
    return { epoch: this.#epoch, offset: this.#offset - Math.min(count, this.#count) };
  }

  /**
   * The messages after a position, in order; undefined when some of them are gone, it is of another epoch, or they are more than
   * `most` bytes as frames. The last may be longer by its header, as in the limit for what is sent. Those that are too many cost nothing.
   */
  after(
    { epoch, offset }: Position,
    nowMs: number,
    stamped: boolean,
    most = Number.POSITIVE_INFINITY,
  ): EncodedMessage[] | undefined {
    this.expire(nowMs);
    if (epoch !== this.#epoch || offset > this.#offset || offset < this.#offset - this.#count)
      return undefined;
    if (offset < this.#offset && this.#bytesAfter(offset) > most) return undefined;
    const messages: EncodedMessage[] = [];
    const last = this.#offset;
    let bytes = 0;
    for (let each = offset + 1; each <= last; each++) {
      const message = stamped ? this.#stamped(each) : this.#entry(each).message;
      if (bytes + payloadBytes(message) > most) return undefined;
      bytes += frameBytes(message);
      messages.push(message);
    }
    return messages;
  }

  /** Of the messages after an offset, of which there are some, but not the header of the last. */
  #bytesAfter(offset: number): number {
    const first = this.#entry(offset + 1);
    const header = headerBytes(payloadBytes(this.#entry(this.#offset).message));
    return this.#endBytes - first.endBytes + frameBytes(first.message) - header;
  }

  /** A message with the position that it has if it is kept next. */
  stampNext(message: EncodedMessage): EncodedMessage {
    return this.#rule.stamp(message, positionText({ epoch: this.#epoch, offset: this.#offset + 1 }));
  }

  #stamped(offset: number): EncodedMessage {
    const entry = this.#entry(offset);
    if (entry.stamped !== undefined) return entry.stamped;
    const stamped = this.#rule.stamp(entry.message, positionText({ epoch: this.#epoch, offset }));
    this.#bytes -= bytesOf(entry);
    entry.stamped = stamped;
    this.#bytes += bytesOf(entry);
    return stamped;
  }

  #entry(offset: number): Entry {
    return this.#ring[offset % this.#rule.size] as Entry; // of an offset that is kept
  }
}

function bytesOf({ message, stamped }: Entry): number {
  const more = stamped === undefined ? 0 : payloadBytes(stamped) + OVERHEAD_BYTES;
  return payloadBytes(message) + more + OVERHEAD_BYTES;
}

function payloadBytes(message: EncodedMessage): number {
  return formOf(message).payloadBytes;
}

/** Bytes of a message as a frame, without compression. */
export function frameBytes(message: EncodedMessage): number {
  return formOf(message).frame.length;
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
