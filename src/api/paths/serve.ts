/**
 * `path.serve`: a path as a function from a connection to what is sent on it.
 *
 * Each connection has a subscription of its own, so an error in it ends that connection and no other.
 */

import type { Subscribable, Unsubscribable } from 'rxjs';
import { isPlainObject, isThenable } from '../../io/values.ts';
import { type EncodedMessage, kindOf } from '../../io/writing/encoded-message.ts';
import type { SendResult } from '../../io/writing/outbox-ports.ts';
import { OptionError } from '../errors.ts';

/**
 * What a function given to `path.serve` returns: an observable, an async iterable such as an async generator makes, or a
 * promise. The value of a promise is sent, unless it is undefined; where it is one of the others, that is sent.
 */
export type Served<Out> =
  | Subscribable<Out | EncodedMessage>
  | AsyncIterable<Out | EncodedMessage>
  | PromiseLike<
      | Subscribable<Out | EncodedMessage>
      | AsyncIterable<Out | EncodedMessage>
      | Out
      | EncodedMessage
      | undefined
      // biome-ignore lint/suspicious/noConfusingVoidType: an async function that returns nothing
      | void
    >;

/** How `path.serve` sends. */
export interface ServeOptions<Out = unknown> {
  /** A message takes the place of a waiting one of the same key: one key for all, or the key of each value. */
  readonly key?: string | ((value: Out) => string | undefined) | undefined;
}

/** What `path.serve` was given. */
export interface Serving {
  readonly serve: (connection: ServedConnection) => unknown;
  readonly keyOf: ((value: unknown) => string | undefined) | undefined;
}

/** What is needed of a connection. */
export interface ServedConnection {
  send(value: unknown, options?: { readonly key?: string }): SendResult;
  close(): void;
  drained(): Promise<void>;
}

/** Holds messages back, as for a handler. */
export interface ServedReading {
  hold(): { handling(change: 1 | -1): void };
  readAgain(): void;
}

/** @throws OptionError for what is wrong. */
export function readServing(path: string, serve: Serving['serve'], options: ServeOptions): Serving {
  if (!isPlainObject(options as unknown)) {
    throw new OptionError(`options of serve of ${path}`, options, 'an object such as { key }');
  }
  const unknown = Object.keys(options).find((name) => name !== 'key');
  if (unknown !== undefined) {
    throw new OptionError(`${unknown} of serve of ${path}`, options[unknown as 'key'], 'no option but key');
  }
  const { key } = options;
  if (typeof serve !== 'function') {
    throw new OptionError(`serve of ${path}`, serve, 'a function that is given a connection');
  }
  if (key === undefined) return { serve, keyOf: undefined };
  if (typeof key === 'string') return { serve, keyOf: () => key };
  if (typeof key === 'function') return { serve, keyOf: key };
  throw new OptionError(`key of serve of ${path}`, key, 'a string, or a function that gives one for a value');
}

/** Sends to one connection what its function gives. */
export class ServedSource {
  readonly #serving: Serving;
  readonly #connection: ServedConnection;
  readonly #failed: (error: unknown) => void;
  readonly #reading: ServedReading;
  /** It ends later, and until then takes messages when it wants to: a promise or an async iterable. */
  #isPending = false;
  /** It holds messages back. */
  #isHolding = false;
  #isOver = false;
  #subscription: Unsubscribable | undefined;
  #iterator: AsyncIterator<unknown> | undefined;

  /** `failed` is told of the error that ended it. */
  constructor(
    serving: Serving,
    connection: ServedConnection,
    failed: (error: unknown) => void,
    reading: ServedReading,
  ) {
    this.#serving = serving;
    this.#connection = connection;
    this.#failed = failed;
    this.#reading = reading;
  }

