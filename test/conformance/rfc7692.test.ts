/**
 * RFC 7692: what a client may send compressed and what it may not. The server's answers are not compressed here, since no
 * message reaches the threshold; what it compresses is in `rfc7692-answers.test.ts`.
 */
import { describe } from 'vitest';
import { deflated } from '../support/deflate-peer.ts';
import {
  binaryFrame,
  bytes,
  closeFrame,
  continuationFrame,
  frame,
  hex,
  OPCODE,
  pingFrame,
  textFrame,
} from '../support/raw-client.ts';
import { binary, pong, Suite, sampleBytes, sampleText, text } from './conversation.ts';

const OFFER = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
const RSV1 = 4;
const compressed = (payload: Uint8Array, fields: object = {}) =>
  frame({ opcode: OPCODE.text, rsv: RSV1, payload, ...fields });
const compressedText = (payload: string) => compressed(deflated(bytes(payload)));

const suite = new Suite({ perMessageDeflate: { threshold: 2 ** 31 }, cap: 200_000 }, OFFER);

describe('7.2.2 and 7.2.3: messages that are inflated', () => {
  suite.conforms('the example of 7.2.3.1, "Hello" in one block', {
    send: [compressed(hex('f2 48 cd c9 c9 07 00'))],
    answers: [text('Hello')],
  });
  suite.conforms(
    'the example of 7.2.3.2, which refers to the message before it, is wrong where that was not agreed on',
    {
      send: [compressed(hex('f2 48 cd c9 c9 07 00')), compressed(hex('f2 00 11 00 00'))],
      answers: [text('Hello')],
      close: 1007,
    },
  );
  suite.conforms('the example of 7.2.3.3, a block without compression', {
    send: [compressed(hex('00 05 00 fa ff 48 65 6c 6c 6f 00'))],
    answers: [text('Hello')],
  });
  suite.conforms('the example of 7.2.3.4, a block with BFINAL, and a message after it', {
    send: [compressed(hex('f3 48 cd c9 c9 07 00 00')), compressedText('next')],
    answers: [text('Hello'), text('next')],
  });
  suite.conforms('the example of 7.2.3.5, two blocks', {
    send: [compressed(hex('f2 48 05 00 00 00 ff ff ca c9 c9 07 00'))],
    answers: [text('Hello')],
  });
  suite.conforms('the example of 7.2.3.6, an empty message', {
    send: [compressed(hex('00')), compressed(hex('00'), { opcode: OPCODE.binary })],
    answers: [text(''), binary(new Uint8Array(0))],
  });
  suite.conforms('7.2.3.1: fragments of one message, with a Ping in between and empty ones', {
    send: [
      compressed(hex('f2 48 cd'), { fin: false }),
      pingFrame('between'),
      continuationFrame('', { fin: false }),
      continuationFrame(hex('c9 c9 07 00')),
    ],
    answers: [pong('between'), text('Hello')],
  });
  suite.conforms('compressed and plain messages in turn', {
    send: [
      compressedText('one'),
      textFrame('two'),
      compressed(deflated(sampleBytes(70_000)), { opcode: OPCODE.binary }),
      binaryFrame(sampleBytes(3)),
      compressedText(sampleText(100_000)),
    ],
    answers: [
      text('one'),
      text('two'),
      binary(sampleBytes(70_000)),
      binary(sampleBytes(3)),
      text(sampleText(100_000)),
    ],
    ways: ['whole', { seed: 1 }, { seed: 2 }],
  });
});

describe('6: RSV1 is on the first frame of a compressed message alone', () => {
  suite.conforms('on a continuation', {
    send: [compressed(hex('f2 48 cd'), { fin: false }), continuationFrame(hex('c9 c9 07 00'), { rsv: RSV1 })],
    close: 1002,
  });
  suite.conforms('on a continuation of a plain message', {
    send: [textFrame('a', { fin: false }), continuationFrame('b', { rsv: RSV1 })],
    close: 1002,
  });
  suite.conforms('on a Ping', { send: [pingFrame('', { rsv: RSV1 })], close: 1002 });
  suite.conforms('on a Close', { send: [closeFrame(1000, '', { rsv: RSV1 })], close: 1002 });
  for (const rsv of [1, 2, 3, 5, 6, 7]) {
    suite.conforms(`other reserved bits, ${rsv}, mean nothing (RFC 6455 5.2)`, {
      send: [textFrame('a', { rsv })],
      close: 1002,
    });
  }
});

describe('what cannot be inflated, or must not', () => {
  suite.conforms('data that is not deflate is answered by 1007', {
    send: [compressed(hex('ff ff ff'))],
    close: 1007,
  });
  suite.conforms('text is checked on what was inflated (RFC 6455 8.1)', {
    send: [compressed(deflated(hex('48 65 ff')))],
    close: 1007,
  });
  suite.conforms('cap is about what is inflated', {
    send: [compressed(deflated(sampleBytes(200_001)), { opcode: OPCODE.binary })],
    close: 1009,
  });
});

describe('5: without an agreement', () => {
  const declined = new Suite(
    { perMessageDeflate: true },
    { 'Sec-WebSocket-Extensions': 'permessage-deflate; unknown' },
  );
  declined.conforms('RSV1 is a violation where the offer was declined', {
    send: [compressedText('a')],
    close: 1002,
  });
  const without = new Suite({}, OFFER);
  without.conforms('RSV1 is a violation where the server compresses nothing', {
    send: [compressedText('a')],
    close: 1002,
  });
});
