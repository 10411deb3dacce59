// The place of an extension between frames and messages, both ways, shown with one that only tests have.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Decoded, type DecoderLimits, FrameDecoder } from '../../../src/io/frames/frame-decoder.ts';
import { CONTINUATION, PING, TEXT } from '../../../src/io/frames/frame-encoder.ts';
import { encodeMessage } from '../../../src/io/writing/encoded-message.ts';
import { Outbox } from '../../../src/io/writing/outbox.ts';
import type { OutboxLimits, SendResult } from '../../../src/io/writing/outbox-ports.ts';
import { WriteTurn } from '../../../src/io/writing/write-turn.ts';
import { answersTo, LIMITS, type Run, decode as run, shown, type Way } from '../../fuzz/decoding.ts';
import { FakeTransport } from '../../support/fake-transport.ts';
import {
  bytes,
  continuationFrame,
  frame,
  hex,
  OPCODE,
  pingFrame,
  textFrame,
} from '../../support/raw-client.ts';
import { split, splitsInTwo } from '../../support/splits.ts';
import { EMPTY_RUN, RunLength, runs } from '../../support/toy-extension.ts';

const RSV1 = 4;
const extended = (payload: Uint8Array, fields: object = {}): Uint8Array =>
  frame({ opcode: OPCODE.text, rsv: RSV1, payload, ...fields });
const encodedText = (text: string): Uint8Array => extended(runs(bytes(text)));

/** The next fragment of a message; the first one takes its place. */
function fragment(outbox: Outbox, opcode: number, payload: Uint8Array, final: boolean): SendResult {
  const place = opcode === CONTINUATION ? outbox.unfinished : outbox.reserve();
  return place === undefined ? 'closed' : outbox.fragment(place, opcode, payload, final);
}

function decode(
  chunks: readonly Uint8Array[],
  limits: Partial<DecoderLimits> = {},
  way: Way = {},
  extension = new RunLength(),
): Run {
  const decoder = new FrameDecoder({ ...LIMITS, ...limits });
  decoder.extension = extension;
  return run(chunks, limits, way, decoder);
}
const answers = (...given: Parameters<typeof decode>): string[] => decode(...given).answers;

interface Sent {
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly extended: boolean;
  /** Frames beside the first one, with a Ping between the first two. */
  readonly cuts: readonly number[];
}

const anySent: fc.Arbitrary<Sent> = fc.boolean().chain((text) =>
  fc.record({
    opcode: fc.constant(text ? OPCODE.text : OPCODE.binary),
    payload: text
      ? fc.string({ unit: 'binary', maxLength: 100 }).map((value) => bytes(value.repeat(2)))
      : fc.oneof(
          fc.uint8Array({ maxLength: 100 }),
          fc.tuple(fc.nat(700), fc.nat(255)).map(([length, byte]) => new Uint8Array(length).fill(byte)),
        ),
    extended: fc.boolean(),
    cuts: fc.array(fc.nat(60), { maxLength: 3 }),
  }),
);

/** The frames of a message. */
function framesOf({ opcode, payload, extended, cuts }: Sent): Uint8Array {
  const wire = extended ? runs(payload) : payload;
  const ends = [...cuts.map((cut) => Math.min(cut, wire.length)).sort((a, b) => a - b), wire.length];
  const frames = ends.map((end, i) =>
    frame({
      opcode: i === 0 ? opcode : OPCODE.continuation,
      fin: i === cuts.length,
      rsv: extended && i === 0 ? RSV1 : 0,
      payload: wire.subarray(i === 0 ? 0 : ends[i - 1], end),
    }),
  );
  if (frames.length > 1) frames.splice(1, 0, pingFrame('between'));
  return bytes(...frames);
}

/** What must be told of a message, whatever its frames were. */
const told = ({ opcode, payload, cuts }: Sent): string =>
  `${cuts.length > 0 ? 'assembled ' : ''}${opcode === OPCODE.text ? 'text' : 'binary'} ${shown(payload)}`.trim();
const messagesIn = (all: readonly string[]): string[] => all.filter((each) => !/^(ping|fragment)/.test(each));

