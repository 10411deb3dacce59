// docs/how-to/workers.md is true: its program runs alone, and as four workers, started in both ways.

import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { root } from '../package/source.ts';
import { namedPort } from '../workers/started.ts';
import { blocksOf, compile, endAll, heard, open, runFile, serve } from './pages.ts';

const page = 'docs/how-to/workers.md';
let folder: string;
let port: number;
let complaints: string;
let programs: readonly string[];

beforeAll(async () => {
  const compiled = await compile(page);
  ({ complaints } = compiled);
  programs = compiled.programs.get(page) ?? [];
  folder = await mkdtemp(join(tmpdir(), 'portal-workers-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(root, join(folder, 'node_modules/portal-ws'));
  port = await namedPort();
  await writeFile(join(folder, 'server.mjs'), (programs[0] ?? '').replace('5005', `${port}`));
  await writeFile(join(folder, 'start.mjs'), programs[1] ?? '');
});
afterEach(endAll);
afterAll(() => rm(folder, { recursive: true, force: true }));

test('its code passes the type checker', () => {
  expect([complaints, programs.length]).toEqual(['', 2]);
});

test('the program runs alone', async () => {
  const { url } = await serve(programs[0]);
  const [one, two] = [await open(`${url}/news`), await open(`${url}/news`)];
  expect(await one.next()).toBe(await two.next());
  one.client.send('hello');
  expect(await two.next()).toBe('hello');
});

test('four workers by start.mjs; SIGTERM ends them with 0', async () => {
  const program = runFile('start.mjs', folder);
  await heard(program, '4 workers\n');
  const served = new Set<string | undefined>();
  const all = [];
  while (served.size < 4) {
    const member = await open(`ws://127.0.0.1:${port}/news`);
    served.add(await member.next());
    all.push(member);
  }
  const ended = program.stop();
  for (const { closed } of all) expect((await closed).code).toBe(1001);
  expect([await ended, program.said.err]).toEqual([0, '']);
});

test('the command of the page starts them, too', () => {
  const [command] = blocksOf(page).filter(({ language }) => language === 'sh');
  expect(command?.code).toBe('npx portal-ws --workers 4 server.mjs\n');
});
