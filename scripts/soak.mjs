// The soak: mixed traffic on many connections, which end in every way that connections end, for a long while. In the
// end nothing may be left of them, and all counts must add up: what clients sent and heard, what handlers saw and
// sent, and what Portal says of itself. Loopback only; exits with 1 if anything does not hold.
//
//   npm run build && npm run soak [-- --seconds 600] [-- --connections 5000] [-- --seed 1]

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Peer, sleep } from './attack/peer.mjs';
import { Place } from './soak/client.mjs';

/** What may stay, whatever the number of connections: code, tables, the slack of the collector. */
const HEAP_SLACK_BYTES = 4 * 1_048_576;
const WARM_UP_MS = 5_000;
const SETTLE_MS = 20_000;

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '600' },
    connections: { type: 'string', default: '5000' },
    seed: { type: 'string', default: '1' },
  },
});
const [seconds, connections, seed] = [values.seconds, values.connections, values.seed].map(Number);

const server = fork(new URL('./soak/server.mjs', import.meta.url));
server.once('exit', (code, signal) => {
  if (server.connected) return;
  if (code !== 0) fail(`the server died: ${code ?? signal}`);
});
const asked = new Map();
let id = 0;
server.on('message', (message) => asked.get(message.id)?.(message.answer));
const ask = (what) => {
  id++;
  const answer = new Promise((resolve) => asked.set(id, resolve));
  server.send({ id, what });
  return answer;
};
const [{ port }] = await once(server, 'message');
const mib = (bytes) => `${(bytes / 1_048_576).toFixed(1)} MiB`;

await talk(Math.ceil(connections / 4), Math.min(WARM_UP_MS, seconds * 250), seed + 1_000_000);
await settle();
const before = await ask('figures');
const report = setInterval(
  async () => {
    const { rss, heap, stats } = await ask('glance');
    const { open, fragmenting, closing, handshaking } = stats.connections;
    const now = `${handshaking} handshaking, ${open} open, ${fragmenting} fragmenting, ${closing} closing`;
    console.log(
      `${now}; ${stats.opened} opened, ${stats.messagesIn} messages in; ${mib(rss)} resident, heap ${mib(heap)}`,
    );
  },
  Math.max(1000, seconds * 100),
);
await talk(connections, seconds * 1000, seed);
clearInterval(report);
await settle();
const after = await ask('figures');
const checks = sumUp(before, after);
for (const [what, holds] of checks) console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}`);
for (const problem of new Set(Place.problems)) console.log(`       ${problem}`);
await ask('stop');
server.disconnect();
process.exitCode = checks.every(([, holds]) => holds) ? 0 : 1;

/** So many clients talk for so long. */
async function talk(count, ms, from) {
  const places = Array.from({ length: count }, (_, i) => new Place(port, from + i * 7919));
  const running = places.map((place) => place.run());
  await sleep(ms);
  for (const place of places) place.stop();
  await Promise.all(running);
}

async function settle() {
  const limit = performance.now() + SETTLE_MS;
  Peer.destroyAll();
  for (;;) {
    const { sockets, alive } = await ask('figures');
    if ((sockets === 0 && alive === 0) || performance.now() > limit) return;
    await sleep(100);
  }
}

function sumUp(
  before,
  { rss, heap, sockets, alive, subscriptions, counts, closes, errors, unhandled, stats },
) {
  const mine = Place.counts;
  const same = (what, ...numbers) => [`${what}: ${numbers.join(' = ')}`, new Set(numbers).size === 1];
  const { handshaking, open, fragmenting, closing } = stats.connections;
  const codes = [...new Set([...Object.keys(closes), ...Object.keys(mine.ends)])];
  const taken = counts.sent + counts.queued;
  return [
    same(
      'connections opened, by the clients, the handlers and stats()',
      mine.opened,
      counts.opened,
      stats.opened,
    ),
    same('and closed, each once', mine.opened, counts.closed, stats.closed),
    ...codes.map((code) => same(`closed with ${code}`, mine.ends[code] ?? 0, closes[code] ?? 0)),
    [
      // One that is reset while it waits in a kernel's full queue never comes to the server.
      `handshakes left early: ${mine.slowHeads}, of which the server saw ${stats.refused}`,
      stats.refused <= mine.slowHeads && stats.refused >= mine.slowHeads * 0.98 - 2,
    ],
    same('messages received, by the handlers and stats()', counts.received, stats.messagesIn),
    [
      `of ${mine.sent} sent at most ${mine.unsure} are missing: ${mine.sent - counts.received}`,
      counts.received <= mine.sent && counts.received >= mine.sent - mine.unsure,
    ],
    same('messages sent and queued, by the handlers and stats()', taken, stats.messagesOut),
    same('dropped at sendLimit', counts.dropped, stats.dropped),
    [`of them ${mine.echoed + mine.flooded} were heard`, mine.echoed + mine.flooded <= taken],
    ['some were dropped, as they should', counts.dropped > 0 || seconds < 30],
    ['every message that was waited for came back whole and in order', mine.wrong === 0],
    [`nothing went otherwise than meant: ${Place.problems.length}`, Place.problems.length === 0],
    [`nothing came to the top of the process: ${unhandled.length}`, unhandled.length === 0],
    ['no impossible state (InternalError)', errors.ERR_INTERNAL === undefined],
    same('sockets, connections and actors, subscriptions left', 0, sockets, alive, subscriptions),
    same(
      'connections left, and bytes that wait',
      0,
      handshaking + open + fragmenting + closing,
      stats.buffered,
    ),
    [
      `heap ${mib(before.heap)} before, ${mib(heap)} after; ${mib(HEAP_SLACK_BYTES)} more are allowed`,
      heap - before.heap <= HEAP_SLACK_BYTES,
    ],
    [`resident ${mib(before.rss)} before, ${mib(rss)} after`, true],
  ];
}

function fail(why) {
  console.error(why);
  process.exit(1);
}
