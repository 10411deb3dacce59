/**
 * Errors that RxJS would throw from a timer, as an uncaught exception that ends the process.
 *
 * That is what RxJS does with an error that no subscriber handles: the one of a `next` callback, and the one of an operator
 * whose subscriber has no `error` callback. `catchUnhandled` gets those that happen while it runs, wherever they are: behind
 * `merge`, `concat`, `defer`, `share` or a Subject of the user's. It uses RxJS's own way to have them thrown at the caller,
 * the setting `useDeprecatedSynchronousErrorHandling`, which is put back before it returns: code of the user's that runs at
 * any other time does not see it. What happens later (in a timer, behind a promise) is not caught.
 */
import { config, Subject } from 'rxjs';

/** With the setting, `next` of the outermost Subject throws the last error that nobody has handled. */
const outermost = new Subject<() => void>();
outermost.subscribe((run) => run());
let isCatching = false;

/** Runs a function, and returns the last error of RxJS that nobody handled meanwhile. Inside another one, that gets it. */
export function catchUnhandled(run: () => void): { readonly error: unknown } | undefined {
  if (isCatching) {
    run();
    return undefined;
  }
  const before = config.useDeprecatedSynchronousErrorHandling;
  isCatching = true;
  config.useDeprecatedSynchronousErrorHandling = true;
  try {
    outermost.next(run);
    return undefined;
  } catch (error) {
    return { error };
  } finally {
    isCatching = false;
    config.useDeprecatedSynchronousErrorHandling = before;
  }
}
