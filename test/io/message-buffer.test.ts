import { Buffer } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Block } from '../../src/io/masking.ts';
import { MessageBuffer } from '../../src/io/message-buffer.ts';

/** No masking, so that what goes in is what comes out. */
const NO_KEY = 0;

interface Given {
  payload: string | Uint8Array;
  last?: boolean;
  keep?: boolean;
  text?: boolean;
}

/** One fragment, all of it here. */
function add(buffer: MessageBuffer, { payload, last = false, keep = true, text = false }: Given): boolean {
  const bytes = Buffer.from(payload as string);
  buffer.beginFragment(keep, last);
  return buffer.append(new Block(bytes), 0, bytes.length, NO_KEY, bytes.length, text);
}

describe('a message of several pieces', () => {
  test('comes out as the bytes that went in, unmasked (RFC 6455 5.3)', () => {
    const buffer = new MessageBuffer();
    const masked = new Block(Uint8Array.of(0xff, 0x7f, 0x9f, 0x4d, 0x51, 0x58));
    buffer.beginFragment(true, true);
    // The frame of RFC 6455 5.7, with one byte of something else before it.
    expect(buffer.append(masked, 1, 4, 0x3d21fa37, 5, true)).toBe(true);
    expect(buffer.append(masked, 4, 6, 0x21fa373d, 2, true)).toBe(true);
    expect(buffer.takeMessage(true)).toBe('Hello');
  });

  test('of binary is handed over without a copy when its length was known, and owns its memory', () => {
    const buffer = new MessageBuffer();
    add(buffer, { payload: 'abc', last: true });
    const message = buffer.takeMessage(false) as Uint8Array;
    expect([message.constructor, message.buffer.byteLength]).toEqual([Uint8Array, 3]);
  });

  test('of binary that does not fill its block is copied, so that a small message keeps no large block', () => {
    const buffer = new MessageBuffer();
    add(buffer, { payload: 'abc' });
    add(buffer, { payload: 'd', last: true });
    const message = buffer.takeMessage(false) as Uint8Array;
    expect([Buffer.from(message).toString(), message.buffer.byteLength]).toEqual(['abcd', 4]);
  });

  test('of text keeps a byte order mark and NUL as they are', () => {
    const buffer = new MessageBuffer();
    add(buffer, { payload: '\ufeff\0', text: true });
    add(buffer, { payload: 'é', text: true, last: true });
    expect(buffer.takeMessage(true)).toBe('\ufeff\0é');
  });

  test('of text is UTF-8 to its end, when only its beginning is more than ASCII', () => {
    const buffer = new MessageBuffer();
    add(buffer, { payload: 'é', text: true });
    add(buffer, { payload: 'a', text: true, last: true });
    expect(buffer.takeMessage(true)).toBe('éa');
  });

  test('of text fails at the first byte that cannot be UTF-8, in whichever fragment it is (RFC 6455 8.1)', () => {
    const buffer = new MessageBuffer();
    expect(add(buffer, { payload: Uint8Array.of(0x61, 0xf4), text: true })).toBe(true);
    expect(buffer.complete).toBe(false);
    expect(add(buffer, { payload: Uint8Array.of(0x8f), text: true })).toBe(true);
    expect(add(buffer, { payload: Uint8Array.of(0xc0), text: true })).toBe(false);
  });
});

describe('fragments that are taken as they come', () => {
  test('of text end at a whole character, whose rest comes with the next one (RFC 6455 5.6)', () => {
    const buffer = new MessageBuffer();
    const taken = [[0x61, 0xf0], [0x9f], [], [0x98, 0x80, 0x62]].map((payload) => {
      add(buffer, { payload: Uint8Array.from(payload), text: true });
      return buffer.takeFragment(true);
    });
    expect(taken).toEqual(['a', '', '', '😀b']);
    expect(buffer.takeMessage(true)).toBe('a😀b');
  });

  test('of binary are copies, each of its own memory', () => {
    const buffer = new MessageBuffer();
    add(buffer, { payload: 'ab' });
    const first = buffer.takeFragment(false) as Uint8Array;
    add(buffer, { payload: 'cd', keep: false });
    expect([...first, ...(buffer.takeFragment(false) as Uint8Array)]).toEqual([...Buffer.from('abcd')]);
    expect(first.buffer.byteLength).toBe(2);
  });

  test('hold no more than one fragment when nobody wants the message', () => {
    const buffer = new MessageBuffer();
    for (let i = 0; i < 1000; i++) {
      add(buffer, { payload: Buffer.alloc(1000, i), keep: false });
      expect((buffer.takeFragment(false) as Uint8Array)[999]).toBe(i & 0xff);
    }
    expect(buffer.capacity).toBeLessThanOrEqual(4096);
  });

  test('keep an unfinished character when what was before it is dropped', () => {
    const whole = '€'.repeat(50);
    const bytes = Buffer.from(whole);
    const buffer = new MessageBuffer();
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
        const buffer = new MessageBuffer();
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

describe('memory', () => {
  test('is not given for an announced length: 4 KiB, or twice what is here', () => {
    const buffer = new MessageBuffer();
    const chunk = new Block(new Uint8Array(6000));
    buffer.beginFragment(true, true);
    buffer.append(chunk, 0, 1, NO_KEY, 1_000_000, false);
    expect(buffer.capacity).toBe(4096);
    buffer.append(chunk, 1, 6000, NO_KEY, 999_999, false);
    expect(buffer.capacity).toBe(12_000);
  });

  test('is exactly the length of a frame that ends the message, once all of it is here', () => {
    const buffer = new MessageBuffer();
    const chunk = new Block(new Uint8Array(65_536));
    buffer.beginFragment(true, true);
    buffer.append(chunk, 0, 65_522, NO_KEY, 65_536, false);
    expect(buffer.capacity).toBe(65_536);
    buffer.append(chunk, 0, 14, NO_KEY, 14, false);
    expect((buffer.takeMessage(false) as Uint8Array).buffer.byteLength).toBe(65_536);
  });

  test('of many small fragments doubles, so that the copying is linear in the message', () => {
    const buffer = new MessageBuffer();
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
