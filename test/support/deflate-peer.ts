/**
 * The other side of permessage-deflate in tests: what inflates with one window for the whole conversation, as a client does
 * that was told of no limit, and what compresses by node:zlib's public functions alone.
 */
import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { zlibOfThisRuntime } from '../../src/io/extensions/choose-zlib.ts';
import type { CacheMemory } from '../../src/io/extensions/context-cache.ts';
import { Deflate, type DeflateSettings, type InflateLimits } from '../../src/io/extensions/deflate.ts';
import type { Extension } from '../../src/io/extensions/extension.ts';
import type { Inflater, Zlib } from '../../src/io/extensions/zlib.ts';
import type { Fault } from '../../src/io/faults.ts';

export const TAIL = Uint8Array.of(0, 0, 0xff, 0xff);
const finishFlush = constants.Z_SYNC_FLUSH;

export const SETTINGS: DeflateSettings = {
  mode: 'shared',
  level: 1,
  memLevel: 8,
  serverWindowBits: 15,
  clientWindowBits: 15,
  threshold: 1,
  contextThreshold: 1,
  contextBudget: 64 * 1_048_576,
};
export const LIMITS: InflateLimits = { cap: 1_048_576, maxInflation: 100 };

/** A memory budget that has always room. */
export const ROOMY: CacheMemory = { addCache() {}, removeCache() {}, reserve: () => true, giveBack() {} };

export function deflateOf(
  settings: Partial<DeflateSettings> = {},
  more: Partial<InflateLimits> = {},
  zlib?: Zlib,
) {
  return new Deflate(
    { ...SETTINGS, ...settings },
    { ...LIMITS, ...more },
    ROOMY,
    zlib ?? zlibOfThisRuntime(),
  );
}

/** One message as a client compresses it, by itself. */
export function deflated(message: Uint8Array, options: object = {}): Uint8Array {
  const bytes = deflateRawSync(message, { finishFlush, ...options });
  return new Uint8Array(bytes.subarray(0, -TAIL.length));
}

/** One message that refers to none before it, inflated by zlib. */
export const inflated = (message: Uint8Array, windowBits = 15): Uint8Array =>
  new Uint8Array(inflateRawSync(Buffer.concat([message, TAIL]), { finishFlush, windowBits }));

/** Reads a whole conversation with one window, or with one for each message. Only for reading. */
export class PersistentPeer implements Extension {
  readonly answer = '';
  readonly form = '';
  readonly threshold = 0;
  readonly heldBytes = 0;
  /** Compressed messages that were read. */
  messages = 0;
  /** Bytes that came, and bytes that they became. */
  pushedBytes = 0;
  readBytes = 0;
  readonly #inflater: Inflater;
  readonly #out = new Uint8Array(16_384);
  readonly #forgets: boolean;
  #isFinal = false;

  /** `forgets`: the server was told to take no context over (RFC 7692 7.1.1.1). */
  constructor(windowBits: number, forgets = false) {
    this.#inflater = zlibOfThisRuntime().inflater(windowBits);
    this.#forgets = forgets;
  }

  push(piece: Uint8Array, final: boolean): void {
    this.#isFinal = final;
    this.pushedBytes += piece.length;
    // It is never told that a message is the last of its window.
    this.#inflater.push(final ? Buffer.concat([piece, TAIL]) : piece, false);
  }

  read(): Uint8Array | 'more' | Fault {
    const bytes = this.#inflater.inflate(this.#out, Number.POSITIVE_INFINITY);
    if (bytes < 0) return { name: 'invalidDeflate', code: 1007, reason: 'the peer cannot read this' };
    this.readBytes += bytes;
    if (bytes > 0) return this.#out.subarray(0, bytes);
    if (this.#isFinal) this.messages += 1;
    if (this.#isFinal && this.#forgets) this.#inflater.reset();
    return 'more';
  }

  encode = (): undefined => undefined;
  encodeFragment = (): undefined => undefined;
  discard(): void {}
  forget(): void {}
  release(): void {}
}
