// The README is true: its code blocks pass the type checker and run as they stand, against the built package, and
// its commands exist.

import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { root } from '../package/source.ts';
import { blocksOf, compile, endAll, heard, open, programsOf, run, serve } from './pages.ts';

let complaints: string;
let [server, page, rooms]: string[] = [];

beforeAll(async () => {
  const compiled = await compile('README.md');
  complaints = compiled.complaints;
  [server, page, rooms] = compiled.programs.get('README.md') ?? [];
});
afterEach(endAll);

test('its code passes the type checker, and each block has its test here', () => {
  expect(complaints).toBe('');
  expect(programsOf('README.md').map(({ language }) => language)).toEqual(['js', 'js', 'ts']);
});

test('the first block welcomes, echoes, and sends a quote each second', async () => {
  const { url } = await serve(server);
  const echo = await open(`${url}/echo`);
  expect(await echo.next()).toBe('welcome');
  echo.client.send('hello');
  expect(await echo.next()).toBe('hello');
  const prices = await open(`${url}/prices/GOLD`);
  expect(await prices.next()).toMatch(/^GOLD \d+\.\d\d$/);
});

test('the address in a browser is a page that says what this is, and such a page may connect', async () => {
  const { port, url } = await serve(server);
  const page = await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: 'close' } });
  expect(await page.text()).toMatch(/^This is a WebSocket server/);
  const echo = await open(`${url}/echo`, { origin: `http://127.0.0.1:${port}` });
  expect(await echo.next()).toBe('welcome');
});

test('the block for a browser hears the welcome and its hello', async () => {
  const { port } = await serve(server);
  const browser = run(
    `import { WebSocket } from 'undici'; globalThis.WebSocket = WebSocket; ${page?.replace('5005', `${port}`)}`,
  );
  expect(await heard(browser, 'hello\n')).toBe('welcome\nhello\n');
});

test('the chat lets in who says a name, keeps its rooms apart, and ends on SIGTERM', async () => {
  const { port, url, stop } = await serve(rooms);
  const [ada, grace, alan] = [
    await open(`${url}/rooms/red?name=Ada`),
    await open(`${url}/rooms/red?name=Grace`),
    await open(`${url}/rooms/blue?name=Alan`),
  ];
  alan.client.send('is this blue?');
  expect(await alan.next()).toBe('Alan: is this blue?');
  ada.client.send('hello');
  expect([await ada.next(), await grace.next()]).toEqual(['Ada: hello', 'Ada: hello']);

  const nameless = new WebSocket(`ws://127.0.0.1:${port}/rooms/red`);
  expect((await once(nameless, 'error'))[0].message).toBe('Unexpected server response: 401');
  const closed = once(alan.client, 'close');
  expect(await stop()).toBe(0);
  expect((await closed)[0]).toBe(1001);
});

test('its npm commands are scripts of package.json', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  const commands = blocksOf('README.md')
    .filter(({ language }) => language === 'sh')
    .flatMap(({ code }) => Array.from(code.matchAll(/npm (?:run )?([\w:]+)/g), ([, name]) => name));
  expect(commands).toEqual(expect.arrayContaining(['start', 'test']));
  expect(commands.filter((name) => name !== 'ci' && !(`${name}` in scripts))).toEqual([]);
});
