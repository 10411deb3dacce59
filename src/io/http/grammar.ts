/**
 * The small grammar that all of HTTP shares: tokens, hosts, blanks, and the classes of bytes (RFC 9110 5.5, 5.6).
 */

const TAB = 0x09;
const SPACE = 0x20;

/** Classes of bytes, as bits of `CLASS[byte]`. */
export const TOKEN = 1;
export const TARGET = 2;
export const VALUE = 4;
export const ALPHA = 8;
export const DIGIT = 16;
const CLASS = Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte));

function classOf(byte: number): number {
  const character = String.fromCharCode(byte);
  const visible = byte > SPACE && byte < 0x7f;
  let bits = 0;
  // tchar (RFC 9110 5.6.2)
  if (/[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(character)) bits |= TOKEN;
  // RFC 3986 allows fewer, but browsers send [ ] { } | \ ^ ` unescaped (WHATWG URL). No client sends the other four.
  if (visible && !/["#<>]/.test(character)) bits |= TARGET;
  // field-vchar, SP, HTAB; obs-text is 0x80 and up (RFC 9110 5.5)
  if (visible || byte === SPACE || byte === TAB || byte >= 0x80) bits |= VALUE;
  if (/[A-Za-z]/.test(character)) bits |= ALPHA;
  if (/[0-9]/.test(character)) bits |= DIGIT;
  return bits;
}

/** Whether a byte is of that class. */
export const is = (byte: number, kind: number): boolean => ((CLASS[byte] as number) & kind) !== 0;

/** Whether `text` is a token: a method, a header name, a subprotocol (RFC 9110 5.6.2). */
export function isToken(text: string): boolean {
  return /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text);
}

/** Whether `text` can be a header's value: latin1 without control characters (RFC 9110 5.5). */
export function isFieldValue(text: string): boolean {
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(text);
}

const HOST = /^(?:\[[0-9a-f:.]+\]|(?:[a-z0-9\-._~!$&'()*+,;=]|%[0-9a-f]{2})+)(?::(\d{0,5}))?$/i;

/** `uri-host [ ":" port ]` (RFC 9110 7.2, RFC 3986 3.2.2). Not empty: http and ws have no empty host (RFC 9110 4.2.1). */
export function isHost(value: string): boolean {
  const match = HOST.exec(value);
  if (match === null || Number(match[1] ?? 0) > 65_535) return false;
  return !value.startsWith('[') || URL.canParse(`http://${value}`);
}

/**
 * `text` between two indices, without the spaces and tabs around it (OWS, RFC 9110 5.6.3). A loop, since a regular
 * expression for this is not linear, and `trim` removes bytes such as 0xA0 too.
 */
export function trimmed(text: string, start = 0, end = text.length): string {
  let from = start;
  let to = end;
  while (from < to && isBlank(text.charCodeAt(from))) from += 1;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to -= 1;
  return text.slice(from, to);
}

const isBlank = (code: number): boolean => code === SPACE || code === TAB;

/** The items of a comma list; empty ones do not count (RFC 9110 5.6.1.2). */
export function listItems(value: string): string[] {
  return value
    .split(',')
    .map((item) => trimmed(item))
    .filter((item) => item !== '');
}
