/** RFC 6455 5.6: text is UTF-8, binary is anything, and neither is changed on its way. */
import { describe } from 'vitest';
import { binaryFrame, continuationFrame, textFrame } from '../support/raw-client.ts';
import { binary, Suite, text } from './conversation.ts';

const suite = new Suite();
const EVERY_BYTE = Uint8Array.from({ length: 256 }, (_, value) => value);

describe('5.6: the type of a message is its first opcode, and its echo has the same', () => {
  suite.conforms('text and binary of the same bytes stay apart', {
    send: [textFrame('same'), binaryFrame('same'), textFrame('same')],
    answers: [text('same'), 'binary same', text('same')],
  });
  suite.conforms('empty messages are messages', {
    send: [textFrame(''), binaryFrame(''), textFrame('')],
    answers: [text(''), binary(new Uint8Array()), text('')],
  });
});

describe('5.6: binary data is arbitrary', () => {
  suite.conforms('every byte value comes back', {
    send: [binaryFrame(EVERY_BYTE)],
    answers: [binary(EVERY_BYTE)],
  });
  suite.conforms('bytes that are not UTF-8 are no error in a binary message, fragmented or not', {
    send: [
      binaryFrame(Uint8Array.of(0xff, 0xc0, 0x80)),
      binaryFrame(Uint8Array.of(0xed, 0xa0), { fin: false }),
      continuationFrame(Uint8Array.of(0x80, 0xf5)),
    ],
    answers: [binary(Uint8Array.of(0xff, 0xc0, 0x80)), binary(Uint8Array.of(0xed, 0xa0, 0x80, 0xf5))],
  });
});

describe('5.6: text is not changed', () => {
  const samples = {
    'a byte order mark at the start': '\ufeffHello',
    'nothing but a byte order mark': '\ufeff',
    'NUL and other control characters': '\u0000a\u0000\u0001\u001f\u007f\u0080\u009f',
    'line ends of all kinds': 'a\r\nb\nc\rd\u2028e\u2029f\u0085g',
    'combining marks that are not normalised': 'e\u0301 \u00e9 \u1100\u1161 \uac00',
    'characters beyond the basic plane': '😀 𐍈 \u{10ffff} \u{1f468}\u200d\u{1f469}\u200d\u{1f467}',
    noncharacters: '\ufffe\uffff\u{1fffe}\u{10ffff}\ufdd0',
    'the replacement character itself': '\ufffd',
    'Greek, Hebrew, Devanagari, Han': 'κόσμε שלום नमस्ते 你好',
    'Latin-1 only': 'ÀÉÎÕÜ ß ÿ',
  };
  for (const [name, sample] of Object.entries(samples)) {
    suite.conforms(name, { send: [textFrame(sample)], answers: [text(sample)] });
    suite.conforms(`${name}, long enough for another path through the decoder`, {
      send: [textFrame(sample.repeat(500))],
      answers: [text(sample.repeat(500))],
      ways: ['whole', { seed: 8 }],
    });
  }
});
