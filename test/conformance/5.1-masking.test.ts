/** RFC 6455 5.1 and 5.3: a client MUST mask every frame; a server MUST NOT mask any. */
import { describe } from 'vitest';
import {
  binaryFrame,
  continuationFrame,
  frame,
  OPCODE,
  pingFrame,
  SAMPLE_KEY,
  textFrame,
} from '../support/raw-client.ts';
import { random } from '../support/splits.ts';
import { binary, pong, Suite, sampleBytes, text } from './conversation.ts';

const suite = new Suite();

describe('5.1: the server MUST close the connection upon receiving a frame that is not masked', () => {
  for (const [name, opcode] of Object.entries(OPCODE)) {
    const payload = opcode === OPCODE.close ? Uint8Array.of(0x03, 0xe8) : 'abc';
    const start = opcode === OPCODE.continuation ? [textFrame('a', { fin: false })] : [];
    suite.conforms(`an unmasked ${name} frame is answered by Close 1002`, {
      send: [...start, frame({ opcode, payload, mask: false })],
      close: 1002,
    });
    suite.conforms(`an unmasked ${name} frame without a payload is answered by Close 1002`, {
      send: [...start, frame({ opcode, mask: false })],
      close: 1002,
    });
  }

  suite.conforms('an unmasked frame after good ones is answered by Close 1002, the good ones by echoes', {
    send: [textFrame('good'), pingFrame('p'), textFrame('bad', { mask: false }), textFrame('ignored')],
    answers: [text('good'), pong('p')],
    close: 1002,
  });
  suite.conforms('an unmasked continuation in the midst of a message is answered by Close 1002', {
    send: [textFrame('a', { fin: false }), continuationFrame('b', { mask: false }), textFrame('ignored')],
    close: 1002,
  });
});

describe('5.3: the masking key is 4 bytes, drawn anew for each frame, any value allowed', () => {
  suite.conforms('the masked "Hello" of section 5.7 is read as such', {
    send: [Uint8Array.from([0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58])],
    answers: [text('Hello')],
  });
  suite.conforms('a key of zeros leaves the payload as it is, and is still a mask', {
    send: [textFrame('Hello', { mask: new Uint8Array(4) })],
    answers: [text('Hello')],
  });
  suite.conforms('a key of ones inverts the payload', {
    send: [binaryFrame(sampleBytes(300), { mask: Uint8Array.of(0xff, 0xff, 0xff, 0xff) })],
    answers: [binary(sampleBytes(300))],
  });
  suite.conforms('each frame of a fragmented message has its own key, and the phase begins anew', {
    send: [
      textFrame('abc', { fin: false, mask: Uint8Array.of(1, 2, 3, 4) }),
      continuationFrame('defgh', { fin: false, mask: Uint8Array.of(0xf0, 0, 0x80, 9) }),
      continuationFrame('i', { mask: SAMPLE_KEY }),
    ],
    answers: [text('abcdefghi')],
  });

  const next = random(53);
  const key = (): Uint8Array => Uint8Array.from({ length: 4 }, () => Math.floor(next() * 256));
  const sizes = Array.from({ length: 80 }, (_, size) => size);
  suite.conforms('payloads of 0 to 79 bytes are unmasked at every alignment, each with a random key', {
    send: sizes.map((size) => binaryFrame(sampleBytes(size), { mask: key() })),
    answers: sizes.map((size) => binary(sampleBytes(size))),
  });
});
