// The attacks: what each does, the options its server has, and what must have come of it. `size` scales them: 1 is
// the full form. Each returns what it saw as `[what, holds]` pairs; what the server heard of it is asked afterwards.

import { createHash } from 'node:crypto';
import { compression } from './compression.mjs';
import { floods } from './floods.mjs';
import { holders } from './holders.mjs';
import { closeFrame, frame, head, many, OPCODE, Peer, sleep } from './peer.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
const scaled = (full, size, least = 1) => Math.max(least, Math.round(full * size));
const tally = (peers, what) => {
  const counts = {};
  for (const peer of peers) counts[what(peer)] = (counts[what(peer)] ?? 0) + 1;
  return counts;
};
const all = (peers, holds) => peers.every(holds);
/** `count` peers, shaken hands with. */
async function callMany(port, count, path) {
  const peers = [];
  await many(count, 100, async () => peers.push(await Peer.open(port, path)));
  return peers;
}
const overAll = (peers) => Promise.all(peers.map((peer) => peer.over()));
/** Pseudo-random bytes that are the same in every run. */
const noise = (seed, bytes) => {
  const blocks = [];
  for (let i = 0; i * 64 < bytes; i++) blocks.push(createHash('sha512').update(`${seed} ${i}`).digest());
  return Buffer.concat(blocks).subarray(0, bytes);
};

