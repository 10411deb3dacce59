/**
 * Reads the head of an HTTP/1.x request: bytes in, a `RequestHead` out (RFC 9112 2 to 5).
 *
 * The parser is strict, incremental and linear. Each byte is judged when it arrives, by one small state machine, and the
 * first byte that cannot be right ends the parse: a TLS hello or noise is refused at its first bytes, without waiting
 * for more. What needs the whole head (one Host, no body) is checked at the blank line.
 */
import { Buffer } from 'node:buffer';
import { type Fault, type FaultName, type FaultValues, fault } from '../faults.ts';
import { ALPHA, DIGIT, is, TARGET, TOKEN, VALUE } from './grammar.ts';
import { PROXY_V1, PROXY_V2_SIGNATURE } from './proxy-protocol.ts';
import { faultInHead, LONGEST_METHOD, RequestHead } from './request-head.ts';

/** What a head may cost. */
export interface HeadLimits {
  /** Longest head, in bytes, from its first byte to the end of its blank line. */
  readonly maxHeadBytes: number;
  /** Most header fields, duplicates counted. */
  readonly maxHeaders: number;
}

/** Why a head is refused: a row of the ladder with status 400, 431, 501 or 505. */
export interface HeadFault {
  readonly kind: 'fault';
  readonly fault: Fault;
}

/** What the bytes so far amount to. `rest` is a view on the chunk: the bytes after the blank line. */
export type HeadResult =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'head'; readonly head: RequestHead; readonly rest: Uint8Array }
  | HeadFault;

const NEED_MORE: HeadResult = { kind: 'need-more' };
const NO_BYTES = new Uint8Array(0);
/** First allocation for a head that comes in pieces, in bytes; it doubles from there. */
const FIRST_KEPT_BYTES = 512;
/** The version, as far as it is the same for all of HTTP/1.x: the digit after it may be any. */
const VERSION = 'HTTP/1.';
/** Where the major version stands in it. */
const MAJOR_VERSION = 5;

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const ASTERISK = 0x2a;
const SLASH = 0x2f;
const COLON = 0x3a;
const ZERO = 0x30;
/** The first byte of a TLS record that holds a ClientHello (RFC 8446 5.1). */
const TLS_HANDSHAKE = 0x16;

/** What the parser expects next. */
const AT_START = 0;
const AT_EMPTY_LINE = 1;
const IN_METHOD = 2;
const AT_TARGET = 3;
const IN_TARGET = 4;
const IN_VERSION = 5;
const AT_LINE_FEED = 6;
const AT_LINE = 7;
const IN_NAME = 8;
const IN_VALUE = 9;
const AT_LAST_LINE_FEED = 10;
/** In what may be the signature of the PROXY protocol, version 2: it begins as two empty lines do. */
const IN_PROXY_SIGNATURE = 11;
const DONE = 12;
const FAILED = 13;

/** By state: the bytes that do not change it. A run of them is passed over in one loop. */
const RUN = Uint8Array.from({ length: FAILED + 1 }, (_, state) =>
  state === IN_TARGET ? TARGET : state === IN_NAME ? TOKEN : state === IN_VALUE ? VALUE : 0,
);

/**
 * Reads one request head, from chunks split anywhere. Memory is bounded by `maxHeadBytes`; work is linear in the
 * bytes, also when they come one at a time. Nothing that a peer sends makes it throw, and the outcome does not
 * depend on how the bytes were split.
 */
export class RequestHeadParser {
  readonly #limits: HeadLimits;
  #state = AT_START;
  #failure: HeadFault | undefined;
  /** The head so far, when it did not come in one chunk. A copy: chunks may lie in a buffer that is read into again. */
  #kept = NO_BYTES;
  #keptLength = 0;
  #methodStart = 0;
  /** Whether every byte so far is one of `PROXY `. */
  #isProxy = true;
  #minorVersion = 1;
  #targetStart = 0;
  #targetEnd = 0;
  #fieldsStart = 0;
  #headerCount = 0;
  #bytesExamined = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** How many bytes the parser has looked at; a byte looked at twice counts twice. Shows in tests that it is linear. */
  get bytesExamined(): number {
    return this.#bytesExamined;
  }

