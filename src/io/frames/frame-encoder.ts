/**
 * Writes frames (RFC 6455 5.2), with the length in the fewest bytes. A server's frames are not masked, a client's are (5.1).
 */
import type { Buffer } from 'node:buffer';
import { Block, type MaskingKey, type Role, randomKey, unmaskInto } from './masking.ts';

/** Opcodes, RFC 6455 5.2 and 11.8. */
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** Most payload bytes of a control frame (RFC 6455 5.5). */
export const MAX_CONTROL_BYTES = 125;

/** The reserved bit that an extension may use (RFC 6455 5.2; RFC 7692 6), in its place in a frame's first byte. */
export const RSV1 = 0x40;

const FIN = 0x80;
const MASK_BIT = 0x80;
const KEY_BYTES = 4;

/** Bytes of the header of an unmasked frame with this much payload: 2, 4 or 10. */
export function headerBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 2;
  return payloadBytes < 65_536 ? 4 : 10;
}

/** Writes the header of an unmasked frame at `at`; returns where the payload begins. `rsv`: reserved bits, or 0. */
export function writeHeader(
  target: Uint8Array,
  at: number,
  opcode: number,
  final: boolean,
  payloadBytes: number,
  rsv = 0,
): number {
  target[at] = (final ? FIN : 0) | rsv | opcode;
  if (payloadBytes < 126) {
    target[at + 1] = payloadBytes;
    return at + 2;
  }
  if (payloadBytes < 65_536) {
    target[at + 1] = 126;
    target[at + 2] = payloadBytes >>> 8;
    target[at + 3] = payloadBytes;
    return at + 4;
  }
  target[at + 1] = 127;
  let rest = payloadBytes;
  for (let i = at + 9; i > at + 1; i--) {
    target[i] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return at + 10;
}

/** One whole frame in memory of its own; masked when there is a `key`. */
export function encodeFrame(
  opcode: number,
  payload: Uint8Array,
  final = true,
  rsv = 0,
  key?: MaskingKey,
): Uint8Array {
  const bytes = payload.length;
  const frame = new Uint8Array(headerBytes(bytes) + (key === undefined ? 0 : KEY_BYTES) + bytes);
  const end = writeHeader(frame, 0, opcode, final, bytes, rsv);
  if (key === undefined) frame.set(payload, end);
  else unmaskInto(new Block(payload), 0, bytes, key, new Block(frame), writeKey(frame, end, key));
  return frame;
}

/** Turns the header before `at` into that of a masked frame; returns where the payload begins. */
export function writeKey(frame: Uint8Array, at: number, key: MaskingKey): number {
  frame[1] = (frame[1] as number) | MASK_BIT; // every header has two bytes
  for (let i = 0; i < KEY_BYTES; i++) frame[at + i] = key >>> (8 * i);
  return at + KEY_BYTES;
}

/** Encodes the frames of one end of a connection: a client's are masked, each with the next key. */
export class FrameEncoder {
  readonly #nextKey: (() => MaskingKey) | undefined;

  constructor(role: Role, nextKey: () => MaskingKey = randomKey) {
    this.#nextKey = role === 'client' ? nextKey : undefined;
  }

  /** One whole frame in memory of its own. `rsv`: reserved bits, in their place in the first byte. */
  encode(opcode: number, payload: Uint8Array, final = true, rsv = 0): Uint8Array {
    return encodeFrame(opcode, payload, final, rsv, this.#nextKey?.());
  }
}

/**
 * Writes a whole unmasked text frame at `at`; returns its end. The target must have room for 10 + 3 × length bytes.
 * The size of the header is guessed from the length in characters, which is right for ASCII. If it was wrong, the payload
 * is moved.
 */
export function writeTextFrame(
  target: Buffer,
  at: number,
  text: string,
  opcode = TEXT,
  final = true,
): number {
  const guess = headerBytes(text.length);
  const written = text.length === 0 ? 0 : target.write(text, at + guess, 'utf8');
  const header = headerBytes(written);
  if (header !== guess) target.copyWithin(at + header, at + guess, at + guess + written);
  writeHeader(target, at, opcode, final, written);
  return at + header + written;
}
