// examples/beside-others.mjs: Portal, Socket.IO and ws on one port, each with a client of its own kind.

import { once } from 'node:events';
import { io } from 'socket.io-client';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Program, start } from '../clients/example.ts';
import { calling, ending, next, opened } from '../support/attached.ts';

let program: Program;
beforeAll(async () => {
  program = await start('examples/beside-others.mjs');
});
afterAll(async () => {
  await program?.stop();
});

test('each gets what is for its path, and SIGTERM ends all', async () => {
  const ws = program.url.replace('http', 'ws');
  expect(await (await fetch(program.url)).text()).toContain('<title>Beside others</title>');

  const [portal, other] = [await opened(`${ws}echo`), await opened(`${ws}ws`)];
  const client = io(program.url, { transports: ['websocket'], reconnection: false });
  ending({ destroy: () => client.close() });
  expect(await client.emitWithAck('echo', 'hello')).toBe('hello');

  // Socket.IO ends what nobody has answered after a second; not what Portal has.
  await new Promise((resolve) => calling(`${ws}nowhere`).on('close', resolve));
  for (const each of [portal, other]) {
    each.send('hello');
    expect(await next(each)).toBe('hello');
  }

  const closed = Promise.all([portal, other].map((each) => once(each, 'close')));
  const disconnected = new Promise((resolve) => client.on('disconnect', resolve));
  const { code, stderr } = await program.stop();
  expect([code, stderr]).toEqual([0, '']);
  expect((await closed).map(([status]) => status)).toEqual([1001, 1001]);
  await disconnected;
});
