/** Descriptors that are handed down: what can be said of one before anybody listens on it. */
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import { expect, test } from 'vitest';
import { wrongWithDescriptor } from '../../../src/io/transports/descriptor.ts';

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