  /** Bytes that have come of a head that is not complete. */
  get receivedBytes(): number {
    return this.#keptLength;
  }

  /** Bytes of memory held for it. */
  get heldBytes(): number {
    return this.#kept.length;
  }

  /**
   * Takes the next bytes. A fault is final: it is the answer to every later chunk. Once a head was returned the parser
   * is finished, and one more call is a bug of the caller: it throws an `Error`.
   */
  push(chunk: Uint8Array): HeadResult {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#state === DONE)
      throw new Error('The request head has been read: make a new parser for another.');
    const room = this.#limits.maxHeadBytes - this.#keptLength;
    const at = this.#scan(chunk, Math.min(chunk.length, room));
    if (this.#state === DONE) return this.#finish(chunk, at);
    if (this.#state !== FAILED && chunk.length >= room) {
      this.#fail('maxHeadBytes', { bytes: this.#limits.maxHeadBytes });
    }
    if (this.#failure !== undefined) return this.#failure;
    this.#keep(chunk);
    return NEED_MORE;
  }

  /** Judges the bytes up to `end`; returns the index after the last one that was judged. */
  #scan(chunk: Uint8Array, end: number): number {
    let at = 0;
    while (at < end && this.#state < DONE) {
      const run = RUN[this.#state] as number;
      const from = at;
      while (at < end && is(chunk[at] as number, run)) at += 1;
      if (at < end) {
        this.#state = this.#step(chunk[at] as number, this.#keptLength + at);
        at += 1;
      }
      this.#bytesExamined += at - from;
    }
    return at;
  }

  /** The next state after one byte, `at` bytes into the head, that is not part of a run. One law per branch. */
  #step(byte: number, at: number): number {
    switch (this.#state) {
      case AT_START:
        this.#methodStart = at;
        if (is(byte, TOKEN)) return this.#stepMethod(byte, at);
        // One empty line before the request line is forgiven (RFC 9112 2.2).
        if (byte === CR) return at === 0 ? AT_EMPTY_LINE : IN_PROXY_SIGNATURE;
        return this.#fail(byte === TLS_HANDSHAKE ? 'tls' : 'noMethod');
      case AT_EMPTY_LINE:
        return byte === LF ? AT_START : this.#fail('lineEnd');
      case IN_PROXY_SIGNATURE:
        if (byte !== PROXY_V2_SIGNATURE[at]) return this.#fail('noMethod');
        return at === PROXY_V2_SIGNATURE.length - 1 ? this.#fail('proxyProtocol') : IN_PROXY_SIGNATURE;
      case IN_METHOD:
        return this.#stepMethod(byte, at);
      case AT_TARGET:
        if (byte === SLASH || byte === ASTERISK || is(byte, ALPHA)) return IN_TARGET;
        return this.#fail('noTarget');
      case IN_TARGET:
        this.#targetEnd = at;
        if (byte === SPACE) return IN_VERSION;
        return this.#fail('badTarget');
      case IN_VERSION:
        return this.#stepVersion(byte, at - this.#targetEnd - 1);
      // RFC 9112 2.2: a lone CR is invalid. A lone LF may be taken for a line's end; it is not, since that invites smuggling.
      case AT_LINE_FEED:
        return byte === LF ? AT_LINE : this.#fail('lineEnd');
      case AT_LINE:
        return this.#stepLineStart(byte, at);
      case IN_NAME:
        if (byte === COLON) return IN_VALUE;
        // RFC 9112 5.1: whitespace between name and colon must be refused with 400.
        return this.#fail('headerName');
      case IN_VALUE:
        if (byte === CR) return AT_LINE_FEED;
        if (byte === LF) return this.#fail('lineEnd');
        return this.#fail('headerValue');
      default:
        return byte === LF ? DONE : this.#fail('lineEnd');
    }
  }

  #stepMethod(byte: number, at: number): number {
    const length = at - this.#methodStart;
    this.#isProxy &&= byte === PROXY_V1.charCodeAt(at);
    if (byte === SPACE) {
      if (this.#isProxy) return this.#fail('proxyProtocol');
      this.#targetStart = at + 1;
      return AT_TARGET;
    }
    if (!is(byte, TOKEN)) return this.#fail('badMethod');
    // RFC 9112 3: 501 for a method longer than any that the server implements.
    return length < LONGEST_METHOD ? IN_METHOD : this.#fail('longMethod');
  }

  /**
   * The `index`th byte of the version. All of HTTP/1.x is read (RFC 9110 2.5: a minor version changes nothing about the
   * syntax); whether a version can open a WebSocket is for the handshake. Another major version is 505.
   */
  #stepVersion(byte: number, index: number): number {
    if (index === VERSION.length + 1) return byte === CR ? AT_LINE_FEED : this.#fail('lineEnd');
    if (index === VERSION.length) {
      if (!is(byte, DIGIT)) return this.#fail('badVersion');
      this.#minorVersion = byte - ZERO;
      return IN_VERSION;
    }
    if (byte === VERSION.charCodeAt(index)) return IN_VERSION;
    return this.#fail(index === MAJOR_VERSION && is(byte, DIGIT) ? 'wrongVersion' : 'badVersion');
  }