describe('in: a message with RSV1 is what the extension makes of its payload', () => {
  const messages = fc.array(anySent, { maxLength: 4 });

  test('whole and fragmented, among others without RSV1, from every kind of memory', () => {
    fc.assert(
      fc.property(messages, fc.integer({ min: 1, max: 300 }), (sent, sliceBytes) => {
        const chunk = bytes(...sent.map(framesOf));
        for (const memory of ['own', 'lent', 'read buffer'] as const) {
          const all = answers([chunk], {}, { memory }, new RunLength(sliceBytes));
          expect(messagesIn(all)).toEqual(sent.map(told));
        }
      }),
    );
  });

  test('split in two at every byte, and byte by byte', () => {
    fc.assert(
      fc.property(anySent, (sent) => {
        const chunk = framesOf(sent);
        const whole = answers([chunk]);
        for (const halves of splitsInTwo(chunk)) expect(answers(halves)).toEqual(whole);
        expect(answers(split(chunk, 'byte-by-byte'), {}, { memory: 'lent' })).toEqual(whole);
        expect(messagesIn(whole)).toEqual([told(sent)]);
      }),
      { numRuns: 25 },
    );
  });

  test('also when it is longer than the memory that pieces are unmasked in', () => {
    const text = 'ab'.repeat(100_000);
    expect(answers([encodedText(text)]).join() === `text ${shown(text)}`).toBe(true);
    const half = encodedText(text).subarray(0, 150_001);
    expect(answers([half, encodedText(text).subarray(150_001)]).join() === `text ${shown(text)}`).toBe(true);
  });

  test('when only fragments are wanted, each brings what came out of its frame', () => {
    const chunk = bytes(
      extended(hex('03 61 02'), { fin: false, opcode: OPCODE.binary }),
      continuationFrame('', { fin: false }),
      continuationFrame(hex('c3 01 a9 01')),
    );
    expect(answers([chunk], {}, { wants: 'fragments' })).toEqual([
      'binary fragment first 616161',
      'binary fragment',
      'binary fragment last c3c3a9',
    ]);
  });

  test('text is checked as it comes out, and ends at a whole character', () => {
    const euro = bytes(extended(hex('01 e2 01'), { fin: false }), continuationFrame(hex('82 01 ac')));
    expect(answers([euro], {}, { wants: 'both' })).toEqual([
      'text fragment first',
      `text fragment last ${shown('€')}`,
      `assembled text ${shown('€')}`,
    ]);
    const fault = 'fault 1007 text is not valid UTF-8';
    expect(answers([extended(hex('01 61 01 ff'))])).toEqual([fault]);
    expect(answers([extended(hex('01 61 01 e2 01 82'))])).toEqual([fault]);
    // The wire may hold anything: FF is a count here.
    expect(answers([extended(hex('ff 61'))])).toEqual([`text ${shown('a'.repeat(255))}`]);
    // At the first wrong byte, before the frame is complete.
    expect(answers([extended(hex('01 ff 01 61 01 61')).subarray(0, 8)])).toEqual([fault]);
  });
});

describe('in: limits are about what comes out', () => {
  test('cap is exact, for one frame and for fragments, however long the wire is', () => {
    const text = 'ab'.repeat(50); // 100 bytes, and 200 on the wire
    expect(answers([encodedText(text)], { cap: 100 })).toEqual([`text ${shown(text)}`]);
    expect(answers([encodedText(text)], { cap: 99 })).toEqual([
      'fault 1009 message is over the cap of 99 bytes',
    ]);
    const pieces = [
      extended(hex('64 61'), { fin: false }),
      continuationFrame(hex('64 61'), { fin: false }),
      continuationFrame(hex('64 61')),
    ];
    expect(answers(pieces, { cap: 300 }).at(-1)).toBe(`assembled text ${shown('a'.repeat(300))}`);
    expect(answers(pieces, { cap: 299 }).at(-1)).toBe('fault 1009 message is over the cap of 299 bytes');
    // The next message is counted anew, one without RSV1 too.
    expect(answers([encodedText(text), encodedText(text), textFrame(text)], { cap: 100 })).toHaveLength(3);
  });

  test('a bomb costs no more slices and memory than the cap', () => {
    const extension = new RunLength(255);
    const bomb = extended(
      Uint8Array.from({ length: 60_000 }, () => 255),
      { opcode: OPCODE.binary },
    );
    const { answers, mostHeldBytes } = decode([bomb], { cap: 10_000 }, {}, extension);
    expect(answers).toEqual(['fault 1009 message is over the cap of 10000 bytes']);
    expect(extension.slices).toBe(Math.floor(10_000 / 255) + 1);
    expect(mostHeldBytes).toBeLessThanOrEqual(20_000);
  });

  test('messages of many connections together give way to others after 256 KiB, and then go on', () => {
    const message = encodedText('a'.repeat(64 * 1024));
    const answers = Array.from({ length: 40 }, () => {
      const decoder = new FrameDecoder(LIMITS);
      decoder.extension = new RunLength();
      decoder.append(message);
      const first = decoder.next();
      return first === Decoded.GIVE_WAY ? [first, decoder.next()] : [first];
    });
    expect(answers.map((each) => each.at(-1))).toEqual(Array(40).fill(Decoded.MESSAGE));
    const gaveWay = answers.filter(([first]) => first === Decoded.GIVE_WAY).length;
    expect(gaveWay).toBeGreaterThanOrEqual(9);
    expect(gaveWay).toBeLessThanOrEqual(11);
  });

  test('an unfinished message holds twice what has come out, whatever length is announced', () => {
    const sent = extended(runs(new Uint8Array(10_000)), { length: { declared: 1_000_000 } });
    const { mostHeldBytes, decoder } = decode([sent]);
    expect(mostHeldBytes).toBeLessThanOrEqual(20_000);
    expect(decoder.heldBytes).toBeGreaterThanOrEqual(10_000);
    decoder.discard();
    expect(decoder.heldBytes).toBe(0);
  });

  test('fragments count as they came', () => {
    const piece = { fin: false } as const;
    const sent = bytes(extended(hex('01 61'), piece), continuationFrame('', piece), continuationFrame(''));
    expect(answers([sent], { maxFragments: 3 }).at(-1)).toBe('assembled text 61');
    expect(answers([sent], { maxFragments: 2 }).at(-1)).toBe('fault 1008 message has more than 2 fragments');
  });
});

