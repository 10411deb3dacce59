import { Buffer, constants } from 'node:buffer';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decoded, type DecoderLimits, FrameDecoder } from '../../../src/io/frames/frame-decoder.ts';
import { FrameEncoder } from '../../../src/io/frames/frame-encoder.ts';
import { answersTo, decode, LIMITS, shown, type Way } from '../../fuzz/decoding.ts';
import {
  binaryFrame,
  bytes,
  closeFrame,
  continuationFrame,
  type FrameFields,
  fragmented,
  frame,
  hex,
  OPCODE,
  pingFrame,
  pongFrame,
  textFrame,
} from '../../support/raw-client.ts';
import { split, splitsInTwo } from '../../support/splits.ts';

const one = (chunk: Uint8Array, limits: Partial<DecoderLimits> = {}, way: Way = {}) =>
  answersTo([chunk], limits, way);

describe('the examples of RFC 6455 5.7', () => {
  test('a masked text message', () => {
    expect(one(hex('81 85 37fa213d 7f9f4d5158'))).toEqual([`text ${shown('Hello')}`]);
  });

  test('a fragmented text message, masked with another key for each frame', () => {
    const chunk = bytes(hex('01 83 37fa213d 7f9f4d'), hex('80 82 01020304 6d6d'));
    expect(one(chunk, {}, { wants: 'both' })).toEqual([
      `text fragment first ${shown('Hel')}`,
      `text fragment last ${shown('lo')}`,
      `assembled text ${shown('Hello')}`,
    ]);
  });

  test('a masked Ping, Pong and Close', () => {
    expect(one(hex('89 85 37fa213d 7f9f4d5158'))).toEqual([`ping ${shown('Hello')}`]);
    expect(one(hex('8a 85 37fa213d 7f9f4d5158'))).toEqual([`pong ${shown('Hello')}`]);
    expect(one(hex('88 82 00000000 03e8'))).toEqual(['close 03e8']);
  });
});

describe('limits (RFC 6455 10.4)', () => {
  test('a message of exactly the cap passes, whole and in fragments', () => {
    const whole = binaryFrame(new Uint8Array(1000));
    expect(one(whole, { cap: 1000 })).toEqual([`binary ${'00'.repeat(1000)}`]);
    expect(one(whole, { cap: 999 })).toEqual(['fault 1009 message is over the cap of 999 bytes']);
    const pieces = fragmented(OPCODE.binary, new Uint8Array(1000), 400);
    expect(one(bytes(...pieces), { cap: 1000 }).at(-1)).toBe(`assembled binary ${'00'.repeat(1000)}`);
    expect(one(bytes(...pieces), { cap: 999 }).at(-1)).toBe(
      'fault 1009 message is over the cap of 999 bytes',
    );
  });

  test('a cap of 0 lets only empty messages through, and all control frames', () => {
    expect(one(bytes(textFrame(''), pingFrame('x'), textFrame('a')), { cap: 0 })).toEqual([
      'text',
      'ping 78',
      'fault 1009 message is over the cap of 0 bytes',
    ]);
  });

  test('what is held whole is never more than a string can hold, however large the cap', () => {
    const limits = { cap: Number.MAX_SAFE_INTEGER, maxFragments: 3 };
    const most = constants.MAX_STRING_LENGTH;
    const tooLong = { name: 'maxStringLength', code: 1009, reason: `message is over ${most} bytes` };
    const header = (opcode: number, length: number) =>
      frame({ opcode, fin: false, payload: '', length: { declared: length, bits: 64 } });
    const answers = (frames: Uint8Array[], assemble: boolean) => {
      const decoder = new FrameDecoder(limits);
      decoder.assemble = assemble;
      return frames.map((sent) => {
        decoder.append(sent);
        const answer = decoder.next();
        return answer === Decoded.FAULT ? decoder.fault : answer;
      });
    };
    // One frame of that length is begun, one more byte is refused, in whatever way the message is wanted.
    for (const assemble of [true, false]) {
      expect(answers([header(OPCODE.binary, most)], assemble)).toEqual([Decoded.NEED_MORE]);
      expect(answers([header(OPCODE.binary, most + 1)], assemble)).toEqual([tooLong]);
    }
    // Behind a fragment of one byte, the rest of a message passes where only fragments are wanted.
    const one = frame({ opcode: OPCODE.binary, fin: false, payload: 'x' });
    const rest = header(OPCODE.continuation, most);
    expect(answers([one, rest], false)).toEqual([Decoded.FRAGMENT, Decoded.NEED_MORE]);
    expect(answers([one, rest], true)).toEqual([Decoded.FRAGMENT, tooLong]);
  });

  test('exactly maxFragments pass; a message in one frame is no fragment', () => {
    const pieces = fragmented(OPCODE.text, 'abc', 1);
    expect(one(bytes(...pieces), { maxFragments: 3 }).at(-1)).toBe(`assembled text ${shown('abc')}`);
    expect(one(bytes(...pieces), { maxFragments: 2 }).at(-1)).toBe(
      'fault 1008 message has more than 2 fragments',
    );
    expect(one(bytes(textFrame('a'), textFrame('b')), { maxFragments: 1 })).toEqual(['text 61', 'text 62']);
  });

  test('bytes and fragments are counted anew for each message', () => {
    const pieces = bytes(...fragmented(OPCODE.text, 'abcdef', 3), binaryFrame('ghijkl'));
    const thrice = [pieces, pieces, pieces];
    const limits = { cap: 6, maxFragments: 2 };
    expect(answersTo(thrice, limits)).toEqual(Array(3).fill(one(pieces, limits)).flat());
    // A message that two chunks bring is counted too.
    const [head, tail] = [pieces.subarray(0, -2), pieces.subarray(-2)];
    expect(answersTo([head, tail, head, tail], limits)).toEqual(Array(2).fill(one(pieces, limits)).flat());
  });
});

