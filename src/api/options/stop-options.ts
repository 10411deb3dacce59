/**
 * The options of `stop()`: their defaults, what is allowed, and the check that says so.
 */

import { inspect } from 'node:util';
import { type CloseKeyword, encodeClosePayload, toCloseCode } from '../../io/frames/close-payload.ts';
import { isPlainObject } from '../../io/values.ts';
import type { StopRequest } from '../../server/stopping.ts';
import { OptionError } from '../errors.ts';

/** How a server stops. */
export interface StopOptions {
  /** Close code for the connections. Default 1001, going away. */
  readonly code?: CloseKeyword | number | undefined;
  /** At most 123 bytes of UTF-8. Default: none. */
  readonly reason?: string | undefined;
  /**
   * Milliseconds for their closing, 0 to Infinity, coarse by 50; what is left then is destroyed. Default: the option
   * `closeDeadline`.
   */
  readonly deadline?: number | undefined;
  /**
   * Connections asked to close every 50 ms, spread by ±50 %, so that their clients do not all come back at once; more
   * where half of the deadline would not suffice. 1 to Infinity, all at once. Default 500.
   */
  readonly batch?: number | undefined;
  /**
   * Closes the port at once, so that newcomers go to other processes that listen on it; where there are none, they are refused by
   * the system. Otherwise it is closed last, and newcomers are answered with 503. Default false.
   */
  readonly closePortFirst?: boolean | undefined;
}

const NAMES = ['code', 'reason', 'deadline', 'batch', 'closePortFirst'];
/** Connections asked to close in a tick. */
const BATCH = 500;
/** How much of a wrong value a message repeats, in characters. */
const SHOWN_LENGTH = 200;

/**
 * Checks the options of a stop and fills in the defaults.
 * @throws OptionError for what is no object or has a name that is no option; RangeError or TypeError for a wrong value.
 */
export function readStopOptions(options: StopOptions, closeDeadline: number): StopRequest {
  const names = NAMES.join(', ');
  if (!isPlainObject(options as unknown)) {
    const allowed = `an object with some of ${names}`;
    const message = `stop was given ${shown(options)}; allowed is ${allowed}, or nothing`;
    throw new OptionError('options', options, allowed, message);
  }
  for (const [name, value] of Object.entries(options)) {
    if (NAMES.includes(name)) continue;
    const message = `stop has no option ${name}, which is ${shown(value)}; allowed are ${names}`;
    throw new OptionError(name, value, names, message);
  }
  const { code = 'going-away', reason = '', deadline = closeDeadline, batch = BATCH } = options;
  const { closePortFirst = false } = options;
  const number = toCloseCode(code);
  if (typeof reason !== 'string') {
    throw new TypeError(`reason is ${shown(reason)}; allowed is a string of at most 123 bytes of UTF-8`);
  }
  encodeClosePayload(number, reason);
  if (typeof deadline !== 'number' || !(deadline >= 0)) {
    throw new RangeError(`deadline is ${shown(deadline)}; allowed are 0 or more milliseconds`);
  }
  if (typeof batch !== 'number' || !(batch >= 1)) {
    throw new RangeError(`batch is ${shown(batch)}; allowed are 1 or more connections`);
  }
  if (typeof closePortFirst !== 'boolean') {
    throw new TypeError(`closePortFirst is ${shown(closePortFirst)}; allowed are true and false`);
  }
  return { code: number, reason, deadline, batch, closePortFirst };
}

function shown(value: unknown): string {
  const text = inspect(value, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
  return text.length > SHOWN_LENGTH ? `${text.slice(0, SHOWN_LENGTH)}…` : text;
}
