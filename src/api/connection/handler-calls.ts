/**
 * Calls the handlers of a path: one call, and the same call again if `onError` says `retry`. What a handler throws or
 * returns goes to its caller.
 */
import type { Fragment, Message } from '../../connection/recipient.ts';
import type { Path } from '../paths/path.ts';
import type { Connection } from './connection.ts';

/** For whom handlers are called. */
export interface HandlerCaller {
  readonly connection: Connection;
  readonly path: Path | undefined;
  /** Subscriptions so far to messages and fragments of this connection: a handler may make more. */
  readonly subscribed: number;
  /** A handler returned something. If that is a promise, the next message waits for it. */
  settle(result: unknown, retry: () => void, attempts: number, subscribed: number): void;
  /** A handler threw. `retry` calls it once more; it was called again `attempts` times already. */
  failed(error: unknown, retry: () => void, attempts: number): void;
}

export function callOpen(caller: HandlerCaller, attempts = 0): void {
  const { subscribed } = caller;
  try {
    const result = caller.path?.handlers.onOpen?.(caller.connection);
    if (result === undefined) return;
    caller.settle(result, () => callOpen(caller, attempts + 1), attempts, subscribed);
  } catch (error) {
    caller.failed(error, () => callOpen(caller, attempts + 1), attempts);
  }
}

export function callMessage(caller: HandlerCaller, message: Message, attempts = 0): void {
  const { subscribed } = caller;
  try {
    const result = caller.path?.handlers.onMessage?.(caller.connection, message);
    if (result === undefined) return;
    caller.settle(result, () => callMessage(caller, message, attempts + 1), attempts, subscribed);
  } catch (error) {
    caller.failed(error, () => callMessage(caller, message, attempts + 1), attempts);
  }
}

export function callFragment(caller: HandlerCaller, fragment: Fragment, attempts = 0): void {
  const { subscribed } = caller;
  try {
    const result = caller.path?.handlers.onFragment?.(caller.connection, fragment);
    if (result === undefined) return;
    caller.settle(result, () => callFragment(caller, fragment, attempts + 1), attempts, subscribed);
  } catch (error) {
    caller.failed(error, () => callFragment(caller, fragment, attempts + 1), attempts);
  }
}
