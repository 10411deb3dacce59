/**
 * The file of a Unix socket: who may connect, what to do with one that a dead server left, and its removal.
 *
 * A server that is killed leaves its file, and the next one could not bind. So a file that is in the way is removed, but
 * only when it is a socket on which nobody listens. Anything else is left alone.
 *
 * libuv removes the file when it closes the socket, whatever lies at the path by then. So a file that is not ours is
 * moved aside for that moment.
 */
import { chmodSync, existsSync, lstatSync, renameSync, type Stats, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { resolve } from 'node:path';

/** Bytes of a path that fit into the kernel's `sockaddr_un`, without the NUL at its end. */
export const MOST_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/** Pipes of Windows and abstract sockets of Linux have no file. */
export function hasFile(path: string): boolean {
  return process.platform !== 'win32' && !path.startsWith('\0');
}

export const pathBytes = (path: string) => new TextEncoder().encode(path).length;

/**
 * The path from the root, since the process may go to another folder before the socket is made or removed. One that would be
 * too long for the system stays relative: that is a way around the limit.
 */
export function fromRoot(path: string): string {
  if (!hasFile(path)) return path;
  const whole = resolve(path);
  return pathBytes(whole) > MOST_PATH_BYTES ? path : whole;
}

/** The folder of a socket, and whether there is one. */
export function folderOf(path: string): { readonly folder: string; readonly isThere: boolean } {
  const folder = path.replace(/[^/]*$/, '') || '.';
  return { folder, isThere: existsSync(folder) };
}

export class UnixFile {
  readonly #path: string;
  /** The file that we made. */
  #own: Stats | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Calls `bind`, and once more when a stale socket was in the way.
   * @throws Error with code EADDRINUSE when a server listens there, ENOTSOCK when something else lies there.
   */
  async bind(bind: () => Promise<void>): Promise<void> {
    try {
      await bind();
    } catch (error) {
      if (codeOf(error) !== 'EADDRINUSE' || !hasFile(this.#path)) throw error;
      await this.#removeStale();
      await bind();
    }
  }

  /** Takes note of the file that was made, and sets its permissions. */
  own(mode: number | undefined): void {
    if (!hasFile(this.#path)) return;
    if (mode !== undefined) chmodSync(this.#path, mode);
    this.#own = look(this.#path);
  }

  /** Calls `close`, which removes whatever lies at the path, in such a way that nothing but our file is removed. */
  release(close: () => void): void {
    const there = this.#own === undefined ? undefined : look(this.#path);
    if (there === undefined || isSame(there, this.#own)) {
      close();
      return;
    }
    const aside = `${this.#path}.${process.pid}`;
    renameSync(this.#path, aside);
    try {
      close();
    } finally {
      renameSync(aside, this.#path);
    }
  }

  async #removeStale(): Promise<void> {
    const before = look(this.#path);
    if (before === undefined) return;
    if (!before.isSocket()) throw failure('ENOTSOCK', `${this.#path} is no socket`);
    if (await isAlive(this.#path)) throw failure('EADDRINUSE', `a server listens at ${this.#path}`);
    // The probe took a while. What has come there since is not ours to remove.
    const now = look(this.#path);
    if (now?.isSocket() && isSame(now, before)) unlinkSync(this.#path);
  }
}

/** Whether somebody listens on that socket. Rejects when it is not known, for want of rights. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => {
      const code = codeOf(error);
      if (code === 'ECONNREFUSED' || code === 'ENOENT') resolve(false);
      // A server that is too busy to accept, and a socket that takes datagrams.
      else if (code === 'EAGAIN' || code === 'EPROTOTYPE') resolve(true);
      else reject(error);
    });
  });
}

/** What lies at a path, symbolic links not followed. Undefined when nothing does. */
function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

/** File systems give the number of a removed file to the next one, so the time of birth is compared too. */
function isSame(one: Stats, other: Stats | undefined): boolean {
  return one.ino === other?.ino && one.dev === other.dev && one.birthtimeMs === other.birthtimeMs;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code, syscall: 'listen' });
}
