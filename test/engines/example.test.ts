// examples/topics.mjs with BACKPLANE, run from outside as its readers run it.

import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { start } from '../clients/example.ts';
import { Engine, type EngineName, isInstalled } from './programs.ts';

const engines: readonly EngineName[] = ['nats', 'redis'];

describe.each(engines)('with %s', (name) => {
  test.skipIf(!isInstalled(name))('two of them are one', async () => {
    const engine = await Engine.start(name);
    const env = { BACKPLANE: engine.url };
    const [a, b] = [await start('examples/topics.mjs', env), await start('examples/topics.mjs', env)];
    const [one, two] = [a, b].map(({ url }) => new WebSocket(url.replace(':topic', 't'))) as [
      WebSocket,
      WebSocket,
    ];
    await Promise.all([once(one, 'open'), once(two, 'open')]);
    let isThere = false;
    const first = once(two, 'message').then(([data]) => {
      isThere = true;
      return String(data);
    });
    while (!isThere) {
      one.send('hello');
      await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    expect(await first).toBe('hello');
    const back = once(one, 'message');
    two.send(Uint8Array.of(1, 2));
    expect(await back).toEqual([Buffer.of(1, 2), true]);
    const closed = [once(one, 'close'), once(two, 'close')];
    const endings = await Promise.all([a.stop(), b.stop()]);
    await Promise.all(closed);
    await engine.end();
    expect(endings.map(({ code }) => code)).toEqual([0, 0]);
    expect(endings[0]?.stderr).toContain(`${name} is up`);
  });
});
