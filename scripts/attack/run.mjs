// Runs one attack against a server in a process of its own, with a healthy client beside it, and says what came of
// it: what the attackers saw, what the server heard, how the healthy client fared, and memory before, at peak, after.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { attacks } from './attacks.mjs';
import { Peer, sleep } from './peer.mjs';

/** What may stay of an attack: code and tables that have grown. Not per connection; two runs add up to one. */
const HEAP_SLACK_BYTES = 3 * 1_048_576;
const SETTLE_MS = 15_000;
/** The healthy client is not to be kept waiting; the rest of that second is for a machine that others use too. */
const HEALTHY_MAX_MS = 2_000;
/** The healthy client is watched for so long at least. */
const LEAST_MS = 250;
const WARM_UP_SIZE = 0.02;

export const names = Object.keys(attacks);

/** A server's process, and how to ask it. */
async function startServer(options) {
  const text = JSON.stringify(options, (_, value) =>
    value === Number.POSITIVE_INFINITY ? 'Infinity' : value,
  );
  const child = fork(new URL('./server.mjs', import.meta.url), [text]);
  const asked = new Map();
  const died = once(child, 'exit').then(([code, signal]) => {
    throw new Error(`the server died: ${code ?? signal}`);
  });
  died.catch(() => {});
  let id = 0;
  child.on('message', (message) => asked.get(message.id)?.(message.answer));
  const ask = (what, how) => {
    id++;
    const answer = new Promise((resolve) => asked.set(id, resolve));
    child.send({ id, what, how });
    return Promise.race([answer, died]);
  };
  const [{ port }] = await once(child, 'message');
  const end = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.disconnect();
    await once(child, 'exit');
  };
  return { port, ask, end };
}

async function startHealthy(port) {
  const worker = new Worker(new URL('./healthy.mjs', import.meta.url), { workerData: { port } });
  const [first] = await once(worker, 'message');
  if (first !== 'ready') throw new Error(first.failed);
  const stop = async () => {
    const answer = once(worker, 'message');
    worker.postMessage('stop');
    const [report] = await answer;
    await worker.terminate();
    return report;
  };
  return { stop };
}

/** Waits until only `left` connections are there. */
async function settle(ask, left) {
  const limit = performance.now() + SETTLE_MS;
  for (;;) {
    const rest = await ask('rest');
    if (rest.sockets <= left || performance.now() > limit) return rest;
    await sleep(50);
  }
}

/** Runs the attack of that name; `size` 1 is the full form. */
export async function runAttack(name, size = 1) {
  const { run, options = {}, half, errors, closes, stops, p99 } = attacks[name];
  const bound = half?.(size);
  // Nothing here is a heartbeat's business.
  const server = await startServer({ ...options, ...(bound ? { maxHandshakes: bound } : {}) });
  const { port, ask } = server;
  try {
    // One that stops the server can be tried once; connections that come and go are its warm-up.
    const warmUp = stops ? attacks['mass disconnect'].run : run;
    const warmUpSize = stops ? size / 5 : WARM_UP_SIZE;
    await warmUp({ port, size: warmUpSize, ask, half: half?.(warmUpSize) ?? 0 });
    Peer.destroyAll();
    const before = await settle(ask, 0);
    const healthy = stops ? undefined : await startHealthy(port);
    await ask('begin');
    const began = performance.now();
    const saw = await run({ port, size, ask, half: bound ?? 0 });
    const took = performance.now() - began;
    // An attack that is over at once still leaves its work behind.
    await sleep(Math.max(0, LEAST_MS - took));
    const health = await healthy?.stop();
    Peer.destroyAll();
    const after = await settle(ask, 0);
    const heard = await ask('heard');
    const checks = [...saw, ...theServer(heard, { errors: errors?.(size), closes: closes?.(size), stops })];
    if (health !== undefined) checks.push(...theHealthy(health, size === 1 ? p99 : undefined));
    checks.push(...theRest(before, after));
    const memory = {
      before: before.rss,
      peak: heard.peak.rss,
      after: after.rss,
      heapBefore: before.heap,
      heapPeak: heard.peak.heap,
      heapAfter: after.heap,
    };
    return { name, size, took, checks, health, memory, heard };
  } finally {
    Peer.destroyAll();
    await server.end();
  }
}

function theServer({ errors, closes, unhandled }, expected) {
  const checks = [
    [
      `nothing came to the top of the process${unhandled.length ? `: ${unhandled[0]}` : ''}`,
      unhandled.length === 0,
    ],
  ];
  checks.push(['no impossible state (InternalError)', errors.ERR_INTERNAL === undefined]);
  for (const [limit, count] of Object.entries(expected.errors ?? {})) {
    checks.push([`errors$ told of ${limit} ${count} times`, errors[limit] === count]);
  }
  for (const [code, count] of Object.entries(expected.closes ?? {})) {
    // The healthy client leaves without a Close each time that it calls anew.
    const told = closes[code] ?? 0;
    checks.push([
      `onClose told of ${count} ends with ${code}`,
      code === '1006' ? told >= count : told === count,
    ]);
  }
  return checks;
}

/** `limit` is what 99 of 100 echoes must keep; undefined where nothing is promised. */
function theHealthy({ failed, wrong, echoes, p50, p99, max }, limit) {
  const ms = (value) => Math.round(value * 10) / 10;
  const times = `p50 ${ms(p50)} ms, p99 ${ms(p99)} ms, max ${ms(max)} ms`;
  return [
    ...(limit === undefined
      ? []
      : [[`${echoes} healthy echoes: ${times}; p99 within ${limit} ms`, p99 <= limit]]),
    [
      `the healthy client was served throughout${failed ? `: ${failed}` : ''}`,
      failed === undefined && echoes > 0,
    ],
    ['and got every message right', wrong === 0],
    [`within ${HEALTHY_MAX_MS} ms each`, max < HEALTHY_MAX_MS],
  ];
}

function theRest(before, after) {
  const { handshaking, open, fragmenting, closing } = after.stats.connections;
  const grown = after.heap - before.heap;
  return [
    ['no socket is left', after.sockets === 0],
    [
      'no connection is left, in any state',
      handshaking + open + fragmenting + closing === 0 && after.stats.buffered === 0,
    ],
    ['no memory is counted for any', after.held === 0],
    ['each that opened has closed', after.stats.opened === after.stats.closed],
    [`the heap is back where it was, and ${Math.round(grown / 1024)} KiB`, grown < HEAP_SLACK_BYTES],
  ];
}
