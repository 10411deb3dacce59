// The rows of the benchmark: what is sent, what is read off, and what Portal must reach. A row says
//   load       the generator's options (see load/loadgen.c), or measure(): several loads made into one result
//   columns    what is printed; the first one is compared. `better` says which way. A column's role is known to report.mjs
//   targets    [peer, ratio]: Portal's value over the peer's, at least (or at most) so much; peer 'self' compares with a limit.
//              [peer, ratio, name]: the value of that column in place of Portal's
//   env        what the servers are told by their environment: BENCH_PLACE (where to listen), BENCH_DEFLATE (how to compress);
//              envs: the same for a server of its own name
//   also       further columns: name -> [server, env]
//   without    servers that cannot do this work, and why
import { mostConnections } from './lib/processes.mjs';

const idleConnections = Math.min(10_000, Math.floor((mostConnections() * 2) / 3));

const throughput = [
  { title: 'messages/s', pick: (r) => r.messagesPerSecond },
  { title: 'CPU µs/message', pick: (r) => r.cpuMicros, role: 'cpu' },
  { title: 'server core', pick: (r) => r.serverShare, role: 'server share' },
  { title: 'generator core', pick: (r) => r.generatorShare, role: 'generator share' },
];
const renamed = (first, second) => {
  const [count, cpu, ...shares] = throughput;
  return [{ ...count, title: first }, { ...cpu, title: second }, ...shares];
};

const noFragments = { net: 'decodes no frames', c: 'assembles no messages' };

const echo = (id, title, load, targets = [], more = {}) => ({
  id,
  title: `echo ${title}, ${load.conns} connections, ${load.inflight} in flight, ${load.text ? 'text' : 'binary'}`,
  load: { mode: 'closed', ...load },
  columns: throughput,
  better: 'higher',
  targets,
  ...more,
});

/** Section 6 of the design: these have targets, and --quick runs only these. */
const promised = [
  echo('echo-64', '64 B', { payload: 64, conns: 100, inflight: 1 }, [
    ['ws', 1.2],
    ['net', 1.0],
  ]),
  echo('echo-64-deep', '64 B', { payload: 64, conns: 50, inflight: 100 }, [
    ['ws', 30],
    ['uws', 2],
    ['bun', 1.0],
  ]),
  echo('echo-1k', '1 KiB', { payload: 1024, conns: 20, inflight: 16 }, [
    ['ws', 6],
    ['uws', 0.9],
  ]),
  echo('echo-64k', '64 KiB', { payload: 65536, conns: 10, inflight: 1 }, [
    ['ws', 1.5],
    ['bun', 1.2],
  ]),
  {
    id: 'broadcast',
    title: 'one message of 64 B to 1,000 connections, binary',
    load: { mode: 'broadcast', path: '/broadcast', payload: 64, conns: 1000, inflight: 1 },
    columns: renamed('deliveries/s', 'CPU µs/delivery'),
    better: 'higher',
    targets: [['ws', 3]],
  },
  {
    id: 'idle-memory',
    title: `resident memory per idle connection at ${idleConnections.toLocaleString('en')}`,
    load: { mode: 'idle', conns: idleConnections, payload: 64 },
    columns: [
      { title: 'bytes/connection', pick: (r) => r.bytesPerConnection },
      { title: 'bytes per further one', pick: (r) => r.bytesPerFurther },
      { title: 'server MiB before', pick: (r) => r.rssBefore / 2 ** 20 },
      { title: 'server MiB after', pick: (r) => r.rssAfter / 2 ** 20 },
    ],
    better: 'lower',
    targets: [['ws', 0.9]],
    maxRounds: 3,
  },
  {
    id: 'accept-close',
    title: `accept + close at ${idleConnections.toLocaleString('en')} open, against 100 open`,
    async measure({ run }) {
      const few = await run({ mode: 'curve', conns: 100 });
      const many = await run({ mode: 'curve', conns: idleConnections });
      return {
        few: few.acceptCloseMicros,
        many: many.acceptCloseMicros,
        growth: many.acceptCloseMicros / few.acceptCloseMicros,
      };
    },
    columns: [
      { title: 'times the cost', pick: (r) => r.growth },
      { title: 'CPU µs at 100', pick: (r) => r.few },
      { title: `CPU µs at ${idleConnections.toLocaleString('en')}`, pick: (r) => r.many },
    ],
    better: 'lower',
    targets: [['self', 1.2]],
    maxRounds: 3,
    quickServers: ['portal'],
  },
];

