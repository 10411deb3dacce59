// examples/upload, run from outside as its readers run it.

import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, start } from '../clients/example.ts';

let folder: string;
let program: Program;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portal-upload-'));
  program = await start('examples/upload/server.mjs', { FOLDER: folder });
});
afterAll(async () => {
  expect(await program?.stop()).toMatchObject({ code: 0, stderr: '' });
  await rm(folder, { recursive: true, force: true });
});

async function open(name: string): Promise<WebSocket> {
  const socket = new WebSocket(new URL(`/upload/${name}`, program.url.replace('http', 'ws')));
  await once(socket, 'open');
  return socket;
}

const PIECE_BYTES = 256 * 1024;

test.each([0, 1, 20 * 1024 * 1024])(
  '%i bytes in fragments are on the disk, and their sum comes back',
  async (size) => {
    const content = Buffer.alloc(size);
    for (let i = 0; i < size; i += 1) content[i] = i * 7 + (i >> 8);
    const socket = await open(`${size}.bin`);
    const sent = (data: Buffer, fin: boolean) =>
      new Promise<void>((resolve) => socket.send(data, { fin, binary: true }, () => resolve()));
    for (let at = 0; at < size; at += PIECE_BYTES) {
      await sent(content.subarray(at, at + PIECE_BYTES), at + PIECE_BYTES >= size);
    }
    const closed = once(socket, 'close');
    socket.send('end');
    const [answer] = await once(socket, 'message');
    const sha256 = createHash('sha256').update(content).digest('hex');
    expect(JSON.parse(String(answer))).toEqual({ name: `${size}.bin`, bytes: size, sha256 });
    expect((await closed)[0]).toBe(1000);
    expect((await readFile(join(folder, `${size}.bin`))).equals(content)).toBe(true);
  },
);

test('an upload that breaks off leaves nothing behind', async () => {
  const before = await readdir(folder);
  const socket = await open('broken.bin');
  await new Promise((resolve) => socket.send(Buffer.alloc(1000), { fin: false }, resolve));
  await expect.poll(async () => (await readdir(folder)).length).toBe(before.length + 1);
  socket.terminate();
  await expect.poll(() => readdir(folder)).toEqual(before);
});

test.each(['..%2Fescape', '.hidden', 'a%20b'])('%s is no file name: 400', async (name) => {
  const socket = new WebSocket(`${program.url.replace('http', 'ws')}upload/${name}`);
  expect((await once(socket, 'error'))[0].message).toBe('Unexpected server response: 400');
});

test('a text other than "end" closes with 1003', async () => {
  const socket = await open('text.bin');
  socket.send('hello');
  expect((await once(socket, 'close'))[0]).toBe(1003);
});
