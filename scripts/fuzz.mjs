// Fuzzes the decoders for as long as you like, prints how many inputs were tried, and stops at the first finding.
//
//   node scripts/fuzz.mjs [--seconds 60] [--run <number>] [--target <part of a name>]
//
// A run is a number from which all its inputs are made: the same run, the same inputs. What is fuzzed, and what must
// hold, is in test/fuzz/targets.ts.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createViteServer } from 'vitest/node';

const PROGRESS_MS = 5_000;
const BATCH = 200; // inputs of a target before the next one has its turn

const { values } = parseArgs({
  options: { seconds: { type: 'string' }, run: { type: 'string' }, target: { type: 'string' } },
});
const seconds = Number(values.seconds ?? 60);
const run = Number(values.run ?? Date.now() % 2 ** 31);

// The tests are TypeScript: vitest's own loader runs them on every Node.
const vite = await createViteServer({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  logLevel: 'error',
  server: { middlewareMode: true, watch: null, ws: false },
  optimizeDeps: { noDiscovery: true },
});
const { fuzz, targets } = await vite.ssrLoadModule('/test/fuzz/fuzz.ts');
const chosen = targets.filter(({ name }) => name.includes(values.target ?? ''));
if (chosen.length === 0) {
  await vite.close();
  throw new Error(`no target has '${values.target}' in its name`);
}

console.log(`run ${run}, ${seconds} s: ${chosen.map(({ name }) => name).join(', ')}`);
const tried = new Map(chosen.map(({ name }) => [name, 0]));
const began = performance.now();
let next = began + PROGRESS_MS;
const report = () => {
  const counts = [...tried].map(([name, count]) => `${name} ${count.toLocaleString('en')}`);
  console.log(`${Math.round((performance.now() - began) / 1000)} s: ${counts.join(', ')} inputs`);
};

try {
  while (performance.now() - began < seconds * 1000) {
    for (const target of chosen) {
      const from = tried.get(target.name);
      fuzz(target, run, from, BATCH);
      tried.set(target.name, from + BATCH);
    }
    if (performance.now() < next) continue;
    next += PROGRESS_MS;
    report();
  }
  report();
  console.log('nothing found');
} catch (error) {
  report();
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await vite.close();
}
