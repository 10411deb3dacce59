/**
 * One worker process as the primary sees it, from its fork to its end.
 */
import { type FromWorker, isOurs, type ToWorker } from './protocol.ts';

/** A process that was forked. */
export interface Child {
  readonly pid: number;
  /** Calls `done` when the message has left, or cannot. */
  send(message: ToWorker, done: () => void): void;
  /** Ends it at once. */
  kill(): void;
}

/** What is told of a child. */
export interface ChildEvents {
  said(message: unknown): void;
  /** `how`, such as `with code 1`. Nothing comes after it. */
  ended(how: string): void;
}

/** What a worker needs of its primary. */
export interface WorkerHost {
  readonly startDeadline: number;
  fork(events: ChildEvents, isFirst: boolean): Child;
  /** Calls `task` after `ms` milliseconds, unless the returned function is called first. */
  after(ms: number, task: () => void): () => void;
  now(): number;
  log(line: string): void;
  /** Takes what it says of topics. */
  said(worker: Worker, message: FromWorker): void;
  gone(worker: Worker): void;
}

/** Milliseconds that a worker has beyond the deadline of its connections. */
const GRACE_MS = 5_000;

export class Worker {
  /** True when its server has started, false when it ended before. */
  readonly ready: Promise<boolean>;
  /** How it ended, such as `by SIGKILL`. */
  readonly ended: Promise<string>;
  isReady = false;
  hasEnded = false;
  readonly #host: WorkerHost;
  readonly #child: Child;
  /** It listens to us. */
  #isLoaded = false;
  #readyMs = Number.NaN;
  #tellReady: (isReady: boolean) => void = () => {};
  #tellEnded: (how: string) => void = () => {};

  constructor(host: WorkerHost, isFirst: boolean) {
    this.#host = host;
    this.ready = new Promise((resolve) => {
      this.#tellReady = resolve;
    });
    this.ended = new Promise((resolve) => {
      this.#tellEnded = resolve;
    });
    const seconds = host.startDeadline / 1000;
    const forget = host.after(host.startDeadline, () => {
      host.log(`worker ${this.pid} has started no server within ${seconds} s; it is killed`);
      this.kill();
    });
    void this.ready.then(forget);
    this.#child = host.fork(
      { said: (message) => this.#said(message), ended: (how) => this.#ended(how) },
      isFirst,
    );
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Milliseconds since its server started; 0 when that never was. */
  get lifeMs(): number {
    return this.isReady ? this.#host.now() - this.#readyMs : 0;
  }

  send(message: ToWorker, done: () => void): void {
    if (this.hasEnded) done();
    else this.#child.send(message, done);
  }

  /** Resolves when it has ended. One that has not begun to run its program would not hear of it, and is killed. */
  async stop(restarts: boolean, deadline: number): Promise<void> {
    if (this.hasEnded) return;
    if (!this.#isLoaded) this.kill();
    this.send({ portal: 'stop', restarts, deadline }, () => {});
    const forget = this.#host.after(deadline + GRACE_MS, () => {
      this.#host.log(
        `worker ${this.pid} has not ended within ${(deadline + GRACE_MS) / 1000} s; it is killed`,
      );
      this.kill();
    });
    await this.ended;
    forget();
  }

  kill(): void {
    if (!this.hasEnded) this.#child.kill();
  }

  #said(message: unknown): void {
    if (!isOurs(message)) return;
    const told = message as FromWorker;
    if (told.portal === 'loaded') {
      this.#isLoaded = true;
    } else if (told.portal !== 'listening') {
      this.#host.said(this, told);
    } else if (!this.isReady) {
      this.isReady = true;
      this.#readyMs = this.#host.now();
      this.#tellReady(true);
    }
  }

  #ended(how: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.#host.gone(this);
    this.#tellReady(false);
    this.#tellEnded(how);
  }
}
