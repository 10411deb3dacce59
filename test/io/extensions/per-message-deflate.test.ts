// permessage-deflate between an outbox and a peer that reads all with one window, and between a client and the decoder.

import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { PerMessageDeflate } from '../../../src/io/extensions/per-message-deflate.ts';
import { PublicZlib } from '../../../src/io/extensions/public-zlib.ts';
import { Decoded, FrameDecoder } from '../../../src/io/frames/frame-decoder.ts';
import { CONTINUATION, PING, TEXT } from '../../../src/io/frames/frame-encoder.ts';
import { encodeMessage } from '../../../src/io/writing/encoded-message.ts';
import type { Place } from '../../../src/io/writing/send-queue.ts';
import { answersTo, LIMITS as DECODER_LIMITS, decode, shown } from '../../fuzz/decoding.ts';
import { CONTEXTS, Line, TERMS } from '../../support/deflate-line.ts';
import { deflated, deflateOf, inflated, LIMITS, SETTINGS } from '../../support/deflate-peer.ts';
import { bytes, continuationFrame, frame, hex, OPCODE, pingFrame } from '../../support/raw-client.ts';
import { splitsInTwo } from '../../support/splits.ts';
import { TIMES } from '../../support/times.ts';

const words = ['price', 'volume', '{"symbol":"PORTAL"}', '0123456789', 'é€𝄞', ' '];
const texts = fc.oneof(
  fc.array(fc.constantFrom(...words), { maxLength: 60 }).map((list) => list.join('')),
  fc.string({ maxLength: 60 }),
);
const SENDS = ['text', 'binary', 'encoded', 'encoded always', 'key', 'plain', 'always', 'large'] as const;
type Step =
  | {
      readonly kind: (typeof SENDS)[number] | 'begin' | 'begin plain' | 'piece';
      readonly text: string;
    }
  | { readonly kind: 'end' | 'evict' | 'stick' | 'free' };
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constantFrom('text' as const, 'binary' as const), text: texts }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom(...SENDS), text: texts }) },
  fc.record({
    kind: fc.constantFrom('begin' as const, 'begin plain' as const, 'piece' as const, 'piece' as const),
    text: texts,
  }),
  fc.record({ kind: fc.constantFrom('end' as const, 'evict' as const, 'stick' as const, 'free' as const) }),
);

/** Everything that can be sent on one line, and what must be read. */
class Talk {
  readonly line: Line;
  readonly sent: string[] = [];
  /** Messages in fragments that are not complete, and where each stands among those sent. */
  readonly #open: { place: Place; text: string; at: number }[] = [];
  #keys = 0;

  constructor(line: Line) {
    this.line = line;
  }

  take(step: Step): void {
    const { transport, deflate } = this.line;
    if (step.kind === 'evict') deflate.contexts.evict();
    else if (step.kind === 'stick') transport.takes = false;
    else if (step.kind === 'free') this.#free();
    else if (step.kind === 'end') this.#finish();
    else if ('text' in step) this.#say(step.kind, step.text);
  }

  end(): void {
    while (this.#open.length > 0) this.#finish();
    this.#free();
  }

  #say(kind: string, text: string): void {
    const { outbox } = this.line;
    if (kind === 'piece') this.#piece(text);
    else if (!kind.startsWith('begin')) this.#send(kind, text);
    else {
      const place = outbox.reserve(undefined, kind !== 'begin');
      this.#open.push({ place, text: '', at: this.sent.push('') - 1 });
    }
  }