  /**
   * Calls the function, and begins with what that returns. A promise or an async iterable holds messages back as a handler
   * does, so that none is lost before it takes them; not where somebody else takes messages.
   */
  start(othersTakeMessages: boolean): void {
    this.#begin();
    if (!this.#isPending || othersTakeMessages) return;
    this.#isHolding = true;
    this.#reading.hold().handling(1);
  }

  #begin(): void {
    try {
      const served = this.#serving.serve(this.#connection);
      if (isThenable(served)) {
        this.#isPending = true;
        Promise.resolve(served).then(
          (value) => this.#resolved(value),
          (error: unknown) => this.#fail(error),
        );
      } else if (!this.#take(served)) {
        throw new TypeError(
          `a function given to serve returned ${kindOf(served)}; it returns an observable, an async iterable or a promise`,
        );
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The connection has ended: nothing more is taken. */
  stop(): void {
    if (this.#isOver) return;
    this.#letGo();
    this.#settle();
  }

  #letGo(): void {
    this.#isOver = true;
    this.#subscription?.unsubscribe();
    const iterator = this.#iterator;
    if (iterator?.return === undefined) return;
    // A generator runs its `finally` now, or when what it waits for has come.
    new Promise((resolve) => resolve(iterator.return?.())).then(undefined, this.#failed);
  }

  #settle(): void {
    this.#isPending = false;
    if (!this.#isHolding) return;
    this.#isHolding = false;
    this.#reading.hold().handling(-1);
    this.#reading.readAgain();
  }

  /** False when it is neither an observable nor an async iterable. */
  #take(served: unknown): boolean {
    if (isSubscribable(served)) {
      this.#subscribe(served);
      this.#settle();
    } else if (isAsyncIterable(served)) {
      this.#isPending = true;
      this.#iterate(served);
    } else return false;
    return true;
  }

  #resolved(value: unknown): void {
    if (this.#isOver) return;
    try {
      if (this.#take(value)) return;
      if (value !== undefined) this.#send(value);
      this.#complete();
    } catch (error) {
      this.#fail(error);
    }
  }

  #subscribe(served: Subscribable<unknown>): void {
    const subscription = served.subscribe({
      next: (value) => {
        try {
          if (!this.#isOver) this.#send(value);
        } catch (error) {
          this.#fail(error);
        }
      },
      error: (error) => this.#fail(error),
      complete: () => this.#complete(),
    });
    // It may have ended at once.
    if (this.#isOver) subscription.unsubscribe();
    else this.#subscription = subscription;
  }

  async #iterate(served: AsyncIterable<unknown>): Promise<void> {
    try {
      const iterator = served[Symbol.asyncIterator]();
      this.#iterator = iterator;
      for (;;) {
        const { done, value } = await this.#next(iterator);
        if (this.#isOver) return;
        if (done === true) break;
        const result = this.#send(value);
        if (result === 'queued' && this.#serving.keyOf === undefined) await this.#connection.drained();
        if (this.#isOver) return;
      }
      this.#complete();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The next value. An iterator that has ended, or failed, need not be told to. */
  async #next(iterator: AsyncIterator<unknown>): Promise<IteratorResult<unknown>> {
    let isDone: boolean | undefined = true;
    try {
      const result = await iterator.next();
      isDone = result.done;
      return result;
    } finally {
      if (isDone === true) this.#iterator = undefined;
    }
  }

  #send(value: unknown): SendResult {
    const key = this.#serving.keyOf?.(value);
    return key === undefined ? this.#connection.send(value) : this.#connection.send(value, { key });
  }

  #complete(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#connection.close();
    this.#settle();
  }

  #fail(error: unknown): void {
    if (this.#isOver) return;
    this.#letGo();
    this.#failed(error);
    this.#settle();
  }
}

const isSubscribable = (value: unknown): value is Subscribable<unknown> =>
  typeof (value as Partial<Subscribable<unknown>> | undefined | null)?.subscribe === 'function';

const isAsyncIterable = (value: unknown): value is AsyncIterable<unknown> =>
  typeof (value as Partial<AsyncIterable<unknown>> | undefined | null)?.[Symbol.asyncIterator] === 'function';
