/**
 * What a server is made with: every option, its default, what is allowed, and the check that says so.
 */
import { constants } from 'node:buffer';
import type { InspectionEvent, Observer } from 'xstate';
import type { Limits } from '../../connection/settings.ts';
import type { DeflateSettings } from '../../io/extensions/deflate.ts';
import { compileProxies, type Proxies, type TrustProxy } from '../../io/http/forwarded.ts';
import { isToken } from '../../io/http/grammar.ts';
import type { HttpResponse } from '../../io/http/http-response.ts';
import { compileOrigins, type OriginsOption } from '../../io/http/origin-rules.ts';
import { type Clock, systemClock } from '../../io/time/clock.ts';
import type { Listener } from '../../io/transports/transport.ts';
import type { Overflow } from '../../io/writing/outbox-ports.ts';
import type { ServerSettings } from '../../server/settings.ts';
import type { Backplane } from '../../topics/backplane.ts';
import { OptionError } from '../errors.ts';
import type { AnyCodec, Typing } from '../messages/codec.ts';
import type { Handlers, PlainRequest } from '../paths/handlers.ts';
import type { Params } from '../paths/router.ts';
import { checkNames, isObject, oneOf, readBoolean } from './checks.ts';
import { type PerMessageDeflateOption, readDeflate } from './deflate.ts';
import { type Rule, readLimit } from './limit.ts';
import { LISTEN_NAMES, type ListenOptions, readPlaces, type WhereToListen } from './listeners.ts';
import { MEMORY_RULE, MemoryBudget } from './memory-budget.ts';
import { withMethods } from './with-methods.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** A path without a codec among the options. */
export type PlainHandlers = Handlers & { readonly codec?: undefined; readonly codecs?: undefined };
/** A path with a codec among the options. Its messages are `unknown` here; `server.path` types them. */
export type TypedHandlers = Handlers<unknown, Params, unknown> &
  Typing &
  ({ readonly codec: AnyCodec } | { readonly codecs: Readonly<Record<string, AnyCodec>> });

/**
 * The options of `createServer` and `newServer`. Without `port`, `socketPath`, `fd` and `listeners` it listens nowhere itself: a
 * server that is attached to an HTTP server (`server.attach`, `server.handleUpgrade`).
 */
