// The cost of one connection as more are open: node bench/curve.mjs [--servers portal,ws] [--sizes 100,1000,...] [--seconds 2]
// CPU µs of the server, each figure from a fresh server: accepting one connection and closing one while so many others are
// open (batches of 200), delivering a broadcast to one, one heartbeat (ping out, pong in) and a second of doing nothing.
// O(1) per connection means that no column grows with the rows. Heartbeats of uWS.js and Bun cannot be set so short.
import { parseArgs } from 'node:util';
import { prepareBench } from './lib/build.mjs';
import { alignedTable, figure } from './lib/figures.mjs';
import { presentServers } from './lib/options.mjs';
import { loadFresh, mostConnections } from './lib/processes.mjs';

const heartbeatMs = 1000;
const batch = 200;
const text = { type: 'string' };
const { values: given } = parseArgs({ options: { servers: text, sizes: text, seconds: text } });
const seconds = Number(given.seconds ?? 2);
const most = mostConnections() - batch;
const wanted = (given.sizes ?? '100,500,1000,2000,5000,10000,20000').split(',').map(Number);
const sizes = [...new Set(wanted.map((size) => Math.min(size, most)))];

const titles = ['open', 'accept', 'close', 'broadcast', 'heartbeat', 'idle second'];
const heartbeats = new Set(['portal', 'ws']);

const growth = (from, to) => (to / from > 0 && from > 0.01 ? `${figure(to / from)}×` : '–');

async function costs(name, conns) {
  const common = { conns, seconds, warmup: 0.5 };
  const churn = await loadFresh(name, { ...common, mode: 'curve', batch });
  const broadcast = await loadFresh(name, { ...common, mode: 'broadcast', path: '/broadcast' });
  const idle = await loadFresh(name, { ...common, mode: 'heartbeat' });
  const beating =
    heartbeats.has(name) &&
    (await loadFresh(
      name,
      { ...common, warmup: 1.5, mode: 'heartbeat' },
      { BENCH_HEARTBEAT_MS: String(heartbeatMs) },
    ));
  return [
    churn.acceptMicros,
    churn.closeMicros,
    broadcast.cpuMicros,
    beating?.pings ? beating.microsPerPing : Number.NaN,
    idle.microsPerConnectionSecond,
  ];
}

prepareBench(console.error);
if (wanted.some((size) => size > most))
  console.log(`this process may hold ${most + batch} sockets: the curve ends at ${most}`);
for (const name of presentServers(given.servers, ['portal', 'ws', 'uws', 'bun', 'net'])) {
  const lines = [titles];
  let first;
  let last;
  for (const size of sizes) {
    try {
      last = await costs(name, size);
    } catch (error) {
      console.log(`${name} at ${size}: FAILED: ${error.message}`);
      continue;
    }
    first ??= last;
    lines.push([size.toLocaleString('en'), ...last.map(figure)]);
    console.error(`${name} ${lines.at(-1).join('  ')}`);
  }
  if (first) lines.push(['last / first', ...last.map((cost, i) => growth(first[i], cost))]);
  console.log(`\n${name}: CPU µs for each connection\n${alignedTable(lines)}`);
}
