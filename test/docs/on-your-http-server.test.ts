// docs/how-to/on-your-http-server.md is true: each of its blocks runs, and does what the page says.

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectTcp } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { io } from 'socket.io-client';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import {
  calling,
  certificate,
  connect,
  ending,
  next,
  opened,
  refusal,
  session,
} from '../support/attached.ts';
import { compile, endAll, run } from './pages.ts';

const page = 'docs/how-to/on-your-http-server.md';

let compiled: Awaited<ReturnType<typeof compile>>;
let folder = '';
beforeAll(async () => {
  compiled = await compile(page);
  folder = await mkdtemp(join(tmpdir(), 'portal-how-to-'));
  const { key, cert } = certificate();
  await writeFile(join(folder, 'key.pem'), key);
  await writeFile(join(folder, 'cert.pem'), cert);
});
afterAll(() => rm(folder, { recursive: true }));
afterEach(endAll);

/** Runs the n-th block on a port that the system chooses. `httpServer` is the HTTP server's name in it. */
async function start(n: number, httpServer = 'httpServer') {
  const code = (compiled.programs.get(page)?.[n] ?? '')
    .replace(/\b5005\b/, '0')
    .replaceAll(/'(\w+\.pem)'/g, (_, file) => `'${join(folder, file)}'`);
  const program = run(`${code}
    while (!${httpServer}.listening) await new Promise(setImmediate);
    process.send(${httpServer}.address().port);`);
  const failed = once(program.child, 'close').then(() => {
    throw new Error(`it did not start: ${program.said.err}`);
  });
  const [port] = (await Promise.race([once(program.child, 'message'), failed])) as [number];
  failed.catch(() => {});
  return { ...program, port };
}

const serve = async (n: number) => (await start(n)).port;

async function echoes(client: WebSocket): Promise<void> {
  client.send('hello');
  expect(await next(client)).toBe('hello');
}

test('its code passes the type checker', () => {
  expect(compiled.complaints).toBe('');
  expect(compiled.programs.get(page)).toHaveLength(11);
});

test('node:http: the page and the echo on one port', async () => {
  const port = await serve(0);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('a page\n');
  await echoes(await opened(`ws://127.0.0.1:${port}/echo`));
  expect((await refusal(calling(`ws://127.0.0.1:${port}/other`))).status).toBe(404);
});

test('sessions: the cookie of the request decides', async () => {
  const port = await serve(1);
  const headers = { cookie: 'sid=7' };
  expect(await next(calling(`ws://127.0.0.1:${port}/hello`, { headers }))).toBe('hello Ada');
  expect(await refusal(calling(`ws://127.0.0.1:${port}/hello`))).toEqual({
    status: 401,
    body: 'Log in first.\n',
  });
});

test.each([
  ['Express', 2, 'httpServer'],
  ['Fastify', 3, 'fastify.server'],
  ['Hono', 4, 'httpServer'],
] as const)('%s: the cookie of its login decides', async (_, n, httpServer) => {
  const { port } = await start(n, httpServer);
  const url = `ws://127.0.0.1:${port}/hello`;
  expect(await refusal(calling(url))).toEqual({ status: 401, body: 'Log in first.\n' });
  const login = await fetch(`http://127.0.0.1:${port}/login`);
  expect(await login.text()).toBe('logged in\n');
  const [cookie = ''] = login.headers.get('set-cookie')?.split(';') ?? [];
  expect(await next(calling(url, { headers: { cookie } }))).toBe('hello Ada');
});

test('beside Socket.IO and ws', async () => {
  const port = await serve(5);
  expect(await next(calling(`ws://127.0.0.1:${port}/portal`))).toBe('from Portal');
  expect(await next(calling(`ws://127.0.0.1:${port}/ws`))).toBe('from ws');
  const client = io(`http://127.0.0.1:${port}`, { transports: ['websocket'] });
  ending({ destroy: () => client.close() });
  expect(await new Promise((resolve) => client.on('hello', resolve))).toBe('from Socket.IO');
});

test('HTTPS', async () => {
  await echoes(await opened(`wss://127.0.0.1:${await serve(6)}/echo`));
});

test('HTTP/2, with HTTP/1.1 on the same port', async () => {
  const port = await serve(7);
  expect(await next(calling(`wss://127.0.0.1:${port}/echo`))).toBe('http1');
  const stream = connect(await session(port, 'https'), '/echo');
  const [frame] = (await once(stream, 'data')) as [Buffer];
  expect(frame.toString('latin1')).toBe('\x81\x05http2');
  stream.close();
});

test('by hand', async () => {
  const port = await serve(8);
  await echoes(await opened(`ws://127.0.0.1:${port}/echo`));
  expect((await refusal(calling(`ws://127.0.0.1:${port}/other`))).status).toBe(404);
});

test('by hand, with crossws', async () => {
  const { port } = await start(9, 'web.node.server');
  await echoes(await opened(`ws://127.0.0.1:${port}/echo`));
  expect((await refusal(calling(`ws://127.0.0.1:${port}/other`))).status).toBe(404);
  expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('a page\n');
});

test('ending the process: with a connection open, and one in reserve', async () => {
  const { port, stop } = await start(10);
  const reserve = ending(connectTcp(port, '127.0.0.1'));
  reserve.on('error', () => {});
  await once(reserve, 'connect');
  const closed = once(await opened(`ws://127.0.0.1:${port}/echo`), 'close');
  expect(await stop()).toBe(0);
  expect((await closed)[0]).toBe(1001);
});
