/** The shared read buffer, and SIMD over it against the plain definition of masking (RFC 6455 5.3). */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { READ_BYTES, readBlock, readBuffer, toBlock } from '../../../src/io/frames/read-buffer.ts';

const naive = (bytes: Uint8Array, key: number) =>
  bytes.map((byte, i) => byte ^ ((key >>> ((i & 3) * 8)) & 0xff));

describe('the read buffer', () => {
  test('is one block of a fixed size, at which every chunk begins', () => {
    expect(readBuffer.length).toBe(READ_BYTES);
    expect(toBlock(readBuffer.subarray(0, 10))).toBe(readBlock);
  });

  test('is not what a chunk of other memory, or one that begins elsewhere, is taken for', () => {
    expect(toBlock(new Uint8Array(10))).not.toBe(readBlock);
    expect(toBlock(readBuffer.subarray(1, 10))).not.toBe(readBlock);
  });

  test('is unmasked in place by SIMD on this Node', () => {
    expect(readBlock.unmaskInPlace).toBeTypeOf('function');
  });

  test('5.3: octet i is XORed with octet i modulo 4 of the key, at any offset and length, and no other octet', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 400 }),
        fc.integer({ min: 0, max: 130 }),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        (bytes, start, key) => {
          readBuffer.fill(0xaa, 0, 600);
          readBuffer.set(bytes, start);
          const seen = readBlock.unmaskInPlace?.(start, start + bytes.length, key) as number;
          const expected = naive(bytes, key);
          expect(new Uint8Array(readBuffer.subarray(start, start + bytes.length))).toEqual(expected);
          expect(readBuffer.subarray(0, start).every((byte) => byte === 0xaa)).toBe(true);
          expect(readBuffer.subarray(start + bytes.length, 600).every((byte) => byte === 0xaa)).toBe(true);
          expect(seen >= 0x80).toBe(expected.some((byte) => byte >= 0x80));
        },
      ),
      { numRuns: 500 },
    );
  });
});