describe('fragmentation (RFC 6455 5.4)', () => {
  test('control frames between fragments are answered where they stand, and change nothing', () => {
    const chunk = bytes(
      frame({ opcode: OPCODE.text, fin: false, payload: 'a' }),
      pingFrame('1'),
      continuationFrame('', { fin: false }),
      pongFrame('2'),
      continuationFrame('b'),
      closeFrame(1000),
    );
    expect(one(chunk, {}, { wants: 'both' })).toEqual([
      'text fragment first 61',
      'ping 31',
      'text fragment',
      'pong 32',
      'text fragment last 62',
      'assembled text 6162',
      'close 03e8',
    ]);
  });

  test('a message of empty fragments is empty, of its kind', () => {
    for (const [opcode, kind] of [
      [OPCODE.text, 'text'],
      [OPCODE.binary, 'binary'],
    ] as const) {
      const chunk = bytes(frame({ opcode, fin: false }), continuationFrame(''));
      expect(one(chunk, {}, { wants: 'both' }).at(-1)).toBe(`assembled ${kind}`);
      expect(one(chunk, {}, { wants: 'fragments' })).toEqual([
        `${kind} fragment first`,
        `${kind} fragment last`,
      ]);
    }
  });

  test('says while it is inside a message', () => {
    const decoder = new FrameDecoder(LIMITS);
    decoder.push(bytes(frame({ opcode: OPCODE.text, fin: false }), pingFrame(), continuationFrame('')));
    const inside = [1, 2, 3].map(() => {
      decoder.next();
      return decoder.fragmenting;
    });
    expect(inside).toEqual([true, true, false]);
  });

  test('with only fragments wanted, no more than a fragment is held, and nothing once the message has ended', () => {
    const frames = fragmented(OPCODE.binary, new Uint8Array(100_000), 1000);
    const { decoder, mostHeldBytes } = decode(frames, {}, { wants: 'fragments' });
    expect(mostHeldBytes).toBeLessThanOrEqual(4096);
    expect(decoder.heldBytes).toBe(0);
  });

  test('with only fragments wanted, the next message is whole all the same, also when it comes in pieces', () => {
    const chunk = bytes(...fragmented(OPCODE.text, 'abc', 1), binaryFrame('defg'));
    const pieces = [chunk.subarray(0, -2), chunk.subarray(-2)];
    expect(answersTo(pieces, {}, { wants: 'fragments' }).at(-1)).toBe(`binary ${shown('defg')}`);
  });
});