  /** The first byte of a line after the request line. */
  #stepLineStart(byte: number, at: number): number {
    if (this.#fieldsStart === 0) this.#fieldsStart = at;
    if (byte === CR) return AT_LAST_LINE_FEED;
    // RFC 9112 5.2 (obs-fold) and 2.2 (whitespace before the first header).
    if (byte === SPACE || byte === TAB) return this.#fail('foldedLine');
    if (!is(byte, TOKEN)) return this.#fail('lineStart');
    this.#headerCount += 1;
    if (this.#headerCount <= this.#limits.maxHeaders) return IN_NAME;
    return this.#fail('maxHeaders', { count: this.#limits.maxHeaders });
  }

  #fail(name: FaultName, values?: FaultValues): number {
    this.#failure = { kind: 'fault', fault: fault(name, values) };
    this.#kept = NO_BYTES;
    this.#state = FAILED;
    return FAILED;
  }

  /** Appends a copy of the chunk to what is kept, in room that doubles up to `maxHeadBytes`. */
  #keep(chunk: Uint8Array): void {
    const length = this.#keptLength + chunk.length;
    if (length > this.#kept.length) {
      const room = Math.max(length, 2 * this.#kept.length, FIRST_KEPT_BYTES);
      const grown = new Uint8Array(Math.min(room, this.#limits.maxHeadBytes));
      grown.set(this.#kept.subarray(0, this.#keptLength));
      this.#kept = grown;
    }
    this.#kept.set(chunk, this.#keptLength);
    this.#keptLength = length;
  }

  /** The head is complete and ends before `end` of this chunk. */
  #finish(chunk: Uint8Array, end: number): HeadResult {
    const rest = chunk.subarray(end);
    let whole = chunk;
    let length = end;
    if (this.#keptLength > 0) {
      this.#keep(chunk.subarray(0, end));
      whole = this.#kept;
      length = this.#keptLength;
      this.#kept = NO_BYTES;
    }
    const bytes = Buffer.from(whole.buffer, whole.byteOffset, length);
    const method = bytes.toString('latin1', this.#methodStart, this.#targetStart - 1);
    const target = bytes.toString('latin1', this.#targetStart, this.#targetEnd);
    const fields = bytes.toString('latin1', this.#fieldsStart, length - 2);
    const version = `1.${this.#minorVersion}`;
    const wrong = faultInHead(method, target, fields, version);
    if (wrong === undefined) {
      return { kind: 'head', head: new RequestHead(method, target, fields, version), rest };
    }
    this.#failure = { kind: 'fault', fault: wrong };
    return this.#failure;
  }
}
