import { Buffer, isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeUtf8, Utf8Validator } from '../../../src/io/frames/utf8.ts';
import { firstImpossible, impossibleAfter, unfinishedCharacters } from '../../conformance/utf8-table.ts';
import { random, split, splitsInTwo } from '../../support/splits.ts';

/** Whether the pieces can be the beginning of a text, and whether it may end there. */
function judge(pieces: Iterable<Uint8Array>): { possible: boolean; complete: boolean } {
  const validator = new Utf8Validator();
  for (const piece of pieces) {
    if (!validator.push(piece, 0, piece.length)) return { possible: false, complete: false };
  }
  return { possible: true, complete: validator.complete };
}

const isText = (pieces: Iterable<Uint8Array>): boolean => {
  const { possible, complete } = judge(pieces);
  return possible && complete;
};

const decodes = (payload: Uint8Array): boolean => {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(payload);
    return true;
  } catch {
    return false;
  }
};

describe('every sequence of bytes is judged as by `isUtf8` and `TextDecoder` (RFC 3629 4)', () => {
  test('of one and two bytes: all 65,792', () => {
    const wrong: string[] = [];
    for (let first = 0; first < 256; first++) {
      for (let second = -1; second < 256; second++) {
        const sequence = second < 0 ? Uint8Array.of(first) : Uint8Array.of(first, second);
        const valid = isText([sequence]);
        if (valid !== isUtf8(sequence) || valid !== decodes(sequence)) wrong.push(`${sequence}`);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('of three bytes: all 2,097,152 that begin with E0 or above', () => {
    const sequence = Buffer.alloc(3);
    let validator = new Utf8Validator();
    let wrong = 0;
    for (let number = 0xe00000; number <= 0xffffff; number++) {
      sequence.writeUIntBE(number, 0, 3);
      const valid = validator.push(sequence, 0, 3) && validator.complete;
      if (!valid) validator = new Utf8Validator();
      if (valid !== isUtf8(sequence)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test('of four bytes: all second and third bytes, and the edges of the fourth', () => {
    const wrong: string[] = [];
    let validator = new Utf8Validator();
    for (let first = 0xf0; first <= 0xf5; first++) {
      for (let second = 0x7f; second <= 0xc0; second++) {
        for (let third = 0x7f; third <= 0xc0; third++) {
          for (const fourth of [0x7f, 0x80, 0xbf, 0xc0]) {
            const sequence = Uint8Array.of(first, second, third, fourth);
            const valid = validator.push(sequence, 0, 4) && validator.complete;
            if (!valid) validator = new Utf8Validator();
            if (valid !== isUtf8(sequence)) wrong.push(`${sequence}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});

describe('the first byte that cannot be UTF-8 fails (RFC 6455 8.1)', () => {
  test('after every unfinished character', () => {
    for (const unfinished of [[], ...unfinishedCharacters()]) {
      expect(judge([Uint8Array.from(unfinished)])).toEqual({
        possible: true,
        complete: unfinished.length === 0,
      });
      for (const byte of impossibleAfter(unfinished)) {
        expect(judge([Uint8Array.from([...unfinished, byte])]).possible).toBe(false);
      }
    }
  });

  test('at the same place, wherever the bytes are split', () => {
    const text = fc.string({ unit: 'binary', maxLength: 60 }).map((value) => Buffer.from(value));
    fc.assert(
      fc.property(
        text,
        text,
        fc.uint8Array({ minLength: 1, maxLength: 2 }),
        fc.nat(),
        (a, b, noise, seed) => {
          const payload = Buffer.concat([a, noise, b]);
          const place = firstImpossible(payload);
          const until = place < 0 ? payload.length : place;
          for (const way of ['whole', 'byte-by-byte', { seed }] as const) {
            expect(judge(split(payload.subarray(0, until), way)).possible).toBe(true);
            if (place >= 0) expect(judge(split(payload.subarray(0, place + 1), way)).possible).toBe(false);
            expect(isText(split(payload, way))).toBe(isUtf8(payload));
          }
        },
      ),
    );
  });

  test('in the middle of a long run, where Node checks', () => {
    const text = Buffer.from('aé€😀'.repeat(30));
    for (let at = 0; at < text.length; at++) {
      const broken = Buffer.from(text);
      broken[at] = 0xff;
      expect(judge([broken.subarray(0, at)]).possible).toBe(true);
      expect(judge([broken.subarray(0, at + 1)]).possible).toBe(false);
      expect(judge([broken]).possible).toBe(false);
    }
  });
});

test('a long text of all widths is valid however it is cut in two', () => {
  const text = Buffer.from(`${'😀'.repeat(20)}${'€'.repeat(20)}${'é'.repeat(30)}${'a'.repeat(50)}😀`);
  for (const halves of splitsInTwo(text)) expect(isText(halves)).toBe(true);
});

test('a part of a larger block is judged alone, at any offset', () => {
  const next = random(7);
  const block = Buffer.from(Uint8Array.from({ length: 400 }, () => next() * 256));
  const text = Buffer.from('aé€😀'.repeat(8));
  for (let at = 0; at + text.length <= block.length; at++) {
    const copy = Buffer.from(block);
    text.copy(copy, at);
    const validator = new Utf8Validator();
    expect(validator.push(copy, at, at + text.length) && validator.complete).toBe(true);
  }
});

describe('decodeUtf8', () => {
  test('gives the text of a part, a byte order mark included', () => {
    const bytes = Buffer.from('xx\ufeffGrüße😀yy');
    expect(decodeUtf8(bytes, 2, bytes.length - 2, false)).toBe('\ufeffGrüße😀');
    expect(decodeUtf8(bytes, 0, 2, true)).toBe('xx');
    expect(decodeUtf8(bytes, 2, 2, true)).toBe('');
  });

  test('gives nothing for what is no text, or ends within a character', () => {
    expect(decodeUtf8(Buffer.from([0x61, 0xed, 0xa0, 0x80]), 0, 4, false)).toBeUndefined();
    expect(decodeUtf8(Buffer.from('€'), 0, 2, false)).toBeUndefined();
  });
});
