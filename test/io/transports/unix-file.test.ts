/** The file of a Unix socket: stale ones are replaced, live ones and other files are left alone, ours is removed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { TcpListener } from '../../../src/io/transports/tcp.ts';
import { fromRoot, hasFile, MOST_PATH_BYTES } from '../../../src/io/transports/unix-file.ts';

let folder: string;
let path: string;
const listeners: TcpListener[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'portal-unix-'));
  path = join(folder, 'app.sock');
});
afterEach(async () => {
  for (const listener of listeners.splice(0)) await listener.close();
  rmSync(folder, { recursive: true });
});

async function listen(options: { mode?: number } = {}): Promise<TcpListener> {
  const listener = new TcpListener({ path, ...options });
  listeners.push(listener);
  await listener.listen(
    (transport) => transport.destroy(),
    (error) => {
      throw error;
    },
  );
  return listener;
}

/** A server that is killed, and so leaves its file. */
async function leaveStaleFile(): Promise<void> {
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('on'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'close');
  expect(lstatSync(path).isSocket()).toBe(true);
}

async function connects(): Promise<boolean> {
  const client = net.connect(path);
  const came = await Promise.race([
    once(client, 'connect').then(() => true),
    once(client, 'close').then(() => false),
  ]).catch(() => false);
  client.destroy();
  return came;
}

describe.skipIf(process.platform === 'win32')('the file of a Unix socket', () => {
  test('is there while somebody listens, with the mode that was asked for, and removed at the close', async () => {
    const listener = await listen({ mode: 0o640 });
    expect(listener.address()).toEqual({ address: path, family: 'unix', port: 0 });
    expect(lstatSync(path).mode & 0o777).toBe(0o640);
    expect(await connects()).toBe(true);
    await listener.close();
    expect([existsSync(path), listener.address()]).toEqual([false, null]);
  });

  test('that a dead server has left is replaced', async () => {
    await leaveStaleFile();
    await listen();
    expect(await connects()).toBe(true);
  });

  test('of a live server is an error, and left alone', async () => {
    await listen();
    await expect(listen()).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await connects()).toBe(true);
  });

  test('is not made where something else lies, which is left alone', async () => {
    writeFileSync(path, 'precious');
    await expect(listen()).rejects.toMatchObject({ code: 'ENOTSOCK' });
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test('is not made where there is no folder', async () => {
    path = join(folder, 'none', 'app.sock');
    await expect(listen()).rejects.toMatchObject({ code: expect.stringMatching(/^E(ACCES|NOENT)$/) });
  });

  test('that somebody has put in the place of ours is not removed at the close', async () => {
    const listener = await listen();
    rmSync(path);
    writeFileSync(path, 'precious');
    await listener.close();
    expect(readFileSync(path, 'utf8')).toBe('precious');
  });

  test('of another server in the place of ours goes on', async () => {
    const first = await listen();
    renameSync(path, `${path}.old`);
    await listen();
    await first.close();
    expect(await connects()).toBe(true);
  });

  test('may have a path as long as the system takes, to the byte', async () => {
    path = join(folder, 'x'.repeat(MOST_PATH_BYTES - folder.length - 1));
    expect(Buffer.byteLength(path)).toBe(MOST_PATH_BYTES);
    await listen();
    expect(lstatSync(path).isSocket()).toBe(true);
  });

  test('an abstract socket of Linux has none', () => {
    expect([hasFile('\0app'), hasFile('/run/app.sock')]).toEqual([false, true]);
  });
});

test('a path is taken from the root, unless it would be too long then, or is no file', () => {
  expect(fromRoot('a/../b.sock')).toBe(resolve('b.sock'));
  const long = 'a'.repeat(MOST_PATH_BYTES);
  for (const same of ['/run/app.sock', long, '\0app']) expect(fromRoot(same)).toBe(same);
});
