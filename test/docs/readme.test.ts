// The README is true: its code blocks pass the type checker and run as they stand, against the built package; its
// links lead somewhere, and its commands exist.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { root } from '../package/source.ts';

const readme = readFileSync(`${root}README.md`, 'utf8');

/** The code blocks of a language, in their order. */
const blocks = (...languages: string[]) =>
  Array.from(readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm), ([, language = '', code = '']) => ({
    language,
    code,
  })).filter(({ language }) => languages.includes(language));

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
  paths: { 'portal-ws': [`${root}dist/index.d.ts`] },
};

let folder: string;
/** What the type checker said, and the blocks as JavaScript. */
let complaints: string;
let [server, page, rooms]: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portal-readme-'));
  await mkdir(join(folder, 'src'));
  await symlink(`${root}node_modules`, join(folder, 'node_modules'));
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  const code = blocks('js', 'ts');
  await Promise.all(
    code.map(({ language, code }, n) => writeFile(join(folder, 'src', `${n}.${language}`), code)),
  );
  const tsc = `${root}node_modules/typescript/bin/tsc`;
  const check = promisify(execFile)(process.execPath, [tsc, '-p', folder]);
  complaints = await check.then(({ stdout }) => stdout).catch(({ stdout }) => stdout);
  [server, page, rooms] = await Promise.all(
    code.map((_, n) => readFile(join(folder, 'out', `${n}.js`), 'utf8')),
  );
}, 60_000);

type Program = { child: ChildProcess; stop(): Promise<number | null> };
const running: Program[] = [];
afterEach(() => Promise.all(running.splice(0).map((program) => program.stop())));
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs a program as if it were a file in this repository, where it finds the package by its name. */
function run(code = ''): Program {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
  });
  const ended = once(child, 'close').then(([exitCode]) => exitCode);
  const stop = () => {
    child.kill('SIGTERM');
    return ended;
  };
  running.push({ child, stop });
  return { child, stop };
}

/** Runs a block that starts a server, on a port that the system chooses. */
async function serve(code = '') {
  const program = run(`${code.replace('port: 5005', 'port: 0')}\nprocess.send(server.address().port);`);
  const [port] = (await once(program.child, 'message')) as [number];
  return { ...program, port, url: `ws://127.0.0.1:${port}` };
}

const clients: WebSocket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.terminate();
});

/** Opens a connection; `next` is its next message as text. */
async function open(url: string, origin?: string) {
  const client = new WebSocket(url, origin === undefined ? {} : { origin });
  clients.push(client);
  const messages: string[] = [];
  client.on('message', (data) => messages.push(String(data)));
  await once(client, 'open');
  const next = async () => {
    if (messages.length === 0) await once(client, 'message');
    return messages.shift();
  };
  return { client, next };
}

test('its code passes the type checker, and each block has its test here', () => {
  expect(complaints).toBe('');
  expect(blocks('js', 'ts').map(({ language }) => language)).toEqual(['js', 'js', 'ts']);
});

test('the first block welcomes, echoes, and sends a quote each second', async () => {
  const { url } = await serve(server);
  const echo = await open(`${url}/echo`);
  expect(await echo.next()).toBe('welcome');
  echo.client.send('hello');
  expect(await echo.next()).toBe('hello');
  const prices = await open(`${url}/prices/GOLD`);
  expect(await prices.next()).toMatch(/^GOLD \d+\.\d\d$/);
});

test('the address in a browser is a page that says what this is, and such a page may connect', async () => {
  const { port, url } = await serve(server);
  const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  expect(await page.text()).toMatch(/^This is a WebSocket server/);
  const echo = await open(`${url}/echo`, `http://127.0.0.1:${port}`);
  expect(await echo.next()).toBe('welcome');
});

test('the block for a browser hears the welcome and its hello', async () => {
  const { port } = await serve(server);
  const browser = run(
    `import { WebSocket } from 'undici'; globalThis.WebSocket = WebSocket; ${page?.replace('5005', `${port}`)}`,
  );
  let heard = '';
  for await (const text of browser.child.stdout ?? []) {
    heard += text;
    if (heard === 'welcome\nhello\n') break;
  }
  expect(heard).toBe('welcome\nhello\n');
});

test('the chat lets in who says a name, keeps its rooms apart, and ends on SIGTERM', async () => {
  const { port, url, stop } = await serve(rooms);
  const [ada, grace, alan] = [
    await open(`${url}/rooms/red?name=Ada`),
    await open(`${url}/rooms/red?name=Grace`),
    await open(`${url}/rooms/blue?name=Alan`),
  ];
  alan.client.send('is this blue?');
  expect(await alan.next()).toBe('Alan: is this blue?');
  ada.client.send('hello');
  expect([await ada.next(), await grace.next()]).toEqual(['Ada: hello', 'Ada: hello']);

  const nameless = new WebSocket(`ws://127.0.0.1:${port}/rooms/red`);
  expect((await once(nameless, 'error'))[0].message).toBe('Unexpected server response: 401');
  const closed = once(alan.client, 'close');
  expect(await stop()).toBe(0);
  expect((await closed)[0]).toBe(1001);
});

test('its links within the repository lead somewhere', () => {
  const links = Array.from(readme.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g), ([, target]) => target ?? '');
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((target) => !existsSync(`${root}${target}`))).toEqual([]);
});

test('its npm commands are scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const commands = blocks('sh').flatMap(({ code }) =>
    Array.from(code.matchAll(/npm (?:run )?([\w:]+)/g), ([, name]) => name),
  );
  expect(commands).toEqual(expect.arrayContaining(['start', 'test']));
  expect(commands.filter((name) => name !== 'ci' && !(`${name}` in scripts))).toEqual([]);
});
