// The healthy client beside each attack, in a thread of its own: it sends one numbered message after the other, and
// wants each back, whole, in order and at once. It also calls anew each second: newcomers must come through, too.

import { parentPort, workerData } from 'node:worker_threads';
import { frame, OPCODE, Peer } from './peer.mjs';

const PAUSE_MS = 5;
const ANEW_MS = 1000;
const { port } = workerData;
const took = [];
let [wrong, calls, stopped] = [0, 0, false];
parentPort.once('message', () => {
  stopped = true;
});

const call = async () => {
  const peer = await Peer.open(port, '/echo');
  peer.keeps = true;
  calls++;
  return peer;
};

try {
  let peer = await call();
  let calledMs = performance.now();
  parentPort.postMessage('ready');
  for (let number = 0; !stopped; number++) {
    if (performance.now() - calledMs > ANEW_MS) {
      const before = peer;
      peer = await call();
      before.destroy();
      calledMs = performance.now();
    }
    const text = `${number} ${'.'.repeat(number % 64)}`;
    const began = performance.now();
    await peer.write(frame(OPCODE.text, text));
    await peer.until('an echo', () => peer.texts.length > 0 || peer.end !== undefined);
    took.push(performance.now() - began);
    if (peer.texts.shift() !== text) wrong++;
    if (peer.end !== undefined)
      throw new Error(`the healthy connection was lost: ${peer.closeCode ?? peer.end}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  peer.destroy();
  took.sort((a, b) => a - b);
  const at = (share) => took[Math.min(took.length - 1, Math.floor(took.length * share))] ?? 0;
  parentPort.postMessage({ echoes: took.length, calls, wrong, p50: at(0.5), p99: at(0.99), max: at(1) });
} catch (error) {
  parentPort.postMessage({
    failed: error.message,
    echoes: took.length,
    calls,
    wrong,
    p50: 0,
    p99: 0,
    max: 0,
  });
}
