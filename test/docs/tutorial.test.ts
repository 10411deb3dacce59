// The tutorial, step by step as a reader would take it: in an empty folder, with the packed package and a browser.

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { BrowserContext, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, executable, launchBrowser, skipped } from '../clients/chromium.ts';
import { root } from '../package/source.ts';
import { blocksOf, compile, endAll, heard, open, programsOf, refused, runFile, serve } from './pages.ts';

const tutorial = 'docs/tutorial.md';
const [answers = '', inConsole = '', everybody = '', whole = ''] = programsOf(tutorial).map(
  ({ code }) => code,
);
const html = blocksOf(tutorial).find(({ language }) => language === 'html')?.code ?? '';

let folder: string;
let user: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portal-tutorial-'));
  await mkdir(join(folder, 'portal'));
  const execute = promisify(execFile);
  await execute('npm', ['pack', '--ignore-scripts', '--pack-destination', join(folder, 'portal')], {
    cwd: root,
  });
  // Step 1, as it stands there.
  const commands = blocksOf(tutorial).find(({ language }) => language === 'sh')?.code ?? '';
  await execute('sh', ['-e', '-c', commands], {
    cwd: folder,
    env: { ...process.env, npm_config_prefer_offline: 'true', npm_config_audit: 'false' },
  });
  user = join(folder, 'chat');
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('its code passes the type checker', async () => {
  expect((await compile(tutorial)).complaints).toBe('');
});

test('step 2: a welcome, and what was said', async () => {
  const { url } = await serve(answers, user);
  const { client, next } = await open(`${url}/rooms/red`);
  expect(await next()).toBe('welcome to red');
  client.send('hello');
  expect(await next()).toBe('you said: hello');
});

test('step 3: rooms are told who comes, says something, and leaves; a name must be given', async () => {
  const { url } = await serve(everybody, user);
  const ada = await open(`${url}/rooms/red?name=Ada`);
  expect(await ada.next()).toBe('Ada is here');
  const alan = await open(`${url}/rooms/blue?name=Alan`);
  expect(await alan.next()).toBe('Alan is here');
  const grace = await open(`${url}/rooms/red?name=Grace`);
  expect(await ada.next()).toBe('Grace is here');
  grace.client.send('hello');
  expect(await ada.next()).toBe('Grace: hello');
  grace.client.close();
  expect(await ada.next()).toBe('Grace has left');
  alan.client.send('still blue');
  expect(await alan.next()).toBe('Alan: still blue');
  expect(await refused(`${url}/rooms/red`)).toEqual({ status: 401, text: 'Say who you are: ?name=…\n' });
});

describe.skipIf(!executable)(`in Chromium${skipped}`, () => {
  let browser: Browser;
  let context: BrowserContext;
  beforeAll(async () => {
    browser = await launchBrowser();
    ({ context } = browser);
  });
  afterAll(() => browser.close());

  /** Resolves when the chat of a page shows a line. */
  const shows = (page: Page, line: string) =>
    expect.poll(() => page.textContent('pre')).toContain(`${line}\n`);

  test('step 2: the console of the page that says what this is', async () => {
    const { port } = await serve(answers, user);
    const page = await context.newPage();
    const lines: string[] = [];
    page.on('console', (message) => lines.push(message.text()));
    await page.goto(`http://127.0.0.1:${port}/`);
    await page.evaluate(inConsole.replace('5005', `${port}`));
    await expect.poll(() => lines).toEqual(expect.arrayContaining(['welcome to red', 'you said: hello']));
    await page.close();
  });

  test('steps 4 to 6: two chat, and their machines are watched to their ends', async () => {
    await writeFile(join(user, 'index.html'), html);
    await writeFile(join(user, 'chat.mjs'), whole.replaceAll(/port: 500\d/g, 'port: 0'));
    const program = runFile('chat.mjs', user);
    const printed = await heard(program, /machines: \S+\n/);
    const [, chat = ''] = /chat: (\S+)\n/.exec(printed) ?? [];
    const [, machines = ''] = /machines: (\S+)\n/.exec(printed) ?? [];
    expect(chat).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/\?name=Ada$/);

    const ada = await context.newPage();
    await ada.goto(chat);
    await shows(ada, 'Ada is here');
    const grace = await context.newPage();
    await grace.goto(chat.replace('Ada', 'Grace'));
    await shows(ada, 'Grace is here');
    await grace.fill('input', 'hello');
    await grace.press('input', 'Enter');
    await shows(ada, 'Grace: hello');

    const watch = await context.newPage();
    await watch.goto(machines);
    const isLit = (state: string) =>
      watch.waitForSelector(`.state.lit[data-state="${state}"]`, { state: 'attached' });
    // A browser may hold a spare connection open, which never says what it is for.
    const rows = watch.locator('#rows li:has(.dot.open)');
    await expect.poll(() => rows.count()).toBe(2);

    // Two connections, Ada's first: the older one has the lower number.
    const ids = await rows.evaluateAll((all) => all.map((row) => Number(row.dataset.id)));
    const [adaId, graceId] = ids.sort((a, b) => a - b);
    // The list moves when somebody comes: a click may meet the row below.
    const choose = (id: number | undefined) =>
      expect
        .poll(async () => {
          await watch.click(`#rows li[data-id="${id}"] button`);
          return watch.textContent('#chosen-title');
        })
        .toMatch(RegExp(`\\b${id}\\b`));
    await choose(adaId);
    await isLit('open');
    await watch.fill('#close [name="code"]', '4001');
    await watch.fill('#close [name="reason"]', 'seen enough');
    await watch.click('#close button');
    await shows(ada, 'closed: 4001 seen enough');
    await isLit('closed');
    await shows(grace, 'Ada has left');

    await ada.reload();
    await shows(grace, 'Ada is here');
    await choose(graceId);
    await isLit('open');
    await grace.close();
    await shows(ada, 'Grace has left');
    await isLit('closed');

    const closed = once(program.child, 'close');
    program.child.kill('SIGINT');
    await shows(ada, 'closed: 1001 ');
    expect((await closed)[0]).toBe(0);
  });
});
