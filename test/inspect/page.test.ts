// The live page: made of its parts, asking for nothing else, and at work in Chromium while traffic is made.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { PAGE, PAGE_POLICY } from '../../src/inspect/page.ts';
import { type Browser, executable, launchBrowser, skipped } from '../clients/chromium.ts';
import { start } from '../clients/example.ts';
import { root } from '../package/source.ts';
import { closeFrame, continuationFrame, textFrame } from '../support/raw-client.ts';
import { word } from '../support/serving.ts';
import { serveWatched } from './watching.ts';

const read = (path: string) => readFileSync(`${root}${path}`, 'utf8');

describe('the page as it is served', () => {
  test('is made of its parts as they are now; else: npm run build', () => {
    for (const part of ['page.css', 'page.js']) expect(PAGE).toContain(read(`src/inspect/page/${part}`));
    const html = read('src/inspect/page/page.html').split('\n');
    const replaced = /<!--|href="page\.css"|src="page\.js"/;
    for (const line of html.filter((line) => !replaced.test(line))) expect(PAGE).toContain(line);
    for (const chart of ['connection', 'server']) {
      const [head = '', body = ''] = read(`docs/diagrams/${chart}.svg`).split(/<style>[\s\S]*<\/style>/);
      expect(PAGE).toContain(`${head.trimEnd()}${body.trimEnd()}`);
    }
    const hash = (text: string) => createHash('sha256').update(text).digest('base64');
    expect(PAGE_POLICY).toContain(`style-src 'sha256-${hash(read('src/inspect/page/page.css'))}'`);
    expect(PAGE_POLICY).toContain(`script-src 'sha256-${hash(read('src/inspect/page/page.js'))}'`);
  });

  test('asks for nothing but its own feed', () => {
    expect(PAGE).not.toMatch(/(?:src|href)=(?!"data:,")/);
    expect(
      PAGE.match(/https?:\/\/[^"'`\s]+/g)?.filter((url) => url !== 'http://www.w3.org/2000/svg'),
    ).toEqual([]);
    expect(PAGE_POLICY).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; script-src 'sha256-[^']+'; connect-src 'self'/,
    );
    expect(PAGE_POLICY).not.toMatch(/unsafe|\*|https?:/);
  });

  test('npm start prints its address, and its own page leads there', async () => {
    const playground = await start('playground/server.mjs');
    const answer = await fetch(new URL('/machines', playground.url), {
      redirect: 'manual',
      headers: { connection: 'close' },
    });
    const address = answer.headers.get('location') ?? '';
    const page = await (await fetch(address, { headers: { connection: 'close' } })).text();
    expect(page).toContain('<title>Portal inspector</title>');
    expect((await playground.stop()).stdout).toContain(`Its machines, live: ${address}\n`);
  });
});

describe.skipIf(!executable)(`the page in Chromium${skipped}`, () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
    page = await browser.context.newPage();
    page.on('console', (message) => complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(error.message));
  });
  afterEach(async () => {
    await page.goto('about:blank');
    expect(complaints.splice(0)).toEqual([]);
  });
  afterAll(async () => {
    await browser?.close();
  });

  /** Resolves when a place says so. */
  const says = (selector: string, text: string | RegExp) =>
    page
      .locator(selector, { hasText: typeof text === 'string' ? new RegExp(`^\\s*${text}\\s*$`) : text })
      .waitFor({ state: 'attached' });
  const are = (selector: string, number: number) =>
    expect.poll(() => page.locator(selector).count()).toBe(number);
  const count = (state: string, value: string) => says(`[data-count="${state}"]`, value);
  const isLit = async (state: string) => {
    await page.waitForSelector(`.state.lit[data-state="${state}"]`, { state: 'attached' });
    expect(await page.locator('.state.lit').count()).toBe(1);
  };
  const isFired = (arrow: string) =>
    page.waitForSelector(`path.fired[data-arrow="${arrow}"]`, { state: 'attached' });
  const choose = (id: number) => page.click(`#rows li[data-id="${id}"] button`);

  test('shows how many are in each state, and the state of the chosen one as traffic moves it', async () => {
    const { inspector, call, meet } = await serveWatched();
    await page.goto(inspector.url);
    await count('all', '0');
    const { client, connection } = await meet();
    await call();
    await count('open', '2');
    await choose(connection.id);
    await isLit('open');
    await says('#chosen-title', `Connection ${connection.id}`);

    await client.sendBytes(textFrame('part', { fin: false }));
    await isLit('fragmenting');
    await isFired('open>fragmenting');
    await count('fragmenting', '1');
    await count('open', '1');

    await client.sendBytes(continuationFrame('ing'));
    await word(client);
    await isLit('open');
    await isFired('fragmenting>open');
    await says('[data-counter="messagesIn"]', '1');
    await says('[data-counter="messagesOut"]', '1');
    expect(await page.locator('#log').textContent()).toMatch(/fragment\.begin · text4 Bopen → fragmenting/);

    await client.sendBytes(closeFrame(1000));
    await isLit('closing.remote');
    await count('closing', '1');
    client.fin();
    await isLit('closed');
    await isFired('closing>closed');
    await count('all', '1');
    await says('[data-total="closed"]', '1');
  });

  test('closes the chosen one with the code that was typed, and says what code may not be sent', async () => {
    const { inspector, meet } = await serveWatched();
    await page.goto(inspector.url);
    const { client, connection } = await meet();
    await choose(connection.id);
    await page.fill('#close [name="code"]', '1005');
    await page.click('#close button');
    await says('#problem', /1005/);
    await page.fill('#close [name="code"]', '4001');
    await page.fill('#close [name="reason"]', 'seen enough');
    await page.click('#close button');
    expect(await word(client)).toBe('close 4001 seen enough');
    await isLit('closing.local.idle');
    await isFired('open>closing.local.idle');
  });

  test('filters by path and by state', async () => {
    const { inspector, server, call, meet } = await serveWatched();
    server.path('/prices/:symbol', { onMessage() {} });
    const { connection } = await meet({ path: '/prices/ACME' });
    const { client } = await meet();
    await call();
    await page.goto(inspector.url);
    await page.waitForSelector('#rows li:nth-child(3)');
    await page.fill('#path', 'prices');
    await are('#rows li', 1);
    await says('#rows .id', `#${connection.id}`);
    await page.fill('#path', '');
    await client.sendBytes(textFrame('part', { fin: false }));
    await page.click('[data-filter="fragmenting"]');
    await are('#rows .dot.fragmenting', 1);
    await are('#rows li', 1);
  });

  test('the server machine likewise', async () => {
    const { inspector, server } = await serveWatched();
    await page.goto(inspector.url);
    await says('#server-state', 'listening');
    await page.click('#tab-server');
    await isLit('listening');
    await server.stop();
    await isLit('stopped');
    await isFired('draining.releasing>stopped');
    expect(await page.locator('#log').textContent()).toMatch(/server\.stoplistening → draining\.leaving/);
  });

  test('two thousand connections: a few rows in the document, any of them within reach', async () => {
    const { inspector, server, call } = await serveWatched();
    for (let i = 0; i < 2000; i++) await call();
    await page.goto(inspector.url);
    await count('open', '2,000');
    expect(await page.locator('#rows li').count()).toBeLessThan(60);
    const last = [...server.connections].at(-1)?.id ?? 0;
    await page.locator('#window').evaluate((list: { scrollTop: number }) => {
      list.scrollTop = 1e6;
    });
    await choose(last);
    await isLit('open');
  });
});
