/**
 * RFC 6455 8.1: text that is not UTF-8 MUST fail the connection. Portal does so with 1007 (7.4.1) at the first
 * byte that no UTF-8 text can have in that place, whatever is still to come of the frame or the message.
 */
import { describe, expect, test } from 'vitest';
import {
  bytes,
  closePayload,
  continuationFrame,
  frame,
  hex,
  OPCODE,
  pingFrame,
  textFrame,
} from '../support/raw-client.ts';
import { random } from '../support/splits.ts';
import { pong, Suite, text, wordsOf } from './conversation.ts';
import { impossibleAfter, unfinishedCharacters } from './utf8-table.ts';

const suite = new Suite();
const BATCH = 50;

/** Runs `work` for every item, `BATCH` at a time. */
async function inBatches<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length; from += BATCH) {
    await Promise.all(items.slice(from, from + BATCH).map(work));
  }
}

function inHex(...values: number[]): string {
  return values.map((value) => value.toString(16).padStart(2, '0')).join(' ') || 'nothing';
}

/** Text of which every byte that comes after `length` bytes is still owed. */
function unfinishedFrame(fin: boolean, payload: Uint8Array): Uint8Array {
  return frame({ opcode: OPCODE.text, fin, payload, length: { declared: payload.length + 100 } });
}

describe('8.1: valid UTF-8 MUST be accepted', () => {
  const valid: Record<string, string> = {
    'the Greek word of the Unicode test files': 'ce ba e1 bd b9 cf 83 ce bc ce b5',
    'the first character of each length': '00 c2 80 e0 a0 80 f0 90 80 80',
    'the last character of each length': '7f df bf ef bf bf f4 8f bf bf',
    'the neighbours of the surrogates': 'ed 9f bf ee 80 80',
    'the replacement character and its neighbours': 'ef bf bc ef bf bd ef bf be',
    'noncharacters of several planes':
      'ef b7 90 ef bf be f0 9f bf be f0 9f bf bf f1 8f bf be f3 bf bf bf f4 8f bf be',
    'U+10FFFF': 'f4 8f bf bf',
    'specials U+FFF9 to U+FFFB': 'ef bf b9 ef bf ba ef bf bb',
  };
  for (const [name, digits] of Object.entries(valid)) {
    const payload = hex(digits);
    const answers = [text(Buffer.from(payload).toString())];
    suite.conforms(`${name}, in one frame`, { send: [textFrame(payload)], answers });
    suite.conforms(`${name}, one byte a frame, with pings between`, {
      send: [
        textFrame('', { fin: false }),
        ...Array.from(payload, (byte) => continuationFrame(Uint8Array.of(byte), { fin: false })),
        pingFrame('still there'),
        continuationFrame(''),
      ],
      answers: [pong('still there'), ...answers],
    });
  }

  test('every character from U+0000 to U+10FFFF comes back, in frames cut at odd places', async () => {
    const { client } = await suite.call();
    const next = random(81);
    for (let plane = 0; plane <= 0x10_ffff; plane += 0x4000) {
      if (plane >= 0xd800 && plane < 0xe000) continue;
      const points = Array.from({ length: 0x4000 }, (_, i) => plane + i).filter(
        (p) => p < 0xd800 || p > 0xdfff,
      );
      const payload = bytes(points.map((point) => String.fromCodePoint(point)).join(''));
      const cut = 1 + Math.floor(next() * (payload.length - 1));
      const sent = bytes(
        textFrame(payload.subarray(0, cut), { fin: false }),
        continuationFrame(payload.subarray(cut)),
      );
      await client.sendSplit(sent, { seed: plane });
      const echo = await client.nextFrame();
      expect(Buffer.compare(echo.payload, payload), `U+${plane.toString(16)} and on`).toBe(0);
    }
  });
});