/** Valid sequences of frames, beside the answers they must get. */
interface Sequence {
  readonly sent: Uint8Array;
  readonly answers: readonly string[];
}

const anyKey = fc.uint8Array({ minLength: 4, maxLength: 4 });
const payloadOf = (text: boolean, maxLength: number): fc.Arbitrary<Uint8Array> =>
  text ? fc.string({ unit: 'binary', maxLength }).map((value) => bytes(value)) : fc.uint8Array({ maxLength });

/** A frame as a client encodes it. */
function masked({ opcode, payload = '', fin = true }: FrameFields, mask: Uint8Array): Uint8Array {
  const key = Buffer.from(mask).readInt32LE();
  return new FrameEncoder('client', () => key).encode(opcode, bytes(payload), fin);
}

const control: fc.Arbitrary<Sequence> = fc
  .tuple(fc.constantFrom(...(['ping', 'pong'] as const)), fc.uint8Array({ maxLength: 125 }), anyKey)
  .map(([kind, payload, mask]) => ({
    sent: masked({ opcode: OPCODE[kind], payload }, mask),
    answers: [`${kind} ${shown(payload)}`.trim()],
  }));

const message: fc.Arbitrary<Sequence> = fc
  .boolean()
  .chain((text) =>
    fc.tuple(
      fc.constant(text ? 'text' : 'binary'),
      payloadOf(text, 400),
      fc.array(fc.nat(90), { maxLength: 4 }),
      control,
      anyKey,
    ),
  )
  .map(([kind, payload, cuts, between, mask]) => {
    const opcode = kind === 'text' ? OPCODE.text : OPCODE.binary;
    if (cuts.length === 0) {
      return { sent: masked({ opcode, payload }, mask), answers: [`${kind} ${shown(payload)}`.trim()] };
    }
    const places = [
      ...cuts.map((cut) => Math.min(cut, payload.length)).sort((a, b) => a - b),
      payload.length,
    ];
    const frames: Uint8Array[] = [];
    const answers: string[] = [];
    places.forEach((end, i) => {
      const part = payload.subarray(i === 0 ? 0 : places[i - 1], end);
      const fin = i === places.length - 1;
      if (i === 1) {
        frames.push(between.sent);
        answers.push(...between.answers);
      }
      frames.push(masked({ opcode: i === 0 ? opcode : OPCODE.continuation, fin, payload: part }, mask));
      answers.push(`fragment${i === 0 ? ' first' : fin ? ' last' : ''} of ${part.length} bytes`);
    });
    answers.push(`assembled ${kind} ${shown(payload)}`.trim());
    return { sent: bytes(...frames), answers };
  });

const sequence: fc.Arbitrary<Sequence> = fc
  .array(fc.oneof(message, control), { maxLength: 5 })
  .map((parts) => ({
    sent: bytes(...parts.map(({ sent }) => sent)),
    answers: parts.flatMap(({ answers }) => answers),
  }));

