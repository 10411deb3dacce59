// Attacks a server in every way that hostile or broken peers do, and checks that it holds: each breach has its
// documented answer, a healthy client beside it is served all along, and afterwards everything is as before.
// Loopback only; prints a table; exits with 1 if anything did not hold.
//
//   npm run build && npm run attack [-- --short] [-- part of a name]

import { names, runAttack } from './attack/run.mjs';

const SHORT = 0.05;
const args = process.argv.slice(2);
const size = args.includes('--short') ? SHORT : 1;
const part = args.find((arg) => !arg.startsWith('--')) ?? '';
const mib = (bytes) => Math.round(bytes / 1_048_576);
const ms = (value) => Number(value.toFixed(1));

const rows = {};
let failures = 0;
for (const name of names.filter((candidate) => candidate.includes(part))) {
  console.log(name);
  try {
    const { took, checks, health, memory } = await runAttack(name, size);
    for (const [what, holds] of checks) console.log(`  ${holds ? 'ok    ' : 'FAILED'} ${what}`);
    failures += checks.filter(([, holds]) => !holds).length;
    rows[name] = {
      seconds: ms(took / 1000),
      'p50 ms': health && ms(health.p50),
      'p99 ms': health && ms(health.p99),
      'max ms': health && ms(health.max),
      'MiB before': mib(memory.before),
      peak: mib(memory.peak),
      after: mib(memory.after),
      'heap MiB before': ms(memory.heapBefore / 1_048_576),
      'heap peak': ms(memory.heapPeak / 1_048_576),
      'heap after': ms(memory.heapAfter / 1_048_576),
    };
  } catch (error) {
    failures++;
    console.log(`  FAILED ${error.stack}`);
  }
}
console.log('\nthe healthy client beside each attack; resident memory and heap of the server');
console.table(rows);
console.log(failures === 0 ? 'Every attack was withstood.' : `${failures} did not hold.`);
process.exitCode = failures === 0 ? 0 : 1;