export interface ServerOptions
  extends Handlers,
    ListenOptions,
    Partial<{ [Name in Exclude<keyof Limits, 'memoryBudget'>]: Limits[Name] | undefined }> {
  /** More places to listen at, each with a `port`, `socketPath` or `fd` and `tls` of its own. All are opened, or none. */
  readonly listeners?: readonly ListenOptions[] | undefined;
  /**
   * Bytes of memory that all connections of this server together may make it hold, see `Limits`; or a `MemoryBudget` that
   * several servers share. 1 to 2^40, or Infinity. Over it, the connections that have held longest without progress close
   * with 1013. Default 128 MiB.
   */
  readonly memoryBudget?: number | MemoryBudget | undefined;
  /** Handlers by path; the same as calling `server.path` for each. */
  readonly paths?: Readonly<Record<string, PlainHandlers | TypedHandlers>> | undefined;
  /**
   * Which origins browsers may come from: `'*'`; a list of exact origins, `https://*.example.com`, `http://localhost:*`,
   * `moz-extension://*` and RegExps; a RegExp, tried on the origin as sent (write `^` and `$`); or a function, which
   * returns true or false at once. Default: the server's own host, or loopback to loopback.
   */
  readonly origins?: OriginsOption<PlainRequest> | undefined;
  /** Subprotocols spoken here, best first (RFC 6455 1.9). */
  readonly subprotocols?: readonly string[] | undefined;
  /**
   * Proxies whose Forwarded (RFC 7239), X-Forwarded-For and X-Forwarded-Host are believed: addresses and ranges, such as
   * `10.0.0.0/8`, or `unix` for who calls over a Unix socket; or `{ addresses, header }`, where `header` is the one that
   * they write, `'forwarded'` or `'x-forwarded-for'`: the other is then not read. Without it, requests in which both differ
   * get 400. A header of the PROXY protocol, version 1 or 2, is read from them too. `remoteAddress`,
   * `maxConnectionsPerAddress` and the host of the origin check are then of the client behind them. Default: none.
   */
  readonly trustProxy?: TrustProxy | undefined;
  /** What happens to a message over `sendLimit`. Default `'close'`, with 1013. */
  readonly overflow?: Overflow | undefined;
  /**
   * Compresses messages where the client offers it (permessage-deflate, RFC 7692); a path may have its own. `true` is
   * `{ mode: 'shared' }`. Default false.
   */
  readonly perMessageDeflate?: PerMessageDeflateOption | undefined;
  /** Stop at a `debugger` statement and rethrow when a handler fails. Default false. */
  readonly debugOnError?: boolean | undefined;
  /**
   * What carries TCP. `'handle'`: Node's own handles, which is faster and touches private parts of Node; where those are
   * not as expected it is as `'socket'`: a `net.Socket` each. Default `'handle'`.
   */
  readonly tcp?: 'handle' | 'socket' | undefined;
  /**
   * The engine that joins this server's topics with those of other processes: `nats(...)` of `portal-ws/nats`, `redis(...)` of
   * `portal-ws/redis`, or a `Backplane` of your own. It is connected to when the server has started, which does not wait for it,
   * and ended by `stop`. Default: none, topics are those of this process.
   */
  readonly backplane?: Backplane | undefined;
  /** Answers a plain GET or HEAD on a port of its own; undefined leaves it to the default, 426. */
  readonly onRequest?:
    | ((request: PlainRequest) => HttpResponse | undefined | Promise<HttpResponse | undefined>)
    | undefined;
  /** An XState inspection observer, for instance of `@statelyai/inspect`. */
  readonly inspect?: Observer<InspectionEvent> | ((event: InspectionEvent) => void) | undefined;
  /** Time and chance; tests give one they control. */
  readonly clock?: Clock | undefined;
  /** What to listen with in place of a TCP port; tests give an in-memory one. */
  readonly listener?: Listener | undefined;
}

/** Options after the check, with their defaults. */
export interface Settings extends ServerSettings {
  /** Undefined: nothing is compressed. */
  readonly perMessageDeflate: DeflateSettings | undefined;
  readonly debugOnError: boolean;
  readonly onRequest: ServerOptions['onRequest'];
  readonly backplane: Backplane | undefined;
  readonly inspect: ServerOptions['inspect'];
}

const DAY_MS = 86_400_000;
const bytes = (value: number, min: number, max: number): Rule => ({
  default: value,
  min,
  max,
  unit: 'bytes',
  unlimited: false,
});
const count = (value: number, unlimited = false): Rule => ({
  default: value,
  min: 1,
  max: 2 ** 31,
  unit: '',
  unlimited,
});
const time = (value: number, unlimited = false): Rule => ({
  default: value,
  min: 1,
  max: DAY_MS,
  unit: 'ms',
  unlimited,
});

const RULES: { readonly [Name in keyof Limits]: Rule } = {
  // What is assembled ends at 512 MiB anyway, the length of a string; fragments alone may go on.
  cap: bytes(MIB, 0, Number.MAX_SAFE_INTEGER),
  maxInflation: { default: 100, min: 1, max: 2 ** 31, unit: 'times', unlimited: true },
  maxFragments: count(16_384),
  messageDeadline: time(30_000, true),
  maxHeadBytes: bytes(16 * KIB, 64, MIB),
  maxHeaders: count(128),
  handshakeDeadline: time(10_000),
  heartbeatInterval: time(25_000, true),
  pongDeadline: time(20_000),
  closeDeadline: time(5_000),
  writeDeadline: time(60_000, true),
  sendLimit: { ...bytes(MIB, 1, 2 ** 40), unlimited: true },
  maxPendingPongs: count(64),
  readAhead: { ...bytes(64 * KIB, 0, 2 ** 40), unlimited: true },
  handlerWarning: time(30_000, true),
  memoryBudget: { ...MEMORY_RULE, also: ', or a MemoryBudget' },
  maxConnections: count(65_536, true),
  maxConnectionsPerAddress: count(Number.POSITIVE_INFINITY, true),
  ipv6Prefix: { default: 64, min: 1, max: 128, unit: 'bits', unlimited: false },
  maxHandshakes: count(8_192, true),
  maxMessagesPerSecond: count(Number.POSITIVE_INFINITY, true),
  maxBytesPerSecond: { ...bytes(Number.POSITIVE_INFINITY, 1, 2 ** 40), unlimited: true },
  rateBurst: time(1_000),
  maxTopics: count(1_000, true),
  maxTopicLength: { default: 255, min: 1, max: 65_535, unit: 'characters', unlimited: false },
  historyBudget: { ...bytes(64 * MIB, 0, 2 ** 40), unlimited: true },
  maxAge: time(Number.POSITIVE_INFINITY, true),
};