  #send(kind: string, text: string): void {
    const { outbox } = this.line;
    if (kind === 'large') {
      const large = text.repeat(Math.ceil(80_000 / (text.length + 1)));
      const isSliced = Buffer.byteLength(large) > 65_536;
      outbox.text(large);
      this.sent.push(`${isSliced ? 'assembled ' : ''}text ${shown(large)}`.trim());
      return;
    }
    if (kind === 'text') outbox.text(text);
    else if (kind === 'binary') outbox.binary(bytes(text));
    else if (kind === 'encoded') outbox.encoded(encodeMessage(text));
    else if (kind === 'encoded always') outbox.encoded(encodeMessage(text), undefined, true);
    else if (kind === 'always') outbox.text(text, undefined, true);
    else if (kind === 'key') outbox.text(text, `${this.#keys++}`);
    else outbox.text(text, undefined, false);
    this.sent.push(`${kind === 'binary' ? 'binary' : 'text'} ${shown(text)}`.trim());
  }

  /** A piece may be next only where no large message is before it. */
  get #unfinished() {
    return this.#open.find(({ place }) => place === this.line.outbox.unfinished);
  }

  #piece(text: string, final = false): void {
    const open = this.#unfinished;
    if (open === undefined) return;
    const opcode = open.place.hasBegun ? CONTINUATION : TEXT;
    open.text += text;
    if (final) {
      this.#open.splice(this.#open.indexOf(open), 1);
      this.sent[open.at] = `${opcode === TEXT ? '' : 'assembled '}text ${shown(open.text)}`.trim();
    }
    this.line.outbox.fragment(open.place, opcode, bytes(text), final);
  }

  #finish(): void {
    // A large message before it is encoded first.
    if (this.#unfinished === undefined) this.line.settle();
    this.#piece('', true);
  }

  #free(): void {
    const { line } = this;
    line.settle();
    line.transport.takes = true;
    if (line.outbox.waiting) line.transport.drain();
  }
}

