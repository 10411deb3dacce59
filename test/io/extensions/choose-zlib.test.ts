// Which zlib is used, and that both give the same.
import { randomBytes } from 'node:crypto';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { chooseZlib, zlibOfThisRuntime } from '../../../src/io/extensions/choose-zlib.ts';
import { MOST_STREAMS, TAIL, TOO_LONG, WRONG, type Zlib } from '../../../src/io/extensions/zlib.ts';
import { deflated, inflated } from '../../support/deflate-peer.ts';
import { bytes, hex } from '../../support/raw-client.ts';

const native = chooseZlib(zlib, process.versions.node);
const publicly = chooseZlib({ ...zlib, createDeflateRaw: () => ({ close() {} }) as never }, '24.0.0');

test('native contexts on a Node that is known, and the same each time', () => {
  expect(native.name).toBe('native');
  expect(zlibOfThisRuntime().name).toBe('native');
  expect(zlibOfThisRuntime()).toBe(zlibOfThisRuntime());
});

test.each(['19.9.0', '27.0.0', '', 'next'])('public functions on Node %j, which was not tried', (version) => {
  expect(chooseZlib(zlib, version).name).toBe('public');
});

/** A context that lies below a stream. */
class Below {
  init() {}
  writeSync() {}
  reset() {}
  close() {}
}
const withHandle = (handle: object) =>
  ({ ...zlib, createDeflateRaw: () => ({ _handle: handle, close() {} }) as never }) as typeof zlib;

test.each([
  ['without a method', withHandle({ constructor: class {} })],
  ['that does nothing', withHandle(new Below())],
  [
    'that throws',
    withHandle(
      new (class extends Below {
        override init() {
          throw new Error('no');
        }
      })(),
    ),
  ],
])('public functions where there is a context %s', (_, changed) => {
  expect(publicly.name).toBe('public');
  expect(chooseZlib(changed, '24.0.0').name).toBe('public');
});

function inflateAll(
  by: Zlib,
  pieces: readonly Uint8Array[],
  outBytes = 100,
  most = 1_000_000,
  inflater = by.inflater(15),
) {
  const out = new Uint8Array(outBytes);
  const got: Uint8Array[] = [];
  for (const [i, piece] of pieces.entries()) {
    const lent = new Uint8Array(piece);
    inflater.push(lent, i === pieces.length - 1);
    for (let n = inflater.inflate(out, most); n !== 0; n = inflater.inflate(out, most)) {
      if (n < 0) return n;
      got.push(out.slice(0, n));
    }
    lent.fill(0xee);
  }
  return new Uint8Array(Buffer.concat(got));
}

/** `message`, cut at these places. */
function cut(message: Uint8Array, at: readonly number[]): Uint8Array[] {
  const ends = [...at.map((each) => each % (message.length + 1)).sort((a, b) => a - b), message.length];
  return ends.map((end, i) => message.subarray(i === 0 ? 0 : ends[i - 1], end));
}

const payloads = fc.oneof(
  fc.uint8Array({ maxLength: 3000 }),
  fc.tuple(fc.string({ maxLength: 50 }), fc.nat(300)).map(([text, times]) => bytes(text.repeat(times))),
);