const HANDLER_NAMES = ['onOpen', 'onMessage', 'onClose', 'onError', 'onFragment', 'authorize'] as const;
/** What a path has beside handlers. */
const VALUE_NAMES = ['subprotocols', 'perMessageDeflate'];
/** How a path's messages are typed; not for a whole server. */
const TYPING_NAMES = ['codec', 'codecs', 'onInvalid'];
const PATH_VALUE = 'an object of handlers, such as { onMessage(connection, message) {} }';
const OVERFLOWS: readonly Overflow[] = ['close', 'drop', 'drop-oldest'];

const BACKPLANE_METHODS = ['start', 'stop', 'subscribe', 'unsubscribe', 'publish'] as const;

const WHERE_NAMES: readonly string[] = [...LISTEN_NAMES, 'listeners', 'listener'];

type OtherName = Exclude<
  keyof ServerOptions,
  keyof Limits | keyof WhereToListen | (typeof HANDLER_NAMES)[number]
>;
type Reader<Name extends OtherName> = (value: ServerOptions[Name], options: ServerOptions) => unknown;
type Readers = { readonly [Name in OtherName]: Reader<Name> };

/** Checks each option that is no limit, no handler and no place to listen at, and gives its setting. */
const READERS = {
  paths: checkPaths,
  origins: readOrigins,
  subprotocols: readSubprotocols,
  trustProxy: readProxies,
  overflow: (overflow = 'close') => oneOf('overflow', overflow, OVERFLOWS),
  perMessageDeflate: (value, { overflow }) => readDeflate('perMessageDeflate', value, overflow),
  debugOnError: (debugOnError) => readBoolean('debugOnError', debugOnError, false),
  tcp: (tcp = 'handle') => oneOf('tcp', tcp, ['handle', 'socket'] as const),
  backplane: (backplane) => withMethods('backplane', backplane, BACKPLANE_METHODS),
  onRequest: (onRequest) => {
    if (onRequest === undefined || typeof onRequest === 'function') return onRequest;
    throw new OptionError('onRequest', onRequest, 'a function');
  },
  inspect: (inspect) =>
    typeof inspect === 'function' ? inspect : withMethods('inspect', inspect, ['next'], 'a function, or '),
  clock: (clock) => withMethods('clock', clock, ['now', 'epochMs', 'random', 'every']) ?? systemClock,
} satisfies Readers;

const ALL_NAMES = [...WHERE_NAMES, ...Object.keys(READERS), ...Object.keys(RULES), ...HANDLER_NAMES];

/**
 * Checks the options and fills in the defaults.
 * @throws OptionError for the first that is wrong, and for a name that is no option.
 */
export function readOptions(options: ServerOptions): Settings {
  if (typeof options !== 'object' || options === null) {
    const allowed = 'an object such as { port: 5005 }';
    throw new OptionError('options', options, allowed, `a server is made with ${allowed}`);
  }
  checkNames(options, ALL_NAMES, '', `the options are ${ALL_NAMES.join(', ')}`);
  checkHandlers(options);
  const limits = readLimits(options);
  return {
    ...limits,
    ...readOthers(options),
    places: readPlaces(options, limits.handshakeDeadline),
    sharedBudget: options.memoryBudget instanceof MemoryBudget ? options.memoryBudget : undefined,
  };
}

type Others = { readonly [Name in OtherName]: ReturnType<(typeof READERS)[Name]> };

function readOthers(options: ServerOptions): Others {
  const names = Object.keys(READERS) as OtherName[];
  return Object.fromEntries(names.map((name) => [name, readOther(options, name)])) as Others;
}

