/**
 * Masking (RFC 6455 5.3): octet i of the payload is XORed with octet i modulo 4 of the masking key. Masking and unmasking
 * are the same operation.
 *
 * It happens while the bytes are copied, in one pass. The same pass finds out whether all bytes were ASCII.
 */
import { randomBytes } from 'node:crypto';

/** Which end of a connection this is: a client masks the frames that it sends, a server does not (RFC 6455 5.1). */
export type Role = 'server' | 'client';

/** A masking key as one 32-bit number; its lowest 8 bits are the first octet. 0 changes nothing. */
export type MaskingKey = number;

/** A new key for each frame, from a strong source of randomness, as 5.3 wants it. */
export const randomKey = (): MaskingKey => randomBytes(4).readInt32LE();

/** The key for a payload whose first `phase` octets are already masked or unmasked. */
export function rotateKey(key: MaskingKey, phase: number): MaskingKey {
  const bits = (phase & 3) << 3;
  return bits === 0 ? key : (key >>> bits) | (key << (32 - bits));
}

/** For fewer bytes than this, a loop over octets is faster than one over words. */
const WORDS_FROM_BYTES = 32;

/** For this many bytes or more, SIMD in place and then a copy are faster than a loop over words. */
export const SIMD_FROM_BYTES = 320;

/** A block of memory, with a view for access in words, which is made when it is first needed. */
export class Block {
  readonly bytes: Uint8Array;
  /** Unmasks `[start, end)` of this block in place; only for memory that WebAssembly can reach. */
  readonly unmaskInPlace: ((start: number, end: number, key: MaskingKey) => number) | undefined;
  #words: DataView | undefined;

  constructor(bytes: Uint8Array, unmaskInPlace?: (start: number, end: number, key: MaskingKey) => number) {
    this.bytes = bytes;
    this.unmaskInPlace = unmaskInPlace;
    this.#words = undefined;
  }

  get words(): DataView {
    this.#words ??= new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.byteLength);
    return this.#words;
  }
}

/**
 * Copies `source[start..end)` to `target` at `at`, and unmasks (or masks) it with `key`, whose first octet belongs to the
 * first octet copied. Returns all octets of the result OR-ed together: less than 0x80 if and only if all are ASCII.
 */
export function unmaskInto(
  source: Block,
  start: number,
  end: number,
  key: MaskingKey,
  target: Block,
  at: number,
): number {
  if (end - start < WORDS_FROM_BYTES) return unmaskOctets(source.bytes, start, end, key, target.bytes, at);
  if (source.unmaskInPlace !== undefined && end - start >= SIMD_FROM_BYTES) {
    const octets = source.unmaskInPlace(start, end, key);
    target.bytes.set(source.bytes.subarray(start, end), at);
    return octets;
  }
  const from = source.words;
  const to = target.words;
  const last = end - ((end - start) & 15);
  let seen = 0;
  let read = start;
  let write = at;
  for (; read < last; read += 16, write += 16) {
    const a = from.getInt32(read, true) ^ key;
    const b = from.getInt32(read + 4, true) ^ key;
    const c = from.getInt32(read + 8, true) ^ key;
    const d = from.getInt32(read + 12, true) ^ key;
    to.setInt32(write, a, true);
    to.setInt32(write + 4, b, true);
    to.setInt32(write + 8, c, true);
    to.setInt32(write + 12, d, true);
    seen |= a | b | c | d;
  }
  const rest = unmaskOctets(source.bytes, read, end, key, target.bytes, write);
  return (seen & 0x80808080) === 0 ? rest & 0xff : 0x80 | rest;
}

function unmaskOctets(
  source: Uint8Array,
  start: number,
  end: number,
  key: MaskingKey,
  target: Uint8Array,
  at: number,
): number {
  let seen = 0;
  let octetKey = key;
  for (let read = start, write = at; read < end; read++, write++) {
    const octet = (source[read] as number) ^ (octetKey & 0xff);
    octetKey = (octetKey >>> 8) | (octetKey << 24);
    target[write] = octet;
    seen |= octet;
  }
  return seen;
}
