/**
 * A setup file of vitest: equal bytes are found equal at the speed of memory. Vitest by itself compares byte by byte
 * with a call for each, which takes most of the time of the tests with large messages.
 *
 * Bytes that differ are left to vitest, which shows where; what is equal and what is not stays as it is.
 */
import { Buffer } from 'node:buffer';
import { expect } from 'vitest';

function equalBytes(one: unknown, other: unknown): true | undefined {
  if (!(one instanceof Uint8Array) || !(other instanceof Uint8Array)) return undefined;
  return one.constructor === other.constructor && Buffer.compare(one, other) === 0 ? true : undefined;
}

// Vitest keeps its testers for the whole process, and setup files run before each test file.
const ADDED = Symbol.for('portal-ws: bytes are compared as bytes');
if (!(ADDED in globalThis)) {
  Object.assign(globalThis, { [ADDED]: true });
  expect.addEqualityTesters([equalBytes]);
}
