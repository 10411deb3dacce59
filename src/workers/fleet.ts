/**
 * All workers of a program, as their primary keeps them: as many as were asked for, one in place of each that dies, and in
 * place of each old one at a restart.
 */
import type { FromWorker } from './protocol.ts';
import { Router } from './router.ts';
import { type Child, type ChildEvents, Worker, type WorkerHost } from './worker.ts';

/** What a fleet needs of its process. */
export interface FleetHost {
  fork(events: ChildEvents, isFirst: boolean): Child;
  after(ms: number, task: () => void): () => void;
  now(): number;
  log(line: string): void;
}

export interface FleetSettings {
  readonly count: number;
  readonly startDeadline: number;
  readonly stopDeadline: number;
}

/** A worker that has served for so many milliseconds is replaced at once when it dies. */
const LONG_LIFE_MS = 10_000;
const FIRST_DELAY_MS = 100;
const LONGEST_DELAY_MS = 30_000;
/** Starts in a row that fail while nobody serves, before all is given up. */
const MOST_FAILED_STARTS = 5;

/** Milliseconds before a worker is replaced that was the n-th in a row not to live long. */
export function delayAfter(failures: number): number {
  return failures === 0 ? 0 : Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (failures - 1));
}

/** Where one worker after the other is. */
interface Post {
  worker: Worker;
}

/**
 * All workers of a program.
 *
 * Many members: it is the host of its workers, and what they ask for is one line each.
 */
export class Fleet implements WorkerHost {
  readonly startDeadline: number;
  /** Resolves when the fleet was stopped; rejects when it gave up. */
  readonly ended: Promise<void>;
  readonly #host: FleetHost;
  readonly #settings: FleetSettings;
  readonly #router = new Router();
  readonly #posts: Post[] = [];
  /** All that have not ended. */
  readonly #live = new Set<Worker>();
  /** Each ends a wait. */
  readonly #waits = new Set<() => void>();
  #failedStarts = 0;
  #restarting: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #tellEnded: (reason?: Error) => void = () => {};

  constructor(settings: FleetSettings, host: FleetHost) {
    this.startDeadline = settings.startDeadline;
    this.#settings = settings;
    this.#host = host;
    this.ended = new Promise((resolve, reject) => {
      this.#tellEnded = (reason) => (reason === undefined ? resolve() : reject(reason));
    });
  }

  /** Processes that serve now, the oldest first. */
  get pids(): number[] {
    return this.#posts
      .filter(({ worker }) => worker.isReady && !worker.hasEnded)
      .map(({ worker }) => worker.pid);
  }

  // ------------------------------------------------------------------ starting

  /**
   * The first one starts alone: what is wrong with the program is then told once. Rejects when one of them does not
   * start; resolves when all was stopped meanwhile.
   */
  async start(): Promise<void> {
    await this.#startOne(true);
    if (this.#stopping !== undefined) return;
    await Promise.all(Array.from({ length: this.#settings.count - 1 }, () => this.#startOne(false)));
    for (const post of this.#posts) void this.#keep(post);
  }

  async #startOne(isFirst: boolean): Promise<void> {
    const worker = this.#fork(isFirst);
    if (await worker.ready) {
      this.#posts.push({ worker });
      return;
    }
    const how = await worker.ended;
    const wasStopped = this.#stopping !== undefined;
    await this.stop();
    if (!wasStopped) throw new Error(failedStart(how));
  }

  #fork(isFirst = false): Worker {
    const worker = new Worker(this, isFirst);
    this.#live.add(worker);
    return worker;
  }

  // ------------------------------------------------------------------ replacing

  /** Keeps a post filled until the fleet is stopped. */
  async #keep(post: Post): Promise<void> {
    let failures = 0;
    while (this.#stopping === undefined) {
      const { worker } = post;
      const how = await worker.ended;
      if (this.#stopping !== undefined) return;
      // A restart has put another in its place.
      if (post.worker !== worker) continue;
      failures = worker.lifeMs >= LONG_LIFE_MS ? 0 : failures + 1;
      const isHopeless = !worker.isReady && this.pids.length === 0;
      this.#failedStarts = isHopeless ? this.#failedStarts + 1 : 0;
      if (this.#failedStarts >= MOST_FAILED_STARTS) {
        await this.#giveUp(how);
        return;
      }
      await this.#waitToReplace(worker, how, delayAfter(failures));
      if (this.#stopping === undefined && post.worker === worker) post.worker = this.#fork();
    }
  }

  #waitToReplace({ pid, isReady }: Worker, how: string, ms: number): Promise<void> {
    const when = ms === 0 ? 'now' : `in ${ms / 1000} s`;
    this.log(`worker ${pid} ended ${how}${isReady ? '' : ' before it served'}; another is started ${when}`);
    return this.#wait(ms);
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        forget();
        this.#waits.delete(end);
        resolve();
      };
      const forget = this.#host.after(ms, end);
      this.#waits.add(end);
    });
  }

  async #giveUp(how: string): Promise<void> {
    const reason = new Error(
      `no worker serves, and ${MOST_FAILED_STARTS} in a row did not start: ${failedStart(how)}`,
    );
    this.#stopping = this.#stopAll(this.#settings.stopDeadline);
    await this.#stopping;
    this.#tellEnded(reason);
  }

  // ------------------------------------------------------------------ restarting and stopping

  /** One after the other: a new one is started, and then the old one says goodbye to its connections. */
  restart(): Promise<void> {
    this.#restarting ??= this.#restartAll().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  async #restartAll(): Promise<void> {
    for (const post of this.#posts) {
      if (this.#stopping !== undefined) throw new Error('the workers were stopped during their restart');
      const fresh = this.#fork();
      if (!(await fresh.ready)) {
        throw new Error(
          `the restart ends here, and the old workers go on: ${failedStart(await fresh.ended)}`,
        );
      }
      const old = post.worker;
      post.worker = fresh;
      await old.stop(true, this.#settings.stopDeadline);
    }
  }

  /** Resolves when all have ended. */
  stop(deadline = this.#settings.stopDeadline): Promise<void> {
    this.#stopping ??= this.#stopAll(deadline).then(() => this.#tellEnded());
    return this.#stopping;
  }

  async #stopAll(deadline: number): Promise<void> {
    for (const end of this.#waits) end();
    await Promise.all(Array.from(this.#live, (worker) => worker.stop(false, deadline)));
  }

  /** Ends all at once. */
  kill(): void {
    for (const worker of this.#live) worker.kill();
  }

  // ------------------------------------------------------------------ what workers ask for

  fork(events: ChildEvents, isFirst: boolean): Child {
    return this.#host.fork(events, isFirst);
  }

  after(ms: number, task: () => void): () => void {
    return this.#host.after(ms, task);
  }

  now(): number {
    return this.#host.now();
  }

  log(line: string): void {
    this.#host.log(line);
  }

  said(worker: Worker, message: FromWorker): void {
    this.#router.take(worker, message);
  }

  gone(worker: Worker): void {
    this.#live.delete(worker);
    this.#router.forget(worker);
  }
}

function failedStart(how: string): string {
  return `a worker ended ${how} before it served; what it printed says why`;
}
