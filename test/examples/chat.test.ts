// examples/chat.mjs, run from outside as its readers run it.

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, start } from '../clients/example.ts';

describe('examples/chat.mjs', () => {
  let chat: Program;
  const members: WebSocket[] = [];

  beforeAll(async () => {
    chat = await start('examples/chat.mjs');
  });
  afterAll(async () => {
    await chat?.stop();
  });
  afterEach(async () => {
    await Promise.all(members.splice(0).map(leave));
  });

  async function join(): Promise<WebSocket> {
    const client = new WebSocket(chat.url);
    members.push(client);
    await once(client, 'open');
    return client;
  }

  async function leave(client: WebSocket) {
    if (client.readyState === WebSocket.CLOSED) return;
    client.close();
    await once(client, 'close');
  }

  /** The next message, as its own type. */
  async function hears(client: WebSocket): Promise<string | number[]> {
    const [data, isBinary] = (await once(client, 'message')) as [Buffer, boolean];
    return isBinary ? Array.from(data) : data.toString();
  }

  test('prints one line when it listens, with its address', () => {
    expect(chat.line).toMatch(/^listening on ws:\/\/127\.0\.0\.1:\d+\/chat$/);
  });

  test('everyone hears a message, its sender included', async () => {
    const everyone = [await join(), await join(), await join()];
    const heard = Promise.all(everyone.map(hears));
    everyone[1]?.send('hello all');
    expect(await heard).toEqual(['hello all', 'hello all', 'hello all']);
  });

  test('binary is passed on as binary', async () => {
    const everyone = [await join(), await join()];
    const heard = Promise.all(everyone.map(hears));
    everyone[0]?.send(Uint8Array.of(1, 2, 3));
    expect(await heard).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
  });

  test('who has left is not missed: the others go on', async () => {
    const [ada, grace] = [await join(), await join()];
    await leave(ada);
    const heard = hears(grace);
    grace.send('anybody?');
    expect(await heard).toBe('anybody?');
  });

  test('SIGTERM closes everyone with 1001, and it exits with code 0', async () => {
    const program = await start('examples/chat.mjs');
    const clients = [new WebSocket(program.url), new WebSocket(program.url)];
    await Promise.all(clients.map((client) => once(client, 'open')));
    const closed = Promise.all(clients.map((client) => once(client, 'close')));
    program.kill('SIGTERM');
    expect((await closed).map(([code]) => code)).toEqual([1001, 1001]);
    expect(await program.ended).toMatchObject({ code: 0, signal: null, stderr: '' });
  });
});
