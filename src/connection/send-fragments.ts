/**
 * One message sent in fragments as its pieces come (RFC 6455 5.4).
 *
 * It has its place among the messages of the connection from the call on: what is sent later waits until it is complete.
 * Pieces that are there already are sent before the call returns, as long as the peer reads. Of what is compressed, those are
 * the first 64 KiB, and as much in each later turn of the event loop.
 */

import { Buffer } from 'node:buffer';
import { BINARY, CONTINUATION, TEXT } from '../io/frames/frame-encoder.ts';
import { isThenable, isUnwantedPromise } from '../io/values.ts';
import { bytesAdvice, toBytes } from '../io/writing/bytes.ts';
import { kindOf } from '../io/writing/encoded-message.ts';
import type { SendResult } from '../io/writing/outbox-ports.ts';
import type { Place } from '../io/writing/send-queue.ts';
import { SLICE_BYTES } from '../io/writing/sliced-message.ts';
import type { Message } from './recipient.ts';
import type { Sending, Unfinished } from './sending.ts';
import type { Session } from './session.ts';

export type Pieces = Iterable<Message> | AsyncIterable<Message>;
type PieceIterator = Iterator<unknown> | AsyncIterator<unknown>;

const NOTHING = new Uint8Array(0);

/**
 * Sends the pieces, compressed where that was agreed on and `compress` is not false. Rejects with what the source throws, or a
 * TypeError for what is no piece.
 */
export async function sendFragments(session: Session, pieces: Pieces, compress = true): Promise<SendResult> {
  const { sending } = session;
  if (!sending.isOpen) return 'closed';
  const iterator = iteratorOf(pieces);
  const place = sending.outbox.reserve(undefined, !compress);
  const message = new FragmentedMessage(sending, place, iterator);
  const forget = sending.begin(message);
  try {
    return await message.send();
  } catch (error) {
    // A message that has begun can be neither finished nor taken back.
    if (!place.hasBegun) sending.outbox.leave(place);
    else if (sending.isOpen) session.requestClose(1011, 'internal error');
    throw error;
  } finally {
    forget();
  }
}

class FragmentedMessage implements Unfinished {
  readonly isWhole = false;
  readonly #sending: Sending;
  readonly #place: Place;
  readonly #iterator: PieceIterator;
  readonly #encoder = new PieceEncoder();
  /** What has not been sent of the present piece. */
  #rest: Uint8Array | undefined;
  /** The source was asked for its next piece and has not answered. */
  #isAsking = false;
  /** The source has ended or failed: it must not be told to stop. */
  #isExhausted = false;
  #result: SendResult | undefined;
  /** Bytes of a frame, at most. */
  readonly #mostBytes: number;
  #sentBytes = 0;
  /** After so many bytes, the next frame waits for a turn of the event loop. */
  #bytesOfTurn: number;

  constructor(sending: Sending, place: Place, iterator: PieceIterator) {
    this.#sending = sending;
    this.#place = place;
    this.#iterator = iterator;
    const isPlain = place.isPlain || sending.outbox.extension === undefined;
    this.#bytesOfTurn = isPlain ? Number.POSITIVE_INFINITY : SLICE_BYTES;
    this.#mostBytes = Math.min(sending.sendLimit, this.#bytesOfTurn);
  }

