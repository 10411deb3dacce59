// examples/echo.mjs, run from outside as its readers run it.

import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, runToEnd, start } from '../clients/example.ts';

const file = 'examples/echo.mjs';

async function opened(url: string): Promise<WebSocket> {
  const client = new WebSocket(url);
  await once(client, 'open');
  return client;
}

/** Runs the example with these variables, tries something on it, and ends it. */
async function running<T>(env: Record<string, string>, attempt: (echo: Program) => Promise<T>): Promise<T> {
  const echo = await start(file, env);
  try {
    return await attempt(echo);
  } finally {
    await echo.stop();
  }
}

describe('examples/echo.mjs', () => {
  let echo: Program;
  beforeAll(async () => {
    echo = await start(file);
  });
  afterAll(async () => {
    await echo?.stop();
  });

  test('prints one line when it listens, with its address', () => {
    expect(echo.line).toMatch(/^listening on ws:\/\/127\.0\.0\.1:\d+\/echo$/);
  });

  test('answers another path with 404', async () => {
    const client = new WebSocket(echo.url.replace('/echo', '/elsewhere'));
    const [error] = await once(client, 'error');
    expect(error.message).toBe('Unexpected server response: 404');
  });

  test('answers a plain GET with 426 (RFC 9110 15.5.22)', async () => {
    const response = await fetch(echo.url.replace('ws:', 'http:'), { headers: { connection: 'close' } });
    expect([response.status, await response.text()]).toEqual([426, expect.any(String)]);
  });

  test.each(['SIGINT', 'SIGTERM'] as const)(
    'closes with 1001 on %s, and exits with code 0',
    async (signal) => {
      const program = await start(file);
      const client = await opened(program.url);
      program.kill(signal);
      const [code] = await once(client, 'close');
      expect(code).toBe(1001);
      expect(await program.ended).toEqual({ code: 0, signal: null, stdout: `${program.line}\n`, stderr: '' });
    },
  );

  test('a second SIGINT while it stops changes nothing', async () => {
    const program = await start(file);
    const client = await opened(program.url);
    program.kill('SIGINT');
    program.kill('SIGINT');
    await once(client, 'close');
    expect(await program.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  });

  test('CAP: a message of as many bytes is echoed', () =>
    running({ CAP: '10' }, async ({ url }) => {
      const client = await opened(url);
      client.send('0123456789');
      const [data] = await once(client, 'message');
      expect(String(data)).toBe('0123456789');
      client.close();
      await once(client, 'close');
    }));

  test('CAP: one byte more closes with 1009 (RFC 6455 7.4.1)', () =>
    running({ CAP: '10' }, async ({ url }) => {
      const client = await opened(url);
      client.send('0123456789a');
      const [code] = await once(client, 'close');
      expect(code).toBe(1009);
    }));

  test('MAX_FRAGMENTS: one fragment more closes with 1008 (RFC 6455 7.4.1)', () =>
    running({ MAX_FRAGMENTS: '2' }, async ({ url }) => {
      const client = await opened(url);
      client.send('a', { fin: false });
      client.send('b');
      const [data] = await once(client, 'message');
      expect(String(data)).toBe('ab');
      for (const fin of [false, false, true]) client.send('c', { fin });
      const [code] = await once(client, 'close');
      expect(code).toBe(1008);
    }));

  test('HOST: listens on that address, and writes an IPv6 one as a URL has it', () =>
    running({ HOST: '::1' }, async ({ line, url }) => {
      expect(line).toMatch(/^listening on ws:\/\/\[::1\]:\d+\/echo$/);
      const client = await opened(url);
      client.close();
      await once(client, 'close');
    }));

  test('a port that is taken is one clear line and exit code 1', async () => {
    const holder = createServer().listen(0, '127.0.0.1');
    await once(holder, 'listening');
    const { port } = holder.address() as { port: number };
    const { code, stdout, stderr } = await runToEnd(file, { PORT: String(port) });
    holder.close();
    await once(holder, 'close');
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringContaining(`${port}`)]);
    expect(stderr).toMatch(/in use|taken|EADDRINUSE/);
  });

  test.each([
    ['PORT', 'http', 'port'],
    ['PORT', '65536', 'port'],
    ['CAP', '1MB', 'cap'],
    ['CAP', '-1', 'cap'],
    ['MAX_FRAGMENTS', '1.5', 'maxFragments'],
  ])('%s=%s is refused by the library, which names the option', async (name, value, option) => {
    const { code, stdout, stderr } = await runToEnd(file, { [name]: value });
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`\\w+Error.*\\b${option}\\b`));
  });

  test('serves on after a peer that reset its connection', async () => {
    const { port } = new URL(echo.url);
    const rude = connect(Number(port), '127.0.0.1');
    await once(rude, 'connect');
    rude.resetAndDestroy();
    await once(rude, 'close');
    const client = await opened(echo.url);
    client.close();
    await once(client, 'close');
  });
});
