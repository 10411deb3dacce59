// Next's custom server with Portal attached: both have their WebSockets, and a changed file still reaches the page.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { endAll, open } from '../docs/pages.ts';
import { blocksIn, copyOf, missing, Program } from './programs.ts';

const why = missing('next');

/** Next asks npm's registry for its newest version, which nothing switches off: here it gets no answer. */
const offline = 'globalThis.fetch=()=>Promise.reject(new Error("no network"))';
const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(offline)}` };

describe.skipIf(why !== '')(`Next's custom server${why}`, () => {
  let copy: Awaited<ReturnType<typeof copyOf>>;
  let next: Program;
  let host: string;

  beforeAll(async () => {
    copy = await copyOf('next');
    next = new Program(join(copy.path, 'server.mjs'), env);
    host = `127.0.0.1:${await next.port()}`;
  });
  afterAll(async () => {
    await endAll();
    await next?.end('SIGKILL');
    await copy?.remove();
  });

  test('a changed file reaches the page, and the connection to Portal lives on', async () => {
    const early = await open(`ws://${host}/echo`);
    expect(await (await fetch(`http://${host}/`)).text()).toContain('<title>Next</title>');
    // Next listens to 'upgrade' from its first request on.
    const portal = await open(`ws://${host}/echo`);
    const hot = await open(`ws://${host}/_next/hmr?id=1`);
    const heard = async (type: RegExp) => {
      for (;;) {
        const message = await hot.next();
        if (type.test(JSON.parse(message ?? '').type)) return message;
      }
    };
    await heard(/^sync$/);
    const page = join(copy.path, 'app/layout.jsx');
    const before = await readFile(page, 'utf8');
    await writeFile(page, before.replace("title: 'Next'", "title: 'Changed'"));
    await heard(/^serverComponentChanges$/);
    expect(await (await fetch(`http://${host}/`)).text()).toContain('<title>Changed</title>');

    for (const { client, next } of [early, portal]) {
      client.send('still here');
      expect(await next()).toBe('still here');
    }
  });

  test('its end closes the connections with 1001', async () => {
    const { closed } = await open(`ws://${host}/echo`);
    const { code } = await next.end('SIGTERM');
    expect([(await closed).code, code]).toEqual([1001, 0]);
  });

  test('the block in docs/how-to/on-your-http-server.md', async () => {
    const [, block = ''] = blocksIn('on-your-http-server', 'mjs');
    const code = block
      .replace('next({', `next({ dir: ${JSON.stringify(copy.path)},`)
      .replace('listen(5005)', "listen(0, () => console.log('listening on :' + httpServer.address().port))");
    await writeFile(join(copy.path, 'block.mjs'), code);
    const program = new Program(join(copy.path, 'block.mjs'), env);
    try {
      const at = `127.0.0.1:${await program.port()}`;
      expect(await (await fetch(`http://${at}/`)).text()).toContain('<title>Changed</title>');
      const { client, next } = await open(`ws://${at}/echo`);
      client.send('hello');
      expect(await next()).toBe('hello');
    } finally {
      await program.end('SIGKILL');
    }
  });
});
