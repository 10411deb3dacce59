/**
 * A connection to NATS that the test plays by hand.
 */
import type { NatsConnection } from '../../src/nats/index.ts';

type Status = { type: string; error?: Error };

export class FakeNats implements NatsConnection {
  readonly calls: string[] = [];
  readonly callbacks = new Map<string, (error: Error | null, message: { data: Uint8Array }) => void>();
  /** Subjects. */
  published: string[] = [];
  /** What `flush` and `rtt` answer. */
  flushes: Promise<void> = Promise.resolve();
  pings: Promise<number> = Promise.resolve(1);
  refuses: Error | undefined;
  #wake: (status: Status | undefined) => void = () => {};
  readonly #queue: Status[] = [];
  #isClosed = false;
  #ended: (error?: Error) => void = () => {};
  readonly #closed = new Promise<Error | undefined>((resolve) => {
    this.#ended = resolve;
  });

  publish(subject: string): void {
    if (this.refuses) throw this.refuses;
    this.published.push(subject);
  }
  subscribe(subject: string, { callback }: Parameters<NatsConnection['subscribe']>[1]) {
    this.calls.push(`+${subject}`);
    this.callbacks.set(subject, callback);
    return { unsubscribe: () => void this.calls.push(`-${subject}`) };
  }
  flush(): Promise<void> {
    this.calls.push('flush');
    return this.flushes;
  }
  rtt(): Promise<number> {
    return this.pings;
  }
  async close(): Promise<void> {
    this.calls.push('close');
    this.end();
  }
  closed(): Promise<unknown> {
    return this.#closed;
  }
  isClosed(): boolean {
    return this.#isClosed;
  }
  end(error?: Error): void {
    this.#isClosed = true;
    this.#ended(error);
  }
  tell(status: Status): void {
    this.#queue.push(status);
    this.#wake(status);
  }
  async *status(): AsyncGenerator<Status> {
    for (;;) {
      const next = this.#queue.shift();
      if (next !== undefined) yield next;
      else await new Promise((resolve) => (this.#wake = resolve));
    }
  }
}
