// The code of a page of the docs: taken out of it, type-checked against the built package, and run.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import { root } from '../package/source.ts';

export type Block = { language: string; code: string };

export const readPage = (page: string) => readFileSync(`${root}${page}`, 'utf8');

/** The code blocks of a page, in their order; those within a list are set in. */
export const blocksOf = (page: string): Block[] =>
  Array.from(
    readPage(page).matchAll(/^( *)```(\w+)\n([\s\S]*?)^\1```$/gm),
    ([, margin = '', language = '', code = '']) => ({
      language,
      code: code.replaceAll(RegExp(`^${margin}`, 'gm'), ''),
    }),
  );

/** Those that the type checker reads. */
export const programsOf = (page: string) =>
  blocksOf(page).filter(({ language }) => language === 'js' || language === 'ts');

const compilerOptions = {
  target: 'ES2022',
  module: 'NodeNext',
  moduleDetection: 'force',
  lib: ['ES2023', 'DOM'],
  types: ['node'],
  strict: true,
  allowJs: true,
  checkJs: true,
  skipLibCheck: true,
  rootDir: 'src',
  outDir: 'out',
  paths: { 'portal-ws': [`${root}dist/index.d.ts`], 'portal-ws/*': [`${root}dist/*/index.d.ts`] },
};

/** What the type checker says of the blocks of these pages, and each block as JavaScript. */
export async function compile(...pages: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'portal-docs-'));
  try {
    await symlink(`${root}node_modules`, join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
    const nameOf = (page: string, n: number) => `${page.replaceAll('/', '-').replace('.md', '')}-${n + 1}`;
    await mkdir(join(folder, 'src'));
    for (const page of pages) {
      for (const [n, { language, code }] of programsOf(page).entries()) {
        await writeFile(join(folder, 'src', `${nameOf(page, n)}.${language}`), code);
      }
    }
    const tsc = `${root}node_modules/typescript/bin/tsc`;
    const check = promisify(execFile)(process.execPath, [tsc, '-p', folder]);
    const complaints = await check.then(({ stdout }) => stdout).catch(({ stdout }) => stdout as string);
    const programs = new Map<string, string[]>();
    for (const page of pages) {
      const read = programsOf(page).map((_, n) =>
        readFile(join(folder, 'out', `${nameOf(page, n)}.js`), 'utf8'),
      );
      programs.set(page, await Promise.all(read));
    }
    return { complaints, programs };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export type Program = {
  child: ChildProcess;
  /** What it has written to standard output and to standard error. */
  said: { out: string; err: string };
  /** Ends it as a process manager does, and gives its exit code. */
  stop(): Promise<number | null>;
};

const running: Program[] = [];
const clients: WebSocket[] = [];

/** Ends what the tests of a page have begun; for `afterEach`. */
export async function endAll() {
  for (const client of clients.splice(0)) client.terminate();
  for (const { child } of running) if (child.exitCode === null) child.kill('SIGKILL');
  await Promise.all(running.splice(0).map(({ stop }) => stop()));
}

/** Runs a program as if it were a file in a folder; in this repository it finds the package by its name. */
export const run = (code = '', cwd = root) => start(['--input-type=module', '-e', code], cwd);

/** Runs a file of a folder. */
export const runFile = (file: string, cwd: string) => start([file], cwd);

function start(args: readonly string[], cwd: string): Program {
  const child = spawn(process.execPath, args, { cwd, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
  const ended = once(child, 'close').then(([exitCode]) => exitCode as number | null);
  const said = { out: '', err: '' };
  child.stdout?.on('data', (data) => {
    said.out += data;
  });
  child.stderr?.on('data', (data) => {
    said.err += data;
  });
  const program = {
    child,
    said,
    stop: () => {
      child.kill('SIGTERM');
      return ended;
    },
  };
  running.push(program);
  return program;
}

/** Waits until a program has said something. */
export async function heard(program: Program, text: string | RegExp, stream: 'out' | 'err' = 'out') {
  const said = () =>
    typeof text === 'string' ? program.said[stream].includes(text) : text.test(program.said[stream]);
  const source = stream === 'out' ? program.child.stdout : program.child.stderr;
  while (!said()) {
    if (source === null || source.readableEnded)
      throw new Error(`it never said ${text}: ${program.said[stream]}`);
    await Promise.race([once(source, 'data'), once(source, 'end')]);
  }
  return program.said[stream];
}

/** Runs a block that starts a server called `server` on 5005, on a port that the system chooses instead. */
export async function serve(code = '', cwd = root) {
  const free = code.replaceAll(/port: 500\d/g, 'port: 0');
  const program = run(`${free}\nprocess.send(server.address().port);`, cwd);
  const failed = once(program.child, 'close').then(() => {
    throw new Error(`it did not start: ${program.said.err}`);
  });
  const [port] = (await Promise.race([once(program.child, 'message'), failed])) as [number];
  failed.catch(() => {});
  return { ...program, port, url: `ws://127.0.0.1:${port}` };
}

/** Opens a connection; `next` is its next message as text, `closed` its close code and reason. */
export async function open(url: string, options: { origin?: string; protocols?: string[] } = {}) {
  const { protocols = [], ...rest } = options;
  const client = new WebSocket(url, protocols, rest);
  clients.push(client);
  const messages: string[] = [];
  client.on('message', (data) => messages.push(String(data)));
  const closed = once(client, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  await once(client, 'open');
  const next = async () => {
    if (messages.length === 0) await once(client, 'message');
    return messages.shift();
  };
  return { client, next, closed };
}

/** The status and text that a handshake is refused with. */
export async function refused(
  url: string,
  options: { headers?: Record<string, string>; origin?: string } = {},
) {
  const client = new WebSocket(url, options);
  clients.push(client);
  client.on('error', () => {});
  const [, response] = await once(client, 'unexpected-response');
  let text = '';
  for await (const chunk of response) text += chunk;
  return { status: response.statusCode as number, text };
}
