/**
 * A promise that is settled from outside.
 */

export interface Deferred<T> {
  readonly promise: Promise<T>;
  /** With an Error, the promise rejects. */
  readonly settle: (outcome?: T | Error) => void;
}

export function deferred<T>(): Deferred<T> {
  let resolve: (value: T) => void = () => {};
  let reject: (error: Error) => void = () => {};
  const promise = new Promise<T>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  const settle = (outcome?: T | Error) => {
    if (outcome instanceof Error) reject(outcome);
    else resolve(outcome as T);
  };
  return { promise, settle };
}
