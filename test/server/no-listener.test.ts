/** A server without a port of its own starts and stops like any other. */
import { expect, test } from 'vitest';
import { noListener } from '../../src/server/no-listener.ts';
import { portal } from '../support/attached.ts';

test('it opens nothing', async () => {
  await noListener.listen(
    () => {},
    () => {},
  );
  expect(noListener.address()).toBe(null);
  await noListener.close();
});

test('a server with it listens without an address, and stops', async () => {
  const server = portal();
  await server.start();
  expect([server.state, server.address()]).toEqual(['listening', null]);
  expect(await server.stop()).toEqual({ connections: 0, terminated: 0, refused: 0, handlers: 0 });
  expect(server.state).toBe('stopped');
  await server.start();
  expect(server.state).toBe('listening');
});
