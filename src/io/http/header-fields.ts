/**
 * The headers of an answer, as a user gives them: read, checked, and written as lines.
 *
 * Whatever has the form of headers is used; all else is a `TypeError`, so that nothing is dropped in silence. What a user
 * may put into a value is checked, so that no value can end its line and begin another (response splitting).
 */
import { types } from 'node:util';
import { isPlainObject } from '../values.ts';
import { isFieldValue, isToken } from './grammar.ts';

/**
 * Headers of an answer: an object whose values are strings, or lists of strings for headers that come several times (such
 * as Set-Cookie); or a `Headers` object; or a `Map`. Values are latin1.
 */
export type HeadersInput =
  | Readonly<Record<string, string | readonly string[]>>
  | ReadonlyMap<string, string | readonly string[]>
  /** `Headers` of the Fetch standard. */
  | { getSetCookie(): string[]; [Symbol.iterator](): Iterator<[string, string]> };

/** One header line. */
export type HeaderField = readonly [name: string, value: string];

/**
 * The header lines that a user's headers make, in their order. Throws `TypeError` for something of another shape (a list,
 * an instance of some class), a name that is not a token, a name in `forbidden` (lower case), and a value that is not a
 * string of latin1 without control characters (RFC 9110 5.5).
 */
export function readHeaders(
  headers: HeadersInput | undefined,
  forbidden: ReadonlySet<string>,
): HeaderField[] {
  const fields: HeaderField[] = [];
  if (headers === undefined) return fields;
  for (const [name, values] of entriesOf(headers)) {
    if (typeof name !== 'string' || !isToken(name)) {
      throw new TypeError(
        `${typeof name === 'string' ? JSON.stringify(name) : String(name)} is not a header name.`,
      );
    }
    if (forbidden.has(name.toLowerCase()))
      throw new TypeError(`The header ${name} is set by the server itself.`);
    for (const value of Array.isArray(values) ? values : [values]) {
      if (typeof value !== 'string' || !isFieldValue(value)) {
        throw new TypeError(
          `The header ${name} must be a string of latin1 characters without line breaks, or a list of such strings.`,
        );
      }
      fields.push([name, value]);
    }
  }
  return fields;
}

/** Header lines, each with its CR LF. */
export function headerLines(fields: readonly HeaderField[]): string {
  let lines = '';
  for (const [name, value] of fields) lines += `${name}: ${value}\r\n`;
  return lines;
}

function entriesOf(headers: HeadersInput): Iterable<readonly [unknown, unknown]> {
  const kind = tagOf(headers);
  if (types.isMap(headers)) return headers as ReadonlyMap<unknown, unknown>;
  // Its iterator gives each Set-Cookie by itself. What is older than getSetCookie joins them, which nobody can undo.
  if (kind === 'Headers' && typeof (headers as { getSetCookie?: unknown }).getSetCookie === 'function') {
    return headers as unknown as Iterable<[string, string]>;
  }
  if (isPlainObject(headers)) {
    const hidden = Reflect.ownKeys(headers).find((name) => !Object.keys(headers).includes(name as string));
    if (hidden !== undefined) throw new TypeError(`${String(hidden)} cannot be the name of a header.`);
    return Object.entries(headers);
  }
  throw new TypeError(
    `Headers must be an object such as { 'Set-Cookie': ['a=1', 'b=2'] }, a Headers or a Map, not ${kindOf(headers)}.`,
  );
}

/** `Map` for a `Map`, also for one of another realm (Jest, `node:vm`), where `instanceof` says no. */
const tagOf = (value: unknown): string => Object.prototype.toString.call(value).slice(8, -1);

/** What a value is, for an error: `null`, `5`, `a list`, `an instance of Date`. */
export function kindOf(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? 'a list' : `an instance of ${value.constructor?.name ?? tagOf(value)}`;
}