const further = [
  echo('echo-16-deep', '16 B', { payload: 16, conns: 50, inflight: 100 }),
  echo('text-64-deep', '64 B (ASCII)', { payload: 64, conns: 50, inflight: 100, text: 1 }),
  echo('text-1k', '1 KiB (ASCII)', { payload: 1024, conns: 20, inflight: 16, text: 1 }),
  echo('text-1k-mixed', '1 KiB (UTF-8 of one to four bytes)', {
    payload: 1024,
    conns: 20,
    inflight: 16,
    text: 2,
  }),
  echo(
    'fragments',
    'messages of 4 fragments of 1 KiB',
    { payload: 1024, fragments: 4, conns: 20, inflight: 4 },
    [],
    { without: noFragments },
  ),
  echo('echo-1m', '1 MiB', { payload: 1_048_576, conns: 4, inflight: 1 }),
  {
    id: 'handshakes',
    title: 'handshakes: connect, upgrade, hang up; 64 at a time',
    load: { mode: 'handshakes', conns: 64 },
    columns: renamed('handshakes/s', 'CPU µs/handshake'),
    better: 'higher',
  },
  {
    id: 'churn',
    title: 'churn: connect, upgrade, one message of 64 B, closing handshake; 64 at a time, binary',
    load: { mode: 'churn', conns: 64, payload: 64 },
    columns: renamed('connections/s', 'CPU µs/connection'),
    better: 'higher',
  },
  {
    id: 'latency',
    title: 'latency of 64 B at a fixed rate, 100 connections, binary',
    async measure({ run, halfOfSlowest }) {
      return run({ mode: 'open', conns: 100, payload: 64, rate: await halfOfSlowest() });
    },
    columns: [
      { title: 'p99 µs', pick: (r) => r.p99 },
      { title: 'p50 µs', pick: (r) => r.p50 },
      { title: 'p99.9 µs', pick: (r) => r.p999 },
      { title: 'CPU µs/message', pick: (r) => r.cpuMicros },
      { title: 'messages/s', pick: (r) => r.rate },
    ],
    better: 'lower',
  },
  {
    id: 'slow-reader',
    title: 'one message of 4 KiB to 1,000 connections, one of which never reads, binary',
    load: { mode: 'broadcast', path: '/broadcast', payload: 4096, conns: 1000, inflight: 1, slow: 1 },
    columns: [
      ...renamed('deliveries/s', 'CPU µs/delivery'),
      { title: 'server grew by MiB', pick: (r) => r.rssGrowth / 2 ** 20 },
    ],
    better: 'higher',
  },
];

/** Where a server listens, beside a port of its own: who can, and which generator speaks it. */
const noFloor = { net: 'has a port only', c: 'has a port only' };
const noHttp = { uws: 'has no HTTP server of Node’s', bun: 'has no HTTP server of Node’s' };
const ownPort = { 'own port': ['portal', { BENCH_PLACE: 'port' }] };
const wires = [
  {
    place: 'http',
    title: 'attached to node:http',
    without: noHttp,
    also: ownPort,
    targets: [['own port', 1.0]],
  },
  { place: 'unix', title: 'on a Unix socket', also: ownPort },
  { place: 'tls', title: 'TLS of its own (ws: on https)', carrier: 'tls', targets: [['ws', 1.2]] },
  { place: 'https', title: 'attached to node:https', carrier: 'tls', without: noHttp },
  {
    place: 'http2',
    title: 'attached to node:http2, all connections in one session',
    carrier: 'http2',
    without: { ...noHttp, ws: 'does not speak RFC 8441' },
  },
];
const idleOnWires = Math.min(1000, idleConnections);

