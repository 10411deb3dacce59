/**
 * `for await (const message of connection)`: reading goes on only while somebody waits for a message.
 */
import type { Subscription } from 'rxjs';
import type { Session } from '../../connection/session.ts';
import type { Message } from '../paths/handlers.ts';

type Result = IteratorResult<Message, undefined>;
const DONE: Result = { done: true, value: undefined };

export class MessageIterator implements AsyncIterator<Message, undefined> {
  readonly #session: Session;
  readonly #subscription: Subscription;
  /** Messages nobody has asked for yet: at most those that other iterators let through. */
  readonly #messages: Message[] = [];
  readonly #waiting: ((result: Result) => void)[] = [];
  #ended = false;

  constructor(session: Session) {
    this.#session = session;
    session.reading.iterating(1);
    this.#subscription = session.stream('messages').observable.subscribe({
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
      if (this.#waiting.length === 1) this.#session.reading.pulling(1);
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
    if (this.#waiting.length === 0) this.#session.reading.pulling(-1);
    resolve({ done: false, value: message });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    if (this.#waiting.length > 0) this.#session.reading.pulling(-1);
    for (const resolve of this.#waiting) resolve(DONE);
    this.#waiting.length = 0;
    this.#session.reading.iterating(-1);
  }
}