describe.each([native, publicly])('$name zlib', (by) => {
  test('inflates what zlib compressed, at any parameters, splits and room', () => {
    const parameters = fc.record({
      level: fc.nat(9),
      memLevel: fc.integer({ min: 1, max: 9 }),
      windowBits: fc.integer({ min: 9, max: 15 }),
    });
    const splits = fc.array(fc.nat(10_000), { maxLength: 4 });
    fc.assert(
      fc.property(
        payloads,
        parameters,
        splits,
        fc.integer({ min: 1, max: 5000 }),
        (payload, options, at, room) => {
          expect(inflateAll(by, cut(deflated(payload, options), at), room)).toEqual(new Uint8Array(payload));
        },
      ),
    );
  });

  test('compresses what zlib inflates, several messages by one context', () => {
    const level = fc.record({
      level: fc.integer({ min: 1, max: 9 }),
      memLevel: fc.integer({ min: 1, max: 9 }),
      windowBits: fc.integer({ min: 9, max: 15 }),
    });
    fc.assert(
      fc.property(fc.array(payloads, { maxLength: 4 }), level, (messages, how) => {
        const deflater = by.deflater(how);
        for (const message of messages.filter(({ length }) => length > 0)) {
          const out = new Uint8Array(message.length * 2 + 100);
          deflater.reset();
          const written = deflater.deflate(message, out);
          expect(out.subarray(written - 4, written)).toEqual(TAIL);
          expect(inflated(out.slice(0, written - 4), how.windowBits)).toEqual(new Uint8Array(message));
        }
        deflater.close();
      }),
    );
  });

  test('says when there is too little room, and goes on with the next message', () => {
    const deflater = by.deflater({ windowBits: 15, level: 1, memLevel: 8 });
    const random = Uint8Array.from({ length: 1000 }, (_, i) => (i * i * 31) >> 3);
    expect(deflater.deflate(random, new Uint8Array(20))).toBe(-1);
    const out = new Uint8Array(2000);
    const written = deflater.deflate(random, out);
    expect(inflated(out.slice(0, written - 4))).toEqual(random);
    deflater.close();
  });

  test('wrong data is said, and a reset makes it good', () => {
    const inflater = by.inflater(15);
    expect(inflateAll(by, [hex('ff ff ff')], 100, 1000, inflater)).toBe(WRONG);
    inflater.reset();
    expect(inflateAll(by, [hex('f2 48 cd c9 c9 07 00')], 100, 1000, inflater)).toEqual(bytes('Hello'));
    inflater.close();
  });

  // RFC 7692 7.2.3.4, and the same without the empty block after it.
  test.each(['f3 48 cd c9 c9 07 00 00', 'f3 48 cd c9 c9 07 00'])(
    'a stream that ends with BFINAL: %s',
    (digits) => {
      const inflater = by.inflater(15);
      for (const pieces of [[hex(digits)], cut(hex(digits), [1, 3, 7])]) {
        expect(inflateAll(by, pieces, 3, 1000, inflater)).toEqual(bytes('Hello'));
        inflater.reset();
        expect(inflateAll(by, [hex('f2 48 cd c9 c9 07 00')], 100, 1000, inflater)).toEqual(bytes('Hello'));
        inflater.reset();
      }
    },
  );

  const HELLO = 'f2 48 cd c9 c9 07 00';
  const onePiece = [hex('00 05 00 fa ff 48 65 6c 6c 6f')];
  test.each([
    ['without its last three bytes', [hex('f2 48 cd c9')]],
    ['without its last two', [hex('f2 48 cd c9 c9')]],
    ['without its last one', [hex('f2 48 cd c9 c9 07')]],
    ['of a stored block of 100 bytes, of which 3 have come', [hex('00 64 00 9b ff 41 42 43')]],
    ['of a block that never ends', [hex('02')]],
    ['after a stream that has ended', [hex('f3 48 cd c9 c9 07 00 02')]],
    ['of a last block that is not whole', [hex('f3 48 cd c9')]],
    ['without the empty block after it', onePiece],
    ['in pieces', cut(hex('00 64 00 9b ff 41 42 43'), [2, 6])],
    ['and long', [deflated(randomBytes(20_000)).subarray(0, 15_000)]],
  ])('a message %s is wrong: its bytes would be those of the tail', (_, pieces) => {
    expect(inflateAll(by, pieces, 30_000)).toBe(WRONG);
  });

  test('of a message, only a beginning that ends with a block is one', () => {
    const text = JSON.stringify(Array.from({ length: 200 }, (_, i) => ({ id: i, name: `user${i * 7}` })));
    const message = deflated(bytes(text));
    const whole = [];
    for (let end = 0; end <= message.length; end++)
      if (inflateAll(by, [message.subarray(0, end)], 30_000) !== WRONG) whole.push(end);
    expect(whole).toEqual([0, message.length]);
  });

  test.each([
    ['of no bytes at all', '', ''],
    ['with its tail, which another client would leave out', `${HELLO} 00 ff ff`, 'Hello'],
    ['whose last block has BFINAL and ends with the tail', 'f2 48 cd c9 c9 07 00 00 00 ff ff 01', 'Hello'],
    ['of two blocks', 'f2 48 05 00 00 00 ff ff ca c9 c9 07 00', 'Hello'],
  ])('a message %s is read', (_, digits, wanted) => {
    for (const pieces of [[hex(digits)], cut(hex(digits), [1, 3, 9]), [hex(digits), hex('')]])
      expect(inflateAll(by, pieces)).toEqual(bytes(wanted));
  });

  test('several streams in one message', () => {
    const two = bytes(hex('f3 48 cd c9 c9 07 00'), hex('f3 48 cd c9 c9 07 00 00'));
    expect(inflateAll(by, [two])).toEqual(bytes('HelloHello'));
  });

  test.each(['03 00', '01 00 00 ff ff', 'f3 48 cd c9 c9 07 00'])(
    'a message of very many streams is wrong, each %s: each costs as much as a message',
    (digits) => {
      const streams = (count: number) => bytes(...Array.from({ length: count }, () => hex(digits)));
      expect(inflateAll(by, [streams(MOST_STREAMS)], 10_000)).toBeInstanceOf(Uint8Array);
      for (const pieces of [[streams(MOST_STREAMS + 1)], cut(streams(100_000), [1000, 2000])])
        expect(inflateAll(by, pieces, 10_000)).toBe(WRONG);
    },
  );

  test('an empty message is one byte, 00 (RFC 7692 7.2.3.6)', () => {
    expect(inflateAll(by, [hex('00')])).toEqual(new Uint8Array(0));
  });

  test('a window of 8 bits is read (RFC 7692 7.1.2.1)', () => {
    const payload = bytes('ab'.repeat(2000));
    expect(inflateAll(by, [deflated(payload, { windowBits: 9 })], 100, 10_000, by.inflater(9))).toEqual(
      payload,
    );
  });
});

test('without contexts, a message over the limit is told before it is inflated', () => {
  const bomb = deflated(new Uint8Array(100_000));
  expect(inflateAll(publicly, [bomb], 100, 5000)).toBe(TOO_LONG);
  expect(inflateAll(publicly, [bomb], 1000, 100_000)).toHaveLength(100_000);
});
