// Runs one of the examples as a user does, `node examples/echo.mjs`, in a process of its own.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { PATIENCE_MS } from '../support/patience.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

export type Ending = { code: number | null; signal: NodeJS.Signals | null; stdout: string; stderr: string };

export type Program = {
  /** The first line it printed. */
  line: string;
  /** The address in that line. */
  url: string;
  kill(signal: NodeJS.Signals): void;
  /** How it ended, once it has. */
  ended: Promise<Ending>;
  /** Ends it, if it still runs. */
  stop(): Promise<Ending>;
};

/** Starts a program of this repository and collects what it prints, until it ends; at the latest after `timeout` ms. */
function launch(file: string, env: Record<string, string>, timeout: number) {
  const child = spawn(process.execPath, [file], { cwd: root, env: { ...process.env, ...env }, timeout });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]): Ending => ({ code, signal, stdout, stderr }));
  return { child, ended };
}

/** Runs a program that is expected to end by itself. */
export function runToEnd(file: string, env: Record<string, string> = {}): Promise<Ending> {
  return launch(file, env, PATIENCE_MS).ended;
}

/** Starts a server program on a port that the system chooses; resolves when it has printed its first line. */
export async function start(file: string, env: Record<string, string> = {}): Promise<Program> {
  const { child, ended } = launch(file, { PORT: '0', ...env }, 4 * PATIENCE_MS);
  const line = await new Promise<string>((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (more: string) => {
      text += more;
      if (text.includes('\n')) resolve(text.slice(0, text.indexOf('\n')));
    });
    ended.then((ending) => reject(new Error(`${file} ended before it listened:\n${ending.stderr}`)));
  });
  const kill = (signal: NodeJS.Signals) => void child.kill(signal);
  const stop = () => {
    kill('SIGTERM');
    return ended;
  };
  return { line, url: line.slice(line.search(/\w+:\/\//)), kill, ended, stop };
}
