/**
 * Frames as a client has them (RFC 6455 5): masked on their way out, bare on their way in. Everything that goes out may
 * be wrong on purpose; what comes in is a server's, and is read as it is.
 */
import { Buffer } from 'node:buffer';
import { headerBytes, writeHeader } from '../io/frames/frame-encoder.ts';

/** One frame to send. */
export interface ClientFrame {
  /** 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong; others are wrong. */
  readonly opcode: number;
  /** A string goes as UTF-8. Default: empty. */
  readonly payload?: string | Uint8Array | undefined;
  /** The last one of its message. Default true. */
  readonly final?: boolean | undefined;
  /** The three reserved bits, 0 to 7. Default 0. */
  readonly rsv?: number | undefined;
  /** A client masks (5.1). Default true. */
  readonly masked?: boolean | undefined;
}

/** One frame that came. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly final: boolean;
}

/** The masking key of the examples in RFC 6455 5.7: tests are the same in each run. */
const KEY = [0x37, 0xfa, 0x21, 0x3d];
const MASK_BIT = 0x80;

export function encodeClientFrame({
  opcode,
  payload = '',
  final = true,
  rsv = 0,
  masked = true,
}: ClientFrame): Uint8Array {
  const bytes = Buffer.from(payload as string);
  const headEnd = headerBytes(bytes.length);
  const keyBytes = masked ? KEY.length : 0;
  const frame = new Uint8Array(headEnd + keyBytes + bytes.length);
  writeHeader(frame, 0, opcode, final, bytes.length, (rsv & 7) << 4);
  frame.set(bytes, headEnd + keyBytes);
  if (!masked) return frame;
  frame[1] = (frame[1] as number) | MASK_BIT; // a header has two bytes at least
  frame.set(KEY, headEnd);
  for (let i = 0; i < bytes.length; i++) {
    frame[headEnd + keyBytes + i] = (bytes[i] as number) ^ (KEY[i & 3] as number); // i < length
  }
  return frame;
}

/** What a server sent, frame by frame. */
export class ServerFrames {
  #bytes = Buffer.alloc(0);

  push(chunk: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
  }

  /** The next whole frame, if it is here. */
  next(): ServerFrame | undefined {
    const bytes = this.#bytes;
    if (bytes.length < 2) return undefined;
    const length7 = bytes.readUInt8(1) & 0x7f;
    const headEnd = length7 < 126 ? 2 : length7 === 126 ? 4 : 10;
    if (bytes.length < headEnd) return undefined;
    const length =
      length7 < 126 ? length7 : length7 === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < headEnd + length) return undefined;
    this.#bytes = bytes.subarray(headEnd + length);
    const first = bytes.readUInt8(0);
    const payload = new Uint8Array(bytes.subarray(headEnd, headEnd + length));
    return { opcode: first & 0x0f, final: first >= 0x80, payload };
  }
}
