/** RFC 6455 5.2: lengths and the forms they are written in, reserved bits, reserved opcodes. */
import { describe } from 'vitest';
import {
  binaryFrame,
  closePayload,
  continuationFrame,
  type FrameFields,
  frame,
  OPCODE,
  pingFrame,
  textFrame,
} from '../support/raw-client.ts';
import { binary, pong, Suite, sampleBytes, sampleText, text } from './conversation.ts';

const suite = new Suite();
const BOUNDARIES = [0, 1, 124, 125, 126, 127, 128, 255, 256, 65_534, 65_535, 65_536, 65_537, 131_072];

describe('5.2: payload lengths in the 7, 16 and 64 bit forms', () => {
  for (const size of BOUNDARIES) {
    suite.conforms(`a text message of ${size} bytes comes back as it is`, {
      send: [textFrame(sampleText(size))],
      answers: [text(sampleText(size))],
    });
    suite.conforms(`a binary message of ${size} bytes comes back as it is`, {
      send: [binaryFrame(sampleBytes(size))],
      answers: [binary(sampleBytes(size))],
    });
  }
  suite.conforms('messages of every length from 0 to 300 follow each other without a gap', {
    send: Array.from({ length: 301 }, (_, size) => binaryFrame(sampleBytes(size))),
    answers: Array.from({ length: 301 }, (_, size) => binary(sampleBytes(size))),
    ways: ['whole', { seed: 3 }, { seed: 4 }],
  });
});

describe('5.2: the minimal number of bytes MUST be used to encode the length', () => {
  const headerOnly = (declared: number | bigint, bits: 16 | 64): Uint8Array =>
    frame({ opcode: OPCODE.binary, length: { declared, bits } });
  for (const declared of [0, 1, 124, 125]) {
    suite.conforms(`the length ${declared} in 16 bits is answered by Close 1002`, {
      send: [frame({ opcode: OPCODE.binary, payload: sampleBytes(declared), length: { bits: 16 } })],
      close: 1002,
    });
  }
  for (const declared of [0, 1, 125, 126, 127, 255, 256, 65_534, 65_535]) {
    suite.conforms(`the length ${declared} in 64 bits is answered by Close 1002`, {
      send: [frame({ opcode: OPCODE.text, payload: sampleText(declared), length: { bits: 64 } })],
      close: 1002,
    });
    suite.conforms(`the length ${declared} in 64 bits is refused by its header, before any payload`, {
      send: [headerOnly(declared, 64)],
      close: 1002,
    });
  }
  suite.conforms('a longer form than needed in a continuation frame is answered by Close 1002', {
    send: [textFrame('a', { fin: false }), continuationFrame('b', { length: { bits: 16 } })],
    close: 1002,
  });
});

describe('5.2: the most significant bit of a 64-bit length MUST be 0', () => {
  const lengths = [1n << 63n, (1n << 63n) + 1n, (1n << 63n) + 65_536n, (1n << 64n) - 1n];
  for (const declared of lengths) {
    suite.conforms(`the length 0x${declared.toString(16)} is answered by Close 1002`, {
      send: [frame({ opcode: OPCODE.binary, payload: 'abc', length: { declared, bits: 64 } })],
      close: 1002,
    });
  }
});

describe('10.4: a length beyond the cap is refused by its header, however large', () => {
  const lengths = [
    1_048_577n,
    1n << 31n,
    (1n << 32n) - 1n,
    1n << 32n,
    (1n << 32n) + 5n,
    1n << 53n,
    (1n << 63n) - 1n,
  ];
  for (const declared of lengths) {
    suite.conforms(`the length 0x${declared.toString(16)} is answered by Close 1009`, {
      send: [frame({ opcode: OPCODE.binary, length: { declared, bits: 64 } })],
      close: 1009,
    });
  }
});

describe('5.2: RSV1, RSV2 and RSV3 MUST be 0 when no extension has been negotiated', () => {
  const frames: Record<string, FrameFields[]> = {
    text: [{ opcode: OPCODE.text, payload: 'abc' }],
    binary: [{ opcode: OPCODE.binary, payload: 'abc' }],
    'first fragment': [{ opcode: OPCODE.text, payload: 'abc', fin: false }],
    continuation: [
      { opcode: OPCODE.text, payload: 'abc', fin: false },
      { opcode: OPCODE.continuation, payload: 'def' },
    ],
    close: [{ opcode: OPCODE.close, payload: closePayload(1000) }],
    ping: [{ opcode: OPCODE.ping, payload: 'abc' }],
    pong: [{ opcode: OPCODE.pong, payload: 'abc' }],
    'empty text': [{ opcode: OPCODE.text }],
    'empty ping': [{ opcode: OPCODE.ping }],
  };
  for (const [name, fields] of Object.entries(frames)) {
    for (const rsv of [1, 2, 3, 4, 5, 6, 7]) {
      const last = fields.length - 1;
      suite.conforms(`RSV ${rsv.toString(2).padStart(3, '0')} on a ${name} frame is answered by Close 1002`, {
        send: [textFrame('good'), ...fields.map((each, i) => frame(i === last ? { ...each, rsv } : each))],
        answers: [text('good')],
        close: 1002,
      });
    }
  }
  suite.conforms('a reserved bit fails the connection by the header alone, before any payload', {
    send: [frame({ opcode: OPCODE.binary, rsv: 4, length: { declared: 1000 } })],
    close: 1002,
  });
  suite.conforms('what follows a frame with a reserved bit is not read', {
    send: [textFrame('good'), textFrame('bad', { rsv: 2 }), pingFrame('late'), textFrame('late')],
    answers: [text('good')],
    close: 1002,
  });
});

describe('5.2: an unknown opcode MUST fail the connection', () => {
  for (const opcode of [0x3, 0x4, 0x5, 0x6, 0x7, 0xb, 0xc, 0xd, 0xe, 0xf]) {
    const name = `opcode 0x${opcode.toString(16).toUpperCase()}`;
    suite.conforms(`${name} without a payload is answered by Close 1002`, {
      send: [frame({ opcode })],
      close: 1002,
    });
    suite.conforms(`${name} with a payload, after a message and before a ping, is answered by Close 1002`, {
      send: [textFrame('good'), frame({ opcode, payload: 'abc' }), pingFrame('late')],
      answers: [text('good')],
      close: 1002,
    });
    suite.conforms(`${name} within a fragmented message is answered by Close 1002`, {
      send: [textFrame('a', { fin: false }), frame({ opcode, payload: 'x' }), continuationFrame('b')],
      close: 1002,
    });
    suite.conforms(`${name} without FIN is answered by Close 1002`, {
      send: [pingFrame('p'), frame({ opcode, fin: false, payload: 'x' })],
      answers: [pong('p')],
      close: 1002,
    });
  }
});
