/**
 * The PROXY protocol, versions 1 and 2 (HAProxy, doc/proxy-protocol.txt): what a proxy for plain TCP sends before the
 * client's first byte, to say who the client is. Bytes in, the client's address out.
 *
 * The parser is strict and incremental, and the outcome does not depend on how the bytes were split. It holds at most
 * 107 bytes; what version 2 may carry after the addresses (TLVs, up to 64 KiB) is skipped as it comes. Anybody can send
 * such a header, so it must be read only from proxies that the user has named.
 */
import { Buffer } from 'node:buffer';
import { type Fault, fault } from '../faults.ts';
import { canonicalAddress } from './addresses.ts';

/** What a header of version 1 begins with. */
export const PROXY_V1 = 'PROXY ';
/** What a header of version 2 begins with; no HTTP request does. */
export const PROXY_V2_SIGNATURE: Uint8Array = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');

/** Longest line of version 1 with its CR LF, in bytes. */
const LONGEST_LINE = 107;
/** Version 2: signature, version and command, family and protocol, length. */
const FIXED_BYTES = 16;
/** The longest addresses that are read: two of IPv6 and two ports. */
const LONGEST_ADDRESSES = 36;
const LF = 0x0a;

export interface ProxiedSource {
  /** In canonical form. */
  readonly address: string;
  readonly port: number;
}

export type ProxyHeaderResult =
  | { readonly kind: 'need-more' }
  /** A whole header. `source` is undefined where it names no address over TCP: a health check, a Unix socket. */
  | { readonly kind: 'proxied'; readonly source: ProxiedSource | undefined; readonly rest: Uint8Array }
  /** No header: `bytes` are all that came, for whoever reads next. */
  | { readonly kind: 'not-proxy'; readonly bytes: Uint8Array }
  /** The start of a header that is malformed. */
  | { readonly kind: 'fault'; readonly fault: Fault };

const NEED_MORE: ProxyHeaderResult = { kind: 'need-more' };
const V1_START: Uint8Array = Buffer.from(PROXY_V1, 'latin1');

/** Reads one header at the start of a connection. After another result than `need-more` it is finished. */
export class ProxyHeaderParser {
  /** The header so far. A copy: chunks may lie in a buffer that is read into again. */
  readonly #kept = Buffer.alloc(LONGEST_LINE);
  #length = 0;
  /** Version 2: bytes after the addresses that are still to come, and are skipped. */
  #skip = 0;
  #source: ProxiedSource | undefined;

  /** Takes the next bytes. `rest` is a view on the chunk; `bytes` is one, unless they came in several chunks. */
  push(chunk: Uint8Array): ProxyHeaderResult {
    if (this.#skip > 0) return this.#skipped(chunk, 0);
    const before = this.#length;
    const taken = this.#kept.subarray(before, before + this.#keep(chunk));
    const bytes = this.#kept.subarray(0, this.#length);
    if (startsAlike(bytes, V1_START)) return this.#readLine(bytes, before, chunk);
    if (startsAlike(bytes, PROXY_V2_SIGNATURE)) return this.#readBinary(bytes, before, chunk);
    const whole = before === 0 ? chunk : Buffer.concat([bytes, chunk.subarray(taken.length)]);
    return { kind: 'not-proxy', bytes: whole };
  }

  /** Copies what there is room for; returns how much that is. */
  #keep(chunk: Uint8Array): number {
    const count = Math.min(chunk.length, LONGEST_LINE - this.#length);
    this.#kept.set(chunk.subarray(0, count), this.#length);
    this.#length += count;
    return count;
  }

  #readLine(bytes: Buffer, before: number, chunk: Uint8Array): ProxyHeaderResult {
    const end = bytes.indexOf(LF) + 1;
    if (end === 0) return bytes.length < LONGEST_LINE ? NEED_MORE : MALFORMED;
    const source = readV1(bytes.toString('latin1', 0, end));
    if (source === null) return MALFORMED;
    return { kind: 'proxied', source, rest: chunk.subarray(end - before) };
  }

