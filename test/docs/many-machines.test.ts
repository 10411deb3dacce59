// The how-to from one process to many machines is true: its blocks run, as two processes with a real engine between them.

import { once } from 'node:events';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Engine, type EngineName, isInstalled } from '../engines/programs.ts';
import { compile, endAll, heard, open, run, serve } from './pages.ts';

const PAGE = 'docs/how-to/many-machines.md';
let blocks: readonly string[];
let complaints: string;
const engines: Engine[] = [];

beforeAll(async () => {
  const compiled = await compile(PAGE);
  ({ complaints } = compiled);
  blocks = compiled.programs.get(PAGE) ?? [];
});
afterEach(async () => {
  await endAll();
  for (const engine of engines.splice(0)) await engine.end();
});

/** A block that tells when its server is joined to the engine, which is the test's. */
async function joined(name: EngineName, n: number) {
  const engine = await Engine.start(name);
  engines.push(engine);
  const code = (blocks[n] ?? '').replaceAll(/(nats|redis):\/\/127\.0\.0\.1:\d+/g, engine.url);
  const program = `${code}\nserver.backplane.state$.subscribe((state) => console.log('state', state));`;
  const start = async () => {
    const served = await serve(program);
    await heard(served, 'state up');
    return served;
  };
  return { engine, start };
}

test('its code passes the type checker', () => {
  expect(complaints).toBe('');
  expect(blocks).toHaveLength(4);
});

describe.each([
  ['nats', 0],
  ['redis', 1],
] as const)('with %s', (name, n) => {
  test.skipIf(!isInstalled(name))('members of two processes hear each other', async () => {
    const { start } = await joined(name, n);
    const [a, b] = [await start(), await start()];
    const [one, two] = [await open(`${a.url}/rooms/1`), await open(`${b.url}/rooms/1`)];
    // A subscription takes a moment to be in force.
    let isThere = false;
    const first = two.next().then((text) => {
      isThere = true;
      return text;
    });
    while (!isThere) {
      one.client.send('hello');
      await Promise.race([first, new Promise((resolve) => setTimeout(resolve, 20))]);
    }
    expect(await first).toBe('hello');
    two.client.send('back');
    expect(await one.next()).toBe('back');
  });
});

test.skipIf(!isInstalled('nats'))('members are told of a gap', async () => {
  const { engine, start } = await joined('nats', 2);
  const served = await start();
  const { next } = await open(`${served.url}/news`);
  await engine.kill();
  await heard(served, 'the engine is waiting');
  await heard(served, 'BackplaneError: backplane nats: ', 'err');
  await engine.start();
  const { gap } = JSON.parse(String(await next()));
  expect(gap.to).toBeGreaterThanOrEqual(gap.from);
});

test('the conformance suite runs under node:test', async () => {
  const { child, said } = run(blocks[3]);
  const [code] = await once(child, 'close');
  expect([code, said.err]).toEqual([0, '']);
  expect(said.out).toMatch(/# fail 0|ℹ fail 0/);
});
