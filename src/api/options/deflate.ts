/**
 * The option `perMessageDeflate`: its values, their defaults, and the check that says so.
 */
import { type DeflateSettings, MIN_CONTEXT_BYTES } from '../../io/extensions/deflate.ts';
import type { Overflow } from '../../io/writing/outbox-ports.ts';
import { OptionError } from '../errors.ts';
import { checkNames, isObject, oneOf, refusal } from './checks.ts';
import { type Rule, readLimit } from './limit.ts';

/** How messages are compressed (RFC 7692). */
export interface DeflateOptions {
  /**
   * `'shared'`: each message by itself, by one compressor for all; connections cost no memory. `'contexts'`: a message may
   * refer to those that the server sent before it, which makes short ones much smaller; each connection that sends has a
   * context then, within `contextBudget`. Needs `overflow: 'close'`. Default `'shared'`.
   */
  readonly mode?: 'shared' | 'contexts' | undefined;
  /** 1 (fast) to 9 (small). Default 1. */
  readonly level?: number | undefined;
  /** Memory for the state of a compressor: 1 to 9. Default 8, with contexts 5. */
  readonly memLevel?: number | undefined;
  /** Bits of the window of what the server sends, 8 to 15; fewer where a client wants that. Default 15, with contexts 12. */
  readonly serverWindowBits?: number | undefined;
  /** Most bits of the window of what clients send, 8 to 15; only for clients that let the server choose. Default 15. */
  readonly clientWindowBits?: number | undefined;
  /** Bytes from which a message is compressed. Default 256; with contexts 32, but 256 for one that goes to many. */
  readonly threshold?: number | undefined;
  /**
   * Bytes of memory for all contexts together; those used longest ago are thrown away, which no client can tell. 1 MiB to
   * 2^40, only with contexts. Counted in `memoryBudget`. Default 64 MiB, some 600 contexts. All paths without a
   * `perMessageDeflate` of their own share the server's; a path that has one has its own `contextBudget` beside it.
   */
  readonly contextBudget?: number | undefined;
}

/** `false`: nothing is compressed; `true`: by the defaults. */
export type PerMessageDeflateOption = boolean | DeflateOptions;

const MIB = 1_048_576;
const number = (value: number, min: number, max: number, unit = ''): Rule => ({
  default: value,
  min,
  max,
  unit,
  unlimited: false,
});

const SHARED = {
  level: number(1, 1, 9),
  memLevel: number(8, 1, 9),
  serverWindowBits: number(15, 8, 15, 'bits'),
  clientWindowBits: number(15, 8, 15, 'bits'),
  threshold: number(256, 0, 2 ** 31, 'bytes'),
};
/** Smaller windows: they cost half the memory, and little is lost. */
const CONTEXTS = {
  ...SHARED,
  memLevel: number(5, 1, 9),
  serverWindowBits: number(12, 8, 15, 'bits'),
  contextBudget: number(64 * MIB, MIN_CONTEXT_BYTES, 2 ** 40, 'bytes'),
};
const NAMES = ['mode', ...Object.keys(CONTEXTS)];
/** Bytes from which it is worth the time to compress a message that refers to others. */
const CONTEXT_THRESHOLD = 32;

/**
 * What the option says; undefined: nothing is compressed. `name` is what errors call it.
 * @throws OptionError for the first value that is wrong, and for those that do not go together.
 */
export function readDeflate(
  name: string,
  value: PerMessageDeflateOption | undefined,
  overflow: Overflow = 'close',
): DeflateSettings | undefined {
  if (value === undefined || value === false) return undefined;
  const options: DeflateOptions = value === true ? {} : value;
  if (!isObject(options)) {
    throw new OptionError(name, value, "true, false, or an object such as { mode: 'contexts' }");
  }
  const { mode: given = 'shared' } = options;
  const mode = oneOf(`${name}.mode`, given, ['shared', 'contexts']);
  checkNames(options, NAMES, name, `it has ${NAMES.join(', ')}`);
  if (mode === 'shared') return readShared(name, options);
  if (overflow !== 'close') {
    const why = 'a message that refers to one that was dropped cannot be read';
    throw refusal(`${name}.mode`, "'shared' where overflow is 'drop' or 'drop-oldest'", why);
  }
  const numbers = read(name, options, CONTEXTS);
  const contextThreshold = options.threshold ?? CONTEXT_THRESHOLD;
  return { mode, ...numbers, contextThreshold };
}

function readShared(name: string, options: DeflateOptions): DeflateSettings {
  if (options.contextBudget !== undefined) {
    throw refusal(`${name}.contextBudget`, "only together with mode: 'contexts'");
  }
  const numbers = read(name, options, SHARED);
  // Fragments of one message refer to each other, in a context that lasts as long as the message.
  return {
    mode: 'shared',
    ...numbers,
    contextThreshold: numbers.threshold,
    contextBudget: CONTEXTS.contextBudget.default,
  };
}

function read<Name extends Exclude<keyof DeflateOptions, 'mode'>>(
  name: string,
  options: DeflateOptions,
  rules: { readonly [Each in Name]: Rule },
): { readonly [Each in Name]: number } {
  const values = Object.keys(rules) as Name[];
  return Object.fromEntries(
    values.map((each) => [each, readLimit(`${name}.${each}`, options[each], rules[each])]),
  ) as { [Each in Name]: number };
}
