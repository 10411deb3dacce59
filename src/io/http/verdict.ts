/**
 * The answer to an opening handshake: plain data that says yes or no, and its HTTP/1.1 form (RFC 6455 4.2.2).
 *
 * What is HTTP/1.1 about an answer (the status line, 101, Sec-WebSocket-Accept) is in `encodeVerdict` alone. Another
 * transport answers the same verdict in its own way: HTTP/2 accepts with 200 and has no key (RFC 8441 5).
 */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { isToken } from './grammar.ts';
import { type HeaderField, type HeadersInput, headerLines, readHeaders } from './header-fields.ts';
import { encodeHttpResponse, type HttpResponse } from './http-response.ts';

/** The handshake is accepted. */
export interface AcceptVerdict {
  readonly kind: 'accept';
  /** Sec-WebSocket-Key of the request; empty on HTTP/2, which has none. */
  readonly key: string;
  /** One of those on offer; undefined: none. */
  readonly subprotocol: string | undefined;
  /** Sec-WebSocket-Extensions of the answer; empty: none. */
  readonly extensions: string;
  /** The user's own, checked. */
  readonly headers: readonly HeaderField[];
}

/** The handshake is refused, or the request was no handshake: a plain HTTP answer, then the end. */
export interface RefuseVerdict {
  readonly kind: 'refuse';
  readonly response: HttpResponse;
}

export type HandshakeVerdict = AcceptVerdict | RefuseVerdict;

/** The headers of an upgrade that are the handshake's own; the rest of `sec-websocket-*` is refused by its prefix. */
const HANDSHAKE_HEADERS = new Set(['upgrade', 'connection', 'content-length', 'transfer-encoding']);

/**
 * A verdict that accepts. Throws `TypeError` for a subprotocol that is not a token, for headers that cannot be sent as
 * they are (see `readHeaders`), and for those that belong to the handshake or to framing: Upgrade, Connection,
 * Sec-WebSocket-*, Content-Length, Transfer-Encoding.
 */
export function acceptHandshake(accepted: {
  readonly key: string;
  readonly subprotocol?: string | undefined;
  readonly extensions?: string | undefined;
  readonly headers?: HeadersInput | undefined;
}): AcceptVerdict {
  const { key, subprotocol, extensions = '' } = accepted;
  const headers = readHeaders(accepted.headers, HANDSHAKE_HEADERS);
  const reserved = headers.find(([name]) => /^sec-websocket-/i.test(name));
  if (reserved !== undefined) throw new TypeError(`The header ${reserved[0]} is set by the server itself.`);
  if (subprotocol !== undefined && !isToken(subprotocol)) {
    throw new TypeError(`The subprotocol ${JSON.stringify(subprotocol)} is not a token.`);
  }
  return { kind: 'accept', key, subprotocol, extensions, headers };
}

/**
 * The bytes of a verdict in HTTP/1.1. `omitBody` is for a refusal of HEAD. Throws what `encodeHttpResponse` throws where
 * a refusal is a user's own response and cannot be sent as it is.
 */
export function encodeVerdict(verdict: HandshakeVerdict, options: { omitBody?: boolean } = {}): Uint8Array {
  if (verdict.kind === 'refuse') return encodeHttpResponse(verdict.response, options);
  const { key, subprotocol, extensions, headers } = verdict;
  const lines =
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n` +
    (subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`) +
    (extensions === '' ? '' : `Sec-WebSocket-Extensions: ${extensions}\r\n`);
  return Buffer.from(`${lines}${headerLines(headers)}\r\n`, 'latin1');
}

/** RFC 6455 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** Sec-WebSocket-Accept for a key (RFC 6455 4.2.2, 5.4). */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}
