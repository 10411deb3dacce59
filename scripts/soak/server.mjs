// The server of the soak, in a process of its own. It counts all that it is told and does, so that in the end its
// counts can be held against those of the clients, and those of Portal against both.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createServer } from 'portal-ws';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc');

const counts = { opened: 0, closed: 0, received: 0, sent: 0, queued: 0, dropped: 0, refusedSends: 0 };
const closes = {};
const errors = {};
const unhandled = [];
/** Subscriptions that wait for an end; connections, and actors of every tenth, that the garbage collector has not taken. */
let [subscriptions, alive] = [0, 0];
const collected = new FinalizationRegistry(() => {
  alive--;
});
const count = (table, key) => {
  table[key] = (table[key] ?? 0) + 1;
};
process.on('unhandledRejection', (error) => unhandled.push(String(error)));
process.on('uncaughtException', (error) => unhandled.push(String(error)));

const TALLIES = { sent: 'sent', queued: 'queued', dropped: 'dropped', closed: 'refusedSends' };
const send = (connection, message) => {
  const result = connection.send(message);
  counts[TALLIES[result]]++;
  return result;
};

const FLOOD = 'f'.repeat(40_960);
/** Sends more than `sendLimit` holds, and says, when that is out, how many it was. */
async function flood(connection) {
  let taken = 0;
  for (let i = 0; i < 100; i++) {
    const result = send(connection, FLOOD);
    if (result === 'sent' || result === 'queued') taken++;
  }
  await connection.drained();
  send(connection, `flooded ${taken}`);
}

const server = createServer({
  port: 0,
  host: '127.0.0.1',
  sendLimit: 131_072,
  overflow: 'drop',
  heartbeatInterval: 3_000,
  pongDeadline: 20_000,
  closeDeadline: 5_000,
  handshakeDeadline: 5_000,
  paths: {
    '/soak': {
      onOpen(connection) {
        counts.opened++;
        for (const object of counts.opened % 10 === 0 ? [connection, connection.actor] : [connection]) {
          alive++;
          collected.register(object, undefined);
        }
        for (const stream of [connection.messages$, connection.closed$, connection.drain$]) {
          subscriptions++;
          stream.subscribe({
            complete() {
              subscriptions--;
            },
          });
        }
      },
      onMessage(connection, message) {
        counts.received++;
        switch (message) {
          case 'throw':
            throw new Error('as it was told to');
          case 'reject':
            return Promise.reject(new Error('as it was told to'));
          case 'close':
            return void connection.close(4000, 'as it was told to');
          case 'flood':
            return flood(connection);
          case 'late':
            return new Promise((resolve) => setTimeout(resolve, 20)).then(
              () => void send(connection, message),
            );
          default:
            return void send(connection, message);
        }
      },
      onClose(_connection, { code }) {
        counts.closed++;
        count(closes, code);
      },
    },
  },
});
server.errors$.subscribe(({ error }) => count(errors, error.limit ?? error.code ?? error.name));

const asked = {
  async figures() {
    for (let i = 0; i < 4; i++) {
      collectGarbage();
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    const { rss, heapUsed, external } = process.memoryUsage();
    const sockets = process.getActiveResourcesInfo().filter((kind) => kind === 'TCPSocketWrap').length;
    const heap = heapUsed + external;
    return {
      rss,
      heap,
      sockets,
      alive,
      subscriptions,
      counts,
      closes,
      errors,
      unhandled,
      stats: server.stats(),
    };
  },
  glance() {
    const { rss, heapUsed } = process.memoryUsage();
    return { rss, heap: heapUsed, counts, stats: server.stats() };
  },
  stop: () => server.stop(),
};
await server.start();
process.on('message', async ({ id, what }) => process.send({ id, answer: (await asked[what]()) ?? null }));
process.on('disconnect', () => process.exit());
process.send({ port: server.address().port });
