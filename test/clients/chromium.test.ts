// Chromium's WebSocket, driven by rxjs/webSocket in a page, against examples/echo.mjs. The page comes from a Portal
// of its own, on another port, as a front end in development would.

import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createServer } from '../../src/index.ts';
import { type Browser, executable, launchBrowser, skipped } from './chromium.ts';
import { binaries, many, texts } from './conversation.ts';
import { type Program, start } from './example.ts';

const bundle = readFileSync(new URL('../../node_modules/rxjs/dist/bundles/rxjs.umd.js', import.meta.url));

const front = createServer({
  port: 0,
  host: '127.0.0.1',
  onRequest: ({ path }) =>
    path === '/rxjs.js'
      ? { status: 200, headers: { 'Content-Type': 'text/javascript' }, body: bundle }
      : {
          status: 200,
          headers: { 'Content-Type': 'text/html' },
          body: '<!doctype html><title>front end</title><script src="/rxjs.js"></script>',
        },
});

/** What the page does: sends all messages at once through a WebSocketSubject, and gives back as many answers. */
const talk = `async ({ url, messages }) => {
  const { firstValueFrom, take, toArray, webSocket } = rxjs;
  const opened = (message) => (typeof message === 'string' ? message : Uint8Array.from(message));
  const closed = Promise.withResolvers();
  const socket = webSocket.webSocket({
    url,
    binaryType: 'arraybuffer',
    serializer: opened,
    deserializer: ({ data }) => (typeof data === 'string' ? data : Array.from(new Uint8Array(data))),
    closeObserver: { next: ({ code, wasClean }) => closed.resolve({ code, wasClean }) },
  });
  const answers = firstValueFrom(socket.pipe(take(messages.length), toArray()));
  for (const message of messages) socket.next(message);
  return { answers: await answers, close: await closed.promise };
}`;

/** Closes through the subject with a code and a reason, as rxjs has it: `error({ code, reason })`. */
const leave = `async ({ url, code, reason }) => {
  const closed = Promise.withResolvers();
  const socket = rxjs.webSocket.webSocket({
    url,
    openObserver: { next: () => socket.error({ code, reason }) },
    closeObserver: { next: ({ code, wasClean }) => closed.resolve({ code, wasClean }) },
  });
  socket.subscribe({ error: () => {} });
  return closed.promise;
}`;

/** Without rxjs, to see what was agreed on: all messages at once, and as many answers. */
const converse = `async ({ url, messages }) => {
  const socket = new WebSocket(url);
  socket.binaryType = 'arraybuffer';
  const answers = [];
  const { promise: closed, resolve } = Promise.withResolvers();
  socket.onopen = () => {
    for (const each of messages) socket.send(typeof each === 'string' ? each : Uint8Array.from(each));
  };
  socket.onmessage = ({ data }) => {
    answers.push(typeof data === 'string' ? data : Array.from(new Uint8Array(data)));
    if (answers.length === messages.length) socket.close(4321);
  };
  socket.onclose = ({ code, wasClean }) => resolve({ code, wasClean });
  return { close: await closed, answers, extensions: socket.extensions };
}`;

describe.skipIf(!executable)(`Chromium with rxjs/webSocket${skipped}`, () => {
  let echo: Program;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    echo = await start('examples/echo.mjs');
    await front.start();
    browser = await launchBrowser();
    page = await browser.context.newPage();
    await page.goto(`http://127.0.0.1:${front.address()?.port}/`);
  });

  afterAll(async () => {
    await browser?.close();
    await front.stop();
    await echo?.stop();
  });

  /** Evaluated as text: these functions run in the page, where this file's types and imports are not. */
  const inPage = (code: string, input: object) => page.evaluate(`(${code})(${JSON.stringify(input)})`);

  test.each(Object.entries(texts))('gets %s back as text (RFC 6455 5.6)', async (_, text) => {
    expect(await inPage(talk, { url: echo.url, messages: [text] })).toMatchObject({ answers: [text] });
  });

  test.each(Object.entries(binaries))('gets %s back as binary (RFC 6455 5.6)', async (_, data) => {
    const messages = [Array.from(data)];
    expect(await inPage(talk, { url: echo.url, messages })).toMatchObject({ answers: messages });
  });

  test('gets many messages in a row back in their order', async () => {
    expect(await inPage(talk, { url: echo.url, messages: many })).toMatchObject({ answers: many });
  });

  test.each([
    ['1', 'permessage-deflate; server_no_context_takeover; client_no_context_takeover'],
    ['contexts', 'permessage-deflate; client_no_context_takeover'],
  ])('DEFLATE=%s: gets all of them back compressed (RFC 7692)', async (DEFLATE, extensions) => {
    const compressing = await start('examples/echo.mjs', { DEFLATE });
    const data = Object.values(binaries).map((each) => Array.from(each));
    const messages = [...Object.values(texts), ...data, ...many.slice(0, 100), 'x'.repeat(300_000), ...many];
    const heard = await inPage(converse, { url: compressing.url, messages });
    await compressing.stop();
    expect(heard).toEqual({ close: { code: 4321, wasClean: true }, answers: messages, extensions });
  });

  test('closes cleanly when its last subscriber leaves (RFC 6455 7.1.4)', async () => {
    expect(await inPage(talk, { url: echo.url, messages: ['one'] })).toMatchObject({
      close: { wasClean: true },
    });
  });

  test('closes with a code and a reason (RFC 6455 7.1.5)', async () => {
    const parting = { url: echo.url, code: 4321, reason: 'enough for today' };
    expect(await inPage(leave, parting)).toEqual({ code: 4321, wasClean: true });
  });
});
