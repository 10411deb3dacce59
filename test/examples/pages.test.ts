// The pages of the examples, at work in Chromium.

import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, executable, launchBrowser, skipped } from '../clients/chromium.ts';
import { type Program, start } from '../clients/example.ts';

describe.skipIf(!executable)(`the examples' pages in Chromium${skipped}`, () => {
  let browser: Browser;
  const complaints: string[] = [];
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(async () => {
    await browser?.close();
    expect(complaints).toEqual([]);
  });

  async function visit(program: Program): Promise<Page> {
    const page = await browser.context.newPage();
    page.on('pageerror', (error) => void complaints.push(error.message));
    await page.goto(program.url);
    return page;
  }

  test('two people talk in a room', async () => {
    const program = await start('examples/rooms/server.mjs');
    const [ada, grace] = [await visit(program), await visit(program)];
    for (const [page, name] of [
      [ada, 'Ada'],
      [grace, 'Grace'],
    ] as const) {
      await page.getByLabel('Your name').fill(name);
      await page.getByRole('button', { name: 'Enter' }).click();
      await page.getByRole('status').filter({ hasText: 'In lobby: Ada' }).waitFor();
    }
    await ada.getByRole('status').filter({ hasText: 'In lobby: Ada, Grace' }).waitFor();
    await grace.getByLabel('Message').fill('hello <b>Ada</b>');
    await grace.keyboard.press('Enter');
    await ada.locator('#news li', { hasText: 'Grace: hello <b>Ada</b>' }).waitFor();
    await grace.close();
    await ada.locator('#news .note', { hasText: 'Grace left' }).waitFor();
    await program.stop();
    await ada.getByRole('status').filter({ hasText: 'You have left lobby (1001).' }).waitFor();
    await ada.close();
  });

  test('the dashboard draws what comes', async () => {
    const program = await start('examples/dashboard/server.mjs', { EVERY_MS: '20' });
    const page = await visit(program);
    await page.getByRole('status').filter({ hasText: 'Live' }).waitFor();
    const points = () => page.locator('#megabytes + svg polyline').getAttribute('points');
    await expect.poll(async () => (await points())?.split(' ').length).toBeGreaterThan(5);
    expect(await page.locator('#watchers').textContent()).toBe('1');
    await program.stop();
    await page.getByRole('status').filter({ hasText: 'The server is away' }).waitFor();
    await page.close();
  });

  test('a file is uploaded', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portal-page-upload-'));
    const program = await start('examples/upload/server.mjs', { FOLDER: folder });
    const page = await visit(program);
    const buffer = Buffer.alloc(3_000_000, 'Portal');
    await page
      .locator('input')
      .setInputFiles({ name: 'a file.bin', mimeType: 'application/octet-stream', buffer });
    const sum = createHash('sha256').update(buffer).digest('hex');
    await page
      .getByRole('status')
      .filter({ hasText: `Stored a_file.bin: 3,000,000 bytes, SHA-256 ${sum}` })
      .waitFor();
    expect((await readFile(join(folder, 'a_file.bin'))).equals(buffer)).toBe(true);
    await page.close();
    await program.stop();
    await rm(folder, { recursive: true });
  });

  test.each(['express', 'fastify', 'hono'])('with %s one logs in, and out', async (name) => {
    const program = await start(`examples/${name}.mjs`);
    const page = await visit(program);
    const says = (hasText: string) => page.getByRole('status').filter({ hasText }).waitFor();
    await says('Log in first.');
    await page.getByLabel('Your name').fill('Ada');
    await page.getByRole('button', { name: 'Log in' }).click();
    await says('hello Ada');
    await page.reload();
    await says('hello Ada');
    await page.getByRole('button', { name: 'Log out' }).click();
    await says('Closed: 1008 logged out');
    await page.reload();
    await says('Log in first.');
    await program.stop();
    await page.close();
  });

  test('Portal, Socket.IO and ws answer one page', async () => {
    const program = await start('examples/beside-others.mjs');
    const page = await visit(program);
    for (const hasText of ['hello from /echo', 'hello from /ws', 'hello from Socket.IO'])
      await page.getByRole('listitem').filter({ hasText }).waitFor();
    await program.stop();
    await page.close();
  });
});
