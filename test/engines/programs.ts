// Engines in processes of their own, on free ports and in folders of their own: Debian's nats-server and redis-server.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { freePort } from '../support/ports.ts';

export type EngineName = 'nats' | 'redis';

/** Where a program is; undefined where it is not installed. */
export function programOf(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/bin'];
  return folders
    .map((folder) => join(folder, name))
    .find((file) => {
      try {
        accessSync(file, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

const PROGRAMS = {
  nats: {
    file: programOf('nats-server'),
    args: (port: number, folder: string) => ['-a', '127.0.0.1', '-p', `${port}`, '-P', join(folder, 'pid')],
    ready: /Server is ready/,
  },
  redis: {
    file: programOf('redis-server'),
    args: (port: number, folder: string) =>
      `--port ${port} --bind 127.0.0.1 --dir ${folder} --save  --appendonly no --daemonize no`.split(' '),
    ready: /Ready to accept connections/,
  },
} as const;

/** Whether an engine is installed. */
export const isInstalled = (name: EngineName): boolean => PROGRAMS[name].file !== undefined;

/** One engine. It may be killed and started again, on the same port. */
export class Engine {
  readonly url: string;
  readonly #name: EngineName;
  readonly #port: number;
  readonly #folder: string;
  #child: ChildProcess | undefined;

  private constructor(name: EngineName, port: number, folder: string) {
    this.#name = name;
    this.#port = port;
    this.#folder = folder;
    this.url = `${name}://127.0.0.1:${port}`;
  }

  /** Another program may take the port in the moment between: then another one is tried. */
  static async start(name: EngineName): Promise<Engine> {
    for (let attempt = 0; ; attempt++) {
      const folder = await mkdtemp(join(tmpdir(), `portal-${name}-`));
      const engine = new Engine(name, await freePort(), folder);
      try {
        await engine.start();
        return engine;
      } catch (error) {
        await engine.end();
        if (attempt === 4) throw error;
      }
    }
  }

  /** Resolves when it takes connections. */
  async start(): Promise<void> {
    const { file, args, ready } = PROGRAMS[this.#name];
    if (file === undefined) throw new Error(`${this.#name} is not installed`);
    const child = spawn(file, args(this.#port, this.#folder), { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let said = '';
    await new Promise<void>((resolve, reject) => {
      const hear = (data: Buffer) => {
        said += data;
        if (ready.test(said)) resolve();
      };
      child.stdout?.on('data', hear);
      child.stderr?.on('data', hear);
      child.once('error', reject);
      child.once('close', () => reject(new Error(`${this.#name} ended:\n${said}`)));
    });
  }

  /** Ends it as a crash does. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = once(child, 'close');
    child.kill('SIGKILL');
    await closed;
  }

  /** It does nothing any more, but the system keeps its connections. */
  pause(): void {
    this.#child?.kill('SIGSTOP');
  }

  resume(): void {
    this.#child?.kill('SIGCONT');
  }

  async end(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
