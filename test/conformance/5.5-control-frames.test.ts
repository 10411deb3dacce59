/** RFC 6455 5.5: control frames are short and whole; a Ping is answered by a Pong with its payload. */
import { describe } from 'vitest';
import {
  bytes,
  closeFrame,
  closePayload,
  frame,
  OPCODE,
  pingFrame,
  pongFrame,
  textFrame,
} from '../support/raw-client.ts';
import { pong, Suite, sampleBytes, text } from './conversation.ts';

const suite = new Suite();
const CONTROL = { close: OPCODE.close, ping: OPCODE.ping, pong: OPCODE.pong };

describe('5.5: all control frames MUST have a payload length of 125 bytes or less', () => {
  suite.conforms('a ping of 125 bytes is answered', {
    send: [pingFrame(sampleBytes(125))],
    answers: [pong(sampleBytes(125))],
  });
  suite.conforms('a pong of 125 bytes is taken', { send: [pongFrame(sampleBytes(125))] });
  suite.conforms('a Close of 125 bytes is answered', {
    send: [closeFrame(1000, 'r'.repeat(123))],
    close: 1000,
  });
  for (const [name, opcode] of Object.entries(CONTROL)) {
    const payload = opcode === OPCODE.close ? closePayload(1000, 'r'.repeat(124)) : sampleBytes(126);
    suite.conforms(`a ${name} of 126 bytes is answered by Close 1002`, {
      send: [textFrame('good'), frame({ opcode, payload }), pingFrame('late')],
      answers: [text('good')],
      close: 1002,
    });
    suite.conforms(`a ${name} of 65,536 bytes is answered by Close 1002, by its header alone`, {
      send: [frame({ opcode, length: { declared: 65_536 } })],
      close: 1002,
    });
    suite.conforms(`a ${name} whose short length is written in 16 bits is answered by Close 1002`, {
      send: [frame({ opcode, payload: closePayload(1000), length: { bits: 16 } })],
      close: 1002,
    });
    suite.conforms(`a ${name} whose short length is written in 64 bits is answered by Close 1002`, {
      send: [frame({ opcode, payload: closePayload(1000), length: { bits: 64 } })],
      close: 1002,
    });
  }
});

describe('5.5: control frames MUST NOT be fragmented', () => {
  for (const [name, opcode] of Object.entries(CONTROL)) {
    const payload = opcode === OPCODE.close ? closePayload(1000) : 'fragment1';
    suite.conforms(`a ${name} without FIN is answered by Close 1002`, {
      send: [
        frame({ opcode, payload, fin: false }),
        frame({ opcode: OPCODE.continuation, payload: 'fragment2' }),
      ],
      close: 1002,
    });
    suite.conforms(`a ${name} without FIN is refused within a fragmented message too`, {
      send: [textFrame('a', { fin: false }), frame({ opcode, payload, fin: false })],
      close: 1002,
    });
  }
});

describe('5.5.2: upon receipt of a Ping frame, an endpoint MUST send a Pong frame', () => {
  suite.conforms('an empty ping gets an empty pong', { send: [pingFrame()], answers: [pong()] });
  for (const [from, to] of [
    [0, 62],
    [63, 125],
  ] as const) {
    const payloads = Array.from({ length: to - from + 1 }, (_, i) => sampleBytes(from + i));
    suite.conforms(`pings of ${from} to ${to} bytes are answered in order`, {
      send: payloads.map((payload) => pingFrame(payload)),
      answers: payloads.map((payload) => pong(payload)),
    });
  }
  suite.conforms('a payload that is not UTF-8 comes back as it is', {
    send: [pingFrame(Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff))],
    answers: [pong(Uint8Array.of(0x00, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0x00, 0xff))],
  });
  suite.conforms('sixty-four pings in one go get sixty-four pongs in order', {
    send: Array.from({ length: 64 }, (_, i) => pingFrame(`ping ${i}`)),
    answers: Array.from({ length: 64 }, (_, i) => pong(`ping ${i}`)),
  });
  suite.conforms('pings between messages keep their place', {
    send: [textFrame('a'), pingFrame('1'), textFrame('b'), pingFrame('2'), pingFrame('3'), textFrame('c')],
    answers: [text('a'), pong('1'), text('b'), pong('2'), pong('3'), text('c')],
  });
  suite.conforms('a ping after the Close is not answered', {
    send: [closeFrame(1000), pingFrame('late')],
    close: 1000,
  });
  suite.conforms('a payload that looks like a frame is a payload', {
    send: [pingFrame(bytes(textFrame('inner')))],
    answers: [pong(bytes(textFrame('inner')))],
  });
});

describe('5.5.3: a Pong frame MAY be sent unsolicited; a response to it is not expected', () => {
  suite.conforms('an empty unsolicited pong', { send: [pongFrame()] });
  suite.conforms('an unsolicited pong with a payload', { send: [pongFrame('unsolicited')] });
  suite.conforms('an unsolicited pong does not disturb the pings after it', {
    send: [pongFrame('unsolicited'), pingFrame('1'), pongFrame('1'), pingFrame('2'), textFrame('x')],
    answers: [pong('1'), pong('2'), text('x')],
  });
});
