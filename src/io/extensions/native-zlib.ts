/**
 * Node's native zlib contexts, used without the streams around them.
 *
 * A stream of node:zlib works on the thread pool and costs 31 KiB more than its context. The context itself can also work
 * at once (`writeSync`), as zlib's own `deflateRawSync` makes it do, and that is all that is used here.
 */
import {
  type DeflateLevel,
  type Deflater,
  END,
  endingAfter,
  type Inflater,
  isWhole,
  MOST_STREAMS,
  WITH_TAIL,
  WRONG,
  type Zlib,
  type ZlibModule,
} from './zlib.ts';

/** The parts of a context that are used. */
interface Handle {
  onerror: (message: string, errno: number, code: string) => void;
  init(
    windowBits: number,
    level: number,
    memLevel: number,
    strategy: number,
    /** Written by each call: bytes of room left, bytes of input left. */
    state: Uint32Array,
    onProcessed: () => void,
    dictionary: undefined,
  ): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputAt: number,
    inputBytes: number,
    out: Uint8Array,
    outAt: number,
    outBytes: number,
  ): void;
  reset(): void;
  close(): void;
}

type HandleClass = new (mode: number) => Handle;

const METHODS = ['init', 'writeSync', 'reset', 'close'] as const;
/** `zlib.constants`, which are part of zlib's interface. */
const Z_SYNC_FLUSH = 2;
const Z_DEFAULT_STRATEGY = 0;
const DEFLATERAW = 5;
const INFLATERAW = 6;

/** What inflating needs beside its window. */
const INFLATE_BYTES = 10 * 1024;

export class NativeZlib implements Zlib {
  readonly name = 'native';
  readonly #Handle: HandleClass;

  private constructor(Handle: HandleClass) {
    this.#Handle = Handle;
  }

  /** Undefined where a stream of zlib has no such context below it. */
  static find(zlib: ZlibModule): NativeZlib | undefined {
    const stream = zlib.createDeflateRaw();
    const handle = (stream as unknown as { _handle?: Partial<Handle> })._handle;
    const Class: unknown = handle?.constructor;
    stream.close();
    const isAsExpected =
      typeof Class === 'function' && METHODS.every((name) => typeof Class.prototype[name] === 'function');
    return isAsExpected ? new NativeZlib(Class as HandleClass) : undefined;
  }

