// examples/attached.mjs, run from outside as its readers run it.

import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, start } from '../clients/example.ts';

let example: Program;
beforeAll(async () => {
  example = await start('examples/attached.mjs');
});
afterAll(async () => {
  await example?.stop();
});

test('a page and an echo come through one port', async () => {
  const [, url = ''] = /^listening on (http:\/\/127\.0\.0\.1:\d+\/)$/.exec(example.line) ?? [];
  expect(await (await fetch(url)).text()).toContain('<title>Attached</title>');
  const client = new WebSocket(`${url.replace('http', 'ws')}echo`);
  await once(client, 'open');
  client.send('hello');
  expect(String((await once(client, 'message'))[0])).toBe('hello');
  const closed = once(client, 'close');
  await example.stop();
  expect((await closed)[0]).toBe(1001);
});
