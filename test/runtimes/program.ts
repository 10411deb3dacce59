/** Runs a program of this folder on one of the runtimes, and reads what it prints, line by line. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('.', import.meta.url));
const deno = join(folder, 'node_modules/@deno/linux-x64-glibc/deno');
const bun = join(folder, 'node_modules/@oven/bun-linux-x64/bin/bun');

export interface Runtime {
  readonly command: readonly [program: string, ...flags: string[]];
  /** Whether it has a WebSocket of its own: Node does from version 22 on. */
  readonly hasClient: boolean;
}

export const node = (...flags: string[]): Runtime => ({
  command: [process.execPath, ...flags],
  hasClient: 'WebSocket' in globalThis,
});
export const RUNTIMES = {
  Deno: { command: [deno, 'run', '--allow-all', '--no-lock'], hasClient: true },
  Bun: { command: [bun], hasClient: true },
} satisfies Record<string, Runtime>;

/** Empty where the runtime is installed, otherwise what to do, for the name of a test that is skipped. */
export const missing = ({ command: [program] }: Runtime): string =>
  existsSync(program) ? '' : ' (skipped: `npm ci` in test/runtimes installs it, on Linux x64)';

export class Program {
  /** Fulfilled when it has ended. */
  readonly ended: Promise<{ code: number | null; stderr: string }>;
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor(runtime: Runtime, file: string, given: readonly string[], added: Record<string, string> = {}) {
    const [program, ...flags] = runtime.command;
    const ours = { DENO_DIR: join(tmpdir(), 'portal-deno'), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
    const env = { ...process.env, ...ours, ...added };
    const child = spawn(program, [...flags, join(folder, file), ...given], {
      cwd: folder,
      env,
      timeout: 60_000,
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.ended = once(child, 'close').then(([code]) => ({ code, stderr }));
  }

  /** The next line that it prints. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done === true) throw new Error(`the program has ended: ${JSON.stringify(await this.ended)}`);
    return value;
  }

  /** The next line, read as JSON. */
  async json(): Promise<unknown> {
    return JSON.parse(await this.line());
  }

  say(line: string): void {
    this.#child.stdin.end(`${line}\n`);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}