  #readBinary(bytes: Buffer, before: number, chunk: Uint8Array): ProxyHeaderResult {
    if (bytes.length < FIXED_BYTES) return isV2Start(bytes) ? NEED_MORE : MALFORMED;
    const length = bytes.readUInt16BE(14);
    const kept = FIXED_BYTES + Math.min(length, LONGEST_ADDRESSES);
    if (!isV2Start(bytes) || length < shortestV2(bytes)) return MALFORMED;
    if (bytes.length < kept) return NEED_MORE;
    this.#source = readV2(bytes);
    this.#skip = length - (kept - FIXED_BYTES);
    return this.#skipped(chunk, kept - before);
  }

  /** Passes over what is to be skipped, from `at` of the chunk. */
  #skipped(chunk: Uint8Array, at: number): ProxyHeaderResult {
    const count = Math.min(this.#skip, chunk.length - at);
    this.#skip -= count;
    if (this.#skip > 0) return NEED_MORE;
    return { kind: 'proxied', source: this.#source, rest: chunk.subarray(at + count) };
  }
}

const MALFORMED: ProxyHeaderResult = { kind: 'fault', fault: fault('badProxyHeader') };

/** Whether one of the two is the start of the other. */
function startsAlike(bytes: Uint8Array, start: Uint8Array): boolean {
  const length = Math.min(bytes.length, start.length);
  for (let at = 0; at < length; at++) if (bytes[at] !== start[at]) return false;
  return true;
}

/** Section 2.1: `PROXY TCP4 192.0.2.1 192.0.2.2 56324 443`, or TCP6, or `PROXY UNKNOWN` with anything after it. */
function readV1(line: string): ProxiedSource | undefined | null {
  if (/^PROXY UNKNOWN(?: [^\r\n]*)?\r\n$/.test(line)) return undefined;
  const parts = /^PROXY TCP([46]) ([^ ]+) ([^ ]+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})\r\n$/.exec(line);
  if (parts === null) return null;
  const [, family, address = '', destination = '', port, destinationPort] = parts;
  const source = addressOf(address, family === '6');
  if (source === undefined || addressOf(destination, family === '6') === undefined) return null;
  if (Number(port) > 65_535 || Number(destinationPort) > 65_535) return null;
  return { address: source, port: Number(port) };
}

/** Of that family and without a zone, in canonical form. */
function addressOf(text: string, isIPv6: boolean): string | undefined {
  return text.includes(':') === isIPv6 && !text.includes('%') ? canonicalAddress(text) : undefined;
}

/** Section 2.2: the 13th byte, version and command. */
const LOCAL = 0x20;
const PROXY = 0x21;
/** Families and protocols of the 14th byte. */
const UNSPECIFIED = 0x0;
const INET = 0x1;
const INET6 = 0x2;
const UNIX = 0x3;
const STREAM = 0x1;
const DATAGRAM = 0x2;

/** Version 2, a command, a family and a protocol that there is: others "must be dropped". LOCAL has the family ignored. */
function isV2Start(bytes: Uint8Array): boolean {
  const [command = PROXY, kind = 0] = bytes.subarray(12, 14);
  if (command === LOCAL) return true;
  return command === PROXY && kind >> 4 <= UNIX && (kind & 0xf) <= DATAGRAM;
}

/** How long the addresses of the family are, in bytes. */
function shortestV2(bytes: Uint8Array): number {
  const family = (bytes[13] as number) >> 4;
  if (bytes[12] === LOCAL || family === UNSPECIFIED) return 0;
  if (family === UNIX) return 216;
  return family === INET ? 12 : LONGEST_ADDRESSES;
}

/** The source; undefined for the command LOCAL, and for all that is not TCP over IP. */
function readV2(bytes: Buffer): ProxiedSource | undefined {
  const kind = bytes[13] as number;
  if (bytes[12] === LOCAL || (kind & 0xf) !== STREAM) return undefined;
  if (kind >> 4 === INET) {
    const address = bytes.subarray(FIXED_BYTES, FIXED_BYTES + 4).join('.');
    return { address, port: bytes.readUInt16BE(FIXED_BYTES + 8) };
  }
  if (kind >> 4 !== INET6) return undefined;
  const groups = Array.from({ length: 8 }, (_, at) => bytes.readUInt16BE(FIXED_BYTES + 2 * at).toString(16));
  const address = canonicalAddress(groups.join(':')) as string;
  return { address, port: bytes.readUInt16BE(FIXED_BYTES + 32) };
}
