/**
 * What is needed of zlib: contexts that compress and inflate at once. `native-zlib.ts` and `public-zlib.ts` are two ways to
 * it, and `choose-zlib.ts` finds out which one works here.
 */
import type * as NodeZlib from 'node:zlib';

/** What is used of node:zlib. */
export type ZlibModule = Pick<typeof NodeZlib, 'createDeflateRaw' | 'deflateRawSync' | 'inflateRawSync'>;

/** How to compress. */
export interface DeflateLevel {
  /** Bits of the window, 9 to 15. */
  readonly windowBits: number;
  /** 1 (fast) to 9 (small). */
  readonly level: number;
  /** 1 to 9. */
  readonly memLevel: number;
}

/** Compresses messages that a peer reads one after the other. */
export interface Deflater {
  /** It has compressed nothing that the next message could refer to. */
  readonly isFresh: boolean;
  /**
   * Compresses `input` into `out`, up to the end of an empty block (RFC 7692 7.2.1), 00 00 FF FF. Returns how many bytes
   * that are; -1 when `out` is too small: then the context is as after `reset`.
   */
  deflate(input: Uint8Array, out: Uint8Array): number;
  /** Forgets what was compressed before. */
  reset(): void;
  /** Frees its memory. It is not used any more. */
  close(): void;
}

/** Inflates what a peer has compressed. */
export interface Inflater {
  /** Bytes of memory that it holds. */
  readonly heldBytes: number;
  /** Takes the next piece. Its memory is read until `inflate` returns 0. `final`: no more come, and `reset` is next. */
  push(piece: Uint8Array, final: boolean): void;
  /**
   * Inflates into `out`; returns how many bytes that are. 0: the piece is used up. `WRONG`: it is not deflate data.
   * `TOO_LONG`: the rest of the message has more than `most` bytes; only where that is known before they are inflated.
   */
  inflate(out: Uint8Array, most: number): number;
  /** Forgets what was inflated before: the next piece begins a message. */
  reset(): void;
  /** Frees its memory. It is not used any more. */
  close(): void;
}

export interface Zlib {
  readonly name: 'native' | 'public';
  deflater(level: DeflateLevel): Deflater;
  /** `windowBits`: 8 to 15; one with more can read what was made with less. */
  inflater(windowBits: number): Inflater;
}

/** What one context costs in bytes of memory, by zlib's formula and the 64 KiB of Node's own zlib. */
export function deflaterBytes({ windowBits, memLevel }: DeflateLevel): number {
  return 72 * 1024 + 2 ** (windowBits + 2) + 2 ** (memLevel + 9);
}

/** What `inflate` may answer in place of a number of bytes. */
export const WRONG = -1;
export const TOO_LONG = -2;

/** Streams that one message may be made of. Each BFINAL ends one (RFC 1951 3.2.3), and no encoder ends so many. */
export const MOST_STREAMS = 256;

/** The end of each message, which is left out on the wire (RFC 7692 7.2.1). */
export const TAIL = Uint8Array.of(0x00, 0x00, 0xff, 0xff);
/**
 * What a message is inflated with: the tail, an empty block that ends the stream, and a byte that is not read. Of a message that
 * was cut, the stream reads on into them and does not end there.
 */
export const END = Uint8Array.of(...TAIL, 0x03, 0x00, 0x00);

/** The stream has ended with so many bytes of `END` left: before the tail, with it, or after it. */
export function isWhole(left: number): boolean {
  return left === END.length || left === END.length - TAIL.length || left === 1;
}

/** The `ending` of nothing, and of what ends with the tail: neither gets another one. */
export const WITH_TAIL = 0x0000ffff;

/** The last four bytes of what has come, as one number. */
export function endingAfter(ending: number, piece: Uint8Array): number {
  let all = ending;
  for (let at = Math.max(0, piece.length - 4); at < piece.length; at++)
    all = ((all << 8) | (piece[at] as number)) >>> 0;
  return all;
}
