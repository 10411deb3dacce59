import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Block } from '../../../src/io/frames/masking.ts';
import { MessageBuffer } from '../../../src/io/frames/message-buffer.ts';

/** No masking, so that what goes in is what comes out. */
const NO_KEY = 0;

interface Given {
  payload: string | Uint8Array;
  last?: boolean;
  keep?: boolean;
  text?: boolean;
}

const made: MessageBuffer[] = [];
afterEach(() => {
  for (const buffer of made.splice(0)) buffer.release();
});

function make(): MessageBuffer {
  const buffer = new MessageBuffer();
  made.push(buffer);
  return buffer;
}

/** One fragment, all of it here. */
function add(buffer: MessageBuffer, { payload, last = false, keep = true, text = false }: Given): boolean {
  const bytes = Buffer.from(payload as string);
  buffer.beginFragment(keep, last);
  return buffer.append(new Block(bytes), 0, bytes.length, NO_KEY, bytes.length, text);
}

/** Runs tests in the block that all share, and while another message lies there. */
const inBoth = describe.each(['in the shared block', 'in a block of its own']);
function given(where: string): void {
  beforeEach(() => {
    if (where !== 'in the shared block') add(make(), { payload: 'of another' });
  });
}

inBoth('a message of several pieces, %s', (where) => {
  given(where);
  test('comes out as the bytes that went in, unmasked (RFC 6455 5.3)', () => {
    const buffer = make();
    const masked = new Block(Uint8Array.of(0xff, 0x7f, 0x9f, 0x4d, 0x51, 0x58));
    buffer.beginFragment(true, true);
    // The frame of RFC 6455 5.7, with one byte of something else before it.
    expect(buffer.append(masked, 1, 4, 0x3d21fa37, 5, true)).toBe(true);
    expect(buffer.append(masked, 4, 6, 0x21fa373d, 2, true)).toBe(true);
    expect(buffer.takeMessage(true)).toBe('Hello');
  });

  test('of text keeps a byte order mark and NUL as they are', () => {
    const buffer = make();
    add(buffer, { payload: '\ufeff\0', text: true });
    add(buffer, { payload: 'é', text: true, last: true });
    expect(buffer.takeMessage(true)).toBe('\ufeff\0é');
  });

  test('of text is UTF-8 to its end, when only its beginning is more than ASCII', () => {
    const buffer = make();
    add(buffer, { payload: 'é', text: true });
    add(buffer, { payload: 'a', text: true, last: true });
    expect(buffer.takeMessage(true)).toBe('éa');
  });

  test('of text fails at the first byte that cannot be UTF-8, in whichever fragment it is (RFC 6455 8.1)', () => {
    const buffer = make();
    expect(add(buffer, { payload: Uint8Array.of(0x61, 0xf4), text: true })).toBe(true);
    expect(buffer.complete).toBe(false);
    expect(add(buffer, { payload: Uint8Array.of(0x8f), text: true })).toBe(true);
    expect(add(buffer, { payload: Uint8Array.of(0xc0), text: true })).toBe(false);
  });
});

