/**
 * A transport that takes writes or makes them wait, as the test says, and that finds out who writes into memory
 * which it still holds: what waits is kept by reference, and compared with a copy when it leaves at last.
 */
import { Buffer } from 'node:buffer';
import type { Transport } from '../../src/io/transports/transport.ts';

export class FakeTransport implements Transport {
  readonly name = 'memory';
  readonly remoteAddress = '192.0.2.1';
  /** False: the next writes have to wait, until `drain`. */
  takes = true;
  /** Calls of `write`, as the number of bytes of each. */
  readonly writes: number[] = [];
  ended = 0;
  /** Called by `drain` when what waited has left. */
  onDrain = (): void => {};
  readonly #left: Buffer[] = [];
  #held: { block: Uint8Array; copy: Buffer }[] = [];

  get bufferedAmount(): number {
    return this.#held.reduce((sum, { copy }) => sum + copy.length, 0);
  }

  get holding(): boolean {
    return this.#held.length > 0;
  }

  write(blocks: readonly Uint8Array[]): boolean {
    if (this.ended > 0) throw new Error('write after end');
    if (this.holding) throw new Error('write while one waits');
    const copies = blocks.map((block) => ({ block, copy: Buffer.from(block) }));
    this.writes.push(copies.reduce((sum, { copy }) => sum + copy.length, 0));
    if (this.takes) this.#left.push(...copies.map(({ copy }) => copy));
    else this.#held = copies;
    return this.takes;
  }

  /** The peer reads what waits; `takes` says whether the writes that follow wait again. */
  drain(takes = this.takes): void {
    if (!this.holding) throw new Error('nothing waits');
    this.takes = takes;
    for (const { block, copy } of this.#held) {
      if (Buffer.compare(block, copy) !== 0) throw new Error('bytes that waited have been overwritten');
      this.#left.push(copy);
    }
    this.#held = [];
    this.onDrain();
  }

  /** The bytes that have left. */
  get left(): Uint8Array {
    return new Uint8Array(Buffer.concat(this.#left));
  }

  /** What has left, in words: `text hello`, `first text he`, `last llo`, `ping`, `close 1000 bye`. */
  get frames(): string[] {
    return framesIn(Buffer.concat(this.#left));
  }

  attach(): void {}
  pause(): void {}
  resume(): void {}
  end(): void {
    this.ended += 1;
  }
  destroy(): void {}
}

const NAMES: Record<number, string> = {
  0: 'more',
  1: 'text',
  2: 'binary',
  8: 'close',
  9: 'ping',
  10: 'pong',
};

/** Frames of a server (RFC 6455 5.2), each as words; what is no whole frame is shown as such. */
function framesIn(bytes: Buffer): string[] {
  const frames: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (bytes.length - at < 2) return [...frames, 'a cut frame'];
    const [b0, b1] = [bytes[at] as number, bytes[at + 1] as number];
    const short = b1 < 126;
    const length = short
      ? b1
      : b1 === 126
        ? bytes.readUInt16BE(at + 2)
        : Number(bytes.readBigUInt64BE(at + 2));
    const start = at + (short ? 2 : b1 === 126 ? 4 : 10);
    at = start + length;
    if (at > bytes.length) return [...frames, 'a cut frame'];
    frames.push(words(b0, bytes.subarray(start, at)));
  }
  return frames;
}

function words(b0: number, payload: Buffer): string {
  const opcode = b0 & 0x0f;
  const final = b0 >= 0x80;
  const name = `${opcode === 0 && final ? 'last' : NAMES[opcode]}`;
  const place = !final && opcode !== 0 ? 'first ' : '';
  const data =
    opcode === 8 && payload.length > 1
      ? `${payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`
      : payload.length > 200
        ? `${payload.length} of ${[...new Set(payload)].map((byte) => String.fromCharCode(byte)).join('')}`
        : payload.toString();
  return `${place}${name} ${data}`.trim();
}
