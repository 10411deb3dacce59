/**
 * permessage-deflate (RFC 7692) for one connection that has agreed on it.
 *
 * Out: a message that may refer to those before it is compressed by a context of its connection, and any other one by a
 * compressor that all share. The peer inflates both with one window, in the order in which they come. So after a message
 * that its own context did not make, the connection's context begins anew.
 */
import type { Fault } from '../faults.ts';
import {
  compressed,
  compressedWhole,
  type Deflate,
  type DeflateTerms,
  type KnownTerms,
  type MessageInflater,
} from './deflate.ts';
import type { Extension } from './extension.ts';
import { type Deflater, TAIL } from './zlib.ts';

/** A longer message that goes to many is not compressed: nothing else would happen meanwhile. */
const MOST_AT_ONCE = 1024 * 1024;
/** The end of a message whose last fragment is empty: an empty block without its tail (RFC 7692 7.2.3.6). */
const EMPTY_BLOCK = Uint8Array.of(0);
const NOTHING = new Uint8Array(0);
/**
 * A short message becomes longer by two bytes when nothing came before it. So the first one of a context may: those that are
 * like it become a third of their size. By more than that, it is not like text.
 */
const FIRST_MORE_BYTES = 4;

export class PerMessageDeflate implements Extension {
  readonly #deflate: Deflate;
  readonly #terms: KnownTerms;
  /** Lent while a compressed message is being read. */
  #inflater: MessageInflater | undefined;
  /** The peer has read something that the context of this connection has not. */
  #isStale = false;
  /** What became of the first message of the context, where it was sent longer than it is. */
  #first: 'not longer' | 'longer' | 'in vain' = 'not longer';

  constructor(deflate: Deflate, terms: DeflateTerms) {
    this.#deflate = deflate;
    this.#terms = deflate.know(terms);
  }

  get answer(): string {
    return this.#terms.answer;
  }

  get form(): string {
    return this.#terms.form;
  }

  get threshold(): number {
    return this.#deflate.settings.threshold;
  }

  // ------------------------------------------------------------------ in

  get heldBytes(): number {
    return this.#inflater === undefined ? 0 : this.#inflater.heldBytes;
  }

  push(piece: Uint8Array, final: boolean, left = 0): void {
    this.#inflater ??= this.#deflate.lendInflater(this.#terms.clientWindowBits);
    this.#inflater.push(piece, final, left);
  }

  read(): Uint8Array | 'more' | Fault {
    const inflater = this.#inflater;
    if (inflater === undefined) return 'more';
    const out = inflater.read(this.#deflate.limits);
    if (out instanceof Uint8Array) return out;
    if (out !== undefined || inflater.isFinal) this.discard();
    return out ?? 'more';
  }

  discard(): void {
    if (this.#inflater === undefined) return;
    this.#deflate.takeBack(this.#inflater);
    this.#inflater = undefined;
  }

  // ------------------------------------------------------------------ out

  encode(payload: Uint8Array, standsAlone: boolean, always = false): Uint8Array | undefined {
    const { threshold, contextThreshold } = this.#deflate.settings;
    const { takesOver, level, formLevel } = this.#terms;
    const bytes = payload.length;
    if (!standsAlone && takesOver) {
      if (bytes < contextThreshold && !always) return undefined;
      const context = this.#takeContext();
      if (context !== undefined) return this.#compress(context, payload);
    }
    if ((bytes < threshold && !always) || bytes > MOST_AT_ONCE) return undefined;
    const compressor = this.#deflate.compressor(standsAlone ? formLevel : level);
    const alone = compressed(compressor, payload, TAIL.length);
    if (alone !== undefined) this.#isStale = true;
    return alone;
  }

  /** What refers to earlier messages, or begins a context for those that follow. */
  #compress(context: Deflater, payload: Uint8Array): Uint8Array | undefined {
    const { isFresh } = context;
    const more = isFresh && this.#first !== 'in vain' ? FIRST_MORE_BYTES : 0;
    const out = compressed(context, payload, TAIL.length, more);
    if (out !== undefined) this.#first = out.length < payload.length ? 'not longer' : 'longer';
    // The message after it had nothing of it.
    else if (!isFresh && this.#first === 'longer') this.#first = 'in vain';
    return out;
  }

  /** The context of this connection, in step with what the peer has read. Undefined when there is no memory for it. */
  #takeContext(): Deflater | undefined {
    const context = this.#deflate.contexts.take(this, this.#terms.level);
    if (this.#isStale) context?.reset();
    this.#isStale = false;
    return context;
  }

  /** Each fragment ends with a whole block, so that it can be inflated when it comes. */
  encodeFragment(payload: Uint8Array, first: boolean, final: boolean): Uint8Array {
    const { takesOver, level } = this.#terms;
    const { contexts } = this.#deflate;
    // In the middle, what is stale is not the peer's window: other messages are sent after the last fragment.
    const context = first ? this.#takeContext() : contexts.take(this, level);
    const whole = this.#compressFragment(context ?? this.#deflate.compressor(level), payload);
    if (!final) return whole;
    // Messages that were encoded since the first fragment may come between the last one and the next message.
    this.#isStale = true;
    if (!takesOver) contexts.free(this);
    return payload.length === 0 ? EMPTY_BLOCK : whole.subarray(0, -TAIL.length);
  }

  /** An empty fragment has no block at all. */
  #compressFragment(deflater: Deflater, payload: Uint8Array): Uint8Array {
    return payload.length === 0 ? NOTHING : compressedWhole(deflater, payload);
  }

  forget(): void {
    this.#isStale = true;
  }

  release(): void {
    this.discard();
    this.#deflate.contexts.free(this);
  }
}
