// Chromium's WebSocket over TLS: to a port of our own, to an attached server of HTTPS, and by HTTP/2 (RFC 8441), which it
// chooses by itself where its page came over HTTP/2 from the same origin and the server has offered it.

import { createHash, X509Certificate } from 'node:crypto';
import http2 from 'node:http2';
import https from 'node:https';
import type { Page } from 'playwright-core';
import { firstValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, executable, launchBrowser, skipped } from '../clients/chromium.ts';
import { listen, portal } from '../support/attached.ts';
import { certificate } from '../support/carrier.ts';
import { hasOpenssl, skippedTls } from '../support/certificates.ts';

/** In the page: opens, sends each message when the one before has come back, closes, and tells what it saw. */
const talk = `async ({ url, messages, protocols }) => {
  const socket = new WebSocket(url, protocols);
  socket.binaryType = 'arraybuffer';
  const { promise: closed, resolve } = Promise.withResolvers();
  const answers = [];
  const next = () => (messages.length > 0 ? socket.send(messages.shift()) : socket.close(4321, 'done'));
  socket.onopen = next;
  socket.onmessage = ({ data }) => {
    answers.push(data);
    next();
  };
  socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean });
  const close = await closed;
  return { answers, close, protocol: socket.protocol };
}`;

const page = (
  _: unknown,
  response: { setHeader(name: string, value: string): unknown; end(body: string): void },
) => {
  response.setHeader('Content-Type', 'text/html');
  response.end('<!doctype html><title>page</title>');
};

describe.skipIf(!executable || !hasOpenssl)(`Chromium over TLS${skipped}${skippedTls}`, () => {
  let browser: Browser;

  beforeAll(async () => {
    // The certificate of this test is trusted by its key, and no other one is.
    const { publicKey } = new X509Certificate(certificate().pair.cert);
    const key = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('base64');
    browser = await launchBrowser([`--ignore-certificate-errors-spki-list=${key}`]);
  });
  afterAll(() => browser?.close());

  async function inPage<T>(at: string, work: (inside: Page) => Promise<T>): Promise<T> {
    const inside = await browser.context.newPage();
    await inside.goto(at);
    try {
      return await work(inside);
    } finally {
      await inside.close();
    }
  }

  const messages = ['hello', 'größer', 'x'.repeat(200_000), ''];
  const run = (inside: Page, url: string, protocols: string[] = []) =>
    inside.evaluate(`(${talk})(${JSON.stringify({ url, messages, protocols })})`);
  const whole = { answers: messages, close: { code: 4321, wasClean: true } };

  test('wss:// to a port of our own', async () => {
    const server = portal({
      port: 0,
      host: '127.0.0.1',
      tls: certificate().pair,
      onRequest: () => ({ status: 200, headers: { 'Content-Type': 'text/html' }, body: '<!doctype html>' }),
    });
    await server.start();
    const came = firstValueFrom(server.connections$);
    const at = `localhost:${server.address()?.port}`;
    await inPage(`https://${at}/`, async (inside) => {
      expect(await run(inside, `wss://${at}/echo`)).toMatchObject(whole);
    });
    expect((await came).transport).toBe('tls');
  });

  test('wss:// to an attached server of HTTPS', async () => {
    const httpServer = https.createServer(certificate().pair, page as never);
    const server = portal({ subprotocols: ['chat'] });
    server.attach(httpServer);
    await server.start();
    const at = `localhost:${await listen(httpServer)}`;
    const came = firstValueFrom(server.connections$);
    await inPage(`https://${at}/`, async (inside) => {
      expect(await run(inside, `wss://${at}/echo`, ['chat'])).toMatchObject({ ...whole, protocol: 'chat' });
    });
    expect((await came).transport).toBe('http1');
  });

  test('by HTTP/2, in the session that brought the page, several at a time', async () => {
    const httpServer = http2.createSecureServer({ ...certificate().pair, allowHTTP1: true }, page as never);
    const server = portal({ subprotocols: ['chat'] });
    server.attach(httpServer);
    await server.start();
    const port = await listen(httpServer);
    // Chromium may open a second TCP connection when the first one is slow; what counts is where its WebSockets went.
    const sessions = new Set<unknown>();
    httpServer.on('session', (session) =>
      session.on('stream', (_, headers) => {
        if (headers[':protocol'] === 'websocket') sessions.add(session);
      }),
    );
    const seen: string[] = [];
    server.connections$.subscribe(({ transport, origin }) => seen.push(`${transport} ${origin}`));
    const at = `localhost:${port}`;
    await inPage(`https://${at}/`, async (inside) => {
      const all = [1, 2, 3].map(() => run(inside, `wss://${at}/echo`, ['chat']));
      for (const one of await Promise.all(all)) expect(one).toMatchObject({ ...whole, protocol: 'chat' });
    });
    expect(seen).toEqual(Array(3).fill(`http2 https://${at}`));
    expect(sessions.size).toBe(1);
  });

  test('a page of another host has no such session: by HTTP/1.1, on the same port', async () => {
    const httpServer = http2.createSecureServer({ ...certificate().pair, allowHTTP1: true }, page as never);
    const server = portal({ origins: '*' });
    server.attach(httpServer);
    await server.start();
    const port = await listen(httpServer);
    const front = https.createServer(certificate().pair, page as never);
    const came = firstValueFrom(server.connections$);
    await inPage(`https://localhost:${await listen(front)}/`, async (inside) => {
      expect(await run(inside, `wss://localhost:${port}/echo`)).toMatchObject(whole);
    });
    expect((await came).transport).toBe('http1');
  });

  test('by HTTP/2, stop() tells each page 1001, and the session serves pages on', async () => {
    const httpServer = http2.createSecureServer({ ...certificate().pair, allowHTTP1: true }, page as never);
    const server = portal();
    server.attach(httpServer);
    await server.start();
    const at = `localhost:${await listen(httpServer)}`;
    await inPage(`https://${at}/`, async (inside) => {
      const came = firstValueFrom(server.connections$);
      const closed = inside.evaluate(`new Promise((resolve) => {
        new WebSocket('wss://${at}/echo').onclose = ({ code, wasClean }) => resolve({ code, wasClean });
      })`);
      expect((await came).transport).toBe('http2');
      const report = await server.stop();
      expect(await closed).toEqual({ code: 1001, wasClean: true });
      expect(report).toMatchObject({ connections: 1, terminated: 0 });
      expect(await inside.evaluate(`fetch('/').then(({ status }) => status)`)).toBe(200);
    });
  });

  test('by HTTP/2, a refusal is a failure to open, and the page is told nothing more', async () => {
    const httpServer = http2.createSecureServer({ ...certificate().pair, allowHTTP1: true }, page as never);
    const server = portal();
    server.path('/no', { authorize: () => ({ status: 401, body: 'who are you?' }) });
    server.attach(httpServer);
    await server.start();
    const at = `localhost:${await listen(httpServer)}`;
    await inPage(`https://${at}/`, async (inside) => {
      expect(await run(inside, `wss://${at}/no`)).toMatchObject({ close: { code: 1006, wasClean: false } });
    });
    expect(server.stats()).toMatchObject({ refused: 1, opened: 0 });
  });
});