function readOther<Name extends OtherName>(options: ServerOptions, name: Name): unknown {
  const readers: Readers = READERS;
  return readers[name](options[name], options);
}

function checkPaths(paths: unknown): void {
  if (paths !== undefined && (!isObject(paths) || paths instanceof Map)) {
    throw new OptionError(
      'paths',
      paths,
      "an object such as { '/echo': { onMessage(connection, message) {} } }",
    );
  }
}

/** @throws OptionError when a handler is not a function; `path` says whose it is. */
export function checkHandlers(handlers: Handlers, path?: string): void {
  for (const name of HANDLER_NAMES) {
    const handler = handlers[name];
    if (handler !== undefined && typeof handler !== 'function')
      throw new OptionError(path === undefined ? name : `${name} of ${path}`, handler, 'a function');
  }
}

/** @throws OptionError when a handler has a name that there is not. */
export function checkHandlerNames(path: string, handlers: Handlers & Typing): void {
  if (typeof handlers !== 'object' || handlers === null) {
    throw new OptionError(`paths[${JSON.stringify(path)}]`, handlers, PATH_VALUE);
  }
  for (const name of Object.keys(handlers)) {
    if (!isHandlerName(name) && !TYPING_NAMES.includes(name)) {
      const names = [...HANDLER_NAMES, ...VALUE_NAMES, ...TYPING_NAMES].join(', ');
      const message = `there is no handler ${name}, as for ${path}; a path has ${names}`;
      throw new OptionError(`${name} of ${path}`, handlers[name as keyof Handlers], names, message);
    }
  }
  checkHandlers(handlers, path);
  if (handlers.subprotocols !== undefined) readSubprotocols(handlers.subprotocols);
  if (handlers.codecs !== undefined) readSubprotocols(Object.keys(handlers.codecs ?? {}));
}

function readLimits(options: ServerOptions): Limits {
  const limits = {} as { -readonly [Name in keyof Limits]: number };
  for (const name of Object.keys(RULES) as (keyof Limits)[]) {
    limits[name] = readLimit(name, limitOf(options, name), RULES[name]);
  }
  if (options.sendLimit === undefined) {
    limits.sendLimit = Math.max(limits.sendLimit, Math.min(limits.cap, constants.MAX_STRING_LENGTH));
  }
  return limits;
}

/** What is given for a limit; of a budget that several servers share its own limit. */
function limitOf(options: ServerOptions, name: keyof Limits): number | undefined {
  if (name !== 'memoryBudget') return options[name];
  return options.memoryBudget instanceof MemoryBudget ? options.memoryBudget.limit : options.memoryBudget;
}

function readOrigins(origins: ServerOptions['origins']): Settings['origins'] {
  try {
    return compileOrigins(origins);
  } catch (error) {
    // It says which entry is wrong, and what the likeliest mistakes mean.
    const allowed =
      "'*', a list of origins such as 'https://example.com' and 'https://*.example.com' and of RegExps, a RegExp, or a function";
    throw new OptionError('origins', origins, allowed, `option ${(error as Error).message}`);
  }
}

function readProxies(option: TrustProxy | undefined): Proxies | undefined {
  if (option === undefined) return undefined;
  try {
    const proxies = compileProxies(option);
    const addresses = Array.isArray(option) ? option : (option as { addresses: readonly string[] }).addresses;
    return addresses.length === 0 ? undefined : proxies;
  } catch (error) {
    const allowed =
      "a list of addresses and ranges, such as ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'], or { addresses, header }";
    throw new OptionError('trustProxy', option, allowed, `option trustProxy: ${(error as Error).message}`);
  }
}

function readSubprotocols(value: readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  const valid =
    Array.isArray(value) &&
    value.every((name) => typeof name === 'string' && isToken(name)) &&
    new Set(value).size === value.length;
  if (!valid) throw new OptionError('subprotocols', value, 'a list of different tokens (RFC 6455 4.1)');
  return [...value];
}

function isHandlerName(name: string): boolean {
  return VALUE_NAMES.includes(name) || (HANDLER_NAMES as readonly string[]).includes(name);
}
