// Vite's dev server with Portal attached by a plugin: both have their WebSockets, and a changed file still reaches the page.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endAll, open, refused } from '../docs/pages.ts';
import { blocksIn, copyOf, missing, Program } from './programs.ts';

const why = missing('vite');

describe.skipIf(why !== '')(`Vite's dev server${why}`, () => {
  let copy: Awaited<ReturnType<typeof copyOf>>;
  let vite: Program;
  let host: string;

  beforeAll(async () => {
    copy = await copyOf('vite');
    vite = new Program(join(copy.path, 'server.mjs'));
    host = `127.0.0.1:${await vite.port()}`;
  });
  afterAll(async () => {
    await endAll();
    await vite?.end('SIGKILL');
    await copy?.remove();
  });

  const text = async (path: string) => (await fetch(`http://${host}${path}`)).text();

  /** Connects as the script does that Vite gives to pages. */
  async function hotClient() {
    const [, token = ''] = /wsToken = "([^"]+)"/.exec(await text('/@vite/client')) ?? [];
    return open(`ws://${host}/?token=${token}`, { protocols: ['vite-hmr'] });
  }

  test('its plugin is that of docs/how-to/on-your-http-server.md', async () => {
    const [block] = blocksIn('on-your-http-server', 'mjs');
    expect(await readFile(join(copy.path, 'vite.config.mjs'), 'utf8')).toBe(block);
  });

  test('a changed file reaches the page, and the connection to Portal lives on', async () => {
    expect(await text('/')).toContain('<title>Vite</title>');
    const portal = await open(`ws://${host}/echo`);
    portal.client.send('hello');
    expect(await portal.next()).toBe('hello');

    const hot = await hotClient();
    expect(JSON.parse((await hot.next()) ?? '')).toEqual({ type: 'connected' });
    await text('/main.js');
    expect(await text('/greeting.js')).toContain('hello');
    await writeFile(join(copy.path, 'greeting.js'), "export const greeting = 'good morning';\n");
    const update = JSON.parse((await hot.next()) ?? '');
    expect(update).toMatchObject({
      type: 'update',
      updates: [{ type: 'js-update', path: '/main.js', acceptedPath: '/greeting.js' }],
    });
    expect(await text(`/greeting.js?t=${update.updates[0].timestamp}`)).toContain('good morning');

    portal.client.send('still here');
    expect(await portal.next()).toBe('still here');
  });

  test("what Portal refuses on its path is not Vite's", async () => {
    const { status } = await refused(`ws://${host}/echo`, { origin: 'https://elsewhere.example' });
    expect(status).toBe(403);
  });

  test('its end is the end of all connections: Vite destroys every socket of its server', async () => {
    const { closed } = await open(`ws://${host}/echo`);
    const { code } = await vite.end('SIGINT');
    expect([(await closed).code, code]).toEqual([1006, 0]);
  });
});
