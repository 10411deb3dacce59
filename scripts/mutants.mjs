// Changes the statecharts' literals one thing at a time and shows that the tests notice: `npm run mutants`.
//
// Prints how many mutants there are, how many died, and every survivor with the reason why it may survive. Ends with 1
// when a survivor has no reason, or a reason has no survivor. `--short` tries every eighth and is part of `npm test`.

import { fileURLToPath } from 'node:url';
import { createViteServer } from 'vitest/node';

/** Why mutants may survive: each of these behaves the same as the machine. */
const REASONS = [
  {
    why: 'A refusal that is listed only says so: no state around it answers the event, so unlisted it is refused too.',
    mutants: [
      'connection: handshaking.rejecting on socket.bytes: dropped',
      'connection: handshaking.rejecting on socket.end: dropped',
      'connection: closing.local on callback.failed [1]: dropped',
      'connection: closing.local on callback.failed [1]: guarded by decidedContinue',
      'connection: closing.local on callback.failed [1]: guarded by decidedRetry',
      'connection: closing.remote on socket.bytes: dropped',
      'connection: closing.remote on socket.end: dropped',
      'connection: closing.failing on socket.bytes: dropped',
      'connection: closing.failing on socket.end: dropped',
      'server: starting on server.start: dropped',
      'server: listening on server.start: dropped',
    ],
  },
  {
    why: 'The state does nothing when it is entered or left, so entering it again is the same as staying.',
    mutants: [
      'connection: handshaking.reading on socket.bytes: enters its state again',
      'connection: handshaking.authorizing on socket.bytes: enters its state again',
      'connection: handshaking.rejecting on socket.bytes: enters its state again',
      'connection: handshaking.rejecting on socket.end: enters its state again',
      'connection: open on socket.bytes: enters its state again',
      'connection: open on read.continue: enters its state again',
      'connection: open on callback.failed [0]: enters its state again',
      'connection: open on callback.failed [1]: enters its state again',
      'connection: open on connection.pause: enters its state again',
      'connection: open on connection.resume: enters its state again',
      'connection: open on timeout.silence: enters its state again',
      'connection: fragmenting on socket.bytes: enters its state again',
      'connection: fragmenting on read.continue: enters its state again',
      'connection: fragmenting on callback.failed [0]: enters its state again',
      'connection: fragmenting on callback.failed [1]: enters its state again',
      'connection: fragmenting on connection.pause: enters its state again',
      'connection: fragmenting on connection.resume: enters its state again',
      'connection: fragmenting on timeout.silence: enters its state again',
      'connection: closing.remote on socket.bytes: enters its state again',
      'connection: closing.remote on socket.end: enters its state again',
      'connection: closing.failing on socket.bytes: enters its state again',
      'connection: closing.failing on socket.end: enters its state again',
      'server: stopped on server.stop: enters its state again',
      'link: down.idle on link.stop: enters its state again',
    ],
  },
  {
    why: 'One of the two notes the report, the error or the attempts, the other calls the port with what the event brought or nothing.',
    mutants: [
      'connection: open on close.received: answerClose one earlier',
      'connection: open on connection.close: sendClose one earlier',
      'connection: open on callback.failed [2]: dropMessages one earlier',
      'connection: open on timeout.message: reportFault one earlier',
      'connection: open on timeout.pong: reportFault one earlier',
      'connection: open on timeout.write: reportFault one earlier',
      'connection: fragmenting on close.received: answerClose one earlier',
      'connection: fragmenting on connection.close: sendClose one earlier',
      'connection: fragmenting on callback.failed [2]: dropMessages one earlier',
      'connection: fragmenting on timeout.message: reportFault one earlier',
      'connection: fragmenting on timeout.pong: reportFault one earlier',
      'connection: fragmenting on timeout.write: reportFault one earlier',
      'connection: closing.local on close.received: endSocket one earlier',
      'connection: closing.local on protocol.failed: endSocket one earlier',
      'connection: closing.local on limit.breached: endSocket one earlier',
      'connection: closing.local on timeout.close: reportFault one earlier',
      'server: listening on listener.failed: closeListener one earlier',
      'link: connecting on link.stop: endEngine one earlier',
      'link: up: on entry restore one earlier',
      'link: waiting: on entry announce one earlier',
      'link: waiting on link.stop: endEngine one earlier',
    ],
  },
  {
    why: 'The two guards exclude each other, so their order does not matter.',
    mutants: [
      'connection: open on callback.failed [1]: before the branch above it',
      'connection: fragmenting on callback.failed [1]: before the branch above it',
    ],
  },
  {
    why: 'Both actions note the same report. They have two names, so that the chart says which of the two happened.',
    mutants: [
      'connection: open on connection.close: noteTermination for noteOurClose',
      'connection: fragmenting on connection.close: noteTermination for noteOurClose',
    ],
  },
  {
    why: 'Every transition into it names a state inside; the syntax asks for an initial one all the same.',
    mutants: [
      'connection: closing: begins in remote',
      'connection: closing: begins in failing',
      'connection: closing.local: begins in fragmenting',
    ],
  },
];

const short = process.argv.includes('--short');
// Vite loads the TypeScript; XState is the production build, as plain Node takes it.
const vite = await createViteServer({
  root: fileURLToPath(new URL('..', import.meta.url)),
  configFile: false,
  appType: 'custom',
  logLevel: 'error',
  optimizeDeps: { noDiscovery: true },
  server: { middlewareMode: true, hmr: false, watch: null },
});
const { allMutants, controls } = await vite.ssrLoadModule('/test/model/mutants.ts');

for (const control of controls()) {
  if (await control.dies()) throw new Error(`${control.name}: the suites fail without any change`);
}

const started = performance.now();
const mutants = allMutants().filter((_, index) => !short || index % 8 === 0);
const survivors = [];
for (const [index, mutant] of mutants.entries()) {
  if (!(await mutant.dies())) survivors.push(mutant.name);
  if (!short && (index + 1) % 200 === 0) console.log(`${index + 1} of ${mutants.length} mutants tried`);
}
await vite.close();
const seconds = ((performance.now() - started) / 1000).toFixed(1);

const explained = REASONS.flatMap(({ mutants }) => mutants);
const unexplained = survivors.filter((name) => !explained.includes(name));
const stale = short ? [] : explained.filter((name) => !survivors.includes(name));
const died = mutants.length - survivors.length;
console.log(
  `${mutants.length} mutants: ${died} died, ${survivors.length} survived, ${unexplained.length} of them without a reason (${seconds} s)`,
);
for (const { why, mutants } of REASONS) {
  const alive = mutants.filter((name) => survivors.includes(name));
  if (alive.length > 0 && !short) console.log(`\n${why}\n${alive.map((name) => `  ${name}`).join('\n')}`);
}
for (const name of unexplained) console.log(`NO REASON: ${name}`);
for (const name of stale) console.log(`NO SURVIVOR: ${name}`);
process.exitCode = unexplained.length + stale.length > 0 ? 1 : 0;
