// examples/dashboard, run from outside as its readers run it.

import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, start } from '../clients/example.ts';

let program: Program;
beforeAll(async () => {
  program = await start('examples/dashboard/server.mjs', { EVERY_MS: '20' });
});
afterAll(async () => {
  expect(await program?.stop()).toMatchObject({ code: 0, stderr: '' });
});

async function watch() {
  const watcher = new WebSocket(new URL('/live', program.url.replace('http', 'ws')));
  const next = async () => JSON.parse(String((await once(watcher, 'message'))[0]));
  return { watcher, next };
}

test('everybody who watches gets the same readings, one after the other', async () => {
  const [ada, grace] = [await watch(), await watch()];
  const reading = await ada.next();
  expect(Object.keys(reading)).toEqual(['at', 'watchers', 'megabytes', 'cpuPercent', 'messagesOut']);
  expect(Object.values(reading).every((value) => Number.isFinite(value) && (value as number) >= 0)).toBe(
    true,
  );

  const both = await grace.next();
  while ((await ada.next()).at < both.at); // she may be one behind
  expect((await ada.next()).at).toBeGreaterThan(both.at);
  expect((await grace.next()).watchers).toBe(2);
  for (const { watcher } of [ada, grace]) watcher.close();
  await Promise.all([once(ada.watcher, 'close'), once(grace.watcher, 'close')]);
});

test('who comes when nobody watches gets a reading at once', async () => {
  const { watcher, next } = await watch();
  expect(await next()).toMatchObject({ watchers: 1 });
  watcher.close();
  await once(watcher, 'close');
});
