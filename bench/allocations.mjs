// npm run bench:allocations: bytes of heap that a message costs between the socket and the handler's reply, counted and
// not timed: a transport without a network hands in chunks, and the new space is large enough that nothing is collected
// while it counts. Prints JSON.
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { createServer } from '../dist/index.js';

const FLAGS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];
if (globalThis.gc === undefined) {
  const again = spawnSync(process.execPath, [...FLAGS, fileURLToPath(import.meta.url)], { stdio: 'inherit' });
  process.exit(again.status ?? 1);
}

const HEAD =
  'GET /echo HTTP/1.1\r\nHost: portal\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

/** A connection whose peer is this program: what is given to `onBytes` is what a socket read. */
function connect(accept) {
  const transport = {
    remoteAddress: '127.0.0.1',
    bufferedAmount: 0,
    attach(listener) {
      transport.listener = listener;
    },
    isPaused: false,
    write: () => true,
    pause() {
      transport.isPaused = true;
    },
    resume() {
      transport.isPaused = false;
    },
    end() {},
    destroy() {},
  };
  accept(transport);
  transport.listener.onBytes(Buffer.from(HEAD), false);
  return transport;
}

function frame(opcode, bytes) {
  const key = Buffer.from([1, 2, 3, 4]);
  const payload = Buffer.alloc(bytes, 'a').map((byte, i) => byte ^ key[i & 3]);
  const length = bytes < 126 ? [0x80 | bytes] : [0xfe, bytes >> 8, bytes & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...length]), key, payload]);
}

/** Chunks that are handed in before the event loop has its turn, as it has between reads of a socket. */
const CHUNKS_A_TURN = 32;
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Heap bytes a message, for chunks of `count` messages each. */
async function measure(peer, opcode, bytes, count) {
  const chunk = Buffer.concat(Array.from({ length: count }, () => frame(opcode, bytes)));
  const chunks = Math.ceil(50_000 / count);
  const run = async () => {
    const end = echoed + chunks * count;
    for (let i = 0; i < chunks; i++) {
      peer.listener.onBytes(chunk, false);
      if (i % CHUNKS_A_TURN === 0) await turn();
      while (peer.isPaused) await turn();
    }
    while (echoed < end) await turn();
  };
  for (let i = 0; i < 4; i++) await run();
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  await run();
  return (process.memoryUsage().heapUsed - before) / (chunks * count);
}

let accept;
const listener = {
  async listen(accepting) {
    accept = accepting;
  },
  async close() {},
  address: () => null,
};
const server = createServer({ port: 0, listener });
let echoed = 0;
server.path('/echo', {
  onMessage(connection, message) {
    echoed++;
    connection.send(message);
  },
});
await server.start();
const peer = connect(accept);
const rows = {
  'binary 64 B, 100 a chunk': await measure(peer, 2, 64, 100),
  'binary 64 B, 1 a chunk': await measure(peer, 2, 64, 1),
  'text 64 B, 100 a chunk': await measure(peer, 1, 64, 100),
  'binary 1 KiB, 16 a chunk': await measure(peer, 2, 1024, 16),
};
console.log(JSON.stringify(rows, (_, value) => (typeof value === 'number' ? Math.round(value) : value), 2));
await server.stop({ deadline: 0 });
process.exit(0);
