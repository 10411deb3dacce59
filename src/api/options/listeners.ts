/**
 * Where a server listens, as its user says it: ports, Unix sockets, descriptors, and TLS on each of them.
 */
import type { ServerTlsOptions } from '../../io/transports/tls-identity.ts';
import type { Listener } from '../../io/transports/transport.ts';
import { fromRoot, MOST_PATH_BYTES, pathBytes, wrongWithDescriptor } from '../../server/places.ts';
import type { Place } from '../../server/settings.ts';
import { OptionError } from '../errors.ts';
import { checkNames, isObject, readBoolean, refusal } from './checks.ts';
import { readTls } from './tls.ts';
import { withMethods } from './with-methods.ts';

/** One place where a server listens: one of `port`, `socketPath` and `fd`. */
export interface ListenOptions {
  /** TCP port, 0 to 65535; 0 takes any free one, see `server.address()`. */
  readonly port?: number;
  /** Address to listen on; only with `port`. Default: all. */
  readonly host?: string | undefined;
  /**
   * Several processes listen on this `port`, and the kernel spreads the connections over them (SO_REUSEPORT). Node 22.12 and
   * later, on Linux, FreeBSD and AIX. Default false.
   */
  readonly reusePort?: boolean | undefined;
  /**
   * Path of a Unix socket, at most 107 bytes (103 on macOS). A relative one is of the folder in which the process is now. A
   * socket that a dead server has left there is replaced; one with a server, and anything else, is an error of `start()`.
   * Removed at the stop. On Linux `\0name` is an abstract socket, which has no file and no permissions.
   */
  readonly socketPath?: string | undefined;
  /** Permissions of that socket, such as 0o660; who may write to it may connect. Default: by the umask of the process. */
  readonly socketMode?: number | undefined;
  /**
   * Descriptor of a socket that somebody has handed down: 3 under systemd's socket activation. A stop closes it, so that a
   * second `start()` rejects.
   */
  readonly fd?: number | undefined;
  /** Speaks TLS here: `key` and `cert`, or `pfx`, and all else that `node:tls.createServer` takes. See `server.renewTls`. */
  readonly tls?: ServerTlsOptions | undefined;
}

/** Names of `ListenOptions`. */
export const LISTEN_NAMES = ['port', 'host', 'reusePort', 'socketPath', 'socketMode', 'fd', 'tls'] as const;

/**
 * What says where a place is. One that is given as undefined is a mistake, such as an environment variable that is not set;
 * one that is left out is none.
 */
const KINDS = ['port', 'socketPath', 'fd'] as const;

/** The first Node that can share a port. */
const REUSE_PORT_SINCE = [22, 12];

export interface WhereToListen extends ListenOptions {
  readonly listeners?: readonly ListenOptions[] | undefined;
  readonly listener?: Listener | undefined;
}

/**
 * All places: that of the options themselves, if they name one, then those of `listeners`. `handshakeDeadline` bounds a TLS handshake.
 * @throws OptionError for the first that is wrong.
 */
export function readPlaces(options: WhereToListen, handshakeDeadline: number): Place[] {
  const { listeners, listener } = options;
  if (listeners !== undefined && !Array.isArray(listeners)) {
    throw new OptionError(
      'listeners',
      listeners,
      'a list of places, such as [{ port: 443, tls }, { socketPath }]',
    );
  }
  const others = (listeners ?? []).map((other, at) =>
    readOther(other, `listeners[${at}]`, handshakeDeadline),
  );
  if (listener !== undefined) {
    withMethods('listener', listener, ['listen', 'close', 'address']);
    if (options.tls !== undefined) throw refusal('tls', 'not together with listener');
    return [{ listener }, ...others];
  }
  const namesPlace =
    KINDS.some((kind) => kind in options) || LISTEN_NAMES.some((name) => options[name] !== undefined);
  const own = namesPlace ? [readPlace(options, '', handshakeDeadline)] : [];
  checkDescriptorsDiffer(own, others);
  return [...own, ...others];
}

function checkDescriptorsDiffer(own: readonly Place[], others: readonly Place[]): void {
  const seen = new Set(own.map(({ fd }) => fd));
  for (const [at, { fd }] of others.entries()) {
    if (fd !== undefined && seen.has(fd))
      throw refusal(`listeners[${at}].fd`, 'each descriptor once', `${fd} is there twice`);
    seen.add(fd);
  }
}

function readOther(other: unknown, where: string, handshakeDeadline: number): Place {
  if (!isObject(other)) {
    throw new OptionError(where, other, 'a place, such as { port: 443, tls: { key, cert } }');
  }
  checkNames(other, LISTEN_NAMES, where, `a place has ${LISTEN_NAMES.join(', ')}`);
  return readPlace(other, `${where}.`, handshakeDeadline);
}

