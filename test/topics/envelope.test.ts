/** The envelope as bytes: what goes in comes out, and foreign bytes are no envelope. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Envelope } from '../../src/topics/backplane.ts';
import { decodeEnvelope, deliverBlock, encodeEnvelope } from '../../src/topics/envelope.ts';

const envelope = (more: Partial<Envelope> = {}): Envelope => ({
  origin: 'a1b2c3d4e5f6',
  binary: false,
  ...more,
});
const ids = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.'), maxLength: 40 });
const envelopes = fc.record({
  origin: ids,
  binary: fc.boolean(),
  except: fc.option(ids, { nil: undefined }),
  key: fc.option(fc.string({ unit: 'grapheme', maxLength: 30 }), { nil: undefined }),
  control: fc.boolean(),
});

describe('an envelope', () => {
  test('comes out as it went in, with its payload', () => {
    fc.assert(
      fc.property(envelopes, fc.uint8Array({ maxLength: 300 }), (sent, payload) => {
        const read = decodeEnvelope(encodeEnvelope(sent, payload));
        expect(read?.envelope).toEqual(sent);
        expect([...(read?.payload ?? [])]).toEqual([...payload]);
      }),
    );
  });

  test('adds a few bytes: two and those of the origin, for a plain message', () => {
    expect(encodeEnvelope(envelope(), new Uint8Array(100))).toHaveLength(2 + 12 + 100);
  });

  test('that was cut off is none', () => {
    const block = encodeEnvelope(envelope({ except: 'a.7', key: 'price' }), new Uint8Array(0));
    for (let length = 0; length < block.length; length++)
      expect(decodeEnvelope(block.subarray(0, length))).toBeUndefined();
    expect(decodeEnvelope(block)).toBeDefined();
  });

  test.each(['{"id":1}', '', '\x00', '\x20abc'])('%j is none', (text) => {
    expect(decodeEnvelope(Buffer.from(text))).toBeUndefined();
  });

  test('is read from the middle of a larger buffer', () => {
    const block = Buffer.concat([Buffer.alloc(3), encodeEnvelope(envelope(), Buffer.from('hi'))]);
    expect(Buffer.from(decodeEnvelope(block.subarray(3))?.payload ?? []).toString()).toBe('hi');
  });

  test('refuses a key that its length has no room for', () => {
    const key = 'k'.repeat(65_536);
    expect(() => encodeEnvelope(envelope({ key }), new Uint8Array(0))).toThrow('65536 bytes');
    expect(() => encodeEnvelope(envelope({ except: key }), new Uint8Array(0))).toThrow('65536 bytes');
  });
});

test('a block that was received is delivered as a copy; a foreign one is told', () => {
  const [delivered, told]: [unknown[], string[]] = [[], []];
  const receive = (block: Uint8Array) =>
    deliverBlock(
      'room',
      block,
      (...parts) => void delivered.push(parts),
      ({ message }) => void told.push(message),
    );
  const block = encodeEnvelope(envelope(), Uint8Array.of(1, 2));
  receive(block);
  block.fill(0xff);
  receive(block);
  expect(delivered).toMatchObject([['room', Uint8Array.of(1, 2), envelope()]]);
  expect(told).toEqual(['a message to "room" is none of Portal\'s; it is left out']);
});
