/**
 * What compresses and inflates for all connections of a server that have the same options: the compressors that everybody
 * shares, the contexts of single connections, and inflaters, which are lent for the time of one message.
 */
import { type Fault, fault } from '../faults.ts';
import { type CacheMemory, ContextCache } from './context-cache.ts';
import { type DeflateLevel, type Deflater, type Inflater, TOO_LONG, WRONG, type Zlib } from './zlib.ts';

/** The option `perMessageDeflate`, checked and with its defaults. */
export interface DeflateSettings {
  /** Whether a message may refer to those before it: then the server keeps a context for its connection. */
  readonly mode: 'shared' | 'contexts';
  /** 1 (fast) to 9 (small). */
  readonly level: number;
  /** 1 to 9. */
  readonly memLevel: number;
  /** Bits of the window of what we send, 8 to 15. */
  readonly serverWindowBits: number;
  /** Most bits of the window of what clients send, 8 to 15; for those that let us choose. */
  readonly clientWindowBits: number;
  /** Bytes from which a message is compressed that refers to none before it. */
  readonly threshold: number;
  /** Bytes from which a message is compressed that refers to those before it. */
  readonly contextThreshold: number;
  /** Bytes that all contexts made with these settings may have together. */
  readonly contextBudget: number;
}

/** What was agreed with one client (RFC 7692 7.1). */
export interface DeflateTerms {
  /** Sec-WebSocket-Extensions of the answer. */
  readonly answer: string;
  /** Bits of the window of what we send, 8 to 15. */
  readonly serverWindowBits: number;
  /** Bits of the window of what the client sends, 8 to 15. */
  readonly clientWindowBits: number;
  /** What we send may refer to earlier messages. */
  readonly takesOver: boolean;
}

/** Terms with what follows from them; one object for all connections with the same terms. */
export interface KnownTerms extends DeflateTerms {
  readonly level: DeflateLevel;
  /** How to compress what goes to many: one of two levels for all clients. */
  readonly formLevel: DeflateLevel;
  /** Names what the compressor that all share makes for such connections. */
  readonly form: string;
}

/** Limits on what a message may become. */
export interface InflateLimits {
  readonly cap: number;
  /** How many times its size a message may become, above `FREE_BYTES`. */
  readonly maxInflation: number;
}

/** A context with the largest window and memory fits in. */
export const MIN_CONTEXT_BYTES = 1024 * 1024;
/**
 * A message may become so long, however short it was: to inflate that costs a quarter of a millisecond. Text that repeats
 * itself becomes hundreds of times as long in good faith, so the ratio counts only for what is longer.
 */
export const FREE_BYTES = 1024 * 1024;
/**
 * A message may be compressed to so many bytes more than twice `cap`. No encoder makes a message longer than that; but blocks
 * that hold nothing could go on for ever.
 */
const MORE_COMPRESSED_BYTES = 64 * 1024;
/** The smallest window that zlib has; every peer can read what is compressed with it. */
const MIN_WINDOW_BITS = 9;
/** Inflaters of each kind that are kept for the next message. */
const MOST_IDLE = 4;
/** What is inflated at a time. */
const SLICE_BYTES = 64 * 1024;

/** Shared by all: what is in it is read before the next call. */
const slice = new Uint8Array(new ArrayBuffer(SLICE_BYTES));
let target = new Uint8Array(new ArrayBuffer(SLICE_BYTES));

export class Deflate {
  readonly settings: DeflateSettings;
  readonly contexts: ContextCache;
  readonly limits: InflateLimits;
  readonly #zlib: Zlib;
  /** By their answer. */
  readonly #terms = new Map<string, KnownTerms>();
  readonly #levels = new Map<number, DeflateLevel>();
  readonly #shared = new Map<DeflateLevel, Deflater>();
  readonly #idle = new Map<number, MessageInflater[]>();

  constructor(settings: DeflateSettings, limits: InflateLimits, memory: CacheMemory, zlib: Zlib) {
    this.settings = settings;
    this.limits = limits;
    this.#zlib = zlib;
    this.contexts = new ContextCache((level) => zlib.deflater(level), settings.contextBudget, memory);
  }

  know(terms: DeflateTerms): KnownTerms {
    let known = this.#terms.get(terms.answer);
    if (known === undefined) {
      const level = this.#levelFor(terms.serverWindowBits);
      // Clients choose their windows. If each one had a form of its own, eight clients would make a broadcast eight times the work.
      const isUsual = terms.serverWindowBits >= this.settings.serverWindowBits;
      const formLevel = isUsual ? level : this.#levelFor(MIN_WINDOW_BITS);
      const form = `deflate ${Object.values({ ...this.settings, ...formLevel }).join()}`;
      // Nothing is kept from one message to the next where contexts cannot be used.
      const takesOver = terms.takesOver && this.#zlib.name === 'native';
      known = { ...terms, takesOver, level, formLevel, form };
      this.#terms.set(terms.answer, known);
    }
    return known;
  }

