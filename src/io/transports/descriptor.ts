/**
 * A descriptor that somebody has handed down: systemd, PM2, a parent process.
 */
import { fstatSync, readFileSync } from 'node:fs';

/** Says why nobody can listen on a descriptor. Undefined when it is a socket: whether that listens, listening shows. */
export function wrongWithDescriptor(fd: number): string | undefined {
  try {
    return fstatSync(fd).isSocket() ? undefined : 'it is open, but no socket';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EBADF' ? 'it is not open' : (error as Error).message;
  }
}

/**
 * The path of a Unix socket by its descriptor, which only Linux tells. Empty for other sockets, for one that was made in
 * another network namespace, and elsewhere. The path of an abstract socket begins with NUL, as in `socketPath`.
 */
export function pathOfDescriptor(fd: number | undefined): string {
  // Deno would ask its user for permission to read the file.
  if (fd === undefined || process.platform !== 'linux' || 'deno' in process.versions) return '';
  try {
    return parseSocketPath(readFileSync('/proc/net/unix', 'utf8'), fstatSync(fd).ino);
  } catch {
    return '';
  }
}

/** Finds the path of the socket with that inode in the text of `/proc/net/unix`. The kernel writes NUL as `@`. */
export function parseSocketPath(table: string, inode: number): string {
  const path = RegExp(`^(?:\\S+ +){6}${inode} (.+)$`, 'm').exec(table)?.[1] ?? '';
  return path.replace(/^@/, '\0');
}
