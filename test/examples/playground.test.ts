// What `npm start` runs: the page, its headers, and the page at work in Chromium.

import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Browser, executable, launchBrowser, skipped } from '../clients/chromium.ts';
import { type Program, start } from '../clients/example.ts';

let playground: Program;

beforeAll(async () => {
  playground = await start('playground/server.mjs');
});
afterAll(async () => {
  await playground?.stop();
});

const get = (path: string) => fetch(new URL(path, playground.url), { headers: { connection: 'close' } });

describe('the playground server', () => {
  test('prints its address', () => {
    expect(playground.line).toMatch(/^Portal playground: http:\/\/127\.0\.0\.1:\d+\/$/);
  });

  test('serves a page that may load from its own server alone', async () => {
    const page = await get('/');
    expect([page.status, page.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    const policy = page.headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|\*|https?:/);
    expect(await page.text()).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  });

  test('serves every file that the page names', async () => {
    const html = await (await get('/')).text();
    const named = Array.from(html.matchAll(/(?:src|href)="(\/[^"]+\.\w+)"/g), ([, path]) => path as string);
    expect(named).toEqual(['/icon.svg', '/style.css', '/app.js']);
    const answers = await Promise.all(named.map(get));
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    await Promise.all(answers.map((answer) => answer.text()));
  });

  test.each(['/server.mjs', '/package.json', '/nothing'])('does not serve %s', async (path) => {
    const answer = await get(path);
    expect(answer.status).toBeGreaterThanOrEqual(400);
    await answer.text();
  });
});

describe.skipIf(!executable)(`the playground page in Chromium${skipped}`, () => {
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];

  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
  });

  beforeEach(async () => {
    page = await newPage('#echo');
  });
  afterEach(async () => {
    await page.close();
    expect(complaints.splice(0)).toEqual([]);
  });

  async function newPage(hash: string): Promise<Page> {
    const made = await browser.context.newPage();
    made.on('console', (message) => void complaints.push(message.text()));
    made.on('pageerror', (error) => void complaints.push(error.message));
    await made.goto(playground.url + hash);
    return made;
  }

  const lit = (state: string) =>
    page.waitForSelector(`#chart [data-state="${state}"].lit`, { state: 'attached' });
  const connect = async (on = page) => {
    await on.getByRole('button', { name: 'Connect' }).click();
    await on.waitForSelector('body[data-state=open]');
  };

  test('lights the states of a connection that opens and closes with a chosen code', async () => {
    await lit('new');
    await connect();
    await lit('open');
    await page.getByLabel('Code').fill('4321');
    await page.getByLabel('Reason').fill('enough for today');
    await page.getByRole('button', { name: 'Close' }).click();
    await lit('closed');
    await page.getByRole('status').filter({ hasText: 'Closed by us with 4321' }).waitFor();
  });

  test('shows a text, its echo, their bytes and the round trip', async () => {
    await connect();
    await page.getByRole('textbox', { name: 'Message' }).fill('Grüße');
    await page.keyboard.press('Enter');
    const echo = page.locator('.log .in');
    expect(await echo.locator('.body').textContent()).toBe('Grüße');
    expect(await echo.locator('.figures').textContent()).toMatch(/^7 bytes[\d.]+ (?:µs|ms)$/);
    // The figures beside the log are drawn with the next frame.
    const shown = (id: string) => page.locator(id).textContent();
    await expect.poll(() => shown('#in')).toBe('1 message · 7 bytes');
    await expect.poll(() => shown('#last')).toMatch(/^[\d.]+ (?:µs|ms)$/);
  });

  test('sends hexadecimal as binary, and says what is wrong with it', async () => {
    await connect();
    await page.getByLabel('Hex').check({ force: true });
    const field = page.getByRole('textbox', { name: 'Message' });
    await field.fill('de ad be e');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    expect(await page.getByRole('alert').first().textContent()).toContain('one is missing');
    await field.fill('de ad be ef');
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    expect(await page.locator('.log .in .body').textContent()).toBe('de ad be ef');
  });

  test('sends a file as one binary message', async () => {
    await connect();
    const file = { name: 'bytes.bin', mimeType: 'application/octet-stream', buffer: Buffer.alloc(70_000, 7) };
    await page.getByLabel('Send a file').setInputFiles(file);
    expect(await page.locator('.log .in .figures').textContent()).toMatch(/^70,000 bytes/);
  });

  test('shows a close by the server: a message over the cap, 1009', async () => {
    await connect();
    await page.getByRole('button', { name: 'Over the cap' }).click();
    await page.getByRole('status').filter({ hasText: 'Closed by the server with 1009' }).waitFor();
  });

  test('a thousand in a row come back', async () => {
    await connect();
    await page.getByRole('button', { name: '1,000 in a row' }).click();
    await page.locator('.log .event', { hasText: '1,000 messages there and back' }).waitFor();
  });

  test('two people chat, each under a name', async () => {
    await page.getByRole('tab', { name: 'Chat' }).click();
    await page.getByLabel('Your name').fill('Ada');
    await connect();
    const other = await newPage('#chat');
    await other.getByLabel('Your name').fill('Grace');
    await connect(other);
    await page.locator('.talk .note', { hasText: 'Grace joined' }).waitFor();
    await other.getByRole('textbox', { name: 'Message' }).fill('It moves!');
    await other.keyboard.press('Enter');
    const line = page.locator('.talk li', { hasText: 'It moves!' });
    expect(await line.locator('.name').textContent()).toBe('Grace');
    await other.getByRole('button', { name: 'Close' }).click();
    await page.locator('.talk .note', { hasText: 'Grace left' }).waitFor();
    await other.close();
  });

  test('the tabs obey the arrow keys', async () => {
    await page.getByRole('tab', { name: 'Echo' }).focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('tab', { name: 'Chat' }).getAttribute('aria-selected')).toBe('true');
    await page.keyboard.press('ArrowRight');
    expect(await page.getByRole('tab', { name: 'Echo' }).getAttribute('aria-selected')).toBe('true');
  });

  test('nothing sticks out at the width of a phone', async () => {
    await page.setViewportSize({ width: 360, height: 740 });
    await connect();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
  });
});