describe('out', () => {
  test.each([15, 12, 9, 8])(
    'a long conversation of all ways to send is read with one window of %i bits',
    (bits) => {
      fc.assert(
        fc.property(fc.array(steps, { maxLength: 40 }), fc.boolean(), (all, takesOver) => {
          const talk = new Talk(new Line(takesOver ? CONTEXTS : {}, bits));
          for (const step of all) talk.take(step);
          talk.end();
          expect(talk.line.read).toEqual(talk.sent);
        }),
        { numRuns: 100 * TIMES },
      );
    },
  );

  test('with a context, a message that came before costs next to nothing; without, each is read alone', () => {
    const text = '{"symbol":"PORTAL","price":1234.5}'.repeat(3);
    const sizes = (line: Line) =>
      [1, 2, 3].map(() => {
        const before = line.sent.length;
        line.outbox.text(text);
        return line.sent.length - before;
      });
    const [first = 0, second = 0] = sizes(new Line());
    expect(second).toBeLessThan(first / 2);
    const shared = new Line({});
    const [once, again] = sizes(shared);
    expect(again).toBe(once);
    const payload = shared.sent.subarray((once as number) + 2, 2 * (once as number));
    expect(inflated(new Uint8Array(payload))).toEqual(bytes(text));
  });

  test('a context begins anew after a message that another connection has compressed', () => {
    const deflate = deflateOf(CONTEXTS);
    const [other, line] = [new Line(CONTEXTS, 15, deflate), new Line(CONTEXTS, 15, deflate)];
    const text = 'the first of this connection, '.repeat(3);
    const message = encodeMessage('for many '.repeat(100));
    other.outbox.encoded(message);
    line.outbox.text(text);
    line.outbox.encoded(message);
    line.outbox.text(text);
    expect(line.read).toEqual([text, 'for many '.repeat(100), text].map((each) => `text ${shown(each)}`));
  });

  test('a context begins anew after fragments, since messages may come in between that were encoded earlier', () => {
    const line = new Line();
    const { outbox } = line;
    const [first, second] = [outbox.reserve(), outbox.reserve()];
    const between = 'sent after both, encoded before. '.repeat(5);
    outbox.text(between);
    outbox.fragment(first, TEXT, bytes('one'), true);
    const text = 'in fragments, then in one frame, '.repeat(3);
    outbox.fragment(second, TEXT, bytes(text), false);
    outbox.fragment(second, CONTINUATION, bytes(''), true);
    outbox.text(text);
    expect(line.read).toEqual([
      `text ${shown('one')}`,
      `assembled text ${shown(text)}`,
      `text ${shown(between)}`,
      `text ${shown(text)}`,
    ]);
  });

  test('what would not become smaller goes as it is, and so does what is under the threshold', () => {
    const line = new Line({ threshold: 10 });
    line.outbox.text('aaaaaaaaa');
    line.outbox.text('aaaaaaaaa', undefined, true);
    line.outbox.binary(Uint8Array.from({ length: 12 }, (_, i) => i * 19));
    line.outbox.text('');
    line.outbox.text('', undefined, true);
    line.outbox.text('aaaaaaaaaaaaaaaaaaaa', undefined, false);
    expect([0x81, 0xc1, 0x82, 0x81, 0x81, 0x81]).toEqual(firstBytes(line.sent));
  });

  test('a large message goes in slices, others wait for it, and control frames do not', () => {
    const line = new Line();
    const large = Array.from({ length: 60_000 }, (_, i) => `${(i * i) % 9973}`).join();
    expect(line.outbox.text(large)).toBe('queued');
    expect(line.outbox.text('after it')).toBe('queued');
    expect(line.outbox.bufferedAmount).toBeGreaterThan(large.length - 65_536);
    expect(line.outbox.bufferedAmount).toBeLessThan(large.length);
    line.outbox.control(PING, bytes('now'));
    const read = line.read;
    expect(read).toEqual([
      `ping ${shown('now')}`,
      `assembled text ${shown(large)}`,
      `text ${shown('after it')}`,
    ]);
    expect([line.outbox.bufferedAmount, line.outbox.queuedBytes, line.outbox.messages]).toEqual([0, 0, 2]);
  });

  test('short messages that are like each other become short: the first of them is two bytes longer', () => {
    const line = new Line();
    const size = (text: string | Uint8Array) => {
      const before = line.sent.length;
      if (typeof text === 'string') line.outbox.text(text);
      else line.outbox.binary(text);
      return line.sent.length - before - 2;
    };
    const quote = (n: number) => JSON.stringify({ symbol: 'PORTAL', price: n });
    const isShort = (text: string) => size(text) < text.length / 2;
    expect(size(quote(1)) - quote(1).length).toBe(2);
    expect([isShort(quote(2)), isShort(quote(3))]).toEqual([true, true]);
    // What is not like text goes as it is, and the context begins anew.
    const noise = Uint8Array.from({ length: 60 }, (_, i) => (i * i * 37 + (i >> 1)) & 0xff);
    expect([size(noise), isShort(quote(4)), isShort(quote(5))]).toEqual([60, false, true]);
    line.deflate.contexts.evict();
    expect([isShort(quote(6)), isShort(quote(7))]).toEqual([false, true]);
    expect(line.read).toHaveLength(8);
  });

  test('messages that have nothing of each other go as they are: the first byte in vain is the last', () => {
    const line = new Line();
    const unlike = [
      'abcdefghijklmnopqrstuvwxyz',
      'ABCDEFGHIJKLMNOPQRSTUVWXYZ',
      '0123456789!"#$%&/()=?+*-_.:,;',
      'zyxwvutsrqponmlkjihgfedcba',
    ];
    for (const text of unlike) line.outbox.text(text);
    const longer = line.sent.length - unlike.join('').length - 2 * unlike.length;
    expect(longer).toBe(2);
    expect(line.read).toEqual(unlike.map((text) => `text ${shown(text)}`));
  });

  test('nothing to compress is sent as nothing, whatever the context has compressed before', () => {
    for (const line of [
      new Line(),
      new Line({ ...CONTEXTS, contextThreshold: 0, threshold: 0 }),
      new Line({}),
    ]) {
      line.outbox.text('a message of some length, a message of some length');
      line.outbox.text('', undefined, true);
      line.outbox.binary(new Uint8Array(0), undefined, true);
      line.outbox.text('');
      line.outbox.encoded(encodeMessage(''), undefined, true);
      expect(Buffer.from(line.sent.slice(-8)).toString('hex')).toBe('8100820081008100');
    }
  });

  test('a large message with a key goes in slices where it can begin at once, and waits as it is where not', () => {
    const large = 'price,volume;'.repeat(10_000);
    const line = new Line({});
    line.outbox.text(large, 'key');
    expect(line.sent.length).toBeLessThan(large.length / 10);
    line.transport.takes = false;
    line.outbox.text('until the transport takes no more');
    line.settle();
    line.outbox.text(large.replaceAll('price', 'older'), 'key');
    line.outbox.text(large.replaceAll('price', 'newer'), 'key');
    line.transport.takes = true;
    line.transport.drain();
    expect(line.read).toEqual([
      `assembled text ${shown(large)}`,
      `text ${shown('until the transport takes no more')}`,
      `text ${shown(large.replaceAll('price', 'newer'))}`,
    ]);
  });

  test('a message for many that must be compressed is, however short, and once for all who want that', () => {
    const deflate = deflateOf({ threshold: 100 });
    const lines = [1, 2].map(() => new Line({}, 15, deflate));
    const message = encodeMessage('aaaaaaaaaaaaaaaaaaaa');
    for (const { outbox } of lines)
      for (const always of [true, undefined]) outbox.encoded(message, undefined, always);
    const [one, two] = lines.map(({ sent }) => shown(sent));
    expect(one).toBe(two);
    expect(one).toMatch(new RegExp(`^c1.*8114${shown('aaaaaaaaaaaaaaaaaaaa')}$`));
  });

  test('fragments that are not to be compressed are sent as they are, and the context stays in step', () => {
    const line = new Line();
    const text = 'in fragments, then in one frame, '.repeat(3);
    line.outbox.text(text);
    const place = line.outbox.reserve(undefined, true);
    line.outbox.fragment(place, TEXT, bytes(text), false);
    line.outbox.fragment(place, CONTINUATION, bytes(''), true);
    line.outbox.text(text);
    expect(line.read).toEqual([
      `text ${shown(text)}`,
      `assembled text ${shown(text)}`,
      `text ${shown(text)}`,
    ]);
    expect(Buffer.from(line.sent).includes(text)).toBe(true);
  });

  test('a message for many is compressed once for all with the same terms', () => {
    const deflate = deflateOf({});
    const lines = [new Line({}, 15, deflate), new Line({}, 15, deflate), new Line({}, 9, deflate)];
    const message = encodeMessage('for many '.repeat(100));
    for (const { outbox } of lines) outbox.encoded(message);
    const [a, b, c] = lines.map(({ sent }) => shown(sent));
    expect(a).toBe(b);
    for (const line of lines) expect(line.read).toEqual([`text ${shown('for many '.repeat(100))}`]);
    expect(c?.startsWith('c1')).toBe(true);
  });

  test('at the end of the connection its context is given back', () => {
    const line = new Line();
    line.outbox.text('some text that is long enough');
    expect(line.deflate.contexts.size).toBe(1);
    line.outbox.release();
    expect(line.deflate.contexts.size).toBe(0);
  });

  test('without native contexts every way to send is read all the same', () => {
    const line = new Line(CONTEXTS, 15, deflateOf(CONTEXTS, {}, new PublicZlib(zlib)));
    const text = 'a message as it comes again and again '.repeat(10);
    for (let i = 0; i < 3; i++) line.outbox.text(text);
    line.outbox.text(text.repeat(1000));
    expect(line.read).toEqual([
      ...Array(3).fill(`text ${shown(text)}`),
      `assembled text ${shown(text.repeat(1000))}`,
    ]);
    expect(line.deflate.contexts.size).toBe(0);
  });
});

