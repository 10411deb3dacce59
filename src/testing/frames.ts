/**
 * Frames as a client sends them (RFC 6455 5), and wrong ones for tests of a server.
 */
import { Buffer } from 'node:buffer';
import { encodeFrame, headerBytes } from '../io/frames/frame-encoder.ts';
import type { MaskingKey } from '../io/frames/masking.ts';

/** One frame to send. */
export interface ClientFrame {
  /** 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong; others are wrong. */
  readonly opcode: number;
  /** A string is sent as UTF-8. Default: empty. */
  readonly payload?: string | Uint8Array | undefined;
  /** The last one of its message. Default true. */
  readonly final?: boolean | undefined;
  /** The three reserved bits, 0 to 7. Default 0. */
  readonly rsv?: number | undefined;
  /** A client masks (5.1). Default true. */
  readonly masked?: boolean | undefined;
}

/** A frame whose header may say anything. For Portal's own tests. */
export interface AnyFrame extends ClientFrame {
  readonly key?: MaskingKey | undefined;
  /** The length in the header, in place of the payload's. */
  readonly declaredBytes?: number | bigint | undefined;
  /** In how many bits the length is written. Default: the fewest. */
  readonly lengthBits?: 7 | 16 | 64 | undefined;
}

/** The masking key of the examples in RFC 6455 5.7: tests are the same in each run. */
export const SAMPLE_KEY: MaskingKey = 0x3d21fa37;

/** The bytes of one frame, right or wrong. */
export function encodeClientFrame(fields: AnyFrame): Uint8Array {
  const { opcode, payload = '', final = true, rsv = 0, masked = true, key = SAMPLE_KEY } = fields;
  const { declaredBytes, lengthBits } = fields;
  const bytes = Buffer.from(payload as string); // a string or bytes
  const frame = encodeFrame(opcode, bytes, final, (rsv & 7) << 4, masked ? key : undefined);
  if (declaredBytes === undefined && lengthBits === undefined) return frame;
  const length = lengthField(declaredBytes ?? bytes.length, lengthBits);
  const [first = 0, second = 0] = frame;
  length[0] = (length[0] as number) | (second & 0x80); // it has at least one byte
  return new Uint8Array(
    Buffer.concat([Uint8Array.of(first), length, frame.subarray(headerBytes(bytes.length))]),
  );
}

/** A length as it follows the first byte of a frame, without the bit for the mask. */
function lengthField(bytes: number | bigint, bits?: 7 | 16 | 64): Uint8Array {
  const form = bits ?? (bytes <= 125 ? 7 : bytes <= 0xffff ? 16 : 64);
  if (form === 7) return Uint8Array.of(Number(bytes));
  const field = Buffer.alloc(form === 16 ? 3 : 9);
  field.writeUInt8(form === 16 ? 126 : 127);
  if (form === 16) field.writeUInt16BE(Number(bytes), 1);
  else field.writeBigUInt64BE(BigInt(bytes), 1);
  return field;
}
