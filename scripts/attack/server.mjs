// The server under attack, in a process of its own, so that what is measured here is the server's alone. Its parent
// gives it options, asks for figures, and ends it; without a parent it ends by itself.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createServer, MemoryBudget } from 'portal-ws';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');
const SAMPLE_MS = 10;
/** JSON has no Infinity. */
const revive = (_, value) => (value === 'Infinity' ? Number.POSITIVE_INFINITY : value);
const options = JSON.parse(process.argv[2] ?? '{}', revive);

const count = (table, key) => {
  table[key] = (table[key] ?? 0) + 1;
};
const nothing = () => ({ closes: {}, errors: {}, unhandled: [], begun: 0, ended: 0, frames: 0 });
let heard = nothing();
const never = new Promise(() => {});

const budget = new MemoryBudget(options.memoryBudget ?? 128 * 1024 * 1024);
const echo = (connection, message) => void connection.send(message);
const server = createServer({
  port: 0,
  host: '127.0.0.1',
  ...options,
  memoryBudget: budget,
  onClose: (_connection, { code }) => count(heard.closes, code),
  paths: {
    '/echo': { onMessage: echo },
    '/throws': {
      onMessage() {
        throw new Error('this handler always throws');
      },
    },
    '/goes-on': {
      onMessage() {
        throw new Error('this handler always throws');
      },
      onError: () => 'continue',
    },
    '/undecided': { authorize: () => never, onMessage: echo },
    '/much': {
      onMessage(connection) {
        for (let i = 0; i < 16; i++) connection.send('x'.repeat(1_048_576));
        connection.close(1000);
      },
    },
    '/closes': { onMessage: (connection) => connection.close(1000) },
    '/pinged': { onOpen: ({ pings$ }) => void pings$.subscribe(() => heard.frames++), onMessage: echo },
    '/sink': { onMessage: () => void heard.frames++ },
    '/flooded': {
      onMessage(connection, message) {
        heard.frames++;
        connection.send(message);
      },
    },
    '/pending': {
      async onMessage({ signal }) {
        heard.begun++;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        heard.ended++;
      },
    },
    '/fragments': { onFragment: () => void heard.frames++ },
    '/decides': { authorize: async () => true, onMessage: echo },
    '/feed': { onMessage: (connection) => connection.send('ready') },
  },
});
server.errors$.subscribe(({ error }) => count(heard.errors, error.limit ?? error.code ?? error.name));
// Nothing may come this far: an attack that gets here has won.
process.on('unhandledRejection', (error) => heard.unhandled.push(String(error)));
process.on('uncaughtException', (error) => heard.unhandled.push(String(error)));

let peak = { rss: 0, heap: 0, held: 0 };
const memory = () => {
  const { rss, heapUsed, external } = process.memoryUsage();
  return { rss, heap: heapUsed + external, held: budget.bytes };
};
const sample = () => {
  const now = memory();
  for (const [name, bytes] of Object.entries(now)) peak[name] = Math.max(peak[name], bytes);
};
setInterval(sample, SAMPLE_MS).unref();

const asked = {
  async rest() {
    for (let i = 0; i < 3; i++) {
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const sockets = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    return { ...memory(), sockets, stats: server.stats() };
  },
  begin() {
    heard = nothing();
    peak = memory();
  },
  heard() {
    sample();
    return { ...heard, peak, held: budget.bytes, stats: server.stats() };
  },
  broadcast({ times, bytes }) {
    const message = 'x'.repeat(bytes);
    for (let i = 0; i < times; i++) server.path('/feed').broadcast(message);
  },
  /** Drops the connections of these paths. */
  terminate(paths) {
    for (const path of paths) for (const connection of server.path(path).connections) connection.terminate();
  },
  stop: (how) => server.stop(how),
};

await server.start();
process.on('message', async ({ id, what, how }) =>
  process.send({ id, answer: (await asked[what](how)) ?? null }),
);
process.on('disconnect', () => process.exit());
process.send({ port: server.address().port });
