/**
 * How many connections the operating system allows. Each takes a file descriptor, and when a process has no descriptor
 * left, libuv closes new connections without telling anybody.
 */
import { readFileSync } from 'node:fs';

/** Descriptors that are not counted on for connections: standard streams, the event loop, files, other sockets. */
const OTHER_FILES = 64;

/** The default of `maxConnections`: an upper bound that nobody asked for, so it is reported only where few fit. */
const DEFAULT_CONNECTIONS = 65_536;
const FEW_CONNECTIONS = 10_000;

const HOW_TO_RAISE = 'raise the limit of open files (ulimit -n, LimitNOFILE= in systemd)';

/**
 * The soft limit of open files of this process. Undefined where it cannot be read in well under a millisecond: only Linux
 * has a file for it, and a report of Node's takes 10 ms.
 */
export function openFilesLimit(): number | undefined {
  // Deno would ask its user for permission to read the file.
  if (process.platform !== 'linux' || 'deno' in process.versions) return undefined;
  try {
    return parseOpenFiles(readFileSync('/proc/self/limits', 'latin1'));
  } catch {
    return undefined;
  }
}

/** Finds the soft limit of open files in the text of `/proc/self/limits`. */
export function parseOpenFiles(limits: string): number | undefined {
  const soft = /^Max open files +(\d+|unlimited) /m.exec(limits)?.[1];
  if (soft === undefined) return undefined;
  return soft === 'unlimited' ? Number.POSITIVE_INFINITY : Number(soft);
}

/** Says what to do when `maxConnections` do not fit into the limit of open files. Undefined when they do. */
export function openFilesAdvice(maxConnections: number, openFiles: number): string | undefined {
  const fit = Math.max(1, openFiles - OTHER_FILES);
  if (maxConnections <= fit) return undefined;
  if (maxConnections === DEFAULT_CONNECTIONS && fit >= FEW_CONNECTIONS) return undefined;
  return (
    `maxConnections is ${maxConnections}, but this process may open ${openFiles} files, which is enough for about ` +
    `${fit} connections; more are dropped without an answer. Either ${HOW_TO_RAISE}, or set maxConnections to at most ${fit}`
  );
}

/** Emits a process warning when `maxConnections` do not fit into the limit of open files. */
export function warnOfOpenFiles(maxConnections: number): void {
  const advice = openFilesAdvice(maxConnections, openFilesLimit() ?? Number.POSITIVE_INFINITY);
  if (advice !== undefined) process.emitWarning(advice, 'PortalWarning');
}

/** The error of a process that has no file descriptor left. */
export function noDescriptorLeft(openFiles: number): Error {
  const message =
    `all ${openFiles} file descriptors of this process are in use; until some are closed, new connections are dropped ` +
    `without an answer. Either ${HOW_TO_RAISE}, or lower maxConnections`;
  return Object.assign(new Error(message), { code: 'EMFILE', syscall: 'accept' });
}

/** Adds what to do to an error of accept that comes of a lack of descriptors. */
export function explainAccept(error: Error): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EMFILE' || code === 'ENFILE') {
    const whose = code === 'EMFILE' ? 'this process' : 'the whole system';
    error.message = `${error.message}: no file descriptor is left in ${whose}. Either ${HOW_TO_RAISE}, or lower maxConnections`;
  }
  return error;
}
