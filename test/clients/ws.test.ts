// The `ws` client against examples/echo.mjs.

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { binaries, many, texts } from './conversation.ts';
import { type Program, start } from './example.ts';

describe.each(['', '1', 'contexts'])('the ws client, DEFLATE=%s', (DEFLATE) => {
  let echo: Program;
  let client: WebSocket;

  beforeAll(async () => {
    echo = await start('examples/echo.mjs', { DEFLATE });
  });
  afterAll(async () => {
    await echo?.stop();
  });

  beforeEach(async () => {
    client = new WebSocket(echo.url, { perMessageDeflate: { threshold: 0 } });
    await once(client, 'open');
  });
  afterEach(async () => {
    if (client.readyState === WebSocket.CLOSED) return;
    client.terminate();
    await once(client, 'close');
  });

  async function answer(message: string | Uint8Array): Promise<string | Uint8Array> {
    client.send(message);
    const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
    return isBinary ? new Uint8Array(data) : data.toString();
  }

  test('agrees on compression where the server does', () => {
    expect(client.extensions).toBe(DEFLATE === '' ? '' : 'permessage-deflate'); // ws says no parameters
  });

  test.each(Object.entries(texts))('gets %s back as text (RFC 6455 5.6)', async (_, text) => {
    expect(await answer(text)).toBe(text);
  });

  test.each(Object.entries(binaries))('gets %s back as binary (RFC 6455 5.6)', async (_, data) => {
    expect(await answer(data)).toEqual(data);
  });

  test('gets a message of three fragments back as one (RFC 6455 5.4)', async () => {
    client.send('one ', { fin: false });
    client.send('two ', { fin: false });
    expect(await answer('three')).toBe('one two three');
  });

  test('gets many messages in a row back in their order', async () => {
    const heard: string[] = [];
    const all = new Promise<void>((resolve) => {
      client.on('message', (data) => {
        heard.push(data.toString());
        if (heard.length === many.length) resolve();
      });
    });
    for (const message of many) client.send(message);
    await all;
    expect(heard).toEqual(many);
  });

  test('gets a pong with the payload of its ping (RFC 6455 5.5.3)', async () => {
    client.ping('are you there');
    const [payload] = (await once(client, 'pong')) as [Buffer];
    expect(payload.toString()).toBe('are you there');
  });

  test('closes with a code and a reason, and hears that code (RFC 6455 7.1.5)', async () => {
    client.close(4321, 'enough for today');
    const [code] = (await once(client, 'close')) as [number];
    expect(code).toBe(4321);
  });

  test('closes without a code, and hears none: 1005 (RFC 6455 7.1.5)', async () => {
    client.close();
    const [code] = (await once(client, 'close')) as [number];
    expect(code).toBe(1005);
  });
});
