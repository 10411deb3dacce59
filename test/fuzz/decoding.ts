/**
 * What the frame decoder says, written down: one line an answer, so that two runs can be compared and read.
 *
 * A run feeds the decoder as a connection does, also in the ways that find out who keeps what was only lent: chunks
 * whose memory is overwritten when they have been read, chunks that lie in the shared read buffer, and reading that
 * is held back while more bytes come.
 */
import { Buffer } from 'node:buffer';
import { Decoded, type DecoderLimits, FrameDecoder } from '../../src/io/frames/frame-decoder.ts';
import { READ_BYTES, readBuffer } from '../../src/io/frames/read-buffer.ts';

export interface Way {
  /** Whose memory the chunks lie in: their own, one that is overwritten after each, or the read buffer. */
  readonly memory?: 'own' | 'lent' | 'read buffer';
  /** Fragments are wanted, and whole messages are (default: messages). */
  readonly wants?: 'messages' | 'fragments' | 'both';
  /** Whether reading is held back before the next answer, for as long as this chunk is the last. Default: never. */
  readonly hold?: () => boolean;
}

export interface Run {
  readonly answers: string[];
  /** Calls of `next`. */
  readonly calls: number;
  /** Most bytes held at a time. */
  readonly mostHeldBytes: number;
  /** All memory taken for unfinished messages, one growth after the other. */
  readonly grownBytes: number;
  readonly decoder: FrameDecoder;
}

export const LIMITS: DecoderLimits = { cap: 1_048_576, maxFragments: 16_384 };

/** Feeds the chunks in order, up to the first fault; to a new decoder, unless one is given. */
export function decode(
  chunks: readonly Uint8Array[],
  limits: Partial<DecoderLimits> = {},
  way: Way = {},
  decoder = new FrameDecoder({ ...LIMITS, ...limits }),
): Run {
  const feeding = new Feeding(decoder, way);
  for (const chunk of chunks) if (!feeding.take(chunk)) break;
  feeding.finish();
  return feeding;
}

/** Only what the decoder answers. */
export function answersTo(
  chunks: readonly Uint8Array[],
  limits: Partial<DecoderLimits> = {},
  way: Way = {},
  decoder?: FrameDecoder,
): string[] {
  return decode(chunks, limits, way, decoder).answers;
}

/** How a payload is written in an answer: text as its UTF-8, in hexadecimal. */
export const shown = (payload: string | Uint8Array): string => Buffer.from(payload as string).toString('hex');

class Feeding implements Run {
  readonly answers: string[] = [];
  readonly decoder: FrameDecoder;
  calls = 0;
  mostHeldBytes = 0;
  grownBytes = 0;
  #heldBytes = 0;
  #failed = false;
  readonly #way: Way;
  readonly #lent = Buffer.alloc(READ_BYTES);
  /** Messages as the user keeps them, beside what they held at first: they must never change. */
  readonly #kept: { bytes: Uint8Array; was: string }[] = [];

  constructor(decoder: FrameDecoder, way: Way) {
    this.#way = way;
    this.decoder = decoder;
  }

  /** False after a fault. */
  take(chunk: Uint8Array): boolean {
    const memory = this.#way.memory ?? 'own';
    if (memory === 'own') {
      this.decoder.append(chunk);
      this.#read(this.#way.hold);
      this.#settle();
      return !this.#failed;
    }
    const block = memory === 'lent' ? this.#lent : readBuffer;
    for (let from = 0; from < chunk.length && !this.#failed; from += block.length) {
      const part = chunk.subarray(from, from + block.length);
      block.set(part);
      this.decoder.append(block.subarray(0, part.length));
      this.#read(this.#way.hold);
      if (this.decoder.hasMore) this.decoder.keepRest();
      this.#settle();
      block.fill(0xee, 0, part.length);
    }
    return !this.#failed;
  }

  finish(): void {
    if (!this.#failed) this.#read(undefined);
    for (const { bytes, was } of this.#kept) {
      if (shown(bytes) !== was) this.answers.push(`a message has changed from ${was} to ${shown(bytes)}`);
    }
  }

  #read(hold: (() => boolean) | undefined): void {
    while (!this.#failed && !hold?.()) {
      this.calls += 1;
      const answer = this.decoder.next();
      this.#count();
      if (answer === Decoded.NEED_MORE) return;
      if (answer === Decoded.GIVE_WAY) continue;
      this.#note(answer);
    }
  }

  /** A chunk is done. */
  #settle(): void {
    this.decoder.settle();
    this.#count();
  }

  #count(): void {
    const { heldBytes } = this.decoder;
    if (heldBytes > this.#heldBytes) this.grownBytes += heldBytes;
    this.#heldBytes = heldBytes;
    this.mostHeldBytes = Math.max(this.mostHeldBytes, heldBytes);
  }

  #note(answer: Decoded): void {
    const { decoder } = this;
    const kind = decoder.text ? 'text' : 'binary';
    if (answer === Decoded.MESSAGE) this.#noteData(kind, decoder.message);
    else if (answer === Decoded.FRAGMENT) this.#noteFragment(kind);
    else if (answer === Decoded.PING) this.#noteData('ping', decoder.control.slice());
    else if (answer === Decoded.PONG) this.#noteData('pong', decoder.control.slice());
    else if (answer === Decoded.CLOSE) this.#noteData('close', decoder.control.slice());
    else {
      this.#failed = true;
      this.answers.push(`fault ${decoder.fault?.code} ${decoder.fault?.reason}`);
    }
  }

  #noteFragment(kind: string): void {
    const { decoder } = this;
    const { wants = 'messages' } = this.#way;
    if (decoder.first) decoder.assemble = wants !== 'fragments';
    const place = decoder.first ? ' first' : decoder.final ? ' last' : '';
    if (wants === 'messages') this.answers.push(`fragment${place} of ${decoder.payloadBytes} bytes`);
    else this.#noteData(`${kind} fragment${place}`, decoder.takeFragment());
    if (decoder.final && wants !== 'fragments') this.#noteData(`assembled ${kind}`, decoder.takeMessage());
  }

  #noteData(kind: string, data: string | Uint8Array): void {
    const was = shown(data);
    this.answers.push(`${kind} ${was}`.trim());
    if (typeof data !== 'string') this.#kept.push({ bytes: data, was });
  }
}