describe('in: who owns the reserved bits', () => {
  const open = frame({ opcode: OPCODE.text, fin: false, rsv: RSV1, payload: hex('01 61') });
  test.each([
    ['RSV2', 'reservedBits', hex('a1')],
    ['RSV1 and RSV3', 'reservedBits', hex('d1')],
    ['RSV1 on a Ping', 'misplacedRsv1', hex('c9')],
    ['RSV1 on a Close', 'misplacedRsv1', hex('c8')],
    ['RSV1 on a continuation', 'misplacedRsv1', bytes(open, hex('c0'))],
    ['RSV1 on a reserved opcode', 'reservedOpcode', hex('c3')],
    ['RSV1 on a message inside another', 'interleavedMessage', bytes(open, hex('c1'))],
  ] as const)('%s is %s, at its first byte', (_, name, sent) => {
    const { decoder, answers } = decode(split(sent, 'byte-by-byte'));
    expect(answers.at(-1)).toMatch(/^fault 1002 /);
    expect(decoder.fault?.name).toBe(name);
  });

  test('nobody, without an extension, and for the next connection of the decoder', () => {
    expect(answersTo([hex('c1')])).toEqual(['fault 1002 reserved bits set with no extension negotiated']);
    const { decoder } = decode([encodedText('aaa')]);
    decoder.recycle();
    expect(answersTo([encodedText('aaa')], {}, {}, decoder)[0]).toMatch(/^fault 1002 reserved bits/);
  });

  test('a discarded message leaves nothing to the next one', () => {
    const { decoder } = decode([open, continuationFrame(hex('05')).subarray(0, 6)]);
    decoder.discard();
    expect([decoder.idle, decoder.extension]).toEqual([true, undefined]);
    expect(answersTo([textFrame('plain')], { cap: 5 }, {}, decoder)).toEqual([`text ${shown('plain')}`]);
  });

  test('a fault of the extension is the fault of the connection', () => {
    const { decoder } = decode([extended(hex('01 61 00'))]);
    expect(decoder.fault).toBe(EMPTY_RUN);
  });
});

// ------------------------------------------------------------------ out

const OUTBOX_LIMITS: OutboxLimits = { sendLimit: 1_048_576, overflow: 'close', maxPendingPongs: 64 };

/** An outbox whose peer is a decoder with the same extension. */
class Line {
  readonly transport = new FakeTransport();
  readonly extension = new RunLength();
  readonly outbox: Outbox;
  readonly #tasks: (() => void)[] = [];

