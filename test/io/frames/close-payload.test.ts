import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ABNORMAL,
  type CloseKeyword,
  closeKeywords,
  encodeClosePayload,
  isWireCloseCode,
  MAX_REASON_BYTES,
  NO_STATUS,
  readClosePayload,
  toCloseCode,
} from '../../../src/io/frames/close-payload.ts';
import { hex } from '../../support/raw-client.ts';

/** RFC 6455 7.4.1 and 7.4.2, with what IANA has registered since. */
const WIRE_CODES = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014];
const mayBeSent = (code: number): boolean => WIRE_CODES.includes(code) || (code >= 3000 && code <= 4999);

const wire = (code: number, reason: Uint8Array = new Uint8Array(0)): Uint8Array =>
  Uint8Array.of(code >> 8, code & 0xff, ...reason);

describe('codes (RFC 6455 7.4)', () => {
  test('each of 0 to 65,535 is classified as the registry says, and read as it is classified', () => {
    const wrong: number[] = [];
    for (let code = 0; code < 65_536; code++) {
      const read = readClosePayload(wire(code));
      const accepted = 'code' in read && read.code === code && read.reason === '';
      const refused = 'fault' in read && read.fault.code === 1002;
      if (isWireCloseCode(code) !== mayBeSent(code) || accepted !== mayBeSent(code) || refused === accepted) {
        wrong.push(code);
      }
    }
    expect(wrong).toEqual([]);
  });

  test('only whole numbers are codes', () => {
    const others = [1000.5, -1000, Number.NaN, Number.POSITIVE_INFINITY, '1000' as unknown as number];
    expect(others.filter(isWireCloseCode)).toEqual([]);
  });

  test('each keyword has the number that the RFC gives it, and may be sent', () => {
    expect(closeKeywords).toEqual({
      normal: 1000,
      'going-away': 1001,
      'protocol-error': 1002,
      'invalid-type': 1003,
      'inconsistent-type': 1007,
      'policy-violation': 1008,
      oversize: 1009,
      'extension-negotiation-failure': 1010,
      fatal: 1011,
    });
    for (const [keyword, code] of Object.entries(closeKeywords)) {
      expect([toCloseCode(keyword as CloseKeyword), toCloseCode(code)]).toEqual([code, code]);
    }
  });

  test('what may not be sent is a RangeError that names it, for numbers, words and anything else', () => {
    for (const code of [1004, NO_STATUS, ABNORMAL, 1015, 1016, 0, 999, 2999, 5000, 1000.5, Number.NaN]) {
      expect(() => toCloseCode(code)).toThrow(RangeError);
      expect(() => toCloseCode(code)).toThrow(`close code ${code} may not be sent`);
    }
    for (const word of ['bye', '', 'Normal', 'constructor', '__proto__']) {
      expect(() => toCloseCode(word as CloseKeyword)).toThrow(RangeError);
      expect(() => toCloseCode(word as CloseKeyword)).toThrow(`close code "${word}" may not be sent`);
    }
    for (const other of [undefined, null, 1000n, {}, [], Symbol('normal')]) {
      expect(() => toCloseCode(other as unknown as number)).toThrow(RangeError);
    }
  });
});

describe('what a peer sent (RFC 6455 5.5.1)', () => {
  test('an empty payload is no status, 1005 (7.1.5)', () => {
    expect(readClosePayload(new Uint8Array(0))).toEqual({ code: 1005, reason: '' });
  });

  test('code and reason', () => {
    expect(readClosePayload(hex('03e9 627965 e282ac'))).toEqual({ code: 1001, reason: 'bye€' });
  });

  test('one byte is a protocol error', () => {
    for (const byte of [0x00, 0x03, 0xff]) {
      expect(readClosePayload(Uint8Array.of(byte))).toEqual({
        fault: { name: 'closePayload', code: 1002, reason: 'close payload of one byte' },
      });
    }
  });

  test('a reason that is not UTF-8 is 1007, also when it ends within a character (8.1)', () => {
    for (const reason of [hex('c0 80'), hex('ed a0 80'), hex('61 e2 82'), hex('80'), hex('f5 80 80 80')]) {
      expect(readClosePayload(wire(1000, reason))).toEqual({
        fault: { name: 'closeReason', code: 1007, reason: 'close reason is not valid UTF-8' },
      });
    }
  });

  test('a wrong code is told before a wrong reason', () => {
    expect(readClosePayload(wire(1005, hex('ff')))).toMatchObject({ fault: { code: 1002 } });
  });

  test('a view within a larger block is read by itself', () => {
    const block = hex('ffff 03e8 6f6b ffff');
    expect(readClosePayload(block.subarray(2, 6))).toEqual({ code: 1000, reason: 'ok' });
  });
});

describe('what we send (RFC 6455 5.5.1)', () => {
  test('1005 is an empty payload: it is never on the wire (7.4.1)', () => {
    expect(encodeClosePayload(NO_STATUS)).toEqual(new Uint8Array(0));
  });

  test('a code in network byte order, then the reason in UTF-8', () => {
    expect([...encodeClosePayload(1011)]).toEqual([0x03, 0xf3]);
    expect([...encodeClosePayload(4999, 'é')]).toEqual([0x13, 0x87, 0xc3, 0xa9]);
  });

  test('a reason of 123 bytes passes, one of 124 is a RangeError: a control frame holds 125 (5.5)', () => {
    expect(encodeClosePayload(1000, 'x'.repeat(MAX_REASON_BYTES)).length).toBe(125);
    expect(encodeClosePayload(1000, '€'.repeat(41)).length).toBe(125);
    expect(() => encodeClosePayload(1000, 'x'.repeat(124))).toThrow(RangeError);
    expect(() => encodeClosePayload(1000, '€'.repeat(42))).toThrow(
      'close reason is 126 bytes of UTF-8; allowed are 0-123',
    );
  });

  test('is read back as it was', () => {
    const reason = fc.string({ unit: 'binary', maxLength: 30 });
    const code = fc.constantFrom(...WIRE_CODES, 3000, 3999, 4000, 4999);
    fc.assert(
      fc.property(code, reason, (code, reason) => {
        expect(readClosePayload(encodeClosePayload(code, reason))).toEqual({ code, reason });
      }),
    );
  });
});