  /**
   * How to compress for a window of so many bits; the same object each time. zlib has no window of 8 bits: of one of 9 it
   * uses distances up to 250, which fit into one of 8.
   */
  #levelFor(windowBits: number): DeflateLevel {
    const bits = Math.max(MIN_WINDOW_BITS, windowBits);
    let found = this.#levels.get(bits);
    if (found === undefined) {
      const { level, memLevel } = this.settings;
      found = { windowBits: bits, level, memLevel };
      this.#levels.set(bits, found);
    }
    return found;
  }

  /** A compressor that has forgotten all that it compressed. */
  compressor(level: DeflateLevel): Deflater {
    const shared = this.#shared.get(level);
    if (shared !== undefined) {
      shared.reset();
      return shared;
    }
    const made = this.#zlib.deflater(level);
    this.#shared.set(level, made);
    return made;
  }

  lendInflater(windowBits: number): MessageInflater {
    // One bit more than agreed: some clients take 8 bits for 9.
    const bits = Math.max(MIN_WINDOW_BITS, windowBits);
    return this.#idle.get(bits)?.pop() ?? new MessageInflater(this.#zlib.inflater(bits), bits);
  }

  takeBack(inflater: MessageInflater): void {
    const { windowBits } = inflater;
    const idle = this.#idle.get(windowBits) ?? [];
    this.#idle.set(windowBits, idle);
    if (idle.length >= MOST_IDLE) {
      inflater.close();
      return;
    }
    inflater.reset();
    idle.push(inflater);
  }
}

/** Inflates one message at a time, and counts what goes in and comes out. */
export class MessageInflater {
  readonly windowBits: number;
  readonly #inflater: Inflater;
  /** Bytes of the frames so far, up to the end of the present one. */
  #announced = 0;
  #in = 0;
  #out = 0;
  /** The last piece was pushed. */
  isFinal = false;

  constructor(inflater: Inflater, windowBits: number) {
    this.#inflater = inflater;
    this.windowBits = windowBits;
  }

  get heldBytes(): number {
    return this.#inflater.heldBytes;
  }

  push(piece: Uint8Array, final: boolean, left: number): void {
    this.#in += piece.length;
    this.#announced = this.#in + left;
    this.isFinal = final;
    this.#inflater.push(piece, final);
  }

  /** The next slice, which is only lent; undefined when the piece is used up. */
  read({ cap, maxInflation }: InflateLimits): Uint8Array | undefined | Fault {
    // Nothing times Infinity would be no number.
    if (this.#announced > 2 * cap + MORE_COMPRESSED_BYTES) return fault('cap', { bytes: cap });
    // By whole frames, so that it makes no difference how TCP has cut them.
    const allowed = Math.max(FREE_BYTES, Math.max(1, this.#announced) * maxInflation);
    const bytes = this.#inflater.inflate(slice, Math.min(cap, allowed) + 1 - this.#out);
    if (bytes === 0) return undefined;
    if (bytes === WRONG) return fault('invalidDeflate');
    if (bytes === TOO_LONG && cap <= allowed) return fault('cap', { bytes: cap });
    this.#out += bytes;
    if (bytes === TOO_LONG || this.#out > allowed) return fault('maxInflation', { ratio: maxInflation });
    return slice.subarray(0, bytes);
  }

  /** The next piece begins a message. */
  reset(): void {
    this.#announced = 0;
    this.#in = 0;
    this.#out = 0;
    this.isFinal = false;
    this.#inflater.reset();
  }

  close(): void {
    this.#inflater.close();
  }
}

/**
 * Compresses what must become shorter, or longer by less than `more`: the result, which is only lent, or undefined. Then the
 * context has forgotten everything.
 */
export function compressed(
  deflater: Deflater,
  payload: Uint8Array,
  tailBytes: number,
  more = 0,
): Uint8Array | undefined {
  // Nothing is as short as it can be, and zlib does not end an empty block twice: its answer would not be a message.
  if (payload.length === 0) return undefined;
  const most = payload.length + tailBytes + more;
  // A result that fills the room may have more to come.
  const bytes = deflater.deflate(payload, room(most));
  return bytes < 0 || bytes >= most ? undefined : target.subarray(0, bytes - tailBytes);
}

/** The same for what is compressed in any case, tail included. */
export function compressedWhole(deflater: Deflater, payload: Uint8Array): Uint8Array {
  for (let size = payload.length + (payload.length >> 3) + 64; ; size *= 2) {
    const bytes = deflater.deflate(payload, room(size));
    if (bytes >= 0) return target.subarray(0, bytes);
  }
}

/** Room for so many bytes. What was larger than usual is not kept. */
function room(bytes: number): Uint8Array {
  if (target.length < bytes || target.length > SLICE_BYTES)
    target = new Uint8Array(new ArrayBuffer(Math.max(SLICE_BYTES, bytes)));
  return target.subarray(0, bytes);
}
