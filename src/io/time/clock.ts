/**
 * Time and random numbers, as a server takes them: the system's own, or those of the option `clock`.
 */
export interface Clock {
  /** Milliseconds since some fixed moment, never going back. */
  now(): number;
  /** Milliseconds since 1970, for people. */
  epochMs(): number;
  /** A number from 0 up to 1, for jitter. */
  random(): number;
  /** Calls `beat` about every `ms` milliseconds until the returned function is called. Keeps no process alive. */
  every(ms: number, beat: () => void): () => void;
  /**
   * Keeps the process alive until the returned function is called. A clock that has its own time may leave this out: then
   * nothing is kept alive.
   */
  keepAlive?(): () => void;
}

/** Timers wait for at most 2 ** 31 - 1 milliseconds. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => performance.now(),
  epochMs: () => Date.now(),
  random: () => Math.random(),
  every(ms, beat) {
    const timer = setInterval(beat, ms);
    timer.unref();
    return () => clearInterval(timer);
  },
  keepAlive() {
    const timer = setInterval(() => {}, LONGEST_TIMER_MS);
    return () => clearInterval(timer);
  },
};

/** Taken when the module loads, so that fake timers of a test do not replace them. */
const { setImmediate: soon, setTimeout: after, clearTimeout: forget } = globalThis;

/** Resolves in the next turn of the event loop, after everything that is ready now. */
export const eventLoopTurn = (): Promise<void> => new Promise((resolve) => soon(resolve));

/** Calls once after `ms` milliseconds of real time, unless the returned function is called first. Keeps the process alive. */
export function guard(ms: number, call: () => void): () => void {
  const timer = after(call, ms);
  return () => forget(timer);
}

/** What a promise resolves to. Rejects when that takes longer than `ms` milliseconds of real time; `late` begins the message. */
export function within<T>(ms: number, promise: Promise<T>, late = 'too late'): Promise<T> {
  return new Promise((resolve, reject) => {
    const release = guard(ms, () => reject(new Error(`${late} (${ms} ms)`)));
    promise.then(resolve, reject).finally(release);
  });
}

/** Runs a task in the next turn of the event loop, after sockets were read. */
export const nextTurn = (task: () => void): void => void soon(task);
