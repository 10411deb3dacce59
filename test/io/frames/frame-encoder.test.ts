import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  encodeFrame,
  FrameEncoder,
  headerBytes,
  MAX_CONTROL_BYTES,
  PING,
  PONG,
  RSV1,
  TEXT,
  writeHeader,
  writeTextFrame,
} from '../../../src/io/frames/frame-encoder.ts';
import { hex } from '../../support/raw-client.ts';

/** The header for a length, in hexadecimal. */
function headerOf(payloadBytes: number, opcode = BINARY, final = true, rsv = 0): string {
  const target = new Uint8Array(12).fill(0xee);
  const end = writeHeader(target, 1, opcode, final, payloadBytes, rsv);
  expect([end, target[0], target[end]]).toEqual([1 + headerBytes(payloadBytes), 0xee, 0xee]);
  return Buffer.from(target.subarray(1, end)).toString('hex');
}

test('the opcodes are those of RFC 6455 11.8', () => {
  expect([CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG, MAX_CONTROL_BYTES]).toEqual([
    0, 1, 2, 8, 9, 10, 125,
  ]);
});

describe('a header (RFC 6455 5.2)', () => {
  test('holds the length in the fewest bytes', () => {
    expect(headerOf(0)).toBe('8200');
    expect(headerOf(125)).toBe('827d');
    expect(headerOf(126)).toBe('827e007e');
    expect(headerOf(256)).toBe('827e0100');
    expect(headerOf(65_535)).toBe('827effff');
    expect(headerOf(65_536)).toBe('827f0000000000010000');
    expect(headerOf(2 ** 32 - 1)).toBe('827f00000000ffffffff');
    expect(headerOf(2 ** 32)).toBe('827f0000000100000000');
    expect(headerOf(2 ** 32 + 0x01020304)).toBe('827f0000000101020304');
    expect(headerOf(Number.MAX_SAFE_INTEGER)).toBe('827f001fffffffffffff');
  });

  test('holds the opcode, FIN and the bits of an extension, and no mask (5.1)', () => {
    expect(headerOf(1, TEXT, false)).toBe('0101');
    expect(headerOf(1, CONTINUATION, false)).toBe('0001');
    expect(headerOf(1, CONTINUATION, true)).toBe('8001');
    expect(headerOf(1, PONG)).toBe('8a01');
    expect(headerOf(1, TEXT, true, 0x40)).toBe('c101');
  });
});

test('the examples of RFC 6455 5.7, as a server sends them', () => {
  expect(encodeFrame(TEXT, Buffer.from('Hello'))).toEqual(hex('81 05 48656c6c6f'));
  expect(encodeFrame(TEXT, Buffer.from('Hel'), false)).toEqual(hex('01 03 48656c'));
  expect(encodeFrame(CONTINUATION, Buffer.from('lo'))).toEqual(hex('80 02 6c6f'));
  expect(encodeFrame(PING, Buffer.from('Hello'))).toEqual(hex('89 05 48656c6c6f'));
  expect(encodeFrame(BINARY, new Uint8Array(256))).toEqual(
    new Uint8Array(Buffer.concat([hex('82 7e0100'), new Uint8Array(256)])),
  );
  expect(encodeFrame(BINARY, new Uint8Array(65_536)).subarray(0, 11)).toEqual(
    hex('82 7f0000000000010000 00'),
  );
});

test('a frame is memory of its own', () => {
  const payload = Uint8Array.of(1, 2, 3);
  const frame = encodeFrame(BINARY, payload);
  payload.fill(9);
  expect([...frame, frame.buffer.byteLength]).toEqual([0x82, 3, 1, 2, 3, 5]);
});

describe('a client masks (RFC 6455 5.1, 5.3)', () => {
  /** The key of the examples in RFC 6455 5.7. */
  const KEY = 0x3d21fa37;

  test('as in the examples of RFC 6455 5.7', () => {
    const client = new FrameEncoder('client', () => KEY);
    expect(client.encode(TEXT, Buffer.from('Hello'))).toEqual(hex('81 85 37fa213d 7f9f4d5158'));
    expect(client.encode(PONG, Buffer.from('Hello'))).toEqual(hex('8a 85 37fa213d 7f9f4d5158'));
  });

  test('each frame with the next key, at every length of header, and leaves the payload as it is', () => {
    for (const length of [0, 1, 125, 126, 65_535, 65_536]) {
      const keys = [0x01020304, -1, 0];
      const client = new FrameEncoder('client', () => keys.shift() as number);
      const payload = new Uint8Array(length).fill(0x55);
      const [first, second, third] = [1, 2, 3].map(() => client.encode(BINARY, payload, false, RSV1));
      const head = headerBytes(length);
      const plain = encodeFrame(BINARY, payload, false, RSV1);
      plain[1] = (plain[1] as number) | 0x80;
      for (const [frame, key] of [
        [first, hex('04 03 02 01')],
        [second, hex('ff ff ff ff')],
        [third, hex('00 00 00 00')],
      ] as const) {
        const masked = payload.map((octet, i) => octet ^ (key[i & 3] as number));
        expect(Buffer.concat([plain.subarray(0, head), key, masked]).equals(frame as Uint8Array)).toBe(true);
      }
      expect(payload.every((octet) => octet === 0x55)).toBe(true);
    }
  });

  test('with keys that nobody can foresee, where none are given', () => {
    const client = new FrameEncoder('client');
    const keys = new Set(
      Array.from({ length: 50 }, () =>
        Buffer.from(client.encode(PING, new Uint8Array(0))).toString('hex', 2),
      ),
    );
    expect(keys.size).toBeGreaterThan(45);
  });

  test('a server does not', () => {
    const server = new FrameEncoder('server', () => KEY);
    expect(server.encode(TEXT, Buffer.from('Hel'), false, RSV1)).toEqual(hex('41 03 48656c'));
  });
});

describe('a text frame written in place', () => {
  /** The frame as `encodeFrame` makes it must stand at `at`, with nothing changed before it. */
  function check(text: string, at: number, opcode = TEXT, final = true): void {
    const target = Buffer.alloc(at + 10 + 3 * text.length, 0xee);
    const end = writeTextFrame(target, at, text, opcode, final);
    const expected = encodeFrame(opcode, Buffer.from(text), final);
    expect(Buffer.compare(target.subarray(at, end), expected)).toBe(0);
    expect(target.subarray(0, at).every((byte) => byte === 0xee)).toBe(true);
  }

  test('is the same as an encoded one, where characters and bytes ask for headers of other lengths', () => {
    for (const [character, lengths] of [
      ['a', [0, 1, 124, 125, 126, 127, 65_534, 65_535, 65_536]],
      ['é', [62, 63, 64, 125, 126, 32_767, 32_768, 65_535]],
      ['€', [41, 42, 43, 125, 126, 21_845, 21_846, 65_535, 65_536]],
      ['😀', [31, 32, 62, 63, 16_383, 16_384, 32_767, 32_768]],
    ] as const) {
      for (const length of lengths) check(character.repeat(length), length % 7);
    }
  });

  test('is the same for any text, halves of surrogate pairs included: they become U+FFFD', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 200 }),
        fc.nat(20),
        fc.boolean(),
        (text, at, final) => {
          check(text, at, TEXT, final);
          check(`${text}\ud83d`, at, CONTINUATION, final);
          check(`\ude00${text}`, at);
        },
      ),
    );
  });
});
