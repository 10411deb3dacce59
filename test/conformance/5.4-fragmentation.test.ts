/** RFC 6455 5.4: a message in several frames, what may come between them and what may not. */
import { describe } from 'vitest';
import {
  binaryFrame,
  closeFrame,
  continuationFrame,
  fragmented,
  OPCODE,
  pingFrame,
  pongFrame,
  textFrame,
} from '../support/raw-client.ts';
import { binary, pong, Suite, sampleBytes, sampleText, text } from './conversation.ts';

const suite = new Suite();
const begin = (payload: string | Uint8Array): Uint8Array => textFrame(payload, { fin: false });
const more = (payload: string | Uint8Array): Uint8Array => continuationFrame(payload, { fin: false });
const end = (payload: string | Uint8Array): Uint8Array => continuationFrame(payload);

describe('5.4: the fragments of a message MUST be joined in the order sent', () => {
  suite.conforms('a text message in two fragments', {
    send: [begin('Hel'), end('lo')],
    answers: [text('Hello')],
  });
  suite.conforms('a binary message in three fragments', {
    send: [
      binaryFrame(Uint8Array.of(1, 2), { fin: false }),
      more(Uint8Array.of(3)),
      end(Uint8Array.of(4, 5, 6)),
    ],
    answers: [binary(Uint8Array.of(1, 2, 3, 4, 5, 6))],
  });
  suite.conforms('a message of which all fragments are empty is an empty message', {
    send: [begin(''), more(''), end('')],
    answers: [text('')],
  });
  suite.conforms('an empty first, an empty middle and an empty last fragment add nothing', {
    send: [begin(''), more('a'), more(''), more('b'), end('')],
    answers: [text('ab')],
  });
  suite.conforms('empty binary fragments around one that is not', {
    send: [binaryFrame('', { fin: false }), more(Uint8Array.of(0xff, 0x00)), end('')],
    answers: [binary(Uint8Array.of(0xff, 0x00))],
  });
  suite.conforms('a message may begin right after a fragmented one, and be fragmented or not', {
    send: [begin('a'), end('b'), textFrame('c'), begin('d'), end('e'), binaryFrame('f')],
    answers: [text('ab'), text('c'), text('de'), 'binary f'],
  });
  suite.conforms('a thousand fragments of one byte', {
    send: fragmented(OPCODE.text, sampleText(1000), 1),
    answers: [text(sampleText(1000))],
    ways: ['whole', { seed: 5 }, { seed: 6 }],
  });
  for (const size of [125, 126, 127, 1300, 65_535, 65_536]) {
    suite.conforms(`fragments of ${size} bytes each`, {
      send: fragmented(OPCODE.binary, sampleBytes(size * 3 + 1), size),
      answers: [binary(sampleBytes(size * 3 + 1))],
      ways: ['whole', { seed: 7 }],
    });
  }
});

describe('5.4: control frames MAY be injected in the middle of a fragmented message', () => {
  suite.conforms('a ping between two fragments is answered before the message', {
    send: [begin('fragment1'), pingFrame('ping payload'), end('fragment2')],
    answers: [pong('ping payload'), text('fragment1fragment2')],
  });
  suite.conforms('pings and pongs between all fragments are answered in order', {
    send: [
      begin('1'),
      pingFrame('a'),
      pongFrame('x'),
      more('2'),
      pingFrame('b'),
      pingFrame(''),
      more(''),
      pingFrame('c'),
      end('3'),
      pingFrame('d'),
    ],
    answers: [pong('a'), pong('b'), pong(''), pong('c'), text('123'), pong('d')],
  });
  suite.conforms('a ping in the midst of a character that is split over two fragments', {
    send: [begin(Uint8Array.of(0xe2, 0x82)), pingFrame('p'), end(Uint8Array.of(0xac))],
    answers: [pong('p'), text('€')],
  });
  suite.conforms('a Close between two fragments is answered at once; the message is never delivered', {
    send: [begin('a'), closeFrame(1000, 'done'), end('b'), pingFrame('late')],
    close: 1000,
  });
});

describe('5.4: a continuation frame MUST continue something', () => {
  const lone = { close: 1002 } as const;
  suite.conforms('one with FIN and nothing to continue is answered by Close 1002', {
    send: [end('x'), textFrame('late')],
    ...lone,
  });
  suite.conforms('one without FIN and nothing to continue is answered by Close 1002', {
    send: [more('x'), textFrame('late')],
    ...lone,
  });
  suite.conforms('an empty one with nothing to continue is answered by Close 1002', {
    send: [end('')],
    ...lone,
  });
  suite.conforms('one after a message in a single frame is answered by Close 1002', {
    send: [textFrame('a'), end('b')],
    answers: [text('a')],
    ...lone,
  });
  suite.conforms('one after the end of a fragmented message is answered by Close 1002', {
    send: [begin('a'), end('b'), more('c'), end('d')],
    answers: [text('ab')],
    ...lone,
  });
  suite.conforms('one after a ping is answered by Close 1002: control frames begin no message', {
    send: [pingFrame('p'), end('b')],
    answers: [pong('p')],
    ...lone,
  });
});

describe('5.4: the fragments of one message MUST NOT be interleaved with those of another', () => {
  const openings = { text: begin('a'), binary: binaryFrame('a', { fin: false }) };
  for (const [first, opening] of Object.entries(openings)) {
    suite.conforms(`a text frame within a fragmented ${first} message is answered by Close 1002`, {
      send: [opening, textFrame('x'), end('b')],
      close: 1002,
    });
    suite.conforms(`a binary frame within a fragmented ${first} message is answered by Close 1002`, {
      send: [opening, more('m'), binaryFrame('x'), end('b')],
      close: 1002,
    });
    suite.conforms(`a second beginning within a fragmented ${first} message is answered by Close 1002`, {
      send: [opening, pingFrame('p'), begin('x'), end('b')],
      answers: [pong('p')],
      close: 1002,
    });
  }
});
