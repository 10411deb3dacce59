/**
 * zlib by the public functions of node:zlib, where its contexts cannot be used.
 *
 * These functions keep nothing from one call to the next. So each message, and each fragment, is compressed by itself, and
 * what comes in fragments is kept until its last byte and then inflated at once, up to the limit that is given. How much is
 * kept is bounded by `MessageInflater`.
 */
import { Buffer, constants } from 'node:buffer';
import {
  type DeflateLevel,
  type Deflater,
  END,
  endingAfter,
  type Inflater,
  isWhole,
  MOST_STREAMS,
  TOO_LONG,
  WITH_TAIL,
  WRONG,
  type Zlib,
  type ZlibModule,
} from './zlib.ts';

const Z_SYNC_FLUSH = 2;

export class PublicZlib implements Zlib {
  readonly name = 'public';
  readonly #zlib: ZlibModule;

  constructor(zlib: ZlibModule) {
    this.#zlib = zlib;
  }

  deflater(level: DeflateLevel): Deflater {
    const zlib = this.#zlib;
    return {
      isFresh: true,
      deflate(input, out) {
        try {
          const bytes = zlib.deflateRawSync(input, {
            ...level,
            finishFlush: Z_SYNC_FLUSH,
            maxOutputLength: out.length,
          });
          out.set(bytes);
          return bytes.length;
        } catch {
          return -1; // ERR_BUFFER_TOO_LARGE
        }
      },
      reset() {},
      close() {},
    };
  }

  inflater(windowBits: number): Inflater {
    return new WholeInflater(this.#zlib, windowBits);
  }
}

const NOTHING = new Uint8Array(0);

class WholeInflater implements Inflater {
  readonly #zlib: ZlibModule;
  readonly #windowBits: number;
  /** What has come of the message; empty once it is inflated. */
  #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  #isComplete = false;
  /** What came out and was not taken. */
  #out: Uint8Array = NOTHING;

  constructor(zlib: ZlibModule, windowBits: number) {
    this.#zlib = zlib;
    this.#windowBits = windowBits;
  }

  get heldBytes(): number {
    return this.#piecesBytes + this.#out.length;
  }

  push(piece: Uint8Array, final: boolean): void {
    this.#pieces.push(new Uint8Array(piece)); // a copy: the piece is only lent
    this.#piecesBytes += piece.length;
    this.#isComplete = final;
  }

  inflate(out: Uint8Array, most: number): number {
    if (this.#isComplete) {
      this.#isComplete = false;
      const inflated = this.#inflateAll(most);
      if (typeof inflated === 'number') return inflated;
      this.#out = inflated;
    }
    const bytes = Math.min(out.length, this.#out.length);
    out.set(this.#out.subarray(0, bytes));
    this.#out = this.#out.subarray(bytes);
    return bytes;
  }

  /** All of the message, or why not. */
  #inflateAll(most: number): Uint8Array | typeof WRONG | typeof TOO_LONG {
    const message = Buffer.concat(this.#pieces);
    this.#forgetPieces();
    const end = endingAfter(WITH_TAIL, message) === WITH_TAIL ? NOTHING : END;
    try {
      return this.#inflate(message, end, most);
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? TOO_LONG : WRONG;
    }
  }

  /** Streams that end with BFINAL are followed by another one, or by nothing but the `end`. */
  #inflate(message: Uint8Array, end: Uint8Array, most: number): Uint8Array | typeof WRONG {
    const input = Buffer.concat([message, end]);
    const outs: Uint8Array[] = [];
    let at = 0;
    let room = most;
    while (input.length - at > end.length) {
      if (outs.length === MOST_STREAMS) return WRONG;
      const { buffer, engine } = this.#zlib.inflateRawSync(input.subarray(at), {
        windowBits: Math.max(9, this.#windowBits),
        finishFlush: Z_SYNC_FLUSH,
        maxOutputLength: Math.min(Math.max(1, room), constants.MAX_LENGTH),
        info: true,
      }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } };
      outs.push(buffer);
      room -= buffer.length;
      at += engine.bytesWritten;
    }
    return end === NOTHING || isWhole(input.length - at) ? Buffer.concat(outs) : WRONG;
  }

  reset(): void {
    this.#forgetPieces();
    this.#out = NOTHING;
  }

  #forgetPieces(): void {
    this.#pieces = [];
    this.#piecesBytes = 0;
    this.#isComplete = false;
  }

  close(): void {
    this.reset();
  }
}