describe('8.1: text that is not UTF-8 MUST fail the connection', () => {
  const invalid: Record<string, string> = {
    'a lone continuation byte': '80',
    'the last continuation byte': 'bf',
    'continuation bytes one after the other': '80 bf 80 bf',
    'an overlong slash in 2 bytes': 'c0 af',
    'an overlong slash in 3 bytes': 'e0 80 af',
    'an overlong slash in 4 bytes': 'f0 80 80 af',
    'an overlong slash in 5 bytes': 'f8 80 80 80 af',
    'an overlong slash in 6 bytes': 'fc 80 80 80 80 af',
    'the largest overlong of 2 bytes': 'c1 bf',
    'the largest overlong of 3 bytes': 'e0 9f bf',
    'the largest overlong of 4 bytes': 'f0 8f bf bf',
    'the largest overlong of 5 bytes': 'f8 87 bf bf bf',
    'the largest overlong of 6 bytes': 'fc 83 bf bf bf bf',
    'an overlong NUL in 2 bytes': 'c0 80',
    'an overlong NUL in 3 bytes': 'e0 80 80',
    'an overlong NUL in 4 bytes': 'f0 80 80 80',
    'the first surrogate': 'ed a0 80',
    'the last high surrogate': 'ed af bf',
    'the first low surrogate': 'ed b0 80',
    'the last surrogate': 'ed bf bf',
    'a pair of surrogates': 'ed a0 80 ed b0 80',
    'U+110000': 'f4 90 80 80',
    'U+1FFFFF': 'f7 bf bf bf',
    'a character of 5 bytes': 'f8 88 80 80 80',
    'a character of 6 bytes': 'fc 84 80 80 80 80',
    'the byte FE': 'fe',
    'the byte FF': 'ff',
    'FE FE FF FF': 'fe fe ff ff',
    'first bytes without the rest, apart': 'c3 20 e2 20 f0 20',
    'Latin-1': '63 61 66 e9 20',
    'UTF-16 with a byte order mark': 'ff fe 48 00 69 00',
    'a good beginning, then a surrogate, then more':
      'ce ba e1 bd b9 cf 83 ce bc ce b5 ed a0 80 65 64 69 74 65 64',
  };
  for (const [name, digits] of Object.entries(invalid)) {
    const payload = hex(digits);
    suite.conforms(`${name}, in one frame, is answered by Close 1007`, {
      send: [textFrame(payload), pingFrame('late')],
      close: 1007,
    });
    suite.conforms(`${name}, between good text, one byte a frame, is answered by Close 1007`, {
      send: [
        textFrame('good: ', { fin: false }),
        ...Array.from(payload, (byte) => continuationFrame(Uint8Array.of(byte), { fin: false })),
        continuationFrame(' good'),
      ],
      close: 1007,
    });
    suite.conforms(`${name}, at the end of a long text, is answered by Close 1007`, {
      send: [textFrame(bytes('x'.repeat(20_000), payload, 'y'.repeat(200)))],
      close: 1007,
      ways: ['whole', { seed: 9 }],
    });
  }

  for (const unfinished of unfinishedCharacters()) {
    suite.conforms(`a message that ends after ${inHex(...unfinished)} is answered by Close 1007`, {
      send: [textFrame(bytes('good ', Uint8Array.from(unfinished))), pingFrame('late')],
      close: 1007,
      ways: ['whole', 'byte-by-byte'],
    });
  }
  suite.conforms('a message of which the last fragment is empty and a character is unfinished', {
    send: [textFrame(hex('e2 82'), { fin: false }), continuationFrame(''), textFrame('late')],
    close: 1007,
  });
  suite.conforms('an unfinished character is not finished by the next message', {
    send: [textFrame(hex('e2 82')), textFrame(hex('ac'))],
    close: 1007,
  });
});

describe('8.1: the connection fails at the first impossible byte, before anything more is sent', () => {
  const beginnings = [[], ...unfinishedCharacters()];
  const cases = beginnings.flatMap((beginning) =>
    impossibleAfter(beginning).map((byte) => ({ beginning, byte })),
  );

  for (const before of ['', 'good ', 'καλό 好 😀 '.repeat(10)]) {
    for (const fin of [true, false]) {
      const where = `${bytes(before).length} bytes into ${fin ? 'a single frame' : 'a first fragment'}`;
      test(`each of ${cases.length} impossible bytes is answered by Close 1007, ${where}`, async () => {
        await inBatches(cases, async ({ beginning, byte }) => {
          const { client, messages } = await suite.call();
          await client.sendBytes(unfinishedFrame(fin, bytes(before, Uint8Array.from([...beginning, byte]))));
          const close = await client.closeFrame();
          expect(close.code, `${inHex(byte)} after ${inHex(...beginning)}`).toBe(1007);
          expect(messages).toEqual([]);
          client.destroy();
        });
      });
    }
  }

  test('the same bytes are answered by Close 1007 when each comes in a frame and a chunk of its own', async () => {
    await inBatches(cases, async ({ beginning, byte }) => {
      const { client } = await suite.call();
      const frames = [...beginning, byte].map((each) =>
        continuationFrame(Uint8Array.of(each), { fin: false }),
      );
      await client.sendBytes(textFrame('good ', { fin: false }));
      for (const each of frames) await client.sendSplit(each, 'byte-by-byte');
      expect((await client.closeFrame()).code, `${inHex(byte)} after ${inHex(...beginning)}`).toBe(1007);
      client.destroy();
    });
  });

  test('up to the impossible byte the connection is alive: a ping there is still answered', async () => {
    await inBatches(unfinishedCharacters(), async (unfinished) => {
      const { client } = await suite.call();
      await client.sendBytes(
        bytes(textFrame(Uint8Array.from(unfinished), { fin: false }), pingFrame('alive')),
      );
      expect(wordsOf(await client.nextFrame()), inHex(...unfinished)).toBe(pong('alive'));
      await client.sendBytes(continuationFrame(hex('ff'), { fin: false }));
      expect((await client.closeFrame()).code, inHex(...unfinished)).toBe(1007);
      client.destroy();
    });
  });

  test('a frame that announces a megabyte fails when its first byte is wrong', async () => {
    const { client } = await suite.call();
    await client.sendBytes(
      frame({ opcode: OPCODE.text, payload: hex('c0'), length: { declared: 1_048_576 } }),
    );
    expect((await client.closeFrame()).code).toBe(1007);
    expect(await client.ended()).toBe('fin');
  });
});

describe('8.1: the reason of a Close frame is UTF-8 too', () => {
  for (const digits of [
    'ff',
    'c0 80',
    'ed a0 80',
    'f4 90 80 80',
    'e2 82',
    'ce ba e1 bd b9 cf 83 ed a0 80 65',
  ]) {
    suite.conforms(`the reason ${digits} is answered by Close 1007`, {
      send: [frame({ opcode: OPCODE.close, payload: closePayload(1000, hex(digits)) })],
      close: 1007,
    });
  }
  suite.conforms('a reason of 123 bytes that ends within a character is answered by Close 1007', {
    send: [
      frame({ opcode: OPCODE.close, payload: closePayload(1000, bytes('r'.repeat(121), hex('e2 82'))) }),
    ],
    close: 1007,
  });
});
