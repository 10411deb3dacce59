/**
 * RFC 6455 10.4: limits on what a peer may make the server keep, each met exactly and passed by one; and the
 * large messages that must pass when the limits allow them.
 */
import { describe, expect, test } from 'vitest';
import {
  binaryFrame,
  bytes,
  closeFrame,
  continuationFrame,
  fragmented,
  frame,
  OPCODE,
  pingFrame,
  textFrame,
} from '../support/raw-client.ts';
import { binary, pong, Suite, sampleBytes, sampleText, text, wordsOf } from './conversation.ts';

const MEBIBYTE = 1_048_576;

describe('10.4: the cap on the bytes of a message', () => {
  const suite = new Suite({ cap: 1000 });

  suite.conforms('a message of exactly the cap passes', {
    send: [textFrame(sampleText(1000)), binaryFrame(sampleBytes(1000))],
    answers: [text(sampleText(1000)), binary(sampleBytes(1000))],
  });
  suite.conforms('one byte more is answered by Close 1009', {
    send: [textFrame('good'), textFrame(sampleText(1001)), pingFrame('late')],
    answers: [text('good')],
    close: 1009,
  });
  suite.conforms('one byte more is refused by the header, before any payload is sent', {
    send: [frame({ opcode: OPCODE.binary, length: { declared: 1001 } })],
    close: 1009,
  });
  suite.conforms('fragments of exactly the cap together pass, and the next message counts from zero', {
    send: [
      ...fragmented(OPCODE.text, sampleText(1000), 300),
      ...fragmented(OPCODE.text, sampleText(1000), 999),
    ],
    answers: [text(sampleText(1000)), text(sampleText(1000))],
  });
  suite.conforms('the fragment that passes the cap is refused by its header', {
    send: [
      textFrame(sampleText(999), { fin: false }),
      frame({ opcode: OPCODE.continuation, length: { declared: 2 } }),
    ],
    close: 1009,
  });
  suite.conforms('empty fragments after exactly the cap are no breach', {
    send: [
      textFrame(sampleText(1000), { fin: false }),
      continuationFrame('', { fin: false }),
      continuationFrame(''),
    ],
    answers: [text(sampleText(1000))],
  });
  suite.conforms('control frames between fragments do not count', {
    send: [
      textFrame(sampleText(999), { fin: false }),
      pingFrame(sampleBytes(125)),
      pingFrame(sampleBytes(125)),
      continuationFrame('.'),
    ],
    answers: [pong(sampleBytes(125)), pong(sampleBytes(125)), text(`${sampleText(999)}.`)],
  });
});

describe('10.4: the limit on the fragments of a message', () => {
  const suite = new Suite({ maxFragments: 10 });
  const fragments = (count: number): Uint8Array[] => fragmented(OPCODE.text, sampleText(count), 1);

  suite.conforms('exactly as many pass, and the next message counts from zero', {
    send: [...fragments(10), ...fragments(10)],
    answers: [text(sampleText(10)), text(sampleText(10))],
  });
  suite.conforms('one more is answered by Close 1008', { send: fragments(11), close: 1008 });
  suite.conforms('empty fragments count', {
    send: [
      textFrame('', { fin: false }),
      ...Array.from({ length: 9 }, () => continuationFrame('', { fin: false })),
      continuationFrame('end'),
    ],
    close: 1008,
  });
  suite.conforms('control frames between fragments do not count', {
    send: fragments(10).flatMap((fragment) => [fragment, pingFrame('p')]),
    answers: [...Array.from({ length: 9 }, () => pong('p')), text(sampleText(10)), pong('p')],
  });
});

describe('5.2: messages of up to 16 MiB, where the cap allows them', () => {
  const suite = new Suite({ cap: 16 * MEBIBYTE, sendLimit: 64 * MEBIBYTE });
  const sizes = [MEBIBYTE / 16, MEBIBYTE / 4, MEBIBYTE, 4 * MEBIBYTE, 8 * MEBIBYTE, 16 * MEBIBYTE];

  for (const size of sizes) {
    suite.conforms(`a text message of ${size} bytes`, {
      send: [textFrame(sampleText(size))],
      answers: [text(sampleText(size))],
      ways: ['whole'],
    });
    suite.conforms(`a binary message of ${size} bytes`, {
      send: [binaryFrame(sampleBytes(size))],
      answers: [binary(sampleBytes(size))],
      ways: [{ seed: size }],
    });
  }
  for (const fragmentBytes of [256, 1300, 16_384, 65_536, MEBIBYTE]) {
    suite.conforms(`a message of 2 MiB in fragments of ${fragmentBytes} bytes`, {
      send: fragmented(OPCODE.text, sampleText(2 * MEBIBYTE), fragmentBytes),
      answers: [text(sampleText(2 * MEBIBYTE))],
      ways: ['whole'],
    });
  }
  for (const chunkBytes of [64, 256, 1024, 4096]) {
    test(`a message of 256 KiB in chunks of ${chunkBytes} bytes`, async () => {
      const { client } = await suite.call();
      const sent = textFrame(sampleText(MEBIBYTE / 4));
      for (let from = 0; from < sent.length; from += chunkBytes) {
        await client.sendSplit(sent.subarray(from, from + chunkBytes), 'whole');
      }
      expect(wordsOf(await client.nextFrame())).toBe(text(sampleText(MEBIBYTE / 4)));
    });
  }
  for (const size of [0, 16, 64, 256, 1024, 4096]) {
    test(`a thousand messages of ${size} bytes, each sent when the one before has come back`, async () => {
      const { client } = await suite.call();
      const sent = [textFrame(sampleText(size)), binaryFrame(sampleBytes(size))];
      const expected = [text(sampleText(size)), binary(sampleBytes(size))];
      for (let i = 0; i < 1000; i += 1) {
        await client.sendBytes(sent[i % 2] ?? '');
        expect(wordsOf(await client.nextFrame())).toBe(expected[i % 2]);
      }
    });
  }
});

describe('a cap of 16 MiB alone is enough to echo 16 MiB', () => {
  const suite = new Suite({ cap: 16 * MEBIBYTE });
  test('the echo is not refused by another limit that nobody raised', async () => {
    const { client } = await suite.call();
    await client.sendBytes(bytes(binaryFrame(sampleBytes(16 * MEBIBYTE)), closeFrame(1000)));
    expect(wordsOf(await client.nextFrame())).toBe(binary(sampleBytes(16 * MEBIBYTE)));
    expect((await client.closeFrame()).code).toBe(1000);
  });
});
