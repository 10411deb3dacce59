import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Block, rotateKey, SIMD_FROM_BYTES, unmaskInto } from '../../../src/io/frames/masking.ts';
import { readBlock, readBuffer } from '../../../src/io/frames/read-buffer.ts';
import { random } from '../../support/splits.ts';

/** RFC 6455 5.3: "transformed-octet-i is the XOR of original-octet-i with octet at index i modulo 4 of the masking-key". */
function naive(payload: Uint8Array, octets: Uint8Array, phase = 0): Uint8Array {
  return payload.map((octet, i) => octet ^ (octets[(i + phase) & 3] as number));
}

/** A key as the frame decoder reads it. */
const numberOf = (octets: Uint8Array): number =>
  new DataView(octets.buffer, octets.byteOffset).getInt32(0, true);

const noise = (length: number, seed: number): Uint8Array => {
  const next = random(seed);
  return Uint8Array.from({ length }, () => next() * 256);
};

const KEYS = [
  Uint8Array.of(0x37, 0xfa, 0x21, 0x3d),
  Uint8Array.of(0xff, 0xfe, 0xfd, 0xfc),
  Uint8Array.of(0x80, 0, 0, 0),
  Uint8Array.of(0, 0, 0, 0x80),
  new Uint8Array(4),
];

/** Lengths around every border that the code has: octets, words, SIMD. */
const LENGTHS = [
  0, 1, 2, 3, 4, 5, 15, 16, 17, 31, 32, 33, 34, 47, 48, 63, 64, 65, 127, 128, 129, 191, 192, 193, 255, 256,
  1000,
];

interface Place {
  readonly name: string;
  /** A block with `bytes` at `start`. */
  readonly put: (bytes: Uint8Array, start: number) => Block;
}

const PLACES: Place[] = [
  {
    name: 'memory of its own',
    put(bytes, start) {
      // At an odd offset of its ArrayBuffer, as socket chunks may be.
      const view = new Uint8Array(new ArrayBuffer(start + bytes.length + 9), 3, start + bytes.length + 2);
      view.set(bytes, start);
      return new Block(view);
    },
  },
  {
    name: 'the read buffer, by SIMD where there is any',
    put(bytes, start) {
      readBuffer.set(bytes, start);
      return readBlock;
    },
  },
];

describe.each(PLACES)('unmasking from $name (RFC 6455 5.3)', ({ put }) => {
  test('is the XOR of the definition, at every length, offset and target', () => {
    let wrong = 0;
    for (const length of LENGTHS) {
      for (const octets of KEYS) {
        for (let start = 0; start < 5; start++) {
          const payload = noise(length, length * 7 + start);
          const target = new Uint8Array(length + 16).fill(0xaa);
          const at = (start * 3) % 8;
          unmaskInto(put(payload, start), start, start + length, numberOf(octets), new Block(target), at);
          const expected = new Uint8Array(length + 16).fill(0xaa);
          expected.set(naive(payload, octets), at);
          if (Buffer.compare(target, expected) !== 0) wrong++;
        }
      }
    }
    expect(wrong).toBe(0);
  });

  test('tells of a single byte beyond ASCII, wherever it is, and of none where there is none', () => {
    const octets = KEYS[0] as Uint8Array;
    for (const length of LENGTHS) {
      const ascii = noise(length, length).map((octet) => octet & 0x7f);
      const seenIn = (text: Uint8Array): number =>
        unmaskInto(
          put(naive(text, octets), 1),
          1,
          1 + length,
          numberOf(octets),
          new Block(new Uint8Array(length)),
          0,
        );
      expect(seenIn(ascii)).toBeLessThan(0x80);
      for (let i = 0; i < length; i++) {
        const text = ascii.slice();
        text[i] = 0x80;
        expect(seenIn(text)).toBeGreaterThanOrEqual(0x80);
      }
    }
  });

  test('in two parts, the second with the key rotated by the length of the first, is the same as in one', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 3 * SIMD_FROM_BYTES }),
        fc.uint8Array({ minLength: 4, maxLength: 4 }),
        fc.nat(),
        (payload, octets, place) => {
          const cut = place % (payload.length + 1);
          const key = numberOf(octets);
          const target = new Block(new Uint8Array(payload.length));
          unmaskInto(put(payload, 0), 0, cut, key, target, 0);
          unmaskInto(put(payload, 0), cut, payload.length, rotateKey(key, cut), target, cut);
          expect(target.bytes).toEqual(naive(payload, octets));
        },
      ),
    );
  });
});

test('a key rotates by the phase modulo 4, and back to itself', () => {
  for (const octets of KEYS) {
    for (let phase = 0; phase < 9; phase++) {
      const rotated = naive(new Uint8Array(4), octets, phase);
      expect(rotateKey(numberOf(octets), phase) | 0).toBe(numberOf(rotated));
    }
    expect(rotateKey(numberOf(octets), 2 ** 32 - 4) | 0).toBe(numberOf(octets));
  }
});