  /** Sends piece after piece, as the peer reads. What needs no waiting is done before this returns. */
  async send(): Promise<SendResult> {
    const { outbox } = this.#sending;
    try {
      if (outbox.unfinished !== this.#place) await this.#untilClosed(this.#turn());
      while (this.#sending.isOpen && this.#result === undefined) {
        const wait = outbox.waiting ? this.#untilClosed(this.#sending.accepting()) : this.#step();
        if (wait !== undefined) await wait;
      }
      return this.#result ?? 'closed';
    } finally {
      if (!this.#isExhausted) stop(this.#iterator);
    }
  }

  /** The connection is about to close: takes the rest, if it is there and not more than `sendLimit`. */
  finishNow(): void {
    const { outbox, sendLimit } = this.#sending;
    if (outbox.unfinished !== this.#place) return;
    this.#bytesOfTurn = Number.POSITIVE_INFINITY;
    const most = this.#sentBytes + sendLimit;
    const isShort = () => outbox.bufferedAmount <= sendLimit && this.#sentBytes <= most;
    try {
      while (this.#result === undefined && !this.#isAsking && isShort()) this.#step()?.catch(() => {});
    } catch {
      // The source failed. The connection closes anyway, and the message is given up.
    }
    if (!this.#place.hasBegun) outbox.leave(this.#place);
  }

  /** Sends what is left of a piece, or asks for the next one. Returns a promise where there is something to wait for. */
  #step(): Promise<unknown> | undefined {
    if (this.#rest !== undefined) {
      if (this.#sentBytes >= this.#bytesOfTurn) return this.#untilClosed(this.#sendInTurn());
      this.#sendRest(this.#rest);
      return undefined;
    }
    this.#isExhausted = true; // unless it gives a piece
    const step = this.#iterator.next();
    return isThenable(step) ? this.#ask(step, (given) => this.#take(given)) : this.#take(step);
  }

  #take(step: IteratorResult<unknown>): Promise<void> | undefined {
    this.#isExhausted = step.done === true;
    if (step.done === true) {
      this.#result = this.#sending.outbox.fragment(
        this.#place,
        this.#encoder.nextOpcode(),
        this.#encoder.rest(),
        true,
      );
      return undefined;
    }
    const { value } = step;
    if (isThenable(value)) return this.#ask(value, (piece) => this.#encode(piece));
    return this.#encode(value);
  }

  #encode(piece: unknown): undefined {
    this.#rest = this.#encoder.encode(piece);
  }

  /** Sends one frame in the next turn. Others have theirs before. */
  #sendInTurn(): Promise<void> {
    return this.#sending.inTurn(() => {
      // Unless a Close has made it leave before.
      if (this.#sentBytes < this.#bytesOfTurn) return;
      this.#bytesOfTurn = this.#sentBytes + SLICE_BYTES;
      const { isOpen, outbox } = this.#sending;
      if (this.#rest !== undefined && isOpen && !outbox.waiting) this.#sendRest(this.#rest);
    });
  }

  /** One frame, of not more than `#mostBytes`. */
  #sendRest(rest: Uint8Array): void {
    const most = this.#mostBytes;
    this.#rest = rest.length > most ? rest.subarray(most) : undefined;
    const part = this.#rest === undefined ? rest : rest.subarray(0, most);
    this.#sentBytes += part.length;
    this.#sending.outbox.fragment(this.#place, this.#encoder.nextOpcode(), part, false);
  }

  /** Waits for the source, as long as what it gives can be sent. */
  async #ask<T>(answer: PromiseLike<T>, use: (given: T) => Promise<void> | undefined): Promise<void> {
    this.#isAsking = true;
    const wrapped = Promise.resolve(answer).then((given) => ({ given }));
    const got = await this.#untilClosed(wrapped);
    this.#isAsking = false;
    if (got === undefined) this.#isExhausted = false;
    else await use(got.given);
  }

  /** Resolves when no unfinished message is before this one. */
  #turn(): Promise<void> {
    return new Promise((resolve) => {
      this.#place.onTurn = resolve;
    });
  }

  /** What the promise gives; undefined when nothing may be sent any more before it settles. */
  async #untilClosed<T>(promise: Promise<T>): Promise<T | undefined> {
    let forget = (): void => {};
    const closed = new Promise<undefined>((resolve) => {
      forget = this.#sending.whenClosed(() => resolve(undefined));
    });
    try {
      return await Promise.race([closed, promise]);
    } finally {
      forget();
    }
  }
}

function iteratorOf(pieces: Pieces): PieceIterator {
  const source: Partial<Iterable<unknown> & AsyncIterable<unknown>> = pieces ?? {};
  const make: unknown = source[Symbol.asyncIterator] ?? source[Symbol.iterator];
  if (typeof make !== 'function') {
    isUnwantedPromise(pieces);
    throw new TypeError('the pieces of a message come from an iterable');
  }
  return make.call(pieces);
}

/** Lets a source clean up, and waits for none. */
function stop(iterator: PieceIterator): void {
  new Promise((resolve) => resolve(iterator.return?.())).catch(() => {});
}

/** Turns pieces into payloads. A surrogate pair that is cut between two strings is put together again. */
class PieceEncoder {
  #opcode: number | undefined;
  #isFirst = true;
  #surrogate = '';

  /** Of the next frame. A message without pieces is an empty text. */
  nextOpcode(): number {
    const opcode = this.#isFirst ? (this.#opcode ?? TEXT) : CONTINUATION;
    this.#isFirst = false;
    return opcode;
  }

  encode(piece: unknown): Uint8Array {
    const isText = typeof piece === 'string';
    const bytes = isText ? undefined : toBytes(piece);
    const opcode = isText ? TEXT : BINARY;
    this.#opcode ??= opcode;
    if (this.#opcode !== opcode || (!isText && bytes === undefined)) {
      throw new TypeError(
        `the pieces of a message are all strings or all Uint8Arrays; this one is ${kindOf(piece)}${bytesAdvice(piece)}`,
      );
    }
    if (bytes !== undefined) return bytes;
    const text = this.#surrogate + piece;
    const isCut = /[\uD800-\uDBFF]$/.test(text);
    this.#surrogate = isCut ? text.slice(-1) : '';
    return Buffer.from(isCut ? text.slice(0, -1) : text);
  }

  rest(): Uint8Array {
    return this.#surrogate === '' ? NOTHING : Buffer.from(this.#surrogate);
  }
}
