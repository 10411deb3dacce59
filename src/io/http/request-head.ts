/**
 * The head of an HTTP/1.1 request: bytes in, a `RequestHead` out (RFC 9112 2 to 5, RFC 9110 5).
 *
 * The parser is strict, incremental and linear. Each byte is judged when it arrives, by one small state machine, and
 * the first byte that cannot be right ends the parse; so a TLS hello or noise is refused at its first bytes and
 * never waited for. What needs the whole head (one Host, no body) is checked at the blank line.
 *
 * The head stays in memory as long as its connection is open, so it keeps two flat strings and nothing that it can
 * work out again: neither string shares memory with the chunk it was read from.
 */
import { Buffer } from 'node:buffer';

/** What a head may cost. */
export interface HeadLimits {
  /** Longest head, in bytes, from its first byte to the end of its blank line. */
  readonly maxHeadBytes: number;
  /** Most header fields, duplicates counted. */
  readonly maxHeaders: number;
}

/** Why a head is refused: the HTTP status that says so, and one line for a person. */
export interface HeadError {
  readonly kind: 'error';
  readonly status: 400 | 431 | 501 | 505;
  readonly message: string;
}

/** What the bytes so far amount to. `rest` is a view on the chunk: the bytes after the blank line. */
export type HeadResult =
  | { readonly kind: 'need-more' }
  | { readonly kind: 'head'; readonly head: RequestHead; readonly rest: Uint8Array }
  | HeadError;

const NEED_MORE: HeadResult = { kind: 'need-more' };
const NO_BYTES = new Uint8Array(0);
/** First allocation for a head that comes in pieces, in bytes; it doubles from there. */
const FIRST_KEPT_BYTES = 512;
/** Longest method, in bytes. The longest registered one has 17 (RFC 9110 16.1.1); a longer one gets 501 (RFC 9112 3). */
const LONGEST_METHOD = 32;
const VERSION = 'HTTP/1.1';
/** To a client that came with wss://. */
export const NOT_TLS = 'This port speaks ws://, not TLS (wss://).';

const TAB = 0x09;
const LF = 0x0a;
const CR = 0x0d;
const SPACE = 0x20;
const ASTERISK = 0x2a;
const SLASH = 0x2f;
const COLON = 0x3a;
/** The first byte of a TLS record that holds a ClientHello (RFC 8446 5.1). */
const TLS_HANDSHAKE = 0x16;

/** Classes of bytes, as bits of `CLASS[byte]`. */
const TOKEN = 1;
const TARGET = 2;
const VALUE = 4;
const ALPHA = 8;
const DIGIT = 16;
const CLASS = Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte));

