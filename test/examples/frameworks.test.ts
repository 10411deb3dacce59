// examples/express.mjs, fastify.mjs and hono.mjs, run as their readers run them, with a client that keeps its cookie.

import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { type Program, runToEnd, start } from '../clients/example.ts';
import { calling, ending, next, opened, refusal } from '../support/attached.ts';

let program: Program | undefined;
afterEach(async () => {
  await program?.stop();
});

async function run(name: string) {
  program = await start(`examples/${name}.mjs`);
  const { url, line } = program;
  expect(line).toMatch(/^listening on http:\/\/127\.0\.0\.1:\d+\/$/);
  return { program, url, ws: url.replace('http', 'ws') };
}

/** Logs in as the page does; the cookie that it is given. */
async function logIn(url: string, name: string): Promise<string> {
  const headers = { 'Content-Type': 'application/json' };
  const answer = await fetch(`${url}login`, { method: 'POST', headers, body: JSON.stringify({ name }) });
  expect(answer.status).toBe(204);
  return answer.headers.get('set-cookie')?.split(';')[0] ?? '';
}

/** A connection that a browser holds in reserve. */
async function reserve(url: string): Promise<Socket> {
  const socket = ending(connect(Number(new URL(url).port), '127.0.0.1'));
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

describe.each(['express', 'fastify', 'hono'])('examples/%s.mjs', (name) => {
  test('the page is served, also to who asks for h2c; other pages are the framework’s 404', async () => {
    const { url, ws } = await run(name);
    const page = await fetch(url);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(await page.text()).toContain('<title>Log in, then talk</title>');
    expect((await fetch(`${url}hello`)).status).toBe(404);
    const asking = ending(request(url, { headers: { Connection: 'Upgrade', Upgrade: 'h2c' } }).end());
    const [answer] = await once(asking, 'response');
    expect(answer.statusCode).toBe(200);
    expect((await refusal(calling(`${ws}elsewhere`))).status).toBe(404);
  });

  test('the cookie of the login opens the WebSocket; none, or a forged one, does not', async () => {
    const { url, ws } = await run(name);
    const out = { status: 401, body: 'Log in first.\n' };
    expect(await refusal(calling(`${ws}hello`))).toEqual(out);
    const cookie = await logIn(url, 'Ada');
    const forged = cookie.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')).replace('Ada', 'Eve');
    expect(await refusal(calling(`${ws}hello`, { headers: { cookie: forged } }))).toEqual(out);
    expect(await refusal(calling(`${ws}hello`, { headers: { cookie: 'user=%; connect.sid=s%3A' } }))).toEqual(
      out,
    );
    const client = calling(`${ws}hello`, { headers: { cookie: `a=b; ${cookie}` } });
    expect(await next(client)).toBe('hello Ada');
    client.send('good morning');
    expect(await next(client)).toBe('Ada said good morning');
    const foreign = { headers: { cookie }, origin: 'https://elsewhere.example' };
    expect((await refusal(calling(`${ws}hello`, foreign))).status).toBe(403);
    const closed = once(client, 'close');
    await fetch(`${url}logout`, { method: 'POST', headers: { cookie } });
    expect(String((await closed)[1])).toBe('logged out');
  });

  test('SIGTERM ends it with connections open, idle and in reserve', async () => {
    const { program, url, ws } = await run(name);
    const headers = { cookie: await logIn(url, 'Ada') };
    const client = await opened(`${ws}hello`, { headers });
    await reserve(url);
    const closed = once(client, 'close');
    const before = performance.now();
    const { code, stderr } = await program.stop();
    expect([code, stderr]).toEqual([0, '']);
    expect((await closed)[0]).toBe(1001);
    // Without closeAllConnections it would be a minute, Node's headersTimeout.
    expect(performance.now() - before).toBeLessThan(30_000);
  });

  test('a port that is taken is one line on standard error', async () => {
    const { url } = await run(name);
    const { code, stderr } = await runToEnd(`examples/${name}.mjs`, { PORT: new URL(url).port });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^.*EADDRINUSE.*\n$/);
  });
});
