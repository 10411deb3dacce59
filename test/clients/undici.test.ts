// undici's WebSocket, which is also the one built into Node, against examples/echo.mjs.

import { once } from 'node:events';
import { type MessageEvent, WebSocket } from 'undici';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { binaries, many, texts } from './conversation.ts';
import { type Program, start } from './example.ts';

describe.each(['', '1', 'contexts'])('the undici client, DEFLATE=%s', (DEFLATE) => {
  let echo: Program;
  let client: WebSocket;

  beforeAll(async () => {
    echo = await start('examples/echo.mjs', { DEFLATE });
  });
  afterAll(async () => {
    await echo?.stop();
  });

  beforeEach(async () => {
    client = new WebSocket(echo.url);
    client.binaryType = 'arraybuffer';
    await once(client, 'open');
  });
  afterEach(async () => {
    if (client.readyState === WebSocket.CLOSED) return;
    client.close();
    await once(client, 'close');
  });

  async function answer(message: string | Uint8Array<ArrayBuffer>): Promise<string | Uint8Array> {
    client.send(message);
    const [{ data }] = (await once(client, 'message')) as [MessageEvent];
    return typeof data === 'string' ? data : new Uint8Array(data);
  }

  test('agrees on compression where the server does', () => {
    expect(client.extensions).toBe(
      DEFLATE === ''
        ? ''
        : `permessage-deflate${DEFLATE === '1' ? '; server_no_context_takeover' : ''}; client_no_context_takeover`,
    );
  });

  test.each(Object.entries(texts))('gets %s back as text (RFC 6455 5.6)', async (_, text) => {
    expect(await answer(text)).toBe(text);
  });

  test.each(Object.entries(binaries))('gets %s back as binary (RFC 6455 5.6)', async (_, data) => {
    expect(await answer(data as Uint8Array<ArrayBuffer>)).toEqual(data);
  });

  test('gets many messages in a row back in their order', async () => {
    const heard: string[] = [];
    const all = new Promise<void>((resolve) => {
      client.addEventListener('message', ({ data }) => {
        heard.push(data);
        if (heard.length === many.length) resolve();
      });
    });
    for (const message of many) client.send(message);
    await all;
    expect(heard).toEqual(many);
  });

  test('closes with a code and a reason, cleanly (RFC 6455 7.1.5)', async () => {
    client.close(4321, 'enough for today');
    const [event] = await once(client, 'close');
    expect(event).toMatchObject({ code: 4321, wasClean: true });
  });
});
