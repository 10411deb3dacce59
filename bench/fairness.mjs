// Whether one connection that sends flat out starves the others: node bench/fairness.mjs [--servers portal,ws] [--seconds 3] [--rounds 3]
// Twenty quiet peers echo 64 B at 1,000 a second together, first alone, then beside one connection that keeps its socket
// full of 64-byte frames (64 KiB a write) and reads every reply. Latency counts from the intended time of sending.
import { parseArgs } from 'node:util';
import { prepareBench } from './lib/build.mjs';
import { alignedTable, figure, median } from './lib/figures.mjs';
import { presentServers } from './lib/options.mjs';
import { loadFresh } from './lib/processes.mjs';

const text = { type: 'string' };
const { values: given } = parseArgs({ options: { servers: text, seconds: text, rounds: text } });
const seconds = Number(given.seconds ?? 3);
const rounds = Number(given.rounds ?? 3);
const quiet = { conns: 20, rate: 1000, payload: 64, warmup: 0.5, seconds };

const columns = [
  ['alone p50', 'alone', 'p50'],
  ['alone p99', 'alone', 'p99'],
  ['beside p50', 'beside', 'p50'],
  ['beside p99', 'beside', 'p99'],
  ['beside p99.9', 'beside', 'p999'],
  ['generator late by', 'beside', 'sentLate'],
  ['unanswered', 'beside', 'unanswered'],
  ['flood messages/s', 'beside', 'floodPerSecond'],
];

prepareBench(console.error);
const names = presentServers(given.servers, ['portal', 'ws', 'uws', 'bun', 'net', 'c']);
const samples = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 1; round <= rounds; round++) {
  for (const name of names) {
    try {
      const alone = await loadFresh(name, { ...quiet, mode: 'open' });
      const beside = await loadFresh(name, { ...quiet, mode: 'fairness' });
      samples[name].push({ alone, beside });
      console.error(
        `${round}/${rounds} ${name}: p99 ${alone.p99} µs alone, ${beside.p99} µs beside the flood`,
      );
    } catch (error) {
      console.log(`${name}: FAILED in round ${round}: ${error.message}`);
    }
  }
}
const lines = names
  .filter((name) => samples[name].length > 0)
  .map((name) => [
    name,
    ...columns.map(([, when, what]) => figure(median(samples[name].map((sample) => sample[when][what])))),
  ]);
console.log(`\nquiet peers' latency in µs, medians of ${rounds} rounds`);
console.log(alignedTable([['', ...columns.map(([title]) => title)], ...lines]));