  deflater(level: DeflateLevel): Deflater {
    return new NativeDeflater(new this.#Handle(DEFLATERAW), level);
  }

  inflater(windowBits: number): Inflater {
    return new NativeInflater(new this.#Handle(INFLATERAW), windowBits);
  }
}

/** A handle with what its calls report. */
abstract class Context {
  protected readonly handle: Handle;
  /** Bytes of room left, bytes of input left. */
  protected readonly state = new Uint32Array(2);
  protected hasFailed = false;

  constructor(handle: Handle, windowBits: number, level: number, memLevel: number) {
    this.handle = handle;
    handle.onerror = () => {
      this.hasFailed = true;
    };
    handle.init(windowBits, level, memLevel, Z_DEFAULT_STRATEGY, this.state, () => {}, undefined);
  }

  reset(): void {
    this.hasFailed = false;
    this.handle.reset();
  }

  close(): void {
    this.handle.close();
  }
}

class NativeDeflater extends Context implements Deflater {
  isFresh = true;

  constructor(handle: Handle, { windowBits, level, memLevel }: DeflateLevel) {
    super(handle, windowBits, level, memLevel);
  }

  deflate(input: Uint8Array, out: Uint8Array): number {
    this.handle.writeSync(Z_SYNC_FLUSH, input, 0, input.length, out, 0, out.length);
    const left = this.state[0] as number;
    // With no room left there may be more to come.
    this.isFresh = false;
    if (left > 0 && !this.hasFailed) return out.length - left;
    this.reset();
    return -1;
  }

  override reset(): void {
    super.reset();
    this.isFresh = true;
  }
}

const NOTHING = new Uint8Array(0);
/**
 * A short last piece is copied here, with `END` behind it: one call of zlib in place of two. All share it, since a piece
 * is used up before anything else happens.
 */
const TAILED_BYTES = 4 * 1024;
const tailed = new Uint8Array(TAILED_BYTES + END.length);

class NativeInflater extends Context implements Inflater {
  readonly heldBytes: number;
  #input: Uint8Array = NOTHING;
  #at = 0;
  /** Where the input ends. */
  #end = 0;
  /** The end of what has come of the message. */
  #ending = WITH_TAIL;
  /** The last piece has come, and the stream has not ended where it must. */
  #isCut = false;
  /** `END` follows the input. */
  #hasTail = false;
  /** `END` is at the end of the input. */
  #endsWithTail = false;
  /** The stream has ended: what follows is another one. */
  #isAtEnd = false;
  /** The last call filled `out`: zlib may have more without further input. */
  #hasMore = false;
  /** Streams of this message that have ended. */
  #streams = 0;

  constructor(handle: Handle, windowBits: number) {
    super(handle, windowBits, 1, 1); // level and memLevel mean nothing here, but are checked
    this.heldBytes = 2 ** windowBits + INFLATE_BYTES;
  }

  push(piece: Uint8Array, final: boolean): void {
    this.#ending = endingAfter(this.#ending, piece);
    this.#isCut = final && this.#ending !== WITH_TAIL;
    const isTailed = this.#isCut && piece.length <= TAILED_BYTES;
    this.#take(isTailed ? tailed : piece, piece.length);
    this.#hasTail = this.#isCut && !isTailed;
    if (!isTailed) return;
    tailed.set(piece);
    this.#appendTail();
  }

  #take(input: Uint8Array, bytes: number): void {
    this.#input = input;
    this.#at = 0;
    this.#end = bytes;
    this.#endsWithTail = false;
  }

  /** To what is in `tailed`. */
  #appendTail(): void {
    tailed.set(END, this.#end);
    this.#end += END.length;
    this.#endsWithTail = true;
  }

  inflate(out: Uint8Array): number {
    for (;;) {
      if (this.#isAtEnd && !this.#goOn()) return WRONG;
      if (this.#at === this.#end && !this.#hasMore && !this.#takeTail()) return this.#isCut ? WRONG : 0;
      const bytes = this.#run(out);
      if (bytes !== 0) return bytes;
    }
  }

  /** One call of zlib: until the input is used up, `out` is full, or the stream has ended. Returns the bytes in `out`. */
  #run(out: Uint8Array): number {
    const length = this.#end - this.#at;
    this.handle.writeSync(Z_SYNC_FLUSH, this.#input, this.#at, length, out, 0, out.length);
    if (this.hasFailed) return WRONG;
    const [room = 0, left = 0] = this.state;
    this.#at = this.#end - left;
    this.#hasMore = room === 0;
    // Neither is used up: the stream has ended.
    this.#isAtEnd = left > 0 && room > 0;
    return out.length - room;
  }

  /** `END` becomes the input; false when there is none. */
  #takeTail(): boolean {
    if (!this.#hasTail) return false;
    this.#hasTail = false;
    this.#take(tailed, 0);
    this.#appendTail();
    return true;
  }

  /** Input is left after the end of a stream; false when there were too many. */
  #goOn(): boolean {
    this.#isAtEnd = false;
    const left = this.#end - this.#at;
    if (this.#endsWithTail && left <= END.length) {
      this.#isCut = !isWhole(left);
      this.#at = this.#end;
      return true;
    }
    this.handle.reset();
    return ++this.#streams < MOST_STREAMS;
  }

  override reset(): void {
    super.reset();
    this.#take(NOTHING, 0);
    this.#ending = WITH_TAIL;
    this.#isCut = false;
    this.#hasTail = false;
    this.#isAtEnd = false;
    this.#hasMore = false;
    this.#streams = 0;
  }
}
