/**
 * `for await (const message of connection)`: reading goes on only while somebody waits for a message.
 */
import type { Subscription } from 'rxjs';
import type { Reading } from '../../connection/reading.ts';
import type { Message } from '../../connection/recipient.ts';
import type { ConnectionStreams } from './connection-streams.ts';

type Result = IteratorResult<Message, undefined>;
const DONE: Result = { done: true, value: undefined };

export class MessageIterator implements AsyncIterator<Message, undefined> {
  readonly #reading: Reading;
  readonly #subscription: Subscription;
  /** Messages nobody has asked for yet: at most those that other iterators let through. */
  readonly #messages: Message[] = [];
  readonly #waiting: ((result: Result) => void)[] = [];
  #ended = false;

  constructor(reading: Reading, streams: ConnectionStreams) {
    this.#reading = reading;
    reading.hold().iterating(1);
    reading.readAgain();
    this.#subscription = streams.get('messages').observable.subscribe({
      next: (message) => this.#take(message),
      complete: () => this.#end(),
    });
  }

  next(): Promise<Result> {
    const message = this.#messages.shift();
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    if (this.#ended) return Promise.resolve(DONE);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      if (this.#waiting.length > 1) return;
      this.#reading.hold().pulling(1);
      this.#reading.readAgain();
    });
  }

  return(): Promise<Result> {
    this.#messages.length = 0;
    this.#subscription.unsubscribe();
    this.#end();
    return Promise.resolve(DONE);
  }

  #take(message: Message): void {
    const resolve = this.#waiting.shift();
    if (resolve === undefined) {
      this.#messages.push(message);
      return;
    }
    if (this.#waiting.length === 0) this.#reading.hold().pulling(-1);
    resolve({ done: false, value: message });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#waiting.length > 0) this.#reading.hold().pulling(-1);
    for (const resolve of this.#waiting) resolve(DONE);
    this.#waiting.length = 0;
    this.#reading.hold().iterating(-1);
    this.#reading.readAgain();
  }
}