/** The first byte of each frame; all are shorter than 126 bytes. */
function firstBytes(wire: Uint8Array): number[] {
  const found: number[] = [];
  for (let at = 0; at < wire.length; at += 2 + (wire[at + 1] as number)) found.push(wire[at] as number);
  return found;
}

const compressedFrame = (payload: Uint8Array, fields: object = {}) =>
  frame({ opcode: OPCODE.text, rsv: 4, payload, ...fields });

describe.each(['native', 'public'] as const)('in, by %s zlib', (kind) => {
  const publicly = kind === 'public' ? new PublicZlib(zlib) : undefined;
  const reader = (limits: { cap?: number; maxInflation?: number } = {}) => {
    const decoder = new FrameDecoder({ ...DECODER_LIMITS, ...limits });
    const deflate = deflateOf({}, limits, publicly);
    const extension = new PerMessageDeflate(deflate, TERMS);
    decoder.extension = extension;
    return { decoder, extension };
  };
  const read = (chunks: readonly Uint8Array[], limits = {}, way = {}) =>
    answersTo(chunks, {}, way, reader(limits).decoder);

  test('whole and fragmented, split anywhere', () => {
    const text = 'Hello é€ '.repeat(40);
    const message = deflated(bytes(text));
    const fragments = bytes(
      compressedFrame(message.subarray(0, 7), { fin: false }),
      pingFrame('between'),
      continuationFrame(message.subarray(7, 7), { fin: false }),
      continuationFrame(message.subarray(7)),
      compressedFrame(message),
      frame({ opcode: OPCODE.text, payload: 'plain' }),
    );
    const whole = read([fragments]);
    expect(whole.slice(-3)).toEqual([
      `assembled text ${shown(text)}`,
      `text ${shown(text)}`,
      `text ${shown('plain')}`,
    ]);
    for (const halves of splitsInTwo(fragments)) expect(read(halves, {}, { memory: 'lent' })).toEqual(whole);
  });

  test('wrong data is 1007, and text is checked on what was inflated', () => {
    expect(read([compressedFrame(hex('ff ff ff'))])).toEqual([
      'fault 1007 compressed message cannot be inflated',
    ]);
    expect(read([compressedFrame(deflated(hex('61 ff 62')))])).toEqual([
      'fault 1007 text is not valid UTF-8',
    ]);
  });

  test('cap is about what is inflated, to the byte', () => {
    const exact = 'x'.repeat(1000);
    const message = compressedFrame(deflated(bytes(exact)));
    expect(read([message], { cap: 1000 })).toEqual([`text ${shown(exact)}`]);
    expect(read([message], { cap: 999 })).toEqual(['fault 1009 message is over the cap of 999 bytes']);
  });

  test.each(['f2 48 cd c9', '00 64 00 9b ff 41 42 43', '02'])(
    'a message that was cut, %s, is 1007',
    (digits) => {
      const wanted = expect.stringMatching(/^fault 1007 /);
      expect(read([compressedFrame(hex(digits))])).toEqual([wanted]);
      const cut = [compressedFrame(hex(digits), { fin: false }), continuationFrame(hex(''))];
      expect(read(cut).at(-1)).toEqual(wanted);
    },
  );

  test('a bomb is stopped by maxInflation, above 1 MiB, and holds nothing', () => {
    const bomb = deflated(new Uint8Array(10_000_000), { level: 9 });
    const { decoder, extension } = reader({ cap: 1e8, maxInflation: 100 });
    const sent = [compressedFrame(bomb, { opcode: OPCODE.binary })];
    const { answers, mostHeldBytes } = decode(sent, {}, {}, decoder);
    expect(answers).toEqual(['fault 1009 message inflates to more than 100 times its size']);
    expect(mostHeldBytes).toBeLessThan(4_000_000);
    decoder.discard();
    expect(extension.heldBytes).toBe(0);
    const small = deflated(new Uint8Array(1_048_576), { level: 9 });
    expect(read([compressedFrame(small, { opcode: OPCODE.binary })])).toHaveLength(1);
    expect(read([compressedFrame(small, { opcode: OPCODE.binary })])[0]).toMatch(/^binary 0000/);
  });

  /** What becomes of one message, however TCP cuts it. */
  const verdicts = (message: Uint8Array, limits: { cap?: number; maxInflation?: number }) =>
    [Number.POSITIVE_INFINITY, 4096, 4095, 100].map((step) => {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < message.length; at += step) chunks.push(message.subarray(at, at + step));
      const { answers } = decode(chunks, {}, {}, reader(limits).decoder);
      return answers.map((answer) => (answer.startsWith('fault') ? answer : 'a message')).at(-1);
    });

  test.each([
    [5000, 1_260_000, 'fault 1009 message inflates to more than 100 times its size'],
    [3000, 1_060_000, 'fault 1009 message inflates to more than 100 times its size'],
    [8000, 1_060_000, 'a message'],
    [100_000, 1_060_000, 'a message'],
  ])('maxInflation is about whole frames: of %d random bytes and %d blanks, %s', (random, blanks, wanted) => {
    const message = deflated(bytes(randomBytes(random), new Uint8Array(blanks), randomBytes(3000)));
    const sent = compressedFrame(message, { opcode: OPCODE.binary });
    expect(verdicts(sent, { cap: 1e8, maxInflation: 100 })).toEqual(Array(4).fill(wanted));
  });

  test('what inflates to nothing is refused by its header, when it is much longer than the cap allows', () => {
    const blocks = (length: number) => new Uint8Array(length).map((_, at) => (at % 5 > 2 ? 0xff : 0));
    const sent = (payload: Uint8Array, fin = true) =>
      compressedFrame(payload, { opcode: OPCODE.binary, fin });
    const cap = 10_000;
    const most = 2 * cap + 65_536;
    const refused = Array(4).fill(`fault 1009 message is over the cap of ${cap} bytes`);
    expect(verdicts(sent(blocks(most)), { cap })).toEqual(Array(4).fill('a message'));
    expect(verdicts(sent(blocks(most + 5)), { cap })).toEqual(refused);
    // As soon as a byte of it has come, and whatever frames it is cut into.
    expect(verdicts(sent(blocks(1_000_000)).subarray(0, 20), { cap })).toEqual(refused);
    const fragments = bytes(sent(blocks(most - 1), false), continuationFrame(blocks(7)));
    expect(verdicts(fragments, { cap })).toEqual(refused);
  });

  test('others get their turn, too, while what comes inflates to nothing', () => {
    const { decoder } = reader();
    const empty = new Uint8Array(200_001).map((_, at) => (at % 5 > 2 ? 0xff : 0));
    decoder.push(compressedFrame(empty, { opcode: OPCODE.binary }));
    let turns = 0;
    while (decoder.next() === Decoded.GIVE_WAY) turns++;
    expect(turns).toBeGreaterThanOrEqual(5);
    expect(decoder.message).toEqual(new Uint8Array(0));
  });

  test('without limits, whole and empty messages are read all the same', () => {
    const infinite = { cap: Number.POSITIVE_INFINITY, maxInflation: Number.POSITIVE_INFINITY };
    const sent = [
      compressedFrame(deflated(bytes('some text'))),
      compressedFrame(hex('00')),
      compressedFrame(hex('')),
    ];
    expect(read(sent, infinite)).toEqual([`text ${shown('some text')}`, 'text', 'text']);
  });

  test('others get their turn after 256 KiB of output, of however many messages', () => {
    const { decoder } = reader();
    const small = compressedFrame(deflated(new Uint8Array(100_000)), { opcode: OPCODE.binary });
    decoder.push(bytes(...Array.from({ length: 12 }, () => small)));
    const results: number[] = [];
    for (let result = decoder.next(); result !== Decoded.NEED_MORE; result = decoder.next())
      results.push(result);
    const messages = results.filter((result) => result === Decoded.MESSAGE);
    expect(messages).toHaveLength(12);
    // What was read before this test may count for the first one.
    expect(results.length - 12).toBeOneOf([3, 4]);
  });

  test('what an unfinished message needs is counted, and given back with its end', () => {
    const message = deflated(bytes('two pieces of one message'));
    const { decoder, extension } = reader();
    answersTo([compressedFrame(message.subarray(0, 5), { fin: false })], {}, {}, decoder);
    expect(decoder.heldBytes).toBeGreaterThan(0);
    answersTo([continuationFrame(message.subarray(5))], {}, {}, decoder);
    expect([decoder.heldBytes, extension.heldBytes]).toEqual([0, 0]);
  });
});

test('the settings that a Deflate is made with are those of the option', () => {
  expect([SETTINGS.mode, LIMITS.maxInflation]).toEqual(['shared', 100]);
});
