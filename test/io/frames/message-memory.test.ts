/** Messages own their memory: what one holds is never what another writes. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Block } from '../../../src/io/frames/masking.ts';
import { copyUnmasked } from '../../../src/io/frames/message-memory.ts';

const masked = (bytes: Uint8Array, key: number) =>
  new Block(bytes.map((byte, i) => byte ^ ((key >>> ((i & 3) * 8)) & 0xff)));

describe('a message', () => {
  test.each([0, 1, 31, 32, 191, 192, 4095, 4096, 4097, 70_000])(
    'of %i bytes is unmasked and whole',
    (length) => {
      const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
      expect(copyUnmasked(masked(bytes, 0x12345678), 0, length, 0x12345678)).toEqual(bytes);
    },
  );

  test('keeps its bytes, whatever others come after it', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 40 }), (payloads) => {
        const kept = payloads.map((payload) => copyUnmasked(masked(payload, 99), 0, payload.length, 99));
        expect(kept).toEqual(payloads);
      }),
      { numRuns: 50 },
    );
  });

  test('that shares a slab stays, and so do its neighbours, when its memory is to be transferred', () => {
    const first = copyUnmasked(new Block(Uint8Array.of(1, 2, 3)), 0, 3, 0);
    const second = copyUnmasked(new Block(Uint8Array.of(4, 5, 6)), 0, 3, 0);
    // Node 20 copies what may not be transferred, later ones throw.
    try {
      structuredClone(first, { transfer: [first.buffer as ArrayBuffer] });
    } catch (error) {
      expect(error).toHaveProperty('name', 'DataCloneError');
    }
    expect([...first, ...second]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('that is large owns its memory alone', () => {
    const large = copyUnmasked(new Block(new Uint8Array(5000).fill(7)), 0, 5000, 0);
    expect(large.buffer.byteLength).toBe(5000);
    expect(large.byteOffset).toBe(0);
  });
});
