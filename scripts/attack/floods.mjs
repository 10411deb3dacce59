// Floods: many peers that send tiny things as fast as they can. None of them breaks a rule or passes a limit, so all are
// served; what must hold is that a healthy client beside them waits for its echo no longer than it should.

import { connect } from 'node:net';
import { frame, head, many, OPCODE, sleep } from './peer.mjs';

const BLOCK_FRAMES = 10_000;
const FULL_MS = 3000;
const LEAST_MS = 400;
const END_OF_HEAD = '\r\n\r\n';
const repeat = (bytes, count) => Buffer.concat(Array(count).fill(bytes));

/**
 * The kinds. Each peer calls `path`, sends `first` once and then `block` without end. `reads` says whether it reads the
 * replies, and `framesEach` how many frames the handler hears of as one.
 */
const kinds = {
  Pings: { path: '/pinged', block: repeat(frame(OPCODE.ping), BLOCK_FRAMES) },
  'one-byte texts': {
    path: '/sink',
    block: repeat(frame(OPCODE.text, 'x'), BLOCK_FRAMES),
  },
  'two-frame messages': {
    path: '/sink',
    block: repeat(
      Buffer.concat([frame(OPCODE.text, 'x', { fin: false }), frame(OPCODE.continuation, 'y')]),
      BLOCK_FRAMES / 2,
    ),
    framesEach: 2,
  },
  'one-byte fragments': {
    path: '/fragments',
    first: frame(OPCODE.text, 'x', { fin: false }),
    block: repeat(frame(OPCODE.continuation, 'x', { fin: false }), BLOCK_FRAMES),
    options: { maxFragments: 2 ** 30 },
  },
  echoes: {
    path: '/flooded',
    block: repeat(frame(OPCODE.text, 'x'), BLOCK_FRAMES),
    reads: true,
  },
};

/** What a healthy client may have to wait beside so many, in milliseconds: 99 of 100 echoes are quicker. */
const limits = [
  [50, 50],
  [200, 100],
];

function call(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1' }, () => resolve(socket));
    socket.once('error', reject);
  });
}

/** A bare socket that has sent a head and got an answer; a `ClientPeer` would cost more than the server's work. */
async function shakeHands(port, path) {
  const socket = await call(port);
  socket.write(head(path));
  await new Promise((resolve, reject) => {
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1');
      if (answer.includes(END_OF_HEAD)) resolve();
    });
    socket.once('close', () => reject(new Error(`no answer: ${answer}`)));
  });
  return socket.removeAllListeners('data');
}

/** Writes `block` whenever the kernel takes more. */
function flood(socket, block) {
  const more = () => {
    while (socket.write(block));
  };
  socket.on('drain', more).on('error', () => {});
  more();
}

async function floodFrames(kind, count, { port, size, ask }) {
  const sockets = [];
  let lost = 0;
  await many(count, 50, async () => sockets.push((await shakeHands(port, kind.path)).pause()));
  for (const socket of sockets) {
    socket.once('close', () => lost++);
    if (kind.reads) socket.resume();
    if (kind.first !== undefined) socket.write(kind.first);
    flood(socket, kind.block);
  }
  const perSecond = await throughput(ask, ({ frames }) => frames, size);
  const stillThere = count - lost;
  // The kernel holds megabytes for each, which would be read to the end.
  await ask('terminate', [kind.path]);
  for (const socket of sockets) socket.destroy();
  const frames = Math.round(perSecond * (kind.framesEach ?? 1));
  return [
    [`${frames.toLocaleString('en')} frames a second of all peers together`, frames > 0],
    [`${stillThere} of ${count} peers were served to the end`, stillThere === count],
  ];
}

/** `count` peers, each of which shakes hands, hangs up and calls anew, without end. */
async function floodHandshakes(count, { port, size, ask }) {
  let over = false;
  const lane = async () => {
    while (!over) (await shakeHands(port, '/decides')).resetAndDestroy();
  };
  const lanes = Promise.all(Array.from({ length: count }, lane));
  const opened = Math.round(await throughput(ask, ({ stats }) => stats.opened, size));
  over = true;
  await lanes;
  await ask('terminate', ['/decides']);
  return [[`${opened.toLocaleString('en')} handshakes a second of all peers together`, opened > 0]];
}

/** How much more a figure of what the server heard becomes in a second. */
async function throughput(ask, pick, size) {
  const first = pick(await ask('heard'));
  const began = performance.now();
  await sleep(Math.max(LEAST_MS, FULL_MS * size));
  const grown = pick(await ask('heard')) - first;
  return (grown / (performance.now() - began)) * 1000;
}

/** An attack for each kind and number. */
export const floods = Object.fromEntries(
  limits.flatMap(([count, p99]) => [
    ...Object.entries(kinds).map(([name, kind]) => [
      `a flood of ${name}, ${count} peers`,
      { options: kind.options, p99, run: (how) => floodFrames(kind, count, how) },
    ]),
    [`a flood of handshakes, ${count} peers`, { p99, run: (how) => floodHandshakes(count, how) }],
  ]),
);
