// Peers that hold something and do not let go, and forgeries at volume: what limits and deadlines are for.

import { frame, head, many, OPCODE, Peer, sleep } from './peer.mjs';

const KIB = 1024;
const MIB = 1024 * KIB;
const scaled = (full, size, least = 1) => Math.max(least, Math.round(full * size));
const all = (peers, holds) => peers.every(holds);
async function callMany(port, count, path) {
  const peers = [];
  await many(count, 100, async () => peers.push(await Peer.open(port, path)));
  return peers;
}

/** A head with further lines. */
const headWith = (lines, path) => head(path).replace('\r\n\r\n', `\r\n${lines.join('\r\n')}\r\n\r\n`);
/** The status of the answer to each of `count` heads, and how often it came. */
async function statuses(port, count, bytes) {
  const counts = {};
  await many(count, 50, async (i) => {
    const peer = await Peer.connect(port);
    await peer.write(bytes(i));
    await peer.until('an answer', () => peer.status !== undefined || peer.end !== undefined);
    counts[peer.status] = (counts[peer.status] ?? 0) + 1;
    peer.destroy();
  });
  return counts;
}

export const holders = {
  'tiny holders beside an honest upload': {
    options: { memoryBudget: 4 * MIB },
    async run({ port, size }) {
      const tiny = await callMany(port, scaled(1500, size, 50), '/sink');
      const unfinished = frame(OPCODE.binary, Buffer.alloc(1000)).subarray(0, 9);
      for (const peer of tiny) peer.write(unfinished);
      const uploads = await callMany(port, scaled(20, size, 3));
      const upload = frame(OPCODE.text, 'x'.repeat(512 * KIB));
      for (const peer of uploads) {
        for (let at = 0; at < upload.length; at += 32 * KIB)
          await peer.write(upload.subarray(at, at + 32 * KIB));
        await peer.until('the echo', () => peer.textCount === 1 || peer.end !== undefined);
      }
      const through = uploads.filter(({ textCount }) => textCount === 1).length;
      return [
        [
          `${through} of ${uploads.length} honest uploads of 512 KiB went through`,
          through === uploads.length,
        ],
      ];
    },
  },

  'a frame that trickles': {
    options: { messageDeadline: 1000 },
    async run({ port, size }) {
      const peers = await callMany(port, scaled(200, size, 5), '/sink');
      const bytes = frame(OPCODE.binary, Buffer.alloc(1000));
      const began = performance.now();
      await Promise.all(
        peers.map(async (peer) => {
          for (let at = 0; peer.end === undefined && peer.closeCode === undefined; at++) {
            await peer.write(bytes.subarray(at, at + 1));
            await sleep(50);
          }
        }),
      );
      const took = Math.round(performance.now() - began);
      return [
        [
          `each failed with 1008 (messageDeadline of 1,000 ms) after ${took} ms`,
          all(peers, ({ closeCode }) => closeCode === 1008),
        ],
      ];
    },
  },

  'peers that leave behind a pending handler': {
    async run({ port, size, ask }) {
      const peers = await callMany(port, scaled(500, size, 10), '/pending');
      for (const peer of peers) peer.write(frame(OPCODE.text, 'work for me'));
      while ((await ask('heard')).begun < peers.length) await sleep(10);
      const began = performance.now();
      for (const [i, peer] of peers.entries()) {
        if (i % 2 === 0) peer.reset();
        else peer.fin();
      }
      while ((await ask('heard')).ended < peers.length && performance.now() - began < 5000) await sleep(10);
      const { ended } = await ask('heard');
      const took = Math.round(performance.now() - began);
      return [
        [
          `${ended} of ${peers.length} handlers were told (signal) within a second: ${took} ms`,
          ended === peers.length && (took < 1000 || size < 1),
        ],
      ];
    },
  },

  'forged Forwarded headers': {
    options: { trustProxy: ['127.0.0.1'] },
    async run({ port, size }) {
      const count = scaled(1000, size, 20);
      const forged = [
        'for="198.51.100.7, for=203.0.113.1',
        'for="198.51.100.7;by=x", for=203.0.113.1"',
        'for=198.51.100.7;for=203.0.113.1',
        'for=a b, for=203.0.113.1',
      ];
      const refused = await statuses(port, count, (i) =>
        headWith([`Forwarded: ${forged[i % forged.length]}`]),
      );
      const honest = await statuses(port, count, () =>
        headWith(['Forwarded: for="[2001:db8::1]:4711", for=203.0.113.1']),
      );
      return [
        [`${refused[400] ?? 0} of ${count} forgeries: 400`, refused[400] === count],
        [`${honest[101] ?? 0} of ${count} honest ones: 101`, honest[101] === count],
      ];
    },
  },

  'PROXY protocol of nobody': {
    async run({ port, size }) {
      const count = scaled(1000, size, 20);
      const lines = [
        `PROXY TCP4 198.51.100.7 203.0.113.1 1 2\r\n${head()}`,
        `PROXY ${'x'.repeat(200)}\r\n`,
        Buffer.concat([
          Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'),
          Buffer.from([0x21, 0x11, 0, 12]),
          Buffer.alloc(12),
        ]),
      ];
      const answers = await statuses(port, count, (i) => lines[i % lines.length]);
      const { 400: refused = 0 } = answers;
      return [
        [`${refused} of ${count} were refused with 400: ${JSON.stringify(answers)}`, refused === count],
      ];
    },
  },

  'heads of 12 KB': {
    async run({ port, size }) {
      const count = scaled(1000, size, 20);
      const cookies = `Cookie: ${'session=0123456789; '.repeat(600)}last=1`;
      const answers = await statuses(port, count, () => headWith([cookies]));
      return [[`${answers[101] ?? 0} of ${count}: 101`, answers[101] === count]];
    },
  },

  'slow readers, and a close behind much': {
    options: { closeDeadline: 1000, sendLimit: 64 * MIB, memoryBudget: 1024 * MIB },
    async run({ port, size }) {
      const peers = await callMany(port, scaled(4, size, 2), '/much');
      await Promise.all(
        peers.map(async (peer) => {
          await peer.write(frame(OPCODE.text, 'all of it'));
          while (peer.closeCode === undefined && peer.end === undefined) {
            peer.pause();
            await sleep(40);
            peer.resume();
            await sleep(5);
          }
          peer.fin();
        }),
      );
      const whole = peers.filter(({ textCount, closeCode }) => textCount === 16 && closeCode === 1000).length;
      return [[`${whole} of ${peers.length} got all 16 MiB and the Close`, whole === peers.length]];
    },
  },
};
