import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FaultName, faults } from '../../../src/io/faults.ts';
import { type DecoderLimits, FrameDecoder } from '../../../src/io/frames/frame-decoder.ts';
import { FrameEncoder } from '../../../src/io/frames/frame-encoder.ts';
import type { Role } from '../../../src/io/frames/masking.ts';
import { answersTo, decode, LIMITS, shown, type Way } from '../../fuzz/decoding.ts';
import {
  binaryFrame,
  bytes,
  continuationFrame,
  fragmented,
  frame,
  hex,
  OPCODE,
  pingFrame,
  textFrame,
} from '../../support/raw-client.ts';
import { split, splitsInTwo } from '../../support/splits.ts';

const key = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);
const one = (chunk: Uint8Array, limits: Partial<DecoderLimits> = {}, way: Way = {}) =>
  answersTo([chunk], limits, way);

describe('payload lengths (RFC 6455 5.2)', () => {
  const forms: [length: number, header: string][] = [
    [0, '82 80'],
    [1, '82 81'],
    [125, '82 fd'],
    [126, '82 fe 007e'],
    [127, '82 fe 007f'],
    [65_535, '82 fe ffff'],
    [65_536, '82 ff 0000000000010000'],
    [65_537, '82 ff 0000000000010001'],
  ];
  test.each(forms)('%i bytes, whole, and cut at every byte of the header and around', (length, header) => {
    const payload = Uint8Array.from({ length }, (_, i) => i * 31 + 7);
    const whole = bytes(hex(header), key, binaryFrame(payload).subarray(-length || Number.MAX_SAFE_INTEGER));
    const answer = [`binary ${shown(payload)}`.trim()];
    expect(one(whole)).toEqual(answer);
    for (let cut = 1; cut < Math.min(whole.length, 24); cut++) {
      expect(answersTo([whole.subarray(0, cut), whole.subarray(cut)])).toEqual(answer);
      expect(answersTo([whole.subarray(0, -cut), whole.subarray(-cut)])).toEqual(answer);
    }
  });

  const beyond: [name: string, length: string][] = [
    ['2^32', '0000000100000000'],
    ['2^32 + 1, which is 1 in 32 bits', '0000000100000001'],
    ['2^53 + 1, which no double holds', '0020000000000001'],
    ['2^63 - 1, the most', '7fffffffffffffff'],
  ];
  test.each(beyond)('%s bytes are over every cap: 1009', (_, length) => {
    const fault = ['fault 1009 message is over the cap of 536870912 bytes'];
    expect(one(hex(`82 ff ${length}`), { cap: 2 ** 29 })).toEqual(fault);
  });
});

