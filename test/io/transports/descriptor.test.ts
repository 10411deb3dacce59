/** Descriptors that are handed down: what can be said of one before anybody listens on it. */
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import { expect, test } from 'vitest';
import {
  parseSocketPath,
  pathOfDescriptor,
  wrongWithDescriptor,
} from '../../../src/io/transports/descriptor.ts';

test('a socket is right; a file is none, and a descriptor that is closed is not open', async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  expect(wrongWithDescriptor(fd)).toBeUndefined();
  await new Promise((resolve) => server.close(resolve));
  const file = openSync(new URL(import.meta.url).pathname, 'r');
  expect(wrongWithDescriptor(file)).toBe('it is open, but no socket');
  closeSync(file);
  expect(wrongWithDescriptor(2 ** 20)).toBe('it is not open');
});

test('the path of a Unix socket by its inode, as Linux lists them', () => {
  const table = [
    'Num       RefCount Protocol Flags    Type St Inode Path',
    '0000000000000000: 00000002 00000000 00010000 0001 01 31337 /run/app one.sock',
    '0000000000000000: 00000002 00000000 00010000 0001 01   133 @hidden',
    '0000000000000000: 00000003 00000000 00000000 0001 03    42',
    '',
  ].join('\n');
  expect(parseSocketPath(table, 31337)).toBe('/run/app one.sock');
  expect(parseSocketPath(table, 133)).toBe('\0hidden');
  for (const none of [42, 1337, 3, 7]) expect(parseSocketPath(table, none)).toBe('');
});

test('a descriptor without a path has none: of TCP, one that is not open, or no descriptor at all', async () => {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { fd } = (server as unknown as { _handle: { fd: number } })._handle;
  expect([fd, 2 ** 20, undefined].map(pathOfDescriptor)).toEqual(['', '', '']);
  await new Promise((resolve) => server.close(resolve));
});
