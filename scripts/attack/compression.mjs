// What hostile peers can do with compression: little that becomes much, and contexts that are never of use.

import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { constants, deflateRawSync } from 'node:zlib';
import { zlibOfThisRuntime } from '../../dist/io/extensions/choose-zlib.js';
import { frame, head, many, OPCODE } from './peer.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
const LIMIT_MS = 60_000;
const RSV1 = 4;
const END_OF_HEAD = '\r\n\r\n';
const OFFER = 'Sec-WebSocket-Extensions: permessage-deflate';
const TAIL = Buffer.of(0, 0, 0xff, 0xff);
const scaled = (full, size, least = 1) => Math.max(least, Math.round(full * size));
const all = (peers, holds) => peers.every(holds);

/** Compressed by itself, with a whole block at its end, so that more may follow. */
const deflated = (payload) => deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH });
/** The same as the payload of a message (RFC 7692 7.2.1). */
const compressed = (payload) => deflated(payload).subarray(0, -TAIL.length);
const message = (opcode, payload) => frame(opcode, compressed(payload), { rsv: RSV1 });

/** A part of a bomb: 16 MiB of zeros in 16 KB. */
const part = deflated(Buffer.alloc(16 * MIB));
/** 1 GiB in less than 1 MiB. */
const gibibyte = frame(OPCODE.binary, Buffer.concat([...Array(64).fill(part), TAIL]).subarray(0, -4), {
  rsv: RSV1,
});

/** A peer on a bare socket that has agreed on compression; it reads frames, and inflates those that it is to keep. */
class CompressedPeer {
  replies = 0;
  compressed = 0;
  /** The last message that was inflated. */
  last = Buffer.alloc(0);
  closeCode;
  isOver = false;
  #socket;
  #rest = Buffer.alloc(0);
  #inflater;
  #wake = () => {};

  static async open(port, path, inflates = false) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true }).on('error', () => {});
    const answer = new Promise((resolve, reject) => {
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk.toString('latin1');
        if (text.includes(END_OF_HEAD)) resolve(text);
      });
      socket.once('close', () => reject(new Error(`no answer: ${text}`)));
    });
    socket.write(head(path).replace(END_OF_HEAD, `\r\n${OFFER}${END_OF_HEAD}`));
    if (!(await answer).includes('permessage-deflate')) throw new Error('compression was not agreed on');
    return new CompressedPeer(socket.removeAllListeners('data'), inflates);
  }

  constructor(socket, inflates) {
    this.#socket = socket;
    if (inflates) this.#inflater = zlibOfThisRuntime().inflater(15);
    socket.on('data', (chunk) => this.#read(chunk));
    socket.once('close', () => {
      this.isOver = true;
      this.#inflater?.close();
      this.#wake();
    });
  }

  write(bytes) {
    this.#socket.write(bytes);
  }
  destroy() {
    this.#socket.destroy();
  }
  reset() {
    this.#socket.resetAndDestroy();
  }

  /** Resolves when `holds` does, asked again after everything that comes, or when the connection is over. */
  async until(holds) {
    const limit = setTimeout(() => this.destroy(), LIMIT_MS);
    while (!holds() && !this.isOver) await new Promise((resolve) => (this.#wake = resolve));
    clearTimeout(limit);
  }

  over() {
    return this.until(() => false);
  }

  #read(chunk) {
    let rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (let bytes = frameBytes(rest); bytes <= rest.length; bytes = frameBytes(rest)) {
      this.#take(rest[0], rest.subarray(bytes - payloadBytes(rest), bytes));
      rest = rest.subarray(bytes);
    }
    this.#rest = rest;
    this.#wake();
  }

  /** The frames of the server are whole messages here. */
  #take(first, payload) {
    const opcode = first & 0xf;
    if (opcode === OPCODE.close) this.closeCode = payload.readUInt16BE(0);
    if (opcode > OPCODE.binary) return;
    this.replies++;
    const isCompressed = (first & 0x40) !== 0;
    if (isCompressed) this.compressed++;
    if (this.#inflater) this.last = isCompressed ? this.#inflate(payload) : payload;
  }

  #inflate(payload) {
    const out = Buffer.alloc(64 * KIB);
    let [used, bytes] = [0, 0];
    this.#inflater.push(payload, true);
    do {
      bytes = this.#inflater.inflate(out.subarray(used));
      used += bytes;
    } while (bytes > 0);
    if (bytes < 0) throw new Error('what came is not deflate data');
    return out.subarray(0, used);
  }
}

