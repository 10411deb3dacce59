// Ten thousand connections are opened, each echoes once, all are closed; then the same again. Afterwards the server's
// process must hold no socket, connection or actor of theirs, its heap must be back near where it began, and the second round
// must have added almost nothing to the first. Prints the figures; exits with 1 if not.
//
//   npm run build && node scripts/ten-thousand.mjs [connections]
//
// The clients are bare sockets in a process of their own (this file again, as `client`), so that what is counted here
// is the server's alone. They need as many file descriptors as there are connections: see `ulimit -n`.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const AT_ONCE = 200; // connections being opened or closed at a time
const WARM_UP = 1_000; // connections before the first measurement, so that what is made once is made
// About 200 bytes a connection, where an open one takes 4 KiB. The first round leaves code and tables that have grown.
const HEAP_SLACK_BYTES = 2 * 1_048_576;
const AGAIN_SLACK_BYTES = 262_144; // the second round has nothing left to grow
const DEADLINE_MS = 120_000;
const SETTLE_MS = 10_000;

async function main(total) {
  const { createServer } = await import('portal-ws');
  const watchdog = setTimeout(() => fail(`not done after ${DEADLINE_MS / 1000} s`), DEADLINE_MS);

  let [opened, closed] = [0, 0];
  // Every tenth connection by the XState actor that takes it over, the others by themselves.
  let alive = [];
  const server = createServer({ port: 0, host: '127.0.0.1' });
  server.path('/echo', {
    onOpen(connection) {
      opened += 1;
      alive.push(new WeakRef(opened % 10 === 0 ? connection.actor : connection));
    },
    onMessage(connection, message) {
      connection.send(message);
    },
    onClose(_connection, { code }) {
      if (code === 1000) closed += 1;
    },
  });
  await server.start();

  const peers = fork(new URL(import.meta.url), ['client']);
  peers.once('exit', (code) => code && fail(`the clients ended with ${code}`));
  const ask = async (what, count) => {
    peers.send({ what, count, port: server.address().port });
    const [answer] = await once(peers, 'message');
    return answer;
  };

  const measure = async () => {
    await collectGarbage();
    alive = alive.filter((object) => object.deref());
    const { heapUsed, rss } = process.memoryUsage();
    const sockets = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    return { opened, closed, sockets, alive: alive.length, heapUsed, rss };
  };

  const closeAll = async () => {
    await ask('close');
    await settled(() => closed === opened);
  };
  /** Opens and closes them all once; says what was found at the top and at the end. */
  const round = async () => {
    [opened, closed] = [0, 0];
    const opening = performance.now();
    const { echoed } = await ask('open', total);
    const openingTook = performance.now() - opening;
    const open = await measure();
    const closing = performance.now();
    await closeAll();
    const closingTook = performance.now() - closing;
    console.log(`${total} connections: opened and echoed in ${s(openingTook)}, closed in ${s(closingTook)}`);
    return { echoed, open, after: await measure() };
  };

  await ask('open', WARM_UP);
  await closeAll();
  [opened, closed] = [0, 0];
  const before = await measure();
  const first = await round();
  const second = await round();
  console.table({
    before: row(before),
    open: row(first.open),
    closed: row(first.after),
    'open again': row(second.open),
    'closed again': row(second.after),
  });

  const both = [first, second];
  const grown = second.after.heapUsed - before.heapUsed;
  const again = second.after.heapUsed - first.after.heapUsed;
  const checks = [
    [
      'all opened',
      both.every(({ open }) => open.opened === total && open.sockets === total && open.alive === total),
    ],
    ['all echoed', both.every(({ echoed }) => echoed === total)],
    ['all closed with 1000, each told once', both.every(({ after }) => after.closed === total)],
    ['no socket is left', both.every(({ after }) => after.sockets === 0)],
    ['no connection and no actor is left', both.every(({ after }) => after.alive === 0)],
    [`the heap grew by ${kib(grown)} of ${kib(HEAP_SLACK_BYTES)} allowed`, grown <= HEAP_SLACK_BYTES],
    [`the second round added ${kib(again)} of ${kib(AGAIN_SLACK_BYTES)} allowed`, again <= AGAIN_SLACK_BYTES],
  ];
  for (const [what, holds] of checks) console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}`);

  peers.disconnect();
  await server.stop();
  clearTimeout(watchdog);
  // No process.exit: if anything were left open, this process would stay, and its caller would see it.
  process.exitCode = checks.every(([, holds]) => holds) ? 0 : 1;
}

const s = (ms) => `${(ms / 1000).toFixed(1)} s`;
const kib = (bytes) => `${Math.round(bytes / 1024)} KiB`;
const row = ({ heapUsed, rss, ...counts }) => ({ ...counts, heap: kib(heapUsed), resident: kib(rss) });

function fail(why) {
  console.error(`FAILED ${why}`);
  process.exit(1);
}

/** Collects until nothing more goes: what a finaliser or a weak reference held takes more than one round. */
async function collectGarbage() {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  for (let round = 0; round < 5; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    gc();
  }
}

/** Waits until something holds, up to SETTLE_MS; what does not hold then is for the checks to say. */
async function settled(holds) {
  for (const end = performance.now() + SETTLE_MS; !holds() && performance.now() < end; )
    await new Promise((resolve) => setTimeout(resolve, 20));
}

// The clients, in their own process.

function client() {
  let sockets = [];
  let echoed = 0;
  process.on('message', async ({ what, count, port }) => {
    if (what === 'open') {
      echoed = 0;
      sockets = await inBatches(
        Array.from({ length: count }, (_, n) => n),
        async (n) => {
          const socket = await open(port, n);
          echoed += 1;
          return socket;
        },
      );
    } else sockets = await inBatches(sockets, close).then(() => []);
    process.send({ echoed });
  });
}

async function inBatches(items, work) {
  const done = [];
  for (let at = 0; at < items.length; at += AT_ONCE)
    done.push(...(await Promise.all(items.slice(at, at + AT_ONCE).map(work))));
  return done;
}

/** Opens a connection, its first frame glued to the request head, and reads until the echo of that frame. */
async function open(port, n) {
  // On Linux every address 127.x.y.z is local: with several, no range of ports runs out.
  const localAddress = process.platform === 'linux' ? `127.0.0.${1 + (n % 8)}` : '127.0.0.1';
  const socket = connect({ port, host: '127.0.0.1', localAddress });
  const payload = Buffer.from(`hello ${String(n).padStart(6, '0')}`);
  const head =
    'GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  socket.write(Buffer.concat([Buffer.from(head), frame(0x81, payload)]));
  const echo = Buffer.concat([Buffer.of(0x81, payload.length), payload]);
  let heard = Buffer.alloc(0);
  while (!heard.subarray(-echo.length).equals(echo)) {
    const [chunk] = await once(socket, 'data');
    heard = Buffer.concat([heard, chunk]);
  }
  return socket;
}

/** The closing handshake from our side; the server ends TCP. */
async function close(socket) {
  const ended = once(socket, 'close');
  socket.write(frame(0x88, Buffer.of(0x03, 0xe8)));
  await ended;
}

/** A masked frame of less than 126 bytes (RFC 6455 5.2); the masking key is zero, which is one of the allowed. */
function frame(first, payload) {
  return Buffer.concat([Buffer.of(first, 0x80 | payload.length, 0, 0, 0, 0), payload]);
}

if (process.argv[2] === 'client') client();
else await main(Number(process.argv[2] ?? 10_000));