describe('a violation is found at its first byte, and not before', () => {
  const unfinished = frame({ opcode: OPCODE.text, fin: false, payload: 'ab' });
  const limits = { cap: 70_000, maxFragments: 3 };
  // The last byte of each is the one that is wrong.
  const violations: [law: string, code: number, sequence: Uint8Array][] = [
    ['RSV1 is set (5.2)', 1002, hex('c1')],
    ['RSV2 is set (5.2)', 1002, hex('a1')],
    ['RSV3 is set (5.2)', 1002, hex('92')],
    ['RSV1 is set on a control frame (5.2)', 1002, hex('c9')],
    ...[3, 4, 5, 6, 7, 0xb, 0xc, 0xd, 0xe, 0xf].map((opcode): [string, number, Uint8Array] => [
      `opcode ${opcode} is reserved (5.2)`,
      1002,
      Uint8Array.of(0x80 | opcode),
    ]),
    ['a Ping is fragmented (5.5)', 1002, hex('09')],
    ['a Close is fragmented (5.5)', 1002, hex('08')],
    ['a continuation follows nothing (5.4)', 1002, hex('80')],
    ['a continuation follows a whole message (5.4)', 1002, bytes(textFrame('a'), hex('80'))],
    [
      'a continuation follows a finished fragmented message (5.4)',
      1002,
      bytes(...fragmented(OPCODE.text, 'abc', 2), hex('00')),
    ],
    ['a text begins inside a message (5.4)', 1002, bytes(unfinished, hex('81'))],
    ['a binary begins inside a message (5.4)', 1002, bytes(unfinished, pingFrame(), hex('02'))],
    ['a frame is not masked (5.1)', 1002, hex('81 05')],
    ['a control frame is not masked (5.1)', 1002, hex('89 00')],
    ['a Ping has 126 bytes (5.5)', 1002, hex('89 fe')],
    ['a Close has a length of 64 bits (5.5)', 1002, hex('88 ff')],
    ['16 bits for a length of 125 (5.2)', 1002, hex('82 fe 007d')],
    ['16 bits for a length of 0 (5.2)', 1002, hex('82 fe 0000')],
    ['64 bits for a length of 65535 (5.2)', 1002, hex('82 ff 000000000000ffff')],
    ['64 bits for a length of 0 (5.2)', 1002, hex('82 ff 0000000000000000')],
    ['the highest bit of 64 (5.2)', 1002, hex('82 ff 80')],
    ['a frame is over the cap (10.4)', 1009, hex('82 ff 0000000000011171')],
    [
      'fragments are over the cap together (10.4)',
      1009,
      bytes(frame({ opcode: OPCODE.binary, fin: false, payload: new Uint8Array(69_999) }), hex('80 82')),
    ],
    [
      'fragments are too many, empty ones counted (10.4)',
      1008,
      bytes(hex('02 80'), key, hex('00 80'), key, hex('00 80'), key, hex('80 80')),
    ],
    ['C0 in a text (8.1)', 1007, textFrame(hex('61 c0'), { length: { declared: 9 } })],
    ['a surrogate in a text (8.1)', 1007, textFrame(hex('ed a0'), { length: { declared: 9 } })],
    ['a code point beyond U+10FFFF (8.1)', 1007, textFrame(hex('f4 90'), { length: { declared: 9 } })],
    [
      'the second half of a character is wrong, in the next fragment (8.1)',
      1007,
      bytes(
        frame({ opcode: OPCODE.text, fin: false, payload: hex('61 e2 82') }),
        pingFrame('x'),
        continuationFrame(hex('41'), { length: { declared: 9 } }),
      ),
    ],
    ['a message ends within a character (8.1)', 1007, textFrame(hex('61 e2 82'))],
    [
      'an empty last fragment ends a message within a character (8.1)',
      1007,
      bytes(frame({ opcode: OPCODE.text, fin: false, payload: hex('e2 82') }), hex('80 80'), key),
    ],
  ];
  test.each(violations)('%s: %i', (_, code, sequence) => {
    const bytewise = split(sequence, 'byte-by-byte');
    const before = answersTo(bytewise.slice(0, -1), limits);
    expect(before.filter((answer) => answer.startsWith('fault'))).toEqual([]);
    const answers = answersTo(bytewise, limits);
    expect(answers.slice(0, -1)).toEqual(before);
    expect(answers.at(-1)).toMatch(new RegExp(`^fault ${code} `));
    expect(one(sequence, limits)).toEqual(answers);
    expect(one(sequence, limits, { memory: 'read buffer' })).toEqual(answers);
  });

  test('its reason is the same however the bytes are split', () => {
    for (const [, , sequence] of violations) {
      const whole = one(sequence, limits);
      for (const halves of splitsInTwo(sequence.subarray(-200))) {
        if (sequence.length <= 200) expect(answersTo(halves, limits)).toEqual(whole);
      }
    }
  });
});