inBoth('fragments that are taken as they come, %s', (where) => {
  given(where);

  test('of text end at a whole character, whose rest comes with the next one (RFC 6455 5.6)', () => {
    const buffer = make();
    const taken = [[0x61, 0xf0], [0x9f], [], [0x98, 0x80, 0x62]].map((payload) => {
      add(buffer, { payload: Uint8Array.from(payload), text: true });
      return buffer.takeFragment(true);
    });
    expect(taken).toEqual(['a', '', '', '😀b']);
    expect(buffer.takeMessage(true)).toBe('a😀b');
  });

  test('of binary are copies, each of its own memory', () => {
    const buffer = make();
    add(buffer, { payload: 'ab' });
    const first = buffer.takeFragment(false) as Uint8Array;
    add(buffer, { payload: 'cd', keep: false });
    expect([...first, ...(buffer.takeFragment(false) as Uint8Array)]).toEqual([...Buffer.from('abcd')]);
    expect(first.buffer.byteLength).toBe(2);
  });

  test('hold no more than one fragment when nobody wants the message', () => {
    const buffer = make();
    for (let i = 0; i < 1000; i++) {
      add(buffer, { payload: Buffer.alloc(1000, i), keep: false });
      expect((buffer.takeFragment(false) as Uint8Array)[999]).toBe(i & 0xff);
    }
    expect(buffer.capacity).toBeLessThanOrEqual(2000);
  });

  test('keep an unfinished character when what was before it is dropped', () => {
    const whole = '€'.repeat(50);
    const bytes = Buffer.from(whole);
    const buffer = make();
    let taken = '';
    for (let at = 0; at < bytes.length; at += 4) {
      add(buffer, { payload: bytes.subarray(at, at + 4), keep: false, text: true });
      taken += buffer.takeFragment(true);
    }
    expect(taken).toBe(whole);
  });

  test('joined are the text, however it is cut', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(20)), fc.boolean(), (whole, sizes, keep) => {
        const bytes = Buffer.from(whole);
        const buffer = make();
        let [taken, at] = ['', 0];
        for (const size of [...sizes, bytes.length]) {
          const payload = bytes.subarray(at, at + size);
          at += payload.length;
          expect(add(buffer, { payload, keep, text: true })).toBe(true);
          taken += buffer.takeFragment(true);
        }
        expect(taken).toBe(whole);
      }),
    );
  });
});

describe('the shared block', () => {
  test('gives a message that is copied once, and changes no more', () => {
    const [buffer, next] = [make(), make()];
    add(buffer, { payload: 'abc' });
    add(buffer, { payload: 'd', last: true });
    expect(buffer.capacity).toBe(0);
    const message = buffer.takeMessage(false) as Uint8Array;
    add(next, { payload: 'xxxx', last: true });
    expect([message.constructor, Buffer.from(message).toString()]).toEqual([Uint8Array, 'abcd']);
  });

  test('is left when the chunk is done, and then free for another message', () => {
    const [buffer, next] = [make(), make()];
    add(buffer, { payload: 'abc' });
    buffer.settle();
    expect(buffer.capacity).toBe(6);
    add(next, { payload: 'xxxx', last: true });
    expect(next.capacity).toBe(0);
    add(buffer, { payload: 'd', last: true });
    expect(Buffer.from(buffer.takeMessage(false) as Uint8Array).toString()).toBe('abcd');
    expect(Buffer.from(next.takeMessage(false) as Uint8Array).toString()).toBe('xxxx');
  });

  test('is left by what grows out of it, and not taken by what never would fit', () => {
    const [buffer, large, next] = [make(), make(), make()];
    for (let i = 0; i < 20; i++) add(buffer, { payload: new Uint8Array(50_000) });
    expect(buffer.capacity).toBe(0);
    add(buffer, { payload: new Uint8Array(50_000).fill(1) });
    expect(buffer.capacity).toBeGreaterThanOrEqual(1_050_000);
    large.beginFragment(true, true);
    large.append(new Block(new Uint8Array(1)), 0, 1, NO_KEY, 65_537, false);
    expect(large.capacity).toBe(64);
    add(next, { payload: 'a' });
    expect(next.capacity).toBe(0);
    const message = buffer.takeMessage(false) as Uint8Array;
    expect([message.length, message[999_999], message[1_000_000]]).toEqual([1_050_000, 0, 1]);
  });

  test('is given back by a message that is dropped, or was empty when its chunk was done', () => {
    const [dropped, taken, next] = [make(), make(), make()];
    add(dropped, { payload: 'abc' });
    dropped.release();
    add(taken, { payload: 'abc' });
    taken.takeFragment(false);
    taken.beginFragment(false, false);
    taken.settle();
    expect(taken.capacity).toBe(0);
    add(next, { payload: 'x' });
    expect(next.capacity).toBe(0);
  });

  test('never mixes messages, in whatever order several come, settle and end', () => {
    const moves = fc.array(fc.tuple(fc.nat(2), fc.constantFrom('add', 'settle', 'take'), fc.nat(300)));
    fc.assert(
      fc.property(moves, (order) => {
        const open = [0, 1, 2].map(() => ({ buffer: make(), wanted: [] as number[] }));
        const kept: { bytes: Uint8Array; wanted: number[] }[] = [];
        for (const [which, move, size] of order) {
          const { buffer, wanted } = open[which] as (typeof open)[number];
          if (move === 'add') {
            const payload = Array.from(
              { length: size },
              (_, i) => (i * 7 + which * 80 + wanted.length) & 0xff,
            );
            add(buffer, { payload: Uint8Array.from(payload) });
            wanted.push(...payload);
          } else if (move === 'settle') {
            buffer.settle();
          } else {
            kept.push({ bytes: buffer.takeMessage(false) as Uint8Array, wanted });
            open[which] = { buffer: make(), wanted: [] };
          }
        }
        for (const { bytes, wanted } of kept) expect([...bytes]).toEqual(wanted);
        for (const { buffer } of open) buffer.release();
      }),
    );
  });
});