/** Of a frame of a server of up to 64 KiB; Infinity while its head is not there. */
const payloadBytes = (bytes) => (bytes[1] < 126 ? bytes[1] : bytes.readUInt16BE(2));
function frameBytes(bytes) {
  const headBytes = bytes[1] < 126 ? 2 : 4;
  return bytes.length < headBytes ? Number.POSITIVE_INFINITY : headBytes + payloadBytes(bytes);
}

/** `count` peers that have agreed on compression. Who comes late must not find the early ones done, so all wait for all. */
async function callMany(port, count, path, inflates) {
  const peers = [];
  await many(count, 100, async () => peers.push(await CompressedPeer.open(port, path, inflates)));
  return peers;
}
const overAll = (peers) => Promise.all(peers.map((peer) => peer.over()));

async function bombs(peers, bytes) {
  const began = performance.now();
  for (const peer of peers) peer.write(bytes);
  await overAll(peers);
  return performance.now() - began;
}
const mib = (bytes) => Math.round(bytes / MIB);
const heapWithin = ({ peak }, most) => [
  `a heap of ${mib(peak.heap)} MiB at most, ${mib(peak.held)} MiB of it counted`,
  peak.heap < most,
];

/** Orders as JSON, no two alike. */
const order = (i, k) =>
  JSON.stringify({
    orders: Array.from({ length: 12 }, (_, n) => ({
      id: i * 7919 + k * 104_729 + n,
      item: `item ${n}`,
      price: (i + k * n) / 100,
    })),
  });
/** Bytes that nothing compresses. */
const noise = (i, k) =>
  Buffer.concat(Array.from({ length: 16 }, (_, n) => createHash('sha512').update(`${i} ${k} ${n}`).digest()));

