// What topics cost as they become more: memory for each membership, and the time of joining, publishing and leaving. Each
// row has ten times the topics of the one before; where a figure grows with them, something is not O(1).
//
//   npm run topics-curve [-- connections]
//
// The connections are in memory, so that no figure has the cost of sockets in it; they are opened before anything is measured.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { createServer } from 'portal-ws';
import { testServer } from 'portal-ws/testing';

/** Topics that each connection joins, and that each is the only one of: so there are ten times as many topics. */
const TOPICS_EACH = 10;
const BUSY_MEMBERS = 1_000;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');

const heap = async () => {
  for (let round = 0; round < 3; round += 1) {
    await new Promise((resolve) => setImmediate(resolve));
    gc();
  }
  return process.memoryUsage().heapUsed;
};

/** Nanoseconds of one of `count` calls. */
function timed(count, work) {
  const begun = process.hrtime.bigint();
  for (let n = 0; n < count; n += 1) work(n);
  return Number(process.hrtime.bigint() - begun) / count;
}

const ns = (value) => `${Math.round(value).toLocaleString('en')} ns`;

async function row(connections) {
  const opened = [];
  const served = await testServer((parts) => {
    const server = createServer({ ...parts, maxConnections: connections + 1 });
    server.path('/', { onOpen: (connection) => opened.push(connection), onMessage() {} });
    return server;
  });
  const { server } = served;
  const clients = [];
  for (let n = 0; n < connections; n += 1) clients.push(await served.connect('/'));
  const count = connections * TOPICS_EACH;
  const names = Array.from({ length: count }, (_, n) => `room.${n}`);
  const before = await heap();

  const join = timed(count, (n) => opened[n % connections].join(names[n]));
  const bytes = (await heap()) - before;
  // In an order in which no topic follows its neighbour; the frames leave when the loop has ended.
  const publish = timed(count, (n) =>
    server.topic(names[(n * 7919) % count]).publish('a message of some length'),
  );
  await served.advance(0);
  const empty = timed(count, (n) => server.topic(`empty.${n % 100}`).publish('a message of some length'));
  const leave = timed(count, (n) => opened[n % connections].leave(names[n]));
  for (const { received } of clients) received.length = 0; // what the clients keep is not the topics'
  const left = (await heap()) - before;

  const members = Math.min(BUSY_MEMBERS, connections);
  for (let n = 0; n < members; n += 1) opened[n].join('busy');
  const topic = server.topic('busy');
  const busy = timed(100, () => topic.publish('a message of some length')) / members;
  await served.advance(0);
  await served.stop();
  return {
    topics: count,
    connections,
    'bytes a membership': Math.round(bytes / count),
    'bytes left after all left': Math.max(0, left),
    join: ns(join),
    'publish to 1': ns(publish),
    'publish to nobody': ns(empty),
    leave: ns(leave),
    'each of many members': ns(busy),
  };
}

const most = Number(process.argv[2] ?? 10_000);
await row(100); // so that the code is warm
const rows = [];
for (const connections of [most / 100, most / 10, most])
  rows.push(await row(Math.max(1, Math.round(connections))));
console.table(rows);
