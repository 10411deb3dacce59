/**
 * Validates UTF-8 as it arrives (RFC 6455 8.1, RFC 3629 4), across frames and chunks. It fails at the first byte that
 * cannot be part of valid text, not only at the end of the message.
 *
 * Between two pieces, the state is three small numbers: how many continuation bytes are missing, and the lowest and the
 * highest value of the next one. The middle of a piece is checked by Node's native function, and only the characters at
 * its two ends byte by byte.
 */
import { type Buffer, isUtf8 } from 'node:buffer';

/** For fewer bytes than this, the loop here is faster than a native call. */
const NATIVE_FROM_BYTES = 48;

export class Utf8Validator {
  #owed = 0; // continuation bytes that are missing
  #low = 0x80;
  #high = 0xbf;

  /** True when no character is incomplete: a message may end here. */
  get complete(): boolean {
    return this.#owed === 0;
  }

  /** Checks `bytes[start..end)`; false as soon as a byte cannot continue valid UTF-8. */
  push(bytes: Uint8Array, start: number, end: number): boolean {
    let at = start;
    while (this.#owed > 0 && at < end) if (!this.#take(bytes[at++] as number)) return false;
    if (end - at >= NATIVE_FROM_BYTES) {
      const tail = lastCharacterStart(bytes, at, end);
      if (!isUtf8(bytes.subarray(at, tail))) return false;
      at = tail;
    }
    for (; at < end; at++) {
      const byte = bytes[at] as number;
      if ((byte > 0x7f || this.#owed > 0) && !this.#take(byte)) return false;
    }
    return true;
  }

  /** Checks one byte. The ranges are those of the table in RFC 3629 section 4. */
  #take(byte: number): boolean {
    if (this.#owed > 0) {
      if (byte < this.#low || byte > this.#high) return false;
      this.#low = 0x80;
      this.#high = 0xbf;
      this.#owed--;
      return true;
    }
    if (byte < 0x80) return true;
    if (byte < 0xc2) return false; // a stray continuation, or an overlong form of ASCII (C0, C1)
    if (byte < 0xe0) return this.#expect(1, 0x80, 0xbf);
    if (byte === 0xe0) return this.#expect(2, 0xa0, 0xbf); // below A0: overlong
    if (byte === 0xed) return this.#expect(2, 0x80, 0x9f); // above 9F: surrogates
    if (byte < 0xf0) return this.#expect(2, 0x80, 0xbf);
    if (byte === 0xf0) return this.#expect(3, 0x90, 0xbf); // below 90: overlong
    if (byte < 0xf4) return this.#expect(3, 0x80, 0xbf);
    if (byte === 0xf4) return this.#expect(3, 0x80, 0x8f); // above 8F: beyond U+10FFFF
    return false;
  }

  #expect(owed: number, low: number, high: number): true {
    this.#owed = owed;
    this.#low = low;
    this.#high = high;
    return true;
  }
}

/** The text of `bytes[start..end)`, or undefined when it is not valid UTF-8. */
export function decodeUtf8(bytes: Buffer, start: number, end: number, ascii: boolean): string | undefined {
  if (ascii) return bytes.toString('latin1', start, end);
  return isUtf8(bytes.subarray(start, end)) ? bytes.toString('utf8', start, end) : undefined;
}

/** Where the last character of `bytes[start..end)` begins, if it may be incomplete; otherwise `end`. */
function lastCharacterStart(bytes: Uint8Array, start: number, end: number): number {
  for (let at = end - 1; at >= start && at >= end - 3; at--) {
    const byte = bytes[at] as number;
    if (byte >= 0xc0) return at;
    if (byte < 0x80) return end;
  }
  return end;
}