describe('memory of a block of its own', () => {
  given('in a block of its own');

  test('is handed over without a copy when the length was known', () => {
    const buffer = make();
    add(buffer, { payload: 'abc', last: true });
    const message = buffer.takeMessage(false) as Uint8Array;
    expect([message.constructor, message.buffer.byteLength]).toEqual([Uint8Array, 3]);
  });

  test('that the message does not fill is copied, so that a small message keeps no large block', () => {
    const buffer = make();
    add(buffer, { payload: 'abc' });
    add(buffer, { payload: 'd', last: true });
    const message = buffer.takeMessage(false) as Uint8Array;
    expect([Buffer.from(message).toString(), message.buffer.byteLength]).toEqual(['abcd', 4]);
  });

  test('is not given for an announced length: 64 bytes, or twice what is here', () => {
    const buffer = make();
    const chunk = new Block(new Uint8Array(6000));
    buffer.beginFragment(true, true);
    buffer.append(chunk, 0, 1, NO_KEY, 1_000_000, false);
    expect(buffer.capacity).toBe(64);
    buffer.append(chunk, 1, 6000, NO_KEY, 999_999, false);
    expect(buffer.capacity).toBe(12_000);
  });

  test('of one byte after the other doubles, so that the copying is linear in the message', () => {
    const buffer = make();
    let grownBytes = 0;
    buffer.beginFragment(true, true);
    for (let i = 0; i < 100_000; i++) {
      const before = buffer.capacity;
      buffer.append(new Block(new Uint8Array(1)), 0, 1, NO_KEY, 100_000 - i, false);
      buffer.settle();
      expect(buffer.capacity).toBeLessThanOrEqual(Math.max(64, 2 * (i + 1)));
      if (buffer.capacity !== before) grownBytes += buffer.capacity;
    }
    expect(grownBytes).toBeLessThan(4 * 100_000);
    expect((buffer.takeMessage(false) as Uint8Array).length).toBe(100_000);
  });

  test('is exactly the length of a frame that ends the message, once all of it is here', () => {
    const buffer = make();
    const chunk = new Block(new Uint8Array(65_536));
    buffer.beginFragment(true, true);
    buffer.append(chunk, 0, 65_522, NO_KEY, 65_536, false);
    expect(buffer.capacity).toBe(65_536);
    buffer.append(chunk, 0, 14, NO_KEY, 14, false);
    expect((buffer.takeMessage(false) as Uint8Array).buffer.byteLength).toBe(65_536);
  });

  test('of many small fragments doubles, so that the copying is linear in the message', () => {
    const buffer = make();
    let growths = 0;
    let grownBytes = 0;
    for (let i = 0; i < 16_384; i++) {
      const before = buffer.capacity;
      add(buffer, { payload: new Uint8Array(64), last: i === 16_383 });
      if (buffer.capacity === before) continue;
      growths += 1;
      grownBytes += buffer.capacity;
    }
    expect(growths).toBeLessThan(20);
    expect(grownBytes).toBeLessThan(4 * 1_048_576);
  });
});
