// docs/how-to/on-your-http-server.md is true: each of its blocks runs, and does what the page says.

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { WebSocket } from 'ws';
import { calling, certificate, connect, next, opened, refusal, session } from '../support/attached.ts';
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

/** Runs the n-th block on a port that the system chooses, which is returned. */
async function serve(n: number): Promise<number> {
  const code = (compiled.programs.get(page)?.[n] ?? '')
    .replace('listen(5005)', 'listen(0, () => process.send(httpServer.address().port))')
    .replaceAll(/'(\w+\.pem)'/g, (_, file) => `'${join(folder, file)}'`);
  const program = run(code);
  const failed = once(program.child, 'close').then(() => {
    throw new Error(`it did not start: ${program.said.err}`);
  });
  const [port] = (await Promise.race([once(program.child, 'message'), failed])) as [number];
  failed.catch(() => {});
  return port;
}

async function echoes(client: WebSocket): Promise<void> {
  client.send('hello');
  expect(await next(client)).toBe('hello');
}

test('its code passes the type checker', () => {
  expect(compiled.complaints).toBe('');
  expect(compiled.programs.get(page)).toHaveLength(5);
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

test('HTTPS', async () => {
  await echoes(await opened(`wss://127.0.0.1:${await serve(2)}/echo`));
});

test('HTTP/2, with HTTP/1.1 on the same port', async () => {
  const port = await serve(3);
  expect(await next(calling(`wss://127.0.0.1:${port}/echo`))).toBe('http1');
  const stream = connect(await session(port, 'https'), '/echo');
  const [frame] = (await once(stream, 'data')) as [Buffer];
  expect(frame.toString('latin1')).toBe('\x81\x05http2');
  stream.close();
});

test('by hand', async () => {
  const port = await serve(4);
  await echoes(await opened(`ws://127.0.0.1:${port}/echo`));
  expect((await refusal(calling(`ws://127.0.0.1:${port}/other`))).status).toBe(404);
});