describe('what was encoded and masked is decoded', () => {
  test('whole, from memory of its own, from memory that is overwritten, and from the read buffer', () => {
    fc.assert(
      fc.property(sequence, ({ sent, answers }) => {
        for (const memory of ['own', 'lent', 'read buffer'] as const) {
          expect(one(sent, {}, { memory })).toEqual(answers);
        }
      }),
    );
  });

  test('cut in two at every byte', () => {
    fc.assert(
      fc.property(sequence, ({ sent, answers }) => {
        for (const halves of splitsInTwo(sent)) expect(answersTo(halves)).toEqual(answers);
      }),
      { numRuns: 25 },
    );
  });

  test('byte by byte, and at any places', () => {
    fc.assert(
      fc.property(sequence, fc.nat(), ({ sent, answers }, seed) => {
        expect(answersTo(split(sent, 'byte-by-byte'), {}, { memory: 'lent' })).toEqual(answers);
        expect(answersTo(split(sent, { seed }), {}, { memory: 'read buffer' })).toEqual(answers);
      }),
    );
  });

  test('while reading is held back at any time, and more bytes come', () => {
    fc.assert(
      fc.property(sequence, fc.nat(), fc.infiniteStream(fc.boolean()), ({ sent, answers }, seed, held) => {
        const hold = () => held.next().value as boolean;
        expect(answersTo(split(sent, { seed }), {}, { memory: 'lent', hold })).toEqual(answers);
      }),
    );
  });

  test('large messages of 200,000 bytes in the pieces of a network', () => {
    const payload = Buffer.from('Größe €'.repeat(20_000));
    for (const [sent, answer] of [
      [textFrame(payload), `text ${shown(payload)}`],
      [binaryFrame(payload), `binary ${shown(payload)}`],
    ] as const) {
      for (const size of [1448, 65_483, 131_071, sent.length]) {
        const chunks: Uint8Array[] = [];
        for (let at = 0; at < sent.length; at += size) chunks.push(sent.subarray(at, at + size));
        expect(answersTo(chunks, {}, { memory: 'read buffer' }).join() === answer).toBe(true);
        expect(answersTo(chunks).join() === answer).toBe(true);
      }
    }
  });
});

describe('memory', () => {
  test('a message keeps its bytes, whatever is decoded after it, by whichever decoder', () => {
    const kept: Uint8Array[] = [];
    const decoders = [new FrameDecoder(LIMITS), new FrameDecoder(LIMITS)];
    for (let i = 0; i < 3000; i++) {
      const decoder = decoders[i & 1] as FrameDecoder;
      decoder.push(binaryFrame(new Uint8Array(i).fill(i)));
      expect(decoder.next()).toBe(Decoded.MESSAGE);
      kept.push(decoder.message as Uint8Array);
    }
    const changed = kept.filter(
      (payload, i) => payload.length !== i || payload.some((octet) => octet !== (i & 255)),
    );
    expect(changed).toEqual([]);
  });

  test('keepRest copies, also a chunk that is a Buffer', () => {
    const lent = Buffer.from(bytes(textFrame('a'), textFrame('b')));
    const decoder = new FrameDecoder(LIMITS);
    decoder.push(lent);
    decoder.next();
    decoder.keepRest();
    lent.fill(0xff);
    expect([decoder.next(), decoder.message]).toEqual([Decoded.MESSAGE, 'b']);
  });

  test('an unfinished message holds at most 64 bytes or twice what has come of it', () => {
    const sent = binaryFrame(new Uint8Array(300_000));
    const decoder = new FrameDecoder(LIMITS);
    let came = 0;
    for (const chunk of split(sent, { seed: 3 })) {
      decoder.push(chunk);
      if (decoder.next() === Decoded.MESSAGE) break;
      came += chunk.length;
      expect(decoder.heldBytes).toBeLessThanOrEqual(Math.max(64, 2 * came));
    }
    expect([came > 0, decoder.heldBytes]).toEqual([true, 0]);
  });

  test('16,384 small fragments cost copies that are linear in the message (no flood of copying)', () => {
    const sent = bytes(...fragmented(OPCODE.binary, new Uint8Array(16_384 * 16), 16));
    const { grownBytes, answers } = decode([sent]);
    expect(answers.at(-1)).toBe(`assembled binary ${'00'.repeat(16_384 * 16)}`);
    expect(grownBytes).toBeLessThan(4 * 16_384 * 16);
  });

  test('a chunk whose end cuts a frame is let go, so that idle connections hold no chunks', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const half = (sent: Uint8Array) => sent.subarray(0, -1);
    const decoders = [half(pingFrame('abc')), half(binaryFrame('abc')), hex('81'), textFrame('a')].map(
      (end) => {
        const chunk = bytes(pingFrame(new Uint8Array(125)), end);
        const decoder = new FrameDecoder(LIMITS);
        decoder.push(chunk);
        while (decoder.next() !== Decoded.NEED_MORE);
        return { decoder, chunk: new WeakRef(chunk.buffer) };
      },
    );
    await turn();
    collect();
    expect(decoders.map(({ chunk }) => chunk.deref())).toEqual([undefined, undefined, undefined, undefined]);
    expect(decoders.map(({ decoder }) => decoder.hasMore)).toEqual([false, false, false, false]);
  });

  test('a message that nobody takes is gone when the next one begins', () => {
    const decoder = new FrameDecoder(LIMITS);
    decoder.push(bytes(...fragmented(OPCODE.text, 'ab', 1), ...fragmented(OPCODE.text, 'cd', 1)));
    const kinds = [1, 2, 3, 4].map(() => decoder.next());
    expect(kinds).toEqual(Array(4).fill(Decoded.FRAGMENT));
    expect(decoder.takeMessage()).toBe('cd');
  });

  test('discard forgets the rest of the chunk and the message under way', () => {
    const decoder = new FrameDecoder(LIMITS);
    decoder.push(bytes(frame({ opcode: OPCODE.text, fin: false, payload: 'a' }), textFrame('b')));
    decoder.next();
    decoder.discard();
    expect([decoder.hasMore, decoder.heldBytes, decoder.fragmenting]).toEqual([false, 0, false]);
    expect(decoder.next()).toBe(Decoded.NEED_MORE);
  });
});

