// node scripts/memory.mjs, after npm run build: what a memory budget of 64 MiB costs in resident memory. For each way to hold
// memory, 400 peers in another process make a server hold all that it may, then go. Prints what was counted and what
// was resident, in MiB.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const MIB = 1024 * 1024;
const BUDGET = 64 * MIB;
const PEERS = 400;
const KINDS = {
  'unfinished messages of 900 KiB': { sends: unfinished(900 * 1024) },
  'unfinished messages of one byte': { sends: unfinished(1) },
  'messages of 100 bytes behind a handler': { sends: Buffer.alloc(500 * 106, message(100)), waits: true },
  'queues of messages of 1 KiB': { queues: 1024 },
  'queues of messages of 256 KiB': { queues: 256 * 1024 },
};

const self = fileURLToPath(import.meta.url);
const [role, kind, port] = process.argv.slice(2);
if (role === 'peers') await bePeers(KINDS[kind], Number(port));
else if (role === 'server') await beServer(kind);
else
  for (const each of Object.keys(KINDS))
    await once(spawn('node', [self, 'server', each], { stdio: 'inherit' }), 'exit');

async function beServer(kind) {
  const { createServer, MemoryBudget } = await import('../dist/index.js');
  const { waits = false, queues } = KINDS[kind];
  const budget = new MemoryBudget(BUDGET);
  const gates = new Set();
  let isWaiting = waits;
  const server = createServer({
    port: 0,
    host: '127.0.0.1',
    memoryBudget: budget,
    sendLimit: 16 * MIB,
    paths: {
      '/': {
        onMessage: () => (isWaiting ? new Promise((done) => gates.add(done)) : undefined),
        onOpen(connection) {
          for (let sent = 0; queues !== undefined && sent < 8 * MIB; sent += queues) {
            connection.send(new Uint8Array(queues));
          }
        },
      },
    },
  });
  await server.start();
  const resident = () => Math.round(process.memoryUsage().rss / MIB);
  const before = resident();
  let [counted, peak] = [0, 0];
  const timer = setInterval(() => {
    counted = Math.max(counted, budget.bytes);
    peak = Math.max(peak, resident());
  }, 5);
  const peers = spawn('node', [self, 'peers', kind, String(server.address().port)]);
  await once(peers, 'exit');
  isWaiting = false;
  for (const done of gates) done();
  await sleep(2000);
  clearInterval(timer);
  const shed = server.stats().limits.memoryBudget ?? 0;
  console.log(
    `${kind}: counted ${Math.round(counted / MIB)}, resident ${before} before, ${peak} at most, ${resident()} after; ` +
      `${shed} shed; counted after ${budget.bytes} bytes`,
  );
  process.exit();
}

async function bePeers({ sends }, port) {
  const head =
    'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  for (let i = 0; i < PEERS; i++) {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    await once(socket, 'connect');
    socket.pause();
    socket.write(head);
    if (sends !== undefined) socket.write(sends);
  }
  await sleep(3000);
  process.exit();
}

function message(bytes) {
  return Buffer.concat([Buffer.of(0x82, 0x80 | bytes, 0, 0, 0, 0), Buffer.alloc(bytes)]);
}

/** The first `bytes` of a message of 1,000,000. */
function unfinished(bytes) {
  const header = Buffer.alloc(14);
  header.set([0x82, 0xff]);
  header.writeBigUInt64BE(1_000_000n, 2);
  return Buffer.concat([header, Buffer.alloc(bytes)]);
}
