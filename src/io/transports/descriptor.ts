/**
 * A descriptor that somebody has handed down: systemd, PM2, a parent process.
 */
import { fstatSync } from 'node:fs';

/** Says why nobody can listen on a descriptor. Undefined when it is a socket: whether that listens, listening shows. */
export function wrongWithDescriptor(fd: number): string | undefined {
  try {
    return fstatSync(fd).isSocket() ? undefined : 'it is open, but no socket';
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EBADF' ? 'it is not open' : (error as Error).message;
  }
}
