/**
 * What kind of value a program gave us.
 */

/** A promise, of whichever library: an object with a `then`. */
export function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}

/** Whether it is a promise where none may be. Nobody waits for it, so if it rejects, that does not end the process. */
export function isUnwantedPromise(value: unknown): value is PromiseLike<unknown> {
  if (!isThenable(value)) return false;
  Promise.resolve(value).then(undefined, () => {});
  return true;
}

/** An object made by `{}` or `Object.create(null)`, in this realm or another: no instance of a class, no list. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || prototype === Object.prototype) return true;
  // The Object.prototype of another realm: at the end of its chain, and with a method that only it has.
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, 'isPrototypeOf');
}

/** A function of a text that keeps its last answer: what the clients of a server send is mostly the same. */
export function rememberingLast<Result>(read: (text: string) => Result): (text: string) => Result {
  let last: { readonly text: string; readonly result: Result } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, result: read(text) };
    return last.result;
  };
}