describe('a role (RFC 6455 5.1)', () => {
  const decoderOf = (role: Role) => new FrameDecoder(LIMITS, role);
  const OTHER = { server: 'client', client: 'server' } as const;

  /** Frames in an order in which they may be sent: messages, whole or fragmented, with control frames between. */
  const anyFrames = fc.array(
    fc.tuple(
      fc.constantFrom(OPCODE.text, OPCODE.binary),
      fc.array(fc.string({ unit: 'binary', maxLength: 70 }), { minLength: 1, maxLength: 3 }),
      fc.uint8Array({ maxLength: 125 }),
    ),
    { maxLength: 3 },
  );

  test.each(['server', 'client'] as const)(
    'what a %s encodes, the other end decodes, split anywhere',
    (role) => {
      fc.assert(
        fc.property(anyFrames, fc.integer(), (messages, firstKey) => {
          let key = firstKey;
          const encoder = new FrameEncoder(role, () => (key = Math.imul(key, 0x9e3779b1) | 1));
          const wanted: string[] = [];
          const frames = messages.flatMap(([opcode, parts, ping]) => {
            const kind = opcode === OPCODE.text ? 'text' : 'binary';
            wanted.push(`ping ${shown(ping)}`.trim());
            if (parts.length > 1) {
              parts.forEach((part, i) => {
                const place = i === 0 ? ' first' : i === parts.length - 1 ? ' last' : '';
                wanted.push(`${kind} fragment${place} ${shown(part)}`.trim());
              });
            }
            wanted.push(`${parts.length > 1 ? 'assembled ' : ''}${kind} ${shown(parts.join(''))}`.trim());
            return [
              encoder.encode(OPCODE.ping, ping),
              ...parts.map((part, i) =>
                encoder.encode(i === 0 ? opcode : OPCODE.continuation, bytes(part), i === parts.length - 1),
              ),
            ];
          });
          const sent = bytes(...frames);
          const read = (chunks: Uint8Array[], memory: Way['memory']) =>
            answersTo(chunks, {}, { wants: 'both', memory: memory ?? 'own' }, decoderOf(OTHER[role]));
          for (const memory of ['own', 'lent', 'read buffer'] as const) {
            expect(read([sent], memory)).toEqual(wanted);
          }
          expect(read(split(sent, 'byte-by-byte'), 'own')).toEqual(wanted);
          for (const halves of splitsInTwo(sent)) expect(read(halves, 'own')).toEqual(wanted);
        }),
        { numRuns: 20 },
      );
    },
  );

  test('a large frame of each end is decoded by the other', () => {
    const payload = Uint8Array.from({ length: 200_000 }, (_, i) => i * 31);
    for (const role of ['server', 'client'] as const) {
      const sent = new FrameEncoder(role).encode(OPCODE.binary, payload);
      for (const memory of ['own', 'read buffer'] as const) {
        const answers = answersTo(split(sent, { seed: 5 }), {}, { memory }, decoderOf(OTHER[role]));
        expect(answers.join() === `binary ${shown(payload)}`).toBe(true);
      }
    }
  });

  test.each(['server', 'client'] as const)(
    'a %s fails frames of its own role, at the second byte',
    (role) => {
      const fault = role === 'server' ? 'unmasked' : 'masked';
      for (const opcode of [OPCODE.text, OPCODE.binary, OPCODE.ping, OPCODE.close]) {
        const sent = new FrameEncoder(role).encode(opcode, new Uint8Array(0)).subarray(0, 2);
        const { decoder, answers } = decode(split(sent, 'byte-by-byte'), {}, {}, decoderOf(role));
        expect(answers).toEqual([`fault 1002 ${faults[fault].reason}`]);
        expect(decoder.fault?.name).toBe(fault);
      }
    },
  );

  test('for a client, the other rules are the same', () => {
    const answers = (digits: string) =>
      answersTo([hex(digits)], {}, {}, new FrameDecoder({ ...LIMITS, cap: 1000 }, 'client'));
    const fault = (name: FaultName) => expect.stringContaining(faults[name].reason.split('{')[0] as string);
    expect(answers('81 00 8a 01 61 88 02 03e8')).toEqual(['text', 'pong 61', 'close 03e8']);
    expect(answers('c1')).toEqual([fault('reservedBits')]);
    expect(answers('83')).toEqual([fault('reservedOpcode')]);
    expect(answers('09')).toEqual([fault('fragmentedControl')]);
    expect(answers('80')).toEqual([fault('strayContinuation')]);
    expect(answers('01 01 61 81')).toEqual(['fragment first of 1 bytes', fault('interleavedMessage')]);
    expect(answers('89 7e')).toEqual([fault('longControl')]);
    expect(answers('82 7e 007d')).toEqual([fault('longLength')]);
    expect(answers('82 7f 80')).toEqual([fault('lengthSign')]);
    expect(answers('82 7e 03e9')).toEqual([
      expect.stringMatching(/^fault 1009 message is over the cap of 1000/),
    ]);
    expect(answers('81 02 c328')).toEqual([fault('invalidText')]);
  });
});

test('a header that chunks cut at every byte is read as a whole one, also after a fault-free frame', () => {
  const sent = bytes(textFrame('a'), binaryFrame(new Uint8Array(300)), pingFrame(Buffer.from('x')));
  expect(answersTo(split(sent, 'byte-by-byte'))).toEqual(one(sent));
});