  constructor(limits: Partial<OutboxLimits> = {}) {
    this.outbox = new Outbox(
      this.transport,
      { ...OUTBOX_LIMITS, ...limits },
      new WriteTurn((task) => this.#tasks.push(task)),
      {
        onWaiting: () => {},
        onQueued: () => {},
        encodeNow() {},
        onSliced: (message) =>
          message.begin(
            (work) => this.#tasks.push(() => work.onTurn()),
            () => {},
          ),
        onTooLarge: () => {},
        onOverflow: () => {},
        onDrained: () => {},
        onBroken: (error) => {
          throw error;
        },
      },
    );
    this.transport.onDrain = () => this.outbox.onDrain();
    this.outbox.extension = this.extension;
  }

  get sent(): Uint8Array {
    for (const task of this.#tasks.splice(0)) task();
    return this.transport.left;
  }

  /** What a client of this connection reads. */
  get read(): string[] {
    const decoder = new FrameDecoder(LIMITS, 'client');
    decoder.extension = new RunLength();
    return answersTo([this.sent], {}, {}, decoder);
  }
}

describe('out: a message is what the extension makes of it, with RSV1 set', () => {
  test('text and bytes; one that the extension leaves alone goes without RSV1', () => {
    const line = new Line();
    expect([line.outbox.text('aaaa'), line.outbox.binary(hex('00 00 00')), line.outbox.text('ab')]).toEqual(
      Array(3).fill('sent'),
    );
    expect(line.sent).toEqual(hex('c1 02 0461  c2 02 0300  81 02 6162'));
    expect(line.read).toEqual([`text ${shown('aaaa')}`, 'binary 000000', `text ${shown('ab')}`]);
  });

  test('any message that is sent is read by a client, and so is one encoded once', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 300 })), (texts) => {
        const line = new Line();
        for (const text of texts) {
          line.outbox.text(text);
          line.outbox.encoded(encodeMessage(text));
          line.outbox.encoded(encodeMessage(bytes(text)));
        }
        const wanted = texts.flatMap((text) =>
          ['text', 'text', 'binary'].map((kind) => `${kind} ${shown(text)}`.trim()),
        );
        expect(line.read).toEqual(wanted);
      }),
    );
  });

  test('fragments of one message: RSV1 on the first only, control frames between them untouched', () => {
    const line = new Line();
    fragment(line.outbox, TEXT, bytes('aab'), false);
    line.outbox.control(PING, bytes('between'));
    fragment(line.outbox, CONTINUATION, bytes('b'), false);
    fragment(line.outbox, CONTINUATION, new Uint8Array(0), true);
    expect(line.sent).toEqual(bytes(hex('41 02 0261 89 07'), 'between', hex('00 02 0162 80 02 0162')));
    expect(line.read.at(-1)).toBe(`assembled text ${shown('aabb')}`);
  });

  test('sendLimit is about the bytes that wait, as they go out', () => {
    const line = new Line({ sendLimit: 10, overflow: 'drop' });
    expect(line.outbox.text('a'.repeat(1000))).toBe('sent');
    expect(line.outbox.text('abcdef')).toBe('dropped'); // 12 bytes
  });

  test('a message stands alone when it may be dropped, replaced, or sent later than others', () => {
    const standsAlone = (line: Line) => line.extension.encoded.map((each) => each.standsAlone);
    const line = new Line();
    line.outbox.text('next');
    line.outbox.text('replaced', 'key');
    fragment(line.outbox, TEXT, bytes('a'), false);
    line.outbox.text('after the fragments');
    fragment(line.outbox, CONTINUATION, bytes('a'), true);
    line.outbox.binary(bytes('next'));
    line.outbox.encoded(encodeMessage('for many'));
    expect(standsAlone(line)).toEqual([false, true, true, false, true]);
    for (const overflow of ['drop', 'drop-oldest'] as const) {
      const line = new Line({ overflow });
      line.outbox.text('text');
      expect(standsAlone(line)).toEqual([true]);
    }
  });

  test('a message encoded once is encoded once for each form, and stays plain for others', () => {
    const message = encodeMessage('aaaa');
    const lines = [new Line(), new Line()];
    for (const { outbox } of lines) outbox.encoded(message);
    expect(lines.map(({ extension }) => extension.encoded.length)).toEqual([1, 0]);
    expect(lines.map(({ sent }) => sent)).toEqual([hex('c1 02 0461'), hex('c1 02 0461')]);
    const plain = new Line();
    plain.outbox.extension = undefined;
    plain.outbox.encoded(message);
    expect(plain.sent).toEqual(bytes(hex('81 04'), 'aaaa'));
  });
});

test('the decoder of an extension answers whole messages, too, when the frame is in one chunk', () => {
  const decoder = new FrameDecoder(LIMITS);
  decoder.extension = new RunLength();
  decoder.push(encodedText('aaa'));
  expect([decoder.next(), decoder.message, decoder.payloadBytes]).toEqual([Decoded.MESSAGE, 'aaa', 2]);
});
