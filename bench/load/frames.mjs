// Messages of JSON text that differ from each other, as a client sends them compressed: the file that loadgen.c reads with
// --frames. Each frame is compressed by itself, so that a server can read it whatever was agreed, and all servers get the
// same bytes.
import { mkdirSync, writeFileSync } from 'node:fs';
import { constants, deflateRawSync } from 'node:zlib';
import { benchFolder } from '../lib/build.mjs';

const MASK = Buffer.of(0x37, 0xfa, 0x21, 0x3d);
/** Bytes of all messages together: twice the largest window, so that none is found in it when its turn comes again. */
const ALL_BYTES = 64 * 1024;
const LEAST = 16;
const WORDS =
  'amber basil cedar delta ember flint grove hazel ivory jade kelp lunar maple north ocean pearl'.split(' ');

/** Numbers below `most` that look random and are the same in every run. */
function chance(seed) {
  let x = seed;
  return (most) => {
    x = (Math.imul(x, 1_103_515_245) + 12_345) >>> 0;
    return (x >>> 8) % most;
  };
}

/** Texts of `bytes` bytes each. */
export function texts(bytes) {
  const below = chance(bytes);
  return Array.from({ length: Math.max(LEAST, ALL_BYTES / bytes) }, () => text(bytes, below));
}

/** One order, or a list of as many as there is room for; a note of letters and digits fills it up. */
function text(bytes, below) {
  const parts =
    bytes < 2 * ORDER_BYTES
      ? { id: 100_000 + below(900_000), item: word(below), count: 1 + below(20) }
      : { orders: [] };
  const size = () => JSON.stringify({ ...parts, note: '' }).length;
  while (parts.orders && size() < bytes - ORDER_BYTES) parts.orders.push(order(below));
  const note = Array.from({ length: bytes - size() }, () => below(36).toString(36)).join('');
  return JSON.stringify({ ...parts, note });
}

const ORDER_BYTES = 150;
const word = (below) => WORDS[below(WORDS.length)];
const order = (below) => ({
  id: 100_000 + below(900_000),
  item: `${word(below)} ${word(below)}`,
  price: below(100_000) / 100,
  count: 1 + below(20),
  at: new Date(1.7e12 + below(2 ** 24) * 1000).toISOString(),
  paid: below(2) === 1,
});

/** Compressed by itself, without the tail of RFC 7692 7.2.1. */
const compressed = (payload) =>
  deflateRawSync(payload, { finishFlush: constants.Z_SYNC_FLUSH }).subarray(0, -4);

function frame(payload) {
  const { length } = payload;
  const head = length < 126 ? [length] : [126, length >> 8, length & 0xff];
  head[0] |= 0x80;
  return Buffer.concat([Buffer.of(0xc1, ...head), MASK, payload.map((byte, i) => byte ^ MASK[i & 3])]);
}

/** Writes the file for messages of so many bytes, and returns its name. */
export function framesFile(bytes) {
  const name = `${benchFolder}build/frames-${bytes}`;
  const parts = texts(bytes).flatMap((each) => {
    const one = frame(compressed(Buffer.from(each)));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(one.length);
    return [length, one];
  });
  mkdirSync(`${benchFolder}build`, { recursive: true });
  writeFileSync(name, Buffer.concat(parts));
  return name;
}