export const attacks = {
  'slow handshakes by the thousand': {
    options: { handshakeDeadline: 3000, maxHandshakes: 'half' },
    async run({ port, half }) {
      const peers = [];
      await many(half * 2, 200, async () => {
        const peer = await Peer.connect(port);
        peers.push(peer);
        await peer.write('GET /echo HTTP/1.1\r\nHost: localhost\r\n');
      });
      await overAll(peers);
      // One that is crowded out before its first bytes are read has asked for nothing, and gets no answer.
      const counts = tally(peers, ({ status }) => status ?? 'none');
      const { 503: crowdedOut = 0, 408: late = 0, none: unheard = 0 } = counts;
      return [
        [`${crowdedOut} of ${peers.length} were crowded out with 503`, crowdedOut > 0],
        [`${unheard} were crowded out before they had asked`, crowdedOut + unheard <= half * 1.1],
        [`${late} ran into the deadline, 408`, late >= half * 0.9],
        ['no other answer was given', crowdedOut + unheard + late === peers.length],
      ];
    },
    half: (size) => scaled(2500, size, 20),
  },

  'a head dripped byte by byte': {
    options: { handshakeDeadline: 1500 },
    async run({ port, size }) {
      const drip = async (text, ms, step) => {
        const peer = await Peer.connect(port);
        for (let at = 0; at < text.length; at += step) {
          if (peer.end !== undefined || peer.status !== undefined) break;
          await peer.write(text.slice(at, at + step));
          if (ms > 0) await sleep(ms);
        }
        await peer.until('an answer', () => peer.status !== undefined || peer.end !== undefined);
        const { status } = peer;
        peer.destroy();
        return status;
      };
      const count = scaled(200, size, 5);
      const statuses = async (text, ms, step = 1) => [
        ...new Set(await Promise.all(Array.from({ length: count }, () => drip(text, ms, step)))),
      ];
      const endless = await statuses(`GET /echo HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(1000)}`, 50);
      const quick = await statuses(head(), 0);
      const long = await statuses(
        `GET /echo HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(16 * 1024)}`,
        0,
        100,
      );
      return [
        ['too slow: 408', String(endless) === '408'],
        ['in time: 101', String(quick) === '101'],
        ['too long: 431', String(long) === '431'],
      ];
    },
  },

  'one-byte chunks': {
    async run({ port, size }) {
      const peers = await callMany(port, scaled(50, size, 4));
      const text = 'Grüße, ☃ und 𝄞! '.repeat(8);
      await Promise.all(
        peers.map(async (peer) => {
          peer.keeps = true;
          const sent = Buffer.concat([
            frame(OPCODE.text, text, { fin: false }),
            frame(OPCODE.continuation, text),
            closeFrame(1000),
          ]);
          for (const byte of sent) await peer.write(Buffer.of(byte));
          await peer.over();
          peer.fin();
        }),
      );
      return [
        [
          'every message came back whole',
          all(peers, ({ texts }) => texts.length === 1 && texts[0] === text + text),
        ],
        ['every Close was answered', all(peers, ({ closeCode }) => closeCode === 1000)],
      ];
    },
  },

  'a million empty fragments': {
    async run({ port, size }) {
      const peers = await callMany(port, 4);
      const piece = Buffer.concat(Array(1000).fill(frame(OPCODE.continuation, '', { fin: false })));
      await Promise.all(
        peers.map(async (peer) => {
          await peer.write(frame(OPCODE.text, '', { fin: false }));
          for (let i = 0; i < scaled(250, size, 17) && peer.end === undefined; i++) await peer.write(piece);
          await peer.over();
        }),
      );
      return [['each failed with 1008 (maxFragments)', all(peers, ({ closeCode }) => closeCode === 1008)]];
    },
    errors: () => ({ maxFragments: 4 }),
  },

  'a million one-byte fragments that are allowed': {
    options: { maxFragments: 2_000_000 },
    async run({ port, size }) {
      const [peer] = await callMany(port, 1);
      peer.keeps = true;
      const thousands = scaled(1000, size, 20);
      const piece = Buffer.concat(Array(1000).fill(frame(OPCODE.continuation, 'x', { fin: false })));
      await peer.write(frame(OPCODE.text, '', { fin: false }));
      for (let i = 0; i < thousands; i++) await peer.write(piece);
      await peer.write(frame(OPCODE.continuation));
      await peer.until('the echo', () => peer.texts.length > 0 || peer.end !== undefined);
      return [
        [
          `a message of ${thousands},000 fragments came back whole`,
          peer.texts[0] === 'x'.repeat(thousands * 1000),
        ],
      ];
    },
  },

  'fragments never finished': {
    options: { memoryBudget: 8 * MIB, messageDeadline: 2000 },
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(400, size, 60));
      const fragment = frame(OPCODE.binary, Buffer.alloc(200 * KIB), { fin: false });
      await Promise.all(peers.map((peer) => peer.write(fragment)));
      await overAll(peers);
      const { 1013: shed = 0, 1008: late = 0 } = tally(peers, ({ closeCode }) => closeCode);
      const { peak } = await ask('heard');
      return [
        [`${shed} were shed with 1013 (memoryBudget of 8 MiB)`, shed >= peers.length - 45],
        [`${late} failed with 1008 (messageDeadline)`, shed + late === peers.length && late > 0],
        [
          `a heap of ${Math.round(peak.heap / MIB)} MiB at most, for ${Math.round((peers.length * 200) / KIB)} MiB sent`,
          peak.heap < 80 * MIB,
        ],
      ];
    },
  },

  'a length of 2^63-1': {
    async run({ port, size }) {
      const count = scaled(500, size, 10);
      const [huge, invalid] = [[], []];
      for (const [peers, length] of [
        [huge, 2n ** 63n - 1n],
        [invalid, 2n ** 63n],
      ]) {
        peers.push(...(await callMany(port, count)));
        for (const peer of peers) peer.write(frame(OPCODE.binary, 'x', { length }));
        await overAll(peers);
      }
      return [
        ['2^63-1: 1009 (cap), nothing allocated', all(huge, ({ closeCode }) => closeCode === 1009)],
        ['2^63: 1002', all(invalid, ({ closeCode }) => closeCode === 1002)],
      ];
    },
  },

  'ping flood, replies read': {
    async run({ port, size }) {
      const [peer] = await callMany(port, 1);
      const count = scaled(500, size, 10) * 1000;
      for (let i = 0; i < count; i += 1000) {
        const pings = Array.from({ length: 1000 }, (_, k) => frame(OPCODE.ping, `${i + k}`));
        await peer.write(Buffer.concat(pings));
      }
      await peer.until('the last Pong', () => peer.lastPong === `${count - 1}` || peer.end !== undefined);
      // A Pong may be left out for a newer one where the socket was full (5.5.3); never the newest.
      return [
        [`of ${count} Pings ${peer.pongs} were answered, the last one too`, peer.lastPong === `${count - 1}`],
        ['the connection lives', peer.end === undefined],
      ];
    },
  },

  'ping flood, replies unread': {
    async run({ port, size, ask }) {
      const peers = await callMany(port, 4);
      const count = scaled(100, size, 60) * 1000;
      const pings = Buffer.concat(Array(1000).fill(frame(OPCODE.ping, 'x'.repeat(125))));
      for (const peer of peers) peer.pause();
      await Promise.all(
        peers.map(async (peer) => {
          for (let i = 0; i < count; i += 1000) await peer.write(pings);
          await peer.write(frame(OPCODE.ping, 'the last'));
        }),
      );
      const { stats, peak } = await ask('heard');
      for (const peer of peers) peer.resume();
      await Promise.all(peers.map((peer) => peer.until('a Pong', () => peer.lastPong === 'the last')));
      return [
        [`what waited was bounded: ${stats.buffered} bytes`, stats.buffered < 4 * 256 * KIB],
        [
          `peak of ${Math.round(peak.heap / MIB)} MiB, for ${Math.round((peers.length * count * 131) / MIB)} MiB of Pings`,
          true,
        ],
        ['the newest was answered', true],
      ];
    },
  },

  'ping flood against a rate': {
    options: { maxMessagesPerSecond: 1000 },
    async run({ port, size }) {
      const peers = await callMany(port, scaled(50, size, 5));
      const pings = Buffer.concat(Array(3000).fill(frame(OPCODE.ping)));
      for (const peer of peers) peer.write(pings);
      await overAll(peers);
      return [
        ['each failed with 1008 (maxMessagesPerSecond)', all(peers, ({ closeCode }) => closeCode === 1008)],
      ];
    },
  },

  'byte flood against a rate': {
    options: { maxBytesPerSecond: 100_000 },
    async run({ port, size }) {
      const peers = await callMany(port, scaled(50, size, 5));
      for (const peer of peers) peer.write(frame(OPCODE.binary, Buffer.alloc(300_000)));
      await overAll(peers);
      return [
        ['each failed with 1008 (maxBytesPerSecond)', all(peers, ({ closeCode }) => closeCode === 1008)],
      ];
    },
  },

  'close flood': {
    async run({ port, size }) {
      const peers = await callMany(port, scaled(500, size, 20));
      const closes = Buffer.concat(Array(1000).fill(closeFrame(3000)));
      for (const peer of peers) peer.write(closes);
      await overAll(peers);
      for (const peer of peers) peer.fin();
      return [['each got one Close, its own code', all(peers, ({ closeCode }) => closeCode === 3000)]];
    },
  },

  'half-open closes': {
    options: { closeDeadline: 1000 },
    async run({ port, size }) {
      const count = scaled(300, size, 10);
      const silent = await callMany(port, count);
      const stubborn = await callMany(port, count);
      const deaf = await callMany(port, count, '/closes');
      for (const peer of silent) peer.fin();
      for (const peer of stubborn) peer.write(closeFrame(1000));
      for (const peer of deaf) peer.write(frame(OPCODE.text, 'close, please'));
      await overAll([...silent, ...stubborn, ...deaf]);
      return [
        ['FIN without Close: the server ends', all(silent, ({ end }) => end === 'fin')],
        ['Close without FIN: answered, ended first', all(stubborn, ({ closeCode }) => closeCode === 1000)],
        [
          'no answer to our Close: dropped at closeDeadline',
          all(deaf, ({ closeCode }) => closeCode === 1000),
        ],
      ];
    },
    closes: (size) => ({ 1006: 2 * scaled(300, size, 10), 1000: scaled(300, size, 10) }),
  },

  'a reset at every state': {
    options: { closeDeadline: 1000 },
    async run({ port, size }) {
      const states = {
        'before a byte': async () => Peer.connect(port),
        'within the head': async () => {
          const peer = await Peer.connect(port);
          await peer.write('GET /echo HT');
          return peer;
        },
        'while authorize decides': async () => {
          const peer = await Peer.connect(port);
          await peer.write(head('/undecided'));
          return peer;
        },
        'while it is refused': async () => {
          const peer = await Peer.connect(port);
          await peer.write(head('/nowhere'));
          return peer;
        },
        'behind the head': async () => {
          const peer = await Peer.connect(port);
          await peer.write(head());
          return peer;
        },
        open: () => Peer.open(port),
        'within a frame': async () => {
          const peer = await Peer.open(port);
          await peer.write(frame(OPCODE.binary, Buffer.alloc(50_000)).subarray(0, 20_000));
          return peer;
        },
        'within a message': async () => {
          const peer = await Peer.open(port);
          await peer.write(frame(OPCODE.text, 'x', { fin: false }));
          return peer;
        },
        'with an echo unread': async () => {
          const peer = await Peer.open(port);
          peer.pause();
          await peer.write(frame(OPCODE.binary, Buffer.alloc(500_000)));
          return peer;
        },
        'behind its Close': async () => {
          const peer = await Peer.open(port);
          await peer.write(closeFrame(1000));
          return peer;
        },
        'behind our Close': async () => {
          const peer = await Peer.open(port, '/closes');
          await peer.write(frame(OPCODE.text, 'x'));
          await peer.until('a Close', () => peer.closeCode !== undefined);
          return peer;
        },
        'while it fails': async () => {
          const peer = await Peer.open(port);
          await peer.write(frame(OPCODE.text, 'x', { mask: false }));
          return peer;
        },
      };
      const each = scaled(100, size, 5);
      for (const reach of Object.values(states)) {
        await many(each, 20, async (i) => {
          const peer = await reach();
          // Half of them give the server a moment to get there.
          if (i % 2 === 0) await sleep(2);
          peer.reset();
        });
      }
      return [[`${Object.keys(states).length} states, ${each} resets in each`, true]];
    },
  },

  'connection churn': {
    async run({ port, size }) {
      const count = scaled(10_000, size, 200);
      let echoed = 0;
      await many(count, 50, async (i) => {
        const peer = await Peer.open(port);
        await peer.write(Buffer.concat([frame(OPCODE.text, `${i}`), closeFrame(1000)]));
        await peer.over();
        peer.fin();
        if (peer.textCount === 1 && peer.closeCode === 1000) echoed++;
      });
      return [[`${echoed} of ${count} came, were answered and went`, echoed === count]];
    },
    closes: (size) => ({ 1000: scaled(10_000, size, 200) }),
  },

  'mass disconnect': {
    async run({ port, size }) {
      const peers = await callMany(port, scaled(10_000, size, 300));
      for (const [i, peer] of peers.entries()) {
        if (i % 2 === 0) peer.reset();
        else peer.destroy();
      }
      return [[`${peers.length} left at once`, true]];
    },
    closes: (size) => ({ 1006: scaled(10_000, size, 300) }),
  },

  'a handler that throws on every message': {
    async run({ port, size }) {
      const peers = await callMany(port, scaled(1000, size, 20), '/throws');
      for (const peer of peers) peer.write(Buffer.concat(Array(10).fill(frame(OPCODE.text, 'x'))));
      await overAll(peers);
      const [stays] = await callMany(port, 1, '/goes-on');
      await stays.write(Buffer.concat(Array(scaled(10_000, size, 500)).fill(frame(OPCODE.text, 'x'))));
      await stays.write(frame(OPCODE.ping, 'alive'));
      await stays.until('a Pong', () => stays.lastPong === 'alive' || stays.end !== undefined);
      return [
        ['each failed with 1011', all(peers, ({ closeCode }) => closeCode === 1011)],
        ['where onError says continue, the connection lives', stays.end === undefined],
      ];
    },
    closes: (size) => ({ 1011: scaled(1000, size, 20) }),
  },

  'bytes after Close': {
    async run({ port, size }) {
      const peers = await callMany(port, scaled(100, size, 10));
      const more = Buffer.concat([frame(OPCODE.text, 'too late'), noise('after', 512 * KIB)]);
      for (const peer of peers) peer.write(Buffer.concat([closeFrame(1000), more]));
      await overAll(peers);
      for (const peer of peers) peer.fin();
      return [
        ['the Close was answered', all(peers, ({ closeCode }) => closeCode === 1000)],
        ['nothing behind it was', all(peers, ({ textCount }) => textCount === 0)],
      ];
    },
    closes: (size) => ({ 1000: scaled(100, size, 10) }),
  },

  'garbage after a valid handshake': {
    options: { messageDeadline: 2000, closeDeadline: 1000 },
    async run({ port, size }) {
      const peers = await callMany(port, scaled(1000, size, 40));
      for (const [i, peer] of peers.entries()) {
        // Masked or not, control or data: the first byte says nothing that is allowed.
        const garbage = noise(i, 2000);
        garbage[0] |= 0x70;
        peer.write(garbage);
      }
      await overAll(peers);
      return [['each failed with 1002', all(peers, ({ closeCode }) => closeCode === 1002)]];
    },
    closes: (size) => ({ 1002: scaled(1000, size, 40) }),
  },

  'a slow reader among many': {
    options: { sendLimit: 256 * KIB, overflow: 'close', closeDeadline: 1000 },
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(1000, size, 50), '/feed');
      const [slow, ...others] = peers;
      slow.pause();
      const [times, bytes] = [10, 4 * KIB];
      const rounds = 150;
      for (let i = 1; i <= rounds; i++) {
        await ask('broadcast', { times, bytes });
        await Promise.all(
          others.map((peer) =>
            peer.until('the feed', () => peer.textCount >= i * times || peer.end !== undefined),
          ),
        );
        // What the kernel holds for one reader is some MiB; when the queue is full too, the point is made.
        if ((await ask('heard')).errors.sendLimit > 0) break;
      }
      const { errors, peak } = await ask('heard');
      slow.resume();
      await slow.over();
      return [
        ['the slow one was closed with 1013 (sendLimit)', errors.sendLimit === 1 && slow.closeCode === 1013],
        [`the ${others.length} others got everything`, all(others, ({ end }) => end === undefined)],
        [`peak of ${Math.round(peak.heap / MIB)} MiB`, true],
      ];
    },
  },

  'a stop in batches': {
    stops: true,
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(2000, size, 100));
      const closedAt = [];
      const began = performance.now();
      const watched = peers.map(async (peer) => {
        await peer.until('a Close', () => peer.closeCode !== undefined);
        closedAt.push(performance.now() - began);
        peer.write(closeFrame(1001));
        peer.fin();
      });
      const stopping = ask('stop', { batch: Math.ceil(peers.length / 20), deadline: 10_000 });
      const late = await Peer.connect(port);
      late.write(head());
      await late.over();
      await Promise.all(watched);
      const report = await stopping;
      const spread = Math.max(...closedAt) - Math.min(...closedAt);
      return [
        ['each got 1001', all(peers, ({ closeCode }) => closeCode === 1001)],
        [`over ${Math.round(spread)} ms`, spread > 400],
        ['who came meanwhile got 503', late.status === 503],
        ['none had to be destroyed', report.terminated === 0 && report.connections >= peers.length],
      ];
    },
  },
  ...holders,
  ...compression,
  ...floods,
};