/** `where` is put before the name of an option in errors. */
function readPlace(options: ListenOptions, where: string, handshakeDeadline: number): Place {
  const { port, host, socketPath, socketMode, fd, reusePort } = options;
  if (socketPath !== undefined && port !== undefined)
    throw refusal(`${where}socketPath`, 'not together with port');
  if (fd !== undefined && (port !== undefined || socketPath !== undefined)) {
    throw refusal(`${where}fd`, 'not together with port or socketPath');
  }
  const kind = KINDS.find((name) => options[name] !== undefined) ?? KINDS.find((name) => name in options);
  if (kind === 'socketPath') checkPath(`${where}socketPath`, socketPath);
  else if (kind === 'fd') checkDescriptor(`${where}fd`, fd);
  else if (kind === undefined) throw noPlace(options, where);
  else if (!isWhole(port, 65_535))
    throw new OptionError(`${where}port`, port, 'a whole number from 0 to 65535');
  if (host !== undefined && (typeof host !== 'string' || host === '')) {
    throw new OptionError(`${where}host`, host, 'a host name or an address');
  }
  if (host !== undefined && port === undefined) throw refusal(`${where}host`, 'only together with port');
  checkMode(`${where}socketMode`, options);
  checkReusePort(`${where}reusePort`, options);
  const tls = options.tls === undefined ? undefined : readTls(options.tls, `${where}tls`, handshakeDeadline);
  const path = socketPath === undefined ? undefined : fromRoot(socketPath);
  return defined({ port, host, socketPath: path, socketMode, fd, reusePort, tls });
}

/** What says how to listen was given, and not where. */
function noPlace(options: ListenOptions, where: string): OptionError {
  const given = LISTEN_NAMES.find((name) => options[name] !== undefined);
  if (given === undefined) return refusal(where.slice(0, -1), 'a place, with port, socketPath or fd');
  const why =
    given === 'tls'
      ? 'for a server that is attached to an HTTP server, give the certificate to that one'
      : '';
  return refusal(
    `${where}${given}`,
    `only together with ${given === 'tls' ? 'port, socketPath or fd' : OWNER[given]}`,
    why,
  );
}

/** What an option of a place belongs to. */
const OWNER: Partial<Record<keyof ListenOptions, string>> = {
  host: 'port',
  reusePort: 'port',
  socketMode: 'socketPath',
};

function checkPath(name: string, path: unknown): void {
  const allowed = `a path of 1 to ${MOST_PATH_BYTES} bytes`;
  if (typeof path !== 'string' || path === '') throw new OptionError(name, path, allowed);
  const bytes = pathBytes(path);
  if (bytes > MOST_PATH_BYTES) {
    const message = `option ${name} has ${bytes} bytes; allowed is ${allowed}, because the system cuts off longer ones`;
    throw new OptionError(name, path, allowed, message);
  }
  // A NUL at the start is an abstract socket of Linux.
  const most = process.platform === 'linux' ? 0 : -1;
  if (path.lastIndexOf('\0') > most) throw new OptionError(name, path, 'a path without NUL');
}

function checkDescriptor(name: string, fd: unknown): void {
  const allowed = 'the descriptor of a socket, such as 3 under systemd';
  if (!isWhole(fd, 2 ** 31 - 1)) throw new OptionError(name, fd, allowed);
  const wrong = wrongWithDescriptor(fd as number);
  if (wrong === undefined) return;
  throw new OptionError(name, fd, allowed, `option ${name} is ${fd}, but ${wrong}; allowed is ${allowed}`);
}

function checkMode(name: string, { socketMode, socketPath }: ListenOptions): void {
  if (socketMode === undefined) return;
  if (!isWhole(socketMode, 0o777))
    throw new OptionError(name, socketMode, 'permissions from 0 to 0o777, such as 0o660');
  if (socketPath === undefined) throw refusal(name, 'only together with socketPath');
  if (socketPath.startsWith('\0'))
    throw refusal(
      name,
      'only together with a path of the file system',
      'an abstract socket has no permissions',
    );
}

function checkReusePort(name: string, { reusePort, port }: ListenOptions): void {
  if (!readBoolean(name, reusePort, false)) return;
  if (port === undefined) throw refusal(name, 'only together with port');
  if (!canReusePort(process.versions)) {
    throw refusal(name, `Node ${REUSE_PORT_SINCE.join('.')} or later, and this is ${process.version}`);
  }
}

/** @internal Whether this runtime hands `reusePort` on to the kernel. Bun and Deno have a Node version, too. */
export function canReusePort({ node, bun, deno }: { node: string; bun?: string; deno?: string }): boolean {
  if (bun !== undefined || deno !== undefined) return false;
  const [major = 0, minor = 0] = node.split('.').map(Number);
  const [sinceMajor = 0, sinceMinor = 0] = REUSE_PORT_SINCE;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor);
}

function isWhole(value: unknown, most: number): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
}

/** The place without what was left out. */
function defined(place: Place): Place {
  return Object.fromEntries(Object.entries(place).filter(([, value]) => value !== undefined));
}
