// The healthy client beside each attack, in a thread of its own: it sends a numbered message every 5 ms, whether or not the
// last one has come back, and wants each back, whole and in order. It also calls anew each second: newcomers must come
// through, too.

import { parentPort, workerData } from 'node:worker_threads';
import { frame, OPCODE, Peer, sleep } from './peer.mjs';

const PAUSE_MS = 5;
const ANEW_MS = 1000;
const { port } = workerData;
const took = [];
let [wrong, calls, stopped] = [0, 0, false];
let failure;
parentPort.once('message', () => {
  stopped = true;
});

/** A connection, and the echoes that it waits for. */
async function call() {
  const peer = await Peer.open(port, '/echo');
  peer.keeps = true;
  calls++;
  return { peer, calledMs: performance.now(), sent: 0, echoes: [] };
}

/** Sends one message and measures how long its echo takes. */
async function measure(line, text) {
  const { peer } = line;
  const at = line.sent++;
  const began = performance.now();
  peer.write(frame(OPCODE.text, text));
  await peer.until('an echo', () => peer.texts.length > at || peer.end !== undefined);
  if (peer.texts.length <= at)
    throw new Error(`the healthy connection was lost: ${peer.closeCode ?? peer.end}`);
  took.push(performance.now() - began);
  if (peer.texts[at] !== text) wrong++;
}

async function hangUp({ peer, echoes }) {
  await Promise.all(echoes);
  peer.destroy();
}

const report = () => {
  took.sort((a, b) => a - b);
  const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  return {
    failed: failure?.message,
    echoes: took.length,
    calls,
    wrong,
    p50: at(0.5),
    p99: at(0.99),
    max: at(1),
  };
};

try {
  let line = await call();
  parentPort.postMessage('ready');
  let due = performance.now();
  const ended = [];
  for (let number = 0; !stopped && failure === undefined; number++) {
    if (performance.now() - line.calledMs > ANEW_MS) {
      const next = await call();
      ended.push(hangUp(line).catch(() => {}));
      line = next;
    }
    const echo = measure(line, `${number} ${'.'.repeat(number % 64)}`);
    echo.catch((error) => {
      failure ??= error;
    });
    line.echoes.push(echo);
    // The time that a call took is not made up for.
    due = Math.max(due + PAUSE_MS, performance.now());
    await sleep(Math.max(0, due - performance.now()));
  }
  await Promise.all([...ended, hangUp(line).catch(() => {})]);
} catch (error) {
  failure ??= error;
}
parentPort.postMessage(report());
