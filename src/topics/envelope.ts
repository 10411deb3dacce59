/**
 * The envelope as a few bytes before the payload, for engines that have no headers.
 *
 *   byte 0          version 1 in the upper four bits; flags: 1 binary, 2 except, 4 key, 8 control
 *   1 + n bytes     origin, as the number of its bytes and ASCII
 *   1 + n bytes     except, likewise, where its flag is set
 *   2 + n bytes     key, as the number of its bytes (big-endian) and UTF-8, where its flag is set
 *   the rest        the payload
 */
import { Buffer } from 'node:buffer';
import type { Deliver, Envelope } from './backplane.ts';

const VERSION = 0x10;
const BINARY = 1;
const EXCEPT = 2;
const KEY = 4;
const CONTROL = 8;
const MAX_SHORT = 0xff;
const MAX_KEY = 0xffff;

/**
 * The envelope and the payload in one block.
 * @throws RangeError for a key over 65,535 bytes; origins and ids are Portal's own, and short.
 */
export function encodeEnvelope(envelope: Envelope, payload: Uint8Array): Uint8Array {
  const { origin, binary, except, key, control } = envelope;
  const keyBytes = key === undefined ? 0 : Buffer.byteLength(key);
  if (keyBytes > MAX_KEY) throw new RangeError(`a key has ${keyBytes} bytes; allowed are 0-${MAX_KEY}`);
  const length =
    2 +
    origin.length +
    (except === undefined ? 0 : 1 + except.length) +
    (key === undefined ? 0 : 2 + keyBytes);
  const block = Buffer.allocUnsafe(length + payload.length);
  const flags =
    (binary ? BINARY : 0) |
    (except === undefined ? 0 : EXCEPT) |
    (key === undefined ? 0 : KEY) |
    (control ? CONTROL : 0);
  let at = block.writeUInt8(VERSION | flags);
  at = writeShort(block, at, origin);
  if (except !== undefined) at = writeShort(block, at, except);
  if (key !== undefined) {
    at = block.writeUInt16BE(keyBytes, at);
    at += block.write(key, at);
  }
  block.set(payload, at);
  return block;
}

function writeShort(block: Buffer, at: number, text: string): number {
  if (text.length > MAX_SHORT)
    throw new RangeError(`an id has ${text.length} bytes; allowed are 0-${MAX_SHORT}`);
  block.writeUInt8(text.length, at);
  return at + 1 + block.write(text, at + 1, 'latin1');
}

/** What `encodeEnvelope` made; undefined for bytes that are something else. The payload is a view of them. */
export function decodeEnvelope(
  block: Uint8Array,
): { readonly envelope: Envelope; readonly payload: Uint8Array } | undefined {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.length);
  const first = bytes[0];
  if (first === undefined || (first & 0xf0) !== VERSION) return undefined;
  const reader = { bytes, at: 1 };
  const origin = readText(reader, 1);
  const except = first & EXCEPT ? readText(reader, 1) : undefined;
  const key = first & KEY ? readText(reader, 2) : undefined;
  if (reader.at > bytes.length || origin === undefined) return undefined;
  const envelope = { origin, binary: (first & BINARY) !== 0, except, key, control: (first & CONTROL) !== 0 };
  return { envelope, payload: block.subarray(reader.at) };
}

/** A text after its length; past the end, `at` is beyond the bytes. */
function readText(reader: { readonly bytes: Buffer; at: number }, lengthBytes: 1 | 2): string | undefined {
  const { bytes } = reader;
  const start = reader.at + lengthBytes;
  reader.at = start;
  if (start > bytes.length) return undefined;
  const end = start + bytes.readUIntBE(start - lengthBytes, lengthBytes);
  reader.at = end;
  return end > bytes.length ? undefined : bytes.toString(lengthBytes === 1 ? 'latin1' : 'utf8', start, end);
}

/**
 * Delivers a block that an engine has received for a topic, as a copy, since it may be a part of what its socket has read. What
 * `encodeEnvelope` has not made is told.
 */
export function deliverBlock(
  topic: string,
  block: Uint8Array,
  deliver: Deliver,
  troubled: (error: Error) => void,
): void {
  const decoded = decodeEnvelope(block);
  // Not slice: that of a Buffer is a view.
  if (decoded !== undefined) deliver(topic, new Uint8Array(decoded.payload), decoded.envelope);
  else troubled(new Error(`a message to ${JSON.stringify(topic)} is none of Portal's; it is left out`));
}