describe('a decoder that goes from one connection to another', () => {
  test('is idle between frames outside of a message, and only there', () => {
    const sent = bytes(textFrame('é'), ...fragmented(OPCODE.binary, 'abc', 2), pingFrame('x'), textFrame(''));
    const ends = [8, 23, 30, 36];
    const decoder = new FrameDecoder(LIMITS);
    const idleAt: number[] = [];
    sent.forEach((_, at) => {
      decoder.append(sent.subarray(at, at + 1));
      while (decoder.next() !== Decoded.NEED_MORE);
      if (decoder.idle) idleAt.push(at + 1);
    });
    expect([idleAt, sent.length]).toEqual([ends, 36]);
    decoder.append(textFrame('a'));
    expect(decoder.idle).toBe(false);
  });

  test('has nothing left of the first, whether given back when idle or after a discard at any place', () => {
    fc.assert(
      fc.property(sequence, sequence, fc.nat(), fc.boolean(), (first, second, place, fails) => {
        const limits = { cap: 400, maxFragments: 5 };
        const decoder = new FrameDecoder(limits);
        const cut = place % (first.sent.length + 1);
        decoder.append(bytes(first.sent.subarray(0, cut), fails ? hex('ff') : ''));
        for (let answer = decoder.next(); answer !== Decoded.NEED_MORE && answer !== Decoded.FAULT; ) {
          if (answer === Decoded.FRAGMENT && decoder.first) decoder.assemble = false;
          answer = decoder.next();
        }
        if (decoder.idle) decoder.recycle();
        else decoder.discard();
        expect([decoder.idle, decoder.heldBytes, decoder.assemble, decoder.message.length]).toEqual([
          true,
          0,
          true,
          0,
        ]);
        expect(answersTo([second.sent], limits, {}, decoder)).toEqual(answersTo([second.sent], limits));
      }),
    );
  });
});

describe('a chunk that is done', () => {
  test('is settled: what is unfinished is held and goes on, whatever another decoder reads meanwhile', () => {
    const [decoder, other] = [new FrameDecoder(LIMITS), new FrameDecoder(LIMITS)];
    decoder.push(Uint8Array.of(0x02, 0x81, 0, 0, 0, 0, 0x61));
    expect(decoder.next()).toBe(Decoded.FRAGMENT);
    decoder.settle();
    expect(decoder.heldBytes).toBe(2);
    other.push(Uint8Array.of(0x02, 0x81, 0, 0, 0, 0, 0x7a));
    expect(other.next()).toBe(Decoded.FRAGMENT);
    decoder.push(Uint8Array.of(0x80, 0x81, 0, 0, 0, 0, 0x62));
    expect(decoder.next()).toBe(Decoded.FRAGMENT);
    expect(decoder.takeMessage()).toEqual(Uint8Array.of(0x61, 0x62));
    expect(decoder.heldBytes).toBe(0);
    other.discard();
  });
});
