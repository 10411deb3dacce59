// Starts and ends servers and load generators, each on its own core. Nothing started here outlives the program.
import { execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { framesFile } from '../load/frames.mjs';
import { benchFolder, programs } from './build.mjs';
import { checkTexts } from './check-texts.mjs';

const serverCore = 0;
const generatorCore = 1;
const startSeconds = 15;
const generatorSeconds = 180;

const node = (file) => [process.execPath, '--expose-gc', `${benchFolder}servers/${file}`];
const bunProgram = `${benchFolder}node_modules/@oven/bun-linux-x64/bin/bun`;

/** Every server, in the order of the tables. `floor` ones set the scale; they are not rivals. */
export const servers = {
  portal: {
    command: node('portal.mjs'),
    needs: `${benchFolder}../dist/index.js`,
    missing: 'not built (npm run build)',
    gc: true,
  },
  ws: { command: node('ws.mjs'), gc: true },
  uws: {
    command: node('uws.mjs'),
    needs: `${benchFolder}node_modules/@trufflesuite/uws-js-unofficial`,
    gc: true,
  },
  bun: { command: [bunProgram, `${benchFolder}servers/bun.mjs`], needs: bunProgram, gc: true },
  net: { command: node('net.mjs'), gc: true, floor: true, check: 'count' },
  c: { command: [programs.floor], needs: programs.floor, missing: 'not built (no C compiler)', floor: true },
};

export const pinned = [serverCore, generatorCore].every(
  (core) => spawnSync('taskset', ['-c', String(core), 'true']).status === 0,
);
const onCore = (core, command) => (pinned ? ['taskset', '-c', String(core), ...command] : command);

const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));

function own(child) {
  children.add(child);
  child.on('exit', () => children.delete(child));
  return child;
}

/** Why a server cannot run here, or undefined. */
export function absence(name) {
  const { needs, missing } = servers[name];
  return needs && !existsSync(needs)
    ? (missing ?? 'not installed (npm has no binary of it for this machine)')
    : undefined;
}

/** Starts a server and waits for its port. Rejects, with the end of what it said, when it dies first. */
async function startServer(name, env = {}) {
  const [program, ...rest] = onCore(serverCore, servers[name].command);
  const child = own(
    spawn(program, rest, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }),
  );
  let said = '';
  child.stderr.on('data', (bytes) => {
    said = (said + bytes).slice(-2000);
  });
  const died = new Promise((resolve) =>
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`)),
  );
  const lastWords = () => said.trim().split('\n').slice(-6).join(' | ');
  const line = new Promise((resolve) => createInterface({ input: child.stdout }).once('line', resolve));
  const late = new Promise((resolve) => setTimeout(resolve, startSeconds * 1e3, 'no port in time').unref());
  const first = await Promise.race([line, died.then((how) => `ended with ${how}`), late]);
  if (!first.startsWith('{')) {
    child.kill('SIGKILL');
    throw new Error(`the server did not start: ${first} ${lastWords()}`);
  }
  return {
    name,
    ...JSON.parse(first),
    pid: child.pid,
    /** How the process ended, if it has. */
    ended: () =>
      (child.exitCode ?? child.signalCode) !== null &&
      `the server ended (${child.signalCode ?? child.exitCode}) ${lastWords()}`,
    async stop() {
      child.kill('SIGTERM');
      const kill = setTimeout(() => child.kill('SIGKILL'), 3000);
      await died;
      clearTimeout(kill);
    },
  };
}

/** The one in C speaks neither TLS nor HTTP/2: there all servers get the one in Node. */
const generator = ({ carrier }) =>
  existsSync(programs.loadgen) && carrier === undefined
    ? [programs.loadgen]
    : [process.execPath, `${benchFolder}load/loadgen.mjs`];

/**
 * Runs one load against a server and returns what the generator reports. Rejects when a reply was wrong or missing.
 * `texts`: messages of JSON text of so many bytes, compressed; otherwise a payload as loadgen.c makes it.
 */
async function runLoad(server, { texts, ...load }) {
  const kind = servers[server.name];
  if (texts !== undefined) await checkTexts(server.port, texts);
  const options = {
    port: server.port,
    ...(server.socketPath && { unix_path: server.socketPath }),
    pid: server.pid,
    gc: kind.gc ? 1 : 0,
    check: kind.check ?? 'bytes',
    ...(texts !== undefined && { frames: framesFile(texts) }),
    ...load,
  };
  const words = Object.entries(options).map(([key, value]) => `--${key}=${value}`);
  const [program, ...rest] = onCore(generatorCore, [...generator(load), ...words]);
  const output = await new Promise((resolve) => {
    const child = execFile(program, rest, { timeout: generatorSeconds * 1e3 }, (error, out) =>
      resolve(out || String(error)),
    );
    own(child);
  });
  const result = output.startsWith('{')
    ? JSON.parse(output)
    : { ok: false, error: `the generator failed: ${output.trim()}` };
  if (result.ok) return result;
  await new Promise((resolve) => setTimeout(resolve, 50)); // so that a dying server can be seen to die
  throw new Error([result.error, server.ended()].filter(Boolean).join('; '));
}

/** One load against a fresh server, which is then ended. `BENCH_PLACE` of `env` says where it listens. */
export async function loadFresh(name, load, env = {}) {
  const socketPath = env.BENCH_PLACE === 'unix' ? newSocketPath() : undefined;
  const server = await startServer(name, { ...env, ...(socketPath && { BENCH_SOCKET: socketPath }) });
  server.socketPath = socketPath;
  try {
    return { ...(await runLoad(server, load)), version: server.version };
  } finally {
    await server.stop();
    if (socketPath) rmSync(socketPath, { force: true });
  }
}

let sockets = 0;
const newSocketPath = () => join(tmpdir(), `portal-bench-${process.pid}-${++sockets}.sock`);

/** How many sockets one process may hold here, less what it needs for itself. */
export function mostConnections() {
  const limit = spawnSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).stdout.trim();
  return limit === 'unlimited' ? 1_000_000 : Number(limit) - 100;
}