const onWires = wires.flatMap(({ place, title, carrier, without, also, targets = [] }) => {
  const by = carrier === undefined ? {} : { carrier };
  const generator = carrier === undefined ? '' : ' (generator in Node)';
  const common = { env: { BENCH_PLACE: place }, without: { ...noFloor, ...without }, ...(also && { also }) };
  const suffix = `, ${title}${generator}`;
  const speed = [
    echo(`${place}-64`, `64 B`, { payload: 64, conns: 100, inflight: 1, ...by }, targets, common),
    echo(`${place}-1k`, `1 KiB`, { payload: 1024, conns: 20, inflight: 16, ...by }, targets, common),
  ];
  const memory = {
    ...promised.find(({ id }) => id === 'idle-memory'),
    id: `${place}-memory`,
    title: `resident memory per idle connection at ${idleOnWires.toLocaleString('en')}`,
    load: { mode: 'idle', conns: idleOnWires, payload: 64, ...by },
    targets: [],
    ...common,
  };
  return [...speed, memory].map((row) => ({ ...row, title: `${row.title}${suffix}` }));
});

/** What ws needs for a handshake is compared on the HTTP server that both are attached to. */
const attachedHandshakes = {
  ...further.find(({ id }) => id === 'handshakes'),
  id: 'http-handshakes',
  title: 'handshakes: connect, upgrade, hang up; 64 at a time, attached to node:http',
  env: { BENCH_PLACE: 'http' },
  without: { ...noFloor, ...noHttp },
  targets: [['ws', 0.77]],
};

/** Compressed: the mode that is each server's own first choice, and beside it another one. */
const compressing = {
  envs: {
    portal: { BENCH_DEFLATE: 'shared' },
    ws: { BENCH_DEFLATE: 'default' },
    uws: { BENCH_DEFLATE: 'shared' },
    bun: { BENCH_DEFLATE: 'shared' },
  },
  also: {
    'portal contexts': ['portal', { BENCH_DEFLATE: 'contexts' }],
    'ws level 1': ['ws', { BENCH_DEFLATE: 'level 1' }],
    'uws dedicated': ['uws', { BENCH_DEFLATE: 'dedicated' }],
    'bun 32KB': ['bun', { BENCH_DEFLATE: '32KB' }],
  },
  without: { net: 'compresses nothing', c: 'compresses nothing' },
};

/** What a connection costs that has had eight messages answered; measured once for each size and server. */
const greeted = { mode: 'idle', conns: 400, greetings: 8 };
const costs = new Map();
async function costOf(name, texts, run) {
  const key = `${name} ${texts}`;
  if (!costs.has(key)) costs.set(key, (await run({ ...greeted, texts })).bytesPerFurther);
  return costs.get(key);
}

/** So few messages a second that the servers' code needs longer to be compiled. */
const COMPRESSED_WARMUP = 1;

const compressed = (size, texts, conns, inflight) => ({
  id: `deflate-${size}${inflight > 1 ? '-deep' : ''}`,
  title: `compressed echo of ${texts.toLocaleString('en')} B of JSON, ${conns} connections, ${inflight} in flight, text`,
  async measure({ run, name }) {
    const result = await run({ mode: 'closed', conns, inflight, texts, warmup: COMPRESSED_WARMUP });
    return { ...result, cost: await costOf(name, texts, run) };
  },
  columns: [
    ...throughput.slice(0, 2),
    { title: 'bytes on the wire', pick: (r) => r.replyBytes },
    { title: 'KiB/connection', pick: (r) => r.cost / 1024 },
    ...throughput.slice(2),
  ],
  better: 'higher',
  targets: [['ws', 3], ['ws', 3, 'portal contexts'], ...(texts >= 1024 ? [['uws', 1.0]] : [])],
  ...compressing,
});

const compressedRows = [
  ['64', 64, 100],
  ['1k', 1024, 50],
  ['16k', 16_384, 20],
].flatMap(([size, texts, conns]) => [
  compressed(size, texts, conns, 1),
  compressed(size, texts, Math.min(conns, 50), size === '16k' ? 4 : 16),
]);

for (const row of promised) row.quick = true;
export const rows = [...promised, ...further, ...onWires, attachedHandshakes, ...compressedRows];
