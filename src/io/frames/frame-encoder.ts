/**
 * Frames that a server sends (RFC 6455 5.2): never masked (5.1), lengths in the fewest bytes.
 */
import type { Buffer } from 'node:buffer';

/** Opcodes, RFC 6455 5.2 and 11.8. */
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** Most payload bytes of a control frame (RFC 6455 5.5). */
export const MAX_CONTROL_BYTES = 125;

const FIN = 0x80;

/** Bytes of the header of an unmasked frame with this much payload: 2, 4 or 10. */
export function headerBytes(payloadBytes: number): number {
  if (payloadBytes < 126) return 2;
  return payloadBytes < 65_536 ? 4 : 10;
}

/** Writes the header at `at` and returns where the payload begins. `rsv` holds the bits an extension sets. */
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

/** One whole frame in memory of its own. */
export function encodeFrame(opcode: number, payload: Uint8Array, final = true): Uint8Array {
  const frame = new Uint8Array(headerBytes(payload.length) + payload.length);
  frame.set(payload, writeHeader(frame, 0, opcode, final, payload.length));
  return frame;
}

/**
 * Writes a whole text frame at `at` and returns its end. The target must have room for 10 + 3 × length bytes.
 * The header is guessed from the length in characters, which is right for ASCII, and mended where it was not.
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
