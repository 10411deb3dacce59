import { expect, test } from 'vitest';
import { encodeClientFrame } from '../../src/testing/frames.ts';
import { hex } from '../support/raw-client.ts';

test('a masked text frame is the example of RFC 6455 5.7', () => {
  expect(encodeClientFrame({ opcode: 1, payload: 'Hello' })).toEqual(hex('81 85 37fa213d 7f9f4d5158'));
});

test('a frame may be wrong on purpose: bare, with reserved bits, not final', () => {
  const frame = encodeClientFrame({ opcode: 0xb, payload: 'Hi', masked: false, rsv: 7, final: false });
  expect(frame).toEqual(hex('7b 02 4869'));
});

test.each([
  [125, '82 fd'],
  [126, '82 fe 007e'],
  [65_535, '82 fe ffff'],
  [65_536, '82 ff 0000000000010000'],
])('a length of %i is written in the fewest bytes (5.2)', (length, head) => {
  const frame = encodeClientFrame({ opcode: 2, payload: new Uint8Array(length) });
  expect(frame.subarray(0, hex(head).length)).toEqual(hex(head));
  expect(frame.length).toBe(hex(head).length + 4 + length);
});

test('the length may be another than the payload has, and in more bits than it needs (5.2)', () => {
  const most = 2n ** 63n - 1n;
  expect(encodeClientFrame({ opcode: 1, payload: 'a', masked: false, declaredBytes: 300 })).toEqual(
    hex('81 7e 012c 61'),
  );
  expect(encodeClientFrame({ opcode: 2, declaredBytes: most })).toEqual(
    hex('82 ff 7fffffffffffffff 37fa213d'),
  );
  expect(encodeClientFrame({ opcode: 2, payload: 'a', lengthBits: 64, key: 0 })).toEqual(
    hex('82 ff 0000000000000001 00000000 61'),
  );
  expect(encodeClientFrame({ opcode: 2, payload: 'a'.repeat(126), declaredBytes: 5 }).subarray(0, 2)).toEqual(
    hex('82 85'),
  );
  expect(encodeClientFrame({ opcode: 1, payload: 'a', masked: false, lengthBits: 16 })).toEqual(
    hex('81 7e 0001 61'),
  );
});
