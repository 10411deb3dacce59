/**
 * Bytes that a program gives us: a `Uint8Array` of any realm.
 *
 * Under Jest, in node:vm and in some frameworks a program's `Uint8Array` is of another realm than ours, and `instanceof`
 * says no to it. Other objects that hold bytes are not taken, since the order of the bytes in a number is the machine's; the
 * error says how to make a `Uint8Array` of them.
 */
import { types } from 'node:util';

/** The value if it is a Uint8Array of any realm (a Buffer is one), as one of this realm; otherwise undefined. */
export function toBytes(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value;
  if (!types.isUint8Array(value)) return undefined;
  const { buffer, byteOffset, byteLength } = value as Uint8Array;
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** How to make a Uint8Array of a value that holds bytes, to end an error with; empty for any other value. */
export function bytesAdvice(value: unknown): string {
  if (types.isAnyArrayBuffer(value)) return '; its bytes go as new Uint8Array(buffer)';
  if (ArrayBuffer.isView(value)) {
    return '; its bytes go as new Uint8Array(view.buffer, view.byteOffset, view.byteLength)';
  }
  const { arrayBuffer } = Object(value) as { arrayBuffer?: unknown };
  return typeof arrayBuffer === 'function'
    ? '; its bytes go as new Uint8Array(await blob.arrayBuffer())'
    : '';
}
