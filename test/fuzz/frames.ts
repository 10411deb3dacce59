/**
 * Frames made from a grammar: mostly what a client may send, in an order in which it may send it, with a fault here
 * and there, so that rules that are checked after the first one are reached.
 */
import { Buffer } from 'node:buffer';
import { bytes, closePayload, type FrameFields, frame, OPCODE } from '../support/raw-client.ts';
import { type Chance, mutated } from './chance.ts';

const SIZES = [0, 0, 1, 2, 3, 5, 8, 15, 16, 17, 31, 33, 63, 100, 124, 125, 126, 127, 128, 200, 300];
const LARGE = [4000, 8192, 65_521, 65_535, 65_536, 65_537, 70_000];
const CHARACTERS = [
  'a',
  'Z',
  '~',
  '\0',
  '\x7f',
  '\u0080',
  'é',
  '߿',
  'ࠀ',
  '€',
  '퟿',
  '',
  '\ufeff',
  '￿',
  '𐀀',
  '😀',
  '\u{10ffff}',
];

/** The bytes that a fuzzed decoder gets: grammar, accidents to it, or noise. */
export function frameBytes(chance: Chance): Uint8Array {
  const kind = chance.below(10);
  if (kind === 0) return chance.bytes(chance.below(200));
  if (kind === 1) return bytes(...chance.some(1, 6, () => plausibleNoise(chance)));
  const sequence = sequenceOf(chance, kind < 6);
  return kind < 4 ? mutated(sequence, chance) : sequence;
}

/** Noise that has a header's look. */
function plausibleNoise(chance: Chance): Uint8Array {
  const first = chance.pick([0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8a]);
  const second = chance.pick([0x80, 0x81, 0x85, 0xfd, 0xfe, 0xff, 0x05]);
  return bytes(Uint8Array.of(first, second), chance.bytes(chance.below(20)));
}

function sequenceOf(chance: Chance, faulty: boolean): Uint8Array {
  const frames: Uint8Array[] = [];
  let rest: Uint8Array[] = []; // of the fragmented message under way
  for (const _ of chance.some(1, 12, () => 0)) {
    const fields = rest.length > 0 && !chance.oneIn(4) ? continuation(rest) : opening(chance);
    if (fields.opcode === OPCODE.text || fields.opcode === OPCODE.binary) {
      const parts = chance.oneIn(3) ? chance.cut(bytes(fields.payload ?? '')) : [];
      if (parts.length > 1) {
        fields.fin = false;
        fields.payload = parts[0] as Uint8Array;
        if (rest.length === 0) rest = parts.slice(1);
      } else if (rest.length > 0 && !faulty) {
        continue; // a new message inside another is a fault
      }
    }
    frames.push(
      frame({ mask: chance.bytes(4), ...fields, ...(faulty && chance.oneIn(8) ? fault(chance) : {}) }),
    );
  }
  const whole = bytes(...frames);
  return chance.oneIn(5) ? whole.subarray(0, chance.below(whole.length)) : whole;
}

function continuation(rest: Uint8Array[]): FrameFields {
  const payload = rest.shift() as Uint8Array;
  return { opcode: OPCODE.continuation, fin: rest.length === 0, payload };
}

function opening(chance: Chance): FrameFields {
  switch (chance.below(8)) {
    case 0:
    case 1:
    case 2:
      return { opcode: OPCODE.text, payload: text(chance) };
    case 3:
    case 4:
      return { opcode: OPCODE.binary, payload: chance.bytes(size(chance)) };
    case 5:
      return { opcode: OPCODE.ping, payload: chance.bytes(chance.below(126)) };
    case 6:
      return { opcode: OPCODE.pong, payload: chance.bytes(chance.below(126)) };
    default:
      return { opcode: chance.oneIn(3) ? OPCODE.close : OPCODE.ping, payload: closeBytes(chance) };
  }
}

const size = (chance: Chance): number => chance.pick(chance.oneIn(40) ? LARGE : SIZES);

function text(chance: Chance): Uint8Array {
  const length = size(chance);
  if (length > 1000) return new Uint8Array(length).fill(0x20 + chance.below(0x5f));
  return Buffer.from(Array.from({ length }, () => chance.pick(CHARACTERS)).join('')).subarray(0, 1000);
}

/** What may stand in a Close frame: a code and a reason, right or wrong. */
export function closeBytes(chance: Chance): Uint8Array {
  if (chance.oneIn(6)) return chance.bytes(chance.below(126));
  const code = chance.oneIn(3)
    ? chance.below(65_536)
    : chance.pick([1000, 1001, 1005, 1006, 1011, 1015, 3000, 4999]);
  const reason = Buffer.from(
    Array.from({ length: chance.below(30) }, () => chance.pick(CHARACTERS)).join(''),
  );
  const payload = closePayload(code, reason.subarray(0, 123));
  return chance.oneIn(3) ? mutated(payload, chance).subarray(0, 125) : payload;
}

function fault(chance: Chance): Partial<FrameFields> {
  switch (chance.below(8)) {
    case 0:
      return { rsv: chance.below(8) };
    case 1:
      return { opcode: chance.below(16) };
    case 2:
      return { mask: false };
    case 3:
      return { fin: chance.oneIn(2) };
    case 4:
      return { length: { bits: 64 } };
    case 5:
      return {
        length: {
          bits: 64,
          declared: chance.pick([2n ** 16n, 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n, 2n ** 63n]),
        },
      };
    case 6:
      return { length: { bits: 16, declared: chance.pick([0, 125, 126, 300]) } };
    default:
      return { payload: chance.bytes(chance.below(130)) };
  }
}
