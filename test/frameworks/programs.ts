/** Programs that need the packages of this folder: whether those are installed, and how the programs are run. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, symlink } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { blocksOf } from '../docs/pages.ts';
import { root } from '../package/source.ts';

export const folder = fileURLToPath(new URL('.', import.meta.url));

/** Empty where a package is installed, otherwise what to do, for the name of tests that are skipped. */
export const missing = (name: string): string =>
  existsSync(join(folder, 'node_modules', name)) ? '' : ' (skipped: `npm run test:frameworks` installs it)';

/** Guards against a hang: Next compiles for a quarter of a minute on an idle machine. */
const LONGEST_MS = 280_000;

/** A program of Node's, and what it prints, line by line. */
export class Program {
  /** Fulfilled when it has ended. */
  readonly ended: Promise<{ code: number | null; signal: string | null; stderr: string }>;
  readonly #child;
  readonly #lines: AsyncIterator<string>;

  constructor(file: string, env: Record<string, string> = {}) {
    const ours = {
      NEXT_TELEMETRY_DISABLED: '1',
      NO_COLOR: '1',
      FORCE_COLOR: '0',
      PORT: '0',
      HOST: '127.0.0.1',
    };
    // Vitest sets NODE_ENV to test, which neither Vite nor Next expects of a dev server.
    const { NODE_ENV: _, ...inherited } = process.env;
    const child = spawn(process.execPath, [file], {
      cwd: root,
      env: { ...inherited, ...ours, ...env } as NodeJS.ProcessEnv,
      timeout: LONGEST_MS,
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    this.#child = child;
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    this.ended = once(child, 'close').then(([code, signal]) => ({ code, signal, stderr }));
  }

  /** The next line that matches; what comes before it is passed over. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const { value, done } = await this.#lines.next();
      if (done === true) throw new Error(`the program has ended: ${JSON.stringify(await this.ended)}`);
      if (pattern.test(value)) return value;
    }
  }

  /** The port in the line that says that it listens. */
  async port(): Promise<number> {
    const line = await this.line(/^listening on /);
    return Number(/:(\d+)/.exec(line)?.[1]);
  }

  say(line: string): void {
    this.#child.stdin.end(`${line}\n`);
  }

  end(signal: NodeJS.Signals): typeof this.ended {
    this.#child.kill(signal);
    return this.ended;
  }
}

/** Makes Portal importable by its name from this folder, as the other packages are. */
export async function linkPortal(): Promise<void> {
  const link = join(folder, 'node_modules/portal-ws');
  if (!existsSync(link)) await symlink(root, link);
}

/**
 * A copy of an example whose files a test may change. It lies in this folder, where the packages are found.
 */
export async function copyOf(example: string): Promise<{ path: string; remove(): Promise<void> }> {
  await linkPortal();
  const path = await mkdtemp(join(folder, 'run-'));
  const isOwn = (file: string) => !['node_modules', '.next', 'built'].includes(basename(file));
  await cp(join(root, 'examples', example), path, { recursive: true, filter: isOwn });
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Compiles a folder with a tsconfig.json; what the type checker says of it. */
export function compile(path: string): Promise<string> {
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  return promisify(execFile)(process.execPath, [tsc, '-p', path]).then(
    ({ stdout }) => stdout,
    ({ stdout }) => stdout,
  );
}

/** The code blocks of a page of the how-tos that are in this language; those in `js` and `ts` are tested in test/docs. */
export const blocksIn = (page: string, language: string): string[] =>
  blocksOf(`docs/how-to/${page}.md`).flatMap((block) => (block.language === language ? [block.code] : []));
