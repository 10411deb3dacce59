/**
 * Who is told of an error: `onError` of the path, `errors$` of the path and of the server, and where nobody listens, a
 * warning of the process.
 */

import { isThenable } from '../../io/values.ts';
import type { Decision } from '../../machines/connection-ports.ts';
import type { Failure, Path, Streams } from '../paths/path.ts';
import type { Connection } from './connection.ts';
import { beginDelivery } from './streams.ts';

/** Where an error happened. */
export interface Scene {
  readonly connection: Connection;
  /** Undefined before the path is known. */
  readonly path: Path | undefined;
  /** Nobody has the connection in hand before it is open. */
  readonly isOpened: boolean;
  /** Those of the server. */
  readonly streams: Streams;
  /** Nobody listens to errors. */
  unheard(error: unknown): void;
}

/** Tells an error to `onError` and to `errors$`; the answer is `onError`'s, or `'close'`. */
export function report(error: unknown, scene: Scene): Decision {
  return decide(error, scene, publish(error, scene));
}

/** Asks `onError` what follows of an error; `isHeard`: it was told to `errors$`. */
export function decide(error: unknown, scene: Scene, isHeard: boolean): Decision {
  const onError = scene.isOpened ? scene.path?.handlers.onError : undefined;
  if (onError === undefined) {
    if (!isHeard) scene.unheard(error);
    return 'close';
  }
  const onErrorFailed = (second: unknown): void => {
    if (!publish(second, scene)) scene.unheard(second);
  };
  try {
    const decision: unknown = onError(scene.connection, error);
    if (isThenable(decision)) Promise.resolve(decision).then(undefined, onErrorFailed);
    return decision === 'continue' || decision === 'retry' ? decision : 'close';
  } catch (second) {
    onErrorFailed(second);
    return 'close';
  }
}

/** Tells an error to `errors$`; false when nobody is subscribed. */
export function publish(error: unknown, { path, isOpened, connection, streams }: Scene): boolean {
  return tell({ connection: isOpened ? connection : undefined, error }, path?.streams, streams);
}

/** Tells a failure to `errors$` of a path and of the server; false when nobody is subscribed. */
export function tell(failure: Failure, path: Streams | undefined, server: Streams): boolean {
  if (!path?.errors.observed && !server.errors.observed) return false;
  const delivery = beginDelivery();
  path?.errors.next(failure, delivery);
  server.errors.next(failure, delivery);
  return true;
}

/** With `debugOnError`, a debugger stops here, and without one the process ends with the handler's own stack. */
export function stopToDebug(error: unknown): void {
  // biome-ignore lint/suspicious/noDebugger: this is what debugOnError is for
  debugger;
  queueMicrotask(() => {
    throw error;
  });
}
