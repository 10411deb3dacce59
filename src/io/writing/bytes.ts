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
  // In this order, which is the fastest one: every binary message that is sent comes here.
  const isOfThisRealm = value instanceof Uint8Array && types.isUint8Array(value);
  if (isOfThisRealm && value.length === lengthOf.call(value)) return value;
  if (!types.isUint8Array(value)) return undefined;
  // Of another realm, or of a class that says something else about its length.
  return new Uint8Array(bufferOf.call(value), offsetOf.call(value), lengthOf.call(value));
}

/** What a typed array itself knows, whatever its class says. */
const { prototype: typedArray } = Object.getPrototypeOf(Uint8Array) as { prototype: object };
const getterOf = (name: string) =>
  Object.getOwnPropertyDescriptor(typedArray, name)?.get as (this: unknown) => never;
const bufferOf: (this: unknown) => ArrayBuffer = getterOf('buffer');
const offsetOf: (this: unknown) => number = getterOf('byteOffset');
const lengthOf: (this: unknown) => number = getterOf('byteLength');

/** How to make a Uint8Array of a value that holds bytes, to end an error with; empty for any other value. */
export function bytesAdvice(value: unknown): string {
  if (types.isAnyArrayBuffer(value)) return '; its bytes go as new Uint8Array(buffer)';
  if (ArrayBuffer.isView(value)) {
    return '; its bytes go as new Uint8Array(view.buffer, view.byteOffset, view.byteLength)';
  }
  if (value instanceof Uint8Array)
    return '; a proxy or an imitation goes as new Uint8Array(bytes) of the real one';
  return value instanceof Blob ? '; its bytes go as new Uint8Array(await blob.arrayBuffer())' : '';
}

/** The text as UTF-8. A short one lies in memory that the next call uses again. */
export function utf8Of(text: string): Uint8Array {
  if (text.length * 3 > scratch.length) return Buffer.from(text);
  return scratch.subarray(0, scratch.write(text, 'utf8'));
}

const scratch = Buffer.allocUnsafeSlow(64 * 1024);

/** The error for a message that can never be sent. */
export function tooLarge(bytes: number, sendLimit: number): RangeError {
  const advice = 'raise the option sendLimit, or send it in pieces with sendFragments()';
  return new RangeError(
    `cannot send a message of ${bytes} bytes: sendLimit is ${sendLimit} bytes for each connection; ${advice}`,
  );
}
