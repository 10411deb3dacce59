import { expect, test } from 'vitest';
import { encodeClientFrame, ServerFrames } from '../../src/testing/frames.ts';
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

test.each([0, 125, 126, 65_535, 65_536])('a bare frame of %i bytes is read, cut anywhere', (length) => {
  const payload = Uint8Array.from({ length }, (_, i) => i & 0xff);
  const bytes = encodeClientFrame({ opcode: 2, payload, masked: false });
  for (const cut of [1, 2, 5, 9, bytes.length - 1]) {
    const frames = new ServerFrames();
    frames.push(bytes.subarray(0, cut));
    if (cut < bytes.length) expect(frames.next()).toBeUndefined();
    frames.push(bytes.subarray(cut));
    expect(frames.next()).toEqual({ opcode: 2, payload, final: true });
    expect(frames.next()).toBeUndefined();
  }
});

test('two frames in one chunk are two', () => {
  const frames = new ServerFrames();
  frames.push(hex('01 01 61 80 01 62'));
  expect(frames.next()).toEqual({ opcode: 1, payload: hex('61'), final: false });
  expect(frames.next()).toEqual({ opcode: 0, payload: hex('62'), final: true });
});
