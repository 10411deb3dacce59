/** Runs workers under a primary that is a process of its own, and connects to them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { WebSocket } from 'ws';
import { root } from '../package/source.ts';

const running: Started[] = [];
const clients: WebSocket[] = [];

export interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A primary and its workers. */
export class Started {
  readonly child: ChildProcess;
  /** Resolves when the primary and all workers have ended: they hold the same output. */
  readonly ended: Promise<Ending>;
  readonly #said = { stdout: '', stderr: '' };
  readonly #pids = new Set<number>();

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    const stdio = ['ignore', 'pipe', 'pipe', 'ipc'] as const;
    const { PORT: _, HOST: __, ...rest } = process.env;
    // A group of its own, as under a shell.
    this.child = spawn(process.execPath, args, {
      cwd: root,
      env: { ...rest, ...env },
      stdio: [...stdio],
      detached: true,
    });
    for (const name of ['stdout', 'stderr'] as const) {
      this.child[name]?.setEncoding('utf8').on('data', (text: string) => {
        this.#said[name] += text;
        for (const [, pid] of text.matchAll(/^up (\d+)$/gm)) this.#pids.add(Number(pid));
      });
    }
    this.ended = once(this.child, 'close').then(([code, signal]) => ({ code, signal, ...this.#said }));
    running.push(this);
  }

  /** What it has said, as soon as that matches. */
  async heard(what: RegExp, from: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    let hasEnded = false;
    void this.ended.then(() => {
      hasEnded = true;
    });
    for (;;) {
      const found = what.exec(this.#said[from]);
      if (found !== null) return found;
      if (hasEnded) throw new Error(`it never said ${what}: ${JSON.stringify(this.#said)}`);
      await Promise.race([once(this.child[from] as NonNullable<ChildProcess['stdout']>, 'data'), this.ended]);
    }
  }

  /** Waits until as many workers have been connected to their primary, since the beginning. */
  async up(count: number): Promise<void> {
    await this.heard(new RegExp(`(?:up \\d+\\n[^]*){${count}}`));
  }

  /** The port that the workers share. */
  async port(): Promise<number> {
    return Number((await this.heard(/port (\d+)\n/))[1]);
  }

  /** Has the primary do something; resolves when it has. */
  async ask(what: 'pids' | 'restart' | 'stop' | 'fail'): Promise<{ value?: unknown; failed?: string }> {
    const answer = this.#message();
    this.child.send(what);
    return answer;
  }

  /** Waits until all workers serve. */
  async serves(): Promise<number[]> {
    return ((await this.#message()) as { pids: number[] }).pids;
  }

  async #message(): Promise<object> {
    const failed = this.ended.then((ending) => {
      throw new Error(`it ended: ${JSON.stringify(ending)}`);
    });
    failed.catch(() => {});
    return ((await Promise.race([once(this.child, 'message'), failed])) as [object])[0];
  }

  /** Ends what is left of it. */
  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL');
    await this.ended;
  }
}

export function startPrimary(options: object = {}, env: Record<string, string> = {}): Started {
  const quick = { env: { PORT: '0', ...env }, ...options };
  return new Started(['test/workers/primary.mjs', 'test/workers/program.mjs', JSON.stringify(quick)]);
}

/** A member of a topic, and the worker that it is connected to. */
export interface Member {
  readonly client: WebSocket;
  readonly pid: number;
  readonly closed: Promise<{ code: number; reason: string }>;
  next(): Promise<string>;
}

export async function join(port: number, topic = 'news'): Promise<Member> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/topics/${topic}`);
  clients.push(client);
  const heard: string[] = [];
  client.on('message', (data) => heard.push(String(data)));
  const closed = once(client, 'close').then(([code, reason]) => ({ code, reason: String(reason) }));
  closed.catch(() => {});
  await once(client, 'open');
  const next = async () => {
    while (heard.length === 0) await once(client, 'message');
    return heard.shift() as string;
  };
  return { client, closed, next, pid: Number(await next()) };
}

/** Joins until there is a member at each of so many workers. Of each worker the first. */
export async function joinAll(port: number, count: number, topic = 'news'): Promise<Member[]> {
  const members = new Map<number, Member>();
  while (members.size < count) {
    const member = await join(port, topic);
    if (members.has(member.pid)) member.client.terminate();
    else members.set(member.pid, member);
  }
  return [...members.values()];
}

/** Ends all that the tests have begun; for `afterEach`. */
export async function endAll(): Promise<void> {
  for (const client of clients.splice(0)) client.terminate();
  await Promise.all(running.splice(0).map((each) => each.end()));
}

/** A port that is free, and that the system gives to nobody who asks for any. */
export async function namedPort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('listening', () => resolve(true));
      server.once('error', () => resolve(false));
    });
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

/** Starts workers, and waits until all of them serve. */
export async function started(options: object = {}, env: Record<string, string> = {}) {
  const primary = startPrimary(options, env);
  const pids = await primary.serves();
  return { primary, pids, port: await primary.port() };
}