export const compression = {
  'a bomb of 1 GiB in 1 MB': {
    p99: 50,
    options: { perMessageDeflate: true },
    async run({ port, size, ask }) {
      const rounds = scaled(20, size, 2);
      const closeCodes = new Set();
      let slowest = 0;
      for (let i = 0; i < rounds; i++) {
        const [peer] = await callMany(port, 1);
        slowest = Math.max(slowest, await bombs([peer], gibibyte));
        closeCodes.add(peer.closeCode);
      }
      return [
        [`${rounds} bombs: each 1009 in ${Math.ceil(slowest)} ms at most`, [...closeCodes].join() === '1009'],
        heapWithin(await ask('heard'), 64 * MIB),
      ];
    },
  },

  'a thousand bombs at once': {
    options: { perMessageDeflate: true },
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(1000, size, 20));
      const took = await bombs(peers, gibibyte);
      return [
        [
          `${peers.length} bombs: each 1009, all in ${Math.ceil(took)} ms`,
          all(peers, ({ closeCode }) => closeCode === 1009),
        ],
        // What they have sent and waits for its turn is within memoryBudget.
        heapWithin(await ask('heard'), 256 * MIB),
      ];
    },
  },

  'bombs in fragments': {
    p99: 100,
    options: { perMessageDeflate: true, cap: 512 * MIB },
    async run({ port, size, ask }) {
      const count = scaled(50, size, 4);
      const peers = [...(await callMany(port, count)), ...(await callMany(port, count, '/fragments'))];
      const pieces = Array.from({ length: 32 }, (_, i) =>
        i === 0
          ? frame(OPCODE.binary, part, { fin: false, rsv: RSV1 })
          : frame(OPCODE.continuation, part, { fin: false }),
      );
      await bombs(peers, Buffer.concat(pieces));
      return [
        [
          'each failed with 1009 (maxInflation), assembled or not',
          all(peers, ({ closeCode }) => closeCode === 1009),
        ],
        heapWithin(await ask('heard'), 256 * MIB),
      ];
    },
    errors: (size) => ({ maxInflation: 2 * scaled(50, size, 4) }),
  },

  'bombs that are never finished': {
    options: { perMessageDeflate: true, memoryBudget: 8 * MIB, messageDeadline: 2000 },
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(400, size, 40));
      // Just within cap: a kilobyte that makes the server hold a thousand.
      const fragment = frame(OPCODE.binary, deflated(Buffer.alloc(1000 * KIB)), { fin: false, rsv: RSV1 });
      await bombs(peers, fragment);
      const codes = peers.map(({ closeCode }) => closeCode);
      const shed = codes.filter((code) => code === 1013).length;
      const late = codes.filter((code) => code === 1008).length;
      const heard = await ask('heard');
      return [
        [`${shed} were shed with 1013 (memoryBudget of 8 MiB)`, shed >= peers.length - 8],
        [`${late} failed with 1008 (messageDeadline)`, shed + late === peers.length],
        heapWithin(heard, 128 * MIB),
        ['the budget was kept', heard.peak.held <= 8 * MIB],
      ];
    },
  },

  'every message misses its context': {
    p99: 100,
    // Nine contexts.
    options: { perMessageDeflate: { mode: 'contexts', contextBudget: MIB } },
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(200, size, 20), '/echo', true);
      const rounds = scaled(100, size, 5);
      let wrong = 0;
      for (let k = 0; k < rounds; k++) {
        await Promise.all(
          peers.map(async (peer, i) => {
            // After what is not compressed, the next message begins anew even where the context is still there.
            const [opcode, payload] =
              (i + k) % 4 === 0 ? [OPCODE.binary, noise(i, k)] : [OPCODE.text, Buffer.from(order(i, k))];
            peer.write(message(opcode, payload));
            await peer.until(() => peer.replies > k);
            if (!peer.last.equals(payload)) wrong++;
          }),
        );
      }
      const { peak } = await ask('heard');
      const compressedReplies = peers.reduce((sum, peer) => sum + peer.compressed, 0);
      for (const peer of peers) peer.destroy();
      return [
        [`of ${peers.length * rounds} messages all came back right`, wrong === 0],
        [`${compressedReplies} of them compressed`, compressedReplies >= (peers.length * rounds) / 2],
        [`contexts and all else held ${Math.round(peak.held / KIB)} KiB at most`, peak.held < 2 * MIB],
      ];
    },
  },

  '10,000 with contexts leave at once': {
    options: { perMessageDeflate: { mode: 'contexts' } },
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(10_000, size, 300));
      await many(peers.length, 200, async (i) => {
        peers[i].write(message(OPCODE.text, order(i, 0)));
        await peers[i].until(() => peers[i].replies === 1);
      });
      const { peak } = await ask('heard');
      const answered = peers.filter((peer) => peer.compressed === 1).length;
      for (const [i, peer] of peers.entries()) {
        if (i % 2 === 0) peer.reset();
        else peer.destroy();
      }
      const left = performance.now();
      await untilNothingIsHeld(ask);
      return [
        [`${answered} of ${peers.length} had a compressed echo, and left at once`, answered === peers.length],
        [`contexts and all else held ${mib(peak.held)} MiB at most, of a budget of 64`, peak.held < 66 * MIB],
        [`none of it ${Math.round(performance.now() - left)} ms after they had left`, true],
      ];
    },
    closes: (size) => ({ 1006: scaled(10_000, size, 300) }),
  },
};

/** The attackers have gone; what is still counted is the healthy client's, which has no context. */
async function untilNothingIsHeld(ask) {
  while ((await ask('heard')).held > 64 * KIB);
}