function classOf(byte: number): number {
  const character = String.fromCharCode(byte);
  const visible = byte > SPACE && byte < 0x7f;
  let bits = 0;
  // tchar (RFC 9110 5.6.2)
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character)) bits |= TOKEN;
  // RFC 3986 wants fewer, but browsers send [ ] { } | \ ^ ` unescaped (WHATWG URL). No client sends the other four.
  if (visible && !/["#<>]/.test(character)) bits |= TARGET;
  // field-vchar, SP, HTAB; obs-text is 0x80 and up (RFC 9110 5.5)
  if (visible || byte === SPACE || byte === TAB || byte >= 0x80) bits |= VALUE;
  if (/[A-Za-z]/.test(character)) bits |= ALPHA;
  if (/[0-9]/.test(character)) bits |= DIGIT;
  return bits;
}

const is = (byte: number, kind: number): boolean => ((CLASS[byte] as number) & kind) !== 0;

/** Whether `text` is a token: a method, a header name, a subprotocol (RFC 9110 5.6.2). */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

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
const DONE = 11;
const FAILED = 12;

/** By state: the bytes that change nothing, and are passed over in a run. */
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
  #failure: HeadError | undefined;
  /** The head so far, when it did not come in one chunk. A copy: chunks may lie in a buffer that is read into again. */
  #kept = NO_BYTES;
  #keptLength = 0;
  #methodStart = 0;
  #targetStart = 0;
  #targetEnd = 0;
  #fieldsStart = 0;
  #headerCount = 0;
  #bytesExamined = 0;

  constructor(limits: HeadLimits) {
    this.#limits = limits;
  }

  /** How many bytes the parser has looked at, one looked at twice counted twice: what shows that it is linear. */
  get bytesExamined(): number {
    return this.#bytesExamined;
  }

  /**
   * Takes the next bytes. An error is final: it is the answer to every later chunk. Once a head was returned the
   * parser is finished, and one more call is a bug of the caller: it throws an `Error`.
   */
  push(chunk: Uint8Array): HeadResult {
    if (this.#failure !== undefined) return this.#failure;
    if (this.#state === DONE)
      throw new Error('The request head has been read: make a new parser for another.');
    const room = this.#limits.maxHeadBytes - this.#keptLength;
    const at = this.#scan(chunk, Math.min(chunk.length, room));
    if (this.#state === DONE) return this.#finish(chunk, at);
    if (this.#state !== FAILED && chunk.length >= room) {
      this.#fail(431, `The request head is longer than ${this.#limits.maxHeadBytes} bytes.`);
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

  /** One byte, `at` bytes into the head, that is not part of a run: the next state. One law per branch. */
  #step(byte: number, at: number): number {
    switch (this.#state) {
      case AT_START:
        this.#methodStart = at;
        if (is(byte, TOKEN)) return IN_METHOD;
        // One empty line before the request line is forgiven (RFC 9112 2.2).
        if (byte === CR && at === 0) return AT_EMPTY_LINE;
        if (byte === TLS_HANDSHAKE) return this.#fail(400, NOT_TLS);
        return this.#fail(400, 'A request begins with a method.');
      case AT_EMPTY_LINE:
        return byte === LF ? AT_START : this.#badLineEnd();
      case IN_METHOD:
        if (byte === SPACE) {
          this.#targetStart = at + 1;
          return AT_TARGET;
        }
        if (!is(byte, TOKEN)) return this.#fail(400, 'The method must be a token, with one space after it.');
        // RFC 9112 3: 501 for a method longer than any that the server implements.
        if (at - this.#methodStart >= LONGEST_METHOD)
          return this.#fail(501, 'The method is not implemented.');
        return IN_METHOD;
      case AT_TARGET:
        if (byte === SLASH || byte === ASTERISK || is(byte, ALPHA)) return IN_TARGET;
        return this.#fail(400, 'The request target must begin with "/", one space after the method.');
      case IN_TARGET:
        this.#targetEnd = at;
        if (byte === SPACE) return IN_VERSION;
        return this.#fail(400, `The request target must be a plain path, then one space and ${VERSION}.`);
      case IN_VERSION:
        return this.#stepVersion(byte, at - this.#targetEnd - 1);
      case AT_LINE_FEED:
        return byte === LF ? AT_LINE : this.#badLineEnd();
      case AT_LINE:
        return this.#stepLineStart(byte, at);
      case IN_NAME:
        if (byte === COLON) return IN_VALUE;
        // RFC 9112 5.1: whitespace between name and colon must be refused with 400.
        return this.#fail(400, 'A header name must be a token, with a colon right after it.');
      case IN_VALUE:
        if (byte === CR) return AT_LINE_FEED;
        if (byte === LF) return this.#badLineEnd();
        return this.#fail(400, 'A header value must not hold control characters.');
      default:
        return byte === LF ? DONE : this.#badLineEnd();
    }
  }

  /**
   * The `index`th byte of the version. HTTP/1.0 has no Upgrade (RFC 9110 7.8) and need not name its host, HTTP/2
   * has other frames: both get 505, whose text says what is spoken here. No version 1.2 exists; it gets the same.
   */
  #stepVersion(byte: number, index: number): number {
    if (index === VERSION.length) return byte === CR ? AT_LINE_FEED : this.#badLineEnd();
    if (byte === VERSION.charCodeAt(index)) return IN_VERSION;
    if ((index === 5 || index === 7) && is(byte, DIGIT)) {
      return this.#fail(505, `Only ${VERSION} is spoken here (behind Nginx: proxy_http_version 1.1).`);
    }
    return this.#fail(400, `The request line must end with ${VERSION}.`);
  }

  /** The first byte of a line after the request line. */
  #stepLineStart(byte: number, at: number): number {
    if (this.#fieldsStart === 0) this.#fieldsStart = at;
    if (byte === CR) return AT_LAST_LINE_FEED;
    // RFC 9112 5.2 (obs-fold) and 2.2 (whitespace before the first header).
    if (byte === SPACE || byte === TAB)
      return this.#fail(400, 'A header line must not begin with whitespace.');
    if (!is(byte, TOKEN)) return this.#fail(400, 'A header line must begin with a name.');
    this.#headerCount += 1;
    if (this.#headerCount <= this.#limits.maxHeaders) return IN_NAME;
    return this.#fail(431, `The request has more than ${this.#limits.maxHeaders} headers.`);
  }

  /** RFC 9112 2.2: a lone CR is invalid. A lone LF may be taken for a line's end, and is not: that invites smuggling. */
  #badLineEnd(): number {
    return this.#fail(400, 'Lines must end with CR LF.');
  }

  #fail(status: HeadError['status'], message: string): number {
    this.#failure = { kind: 'error', status, message };
    this.#kept = NO_BYTES;
    this.#state = FAILED;
    return FAILED;
  }

  /** Copies the chunk behind what is kept, in room that doubles up to `maxHeadBytes`. */
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
    const fault = faultInTarget(target) ?? faultInFields(method, fields);
    if (fault === undefined) return { kind: 'head', head: new RequestHead(method, target, fields), rest };
    this.#failure = { kind: 'error', status: 400, message: fault };
    return this.#failure;
  }
}

/** A request head that was found valid. Immutable; strings are latin1, one character per byte. */
export class RequestHead {
  /** As sent; methods are case-sensitive (RFC 9110 9.1). */
  readonly method: string;
  /** The request target as sent, in origin-form or absolute-form (RFC 9112 3.2). */
  readonly target: string;
  /** Where the path begins in `target`: 0 in origin-form. */
  readonly #pathStart: number;
  /** The header lines as sent, each with its CR LF. */
  readonly #fields: string;

  /** For the parser: nothing is validated here. */
  constructor(method: string, target: string, fields: string) {
    this.method = method === 'GET' ? 'GET' : method; // one string for all connections
    this.target = target;
    this.#pathStart = target.startsWith('/') ? 0 : (ABSOLUTE_FORM.exec(target)?.[0].length ?? 0);
    this.#fields = fields;
  }

  /** The path, before any `?`, without percent-decoding; it begins with `/`. */
  get path(): string {
    const mark = this.target.indexOf('?', this.#pathStart);
    return this.target.slice(this.#pathStart, mark === -1 ? undefined : mark) || '/';
  }

  /** What stands after the first `?`, without decoding; empty if there is none. */
  get query(): string {
    const mark = this.target.indexOf('?', this.#pathStart);
    return mark === -1 ? '' : this.target.slice(mark + 1);
  }

  /** Host and port that the client asked for. An absolute-form target overrules the Host header (RFC 9112 3.2.2). */
  get host(): string {
    if (this.#pathStart === 0) return this.header('host') ?? '';
    return this.target.slice(this.target.indexOf('//') + 2, this.#pathStart);
  }

  /**
   * All headers: a frozen object without a prototype, names in lower case, values as sent without the whitespace
   * around them, duplicates joined by `, ` (RFC 9110 5.3), those of `cookie` by `; ` (RFC 6265 5.4).
   * It is made anew at each use, since few handlers look at it: keep it to look twice, or ask for one `header(name)`.
   */
  get headers(): Readonly<Record<string, string>> {
    const headers: Record<string, string> = Object.create(null);
    eachField(this.#fields, (name, value) => {
      headers[name] = joined(name, headers[name], value);
    });
    return Object.freeze(headers);
  }

  /** One header by its name, in any case; duplicates joined as in `headers`. */
  header(name: string): string | undefined {
    const wanted = name.toLowerCase();
    let found: string | undefined;
    eachField(this.#fields, (candidate, value) => {
      if (candidate === wanted) found = joined(wanted, found, value);
    });
    return found;
  }
}

function joined(name: string, before: string | undefined, value: string): string {
  return before === undefined ? value : before + (name === 'cookie' ? '; ' : ', ') + value;
}

/** Calls `visit` with each header's name, in lower case, and its trimmed value. */
function eachField(fields: string, visit: (name: string, value: string) => void): void {
  for (let at = 0; at < fields.length; ) {
    const colon = fields.indexOf(':', at);
    const end = fields.indexOf('\r\n', colon);
    visit(fields.slice(at, colon).toLowerCase(), trimmed(fields, colon + 1, end));
    at = end + 2;
  }
}

/**
 * `text` between two indices, without the spaces and tabs around it (OWS, RFC 9110 5.6.3). A loop, since the regular
 * expression for it is not linear and `trim` takes bytes such as 0xA0 for spaces.
 */
export function trimmed(text: string, start = 0, end = text.length): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

const isBlank = (code: number): boolean => code === SPACE || code === TAB;

/** Scheme and authority of an absolute-form target (RFC 9112 3.2.2); RFC 6455 4.1 names http and https. */
const ABSOLUTE_FORM = /^(?:http|ws)s?:\/\/([^/?]*)/i;

/** RFC 9112 3.2: `*` and authority-form are for OPTIONS and CONNECT, and name nothing that can be opened here. */
function faultInTarget(target: string): string | undefined {
  if (target.startsWith('/')) return undefined;
  const authority = ABSOLUTE_FORM.exec(target)?.[1];
  if (authority !== undefined && isHost(authority)) return undefined;
  return 'The request target must be a path, such as /chat.';
}

/** The laws that need all headers. */
function faultInFields(method: string, fields: string): string | undefined {
  const takesNoBody = method === 'GET' || method === 'HEAD';
  let hosts = 0;
  let fault: string | undefined;
  eachField(fields, (name, value) => {
    if (name === 'host') {
      hosts += 1;
      if (!isHost(value)) fault ??= 'The Host header is not a host with an optional port.';
    } else if (
      takesNoBody &&
      (name === 'transfer-encoding' || (name === 'content-length' && !/^0+$/.test(value)))
    ) {
      // What follows the head is WebSocket frames; were it a body for somebody in between, it could be smuggled.
      fault ??= `A ${method} request must have no body here.`;
    }
  });
  // RFC 9112 3.2: 400 for a request that lacks Host or has more than one.
  if (hosts !== 1) fault ??= `A request must have exactly one Host header; this one has ${hosts}.`;
  return fault;
}

const HOST = /^(?:\[[0-9a-f:.]+\]|(?:[a-z0-9\-._~!$&'()*+,;=]|%[0-9a-f]{2})+)(?::(\d{0,5}))?$/i;

/** `uri-host [ ":" port ]` (RFC 9110 7.2, RFC 3986 3.2.2). Not empty: http and ws have no empty host (RFC 9110 4.2.1). */
function isHost(value: string): boolean {
  const match = HOST.exec(value);
  if (match === null || Number(match[1] ?? 0) > 65_535) return false;
  return !value.startsWith('[') || URL.canParse(`http://${value}`);
}
