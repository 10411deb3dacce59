/**
 * The server's side of the opening handshake (RFC 6455 4.2): is this request one to be upgraded, and with what answer.
 *
 * `readHandshake` judges a head that the parser found valid, so HTTP/1.1 and exactly one Host are given. What depends
 * on the server (path, origin, subprotocol, authorisation) is decided elsewhere, between these two functions:
 * `readHandshake` and `upgradeResponse`.
 */
import { Buffer } from 'node:buffer';
import { hash } from 'node:crypto';
import { type HttpResponse, headerLines, refusal } from './http-response.ts';
import { isToken, type RequestHead, trimmed } from './request-head.ts';

/** What a request asks for. */
export type HandshakeResult =
  | Upgrade
  /** A plain GET or HEAD that asks for no WebSocket: for `onRequest`, else 426 (`upgradeRequired`). */
  | { readonly kind: 'request' }
  | { readonly kind: 'refusal'; readonly response: HttpResponse };

/** A valid opening handshake. */
export interface Upgrade {
  readonly kind: 'upgrade';
  /** Sec-WebSocket-Key: 24 characters of base64. */
  readonly key: string;
  /** The subprotocols on offer, in the client's order, each once. */
  readonly protocols: readonly string[];
  /** Sec-WebSocket-Extensions as sent (syntax checked); empty if there is none. */
  readonly extensions: string;
  readonly origin: string | undefined;
}

/** RFC 6455 1.3. */
const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const VERSION = '13';

/**
 * Judges a request by RFC 6455 4.2.1, in this order: method 405; no sign of a WebSocket handshake: `request`; Upgrade
 * and Connection 426; version 426; key, subprotocols and extensions 400. Never throws.
 */
export function readHandshake(head: RequestHead): HandshakeResult {
  const { method, headers } = head;
  const upgrades = hasListItem(headers.upgrade, 'websocket');
  const wantsWebSocket =
    upgrades || headers['sec-websocket-key'] !== undefined || headers['sec-websocket-version'] !== undefined;
  // 4.2.1, 1: a GET. HEAD is GET without the body (RFC 9110 9.3.2), so it may ask for a page but not for an upgrade.
  if (method !== 'GET' && (method !== 'HEAD' || wantsWebSocket)) {
    return refuse(405, 'Only GET is answered here.', { Allow: 'GET' });
  }
  // Another Upgrade than websocket (curl offers h2c) is ignored, as RFC 9110 7.8 allows: a plain request.
  if (!wantsWebSocket) return { kind: 'request' };
  // 4.2.1, 3 and 4. 426 and not 400: the usual cause is a proxy that removed both, and the answer names what is missing.
  if (!upgrades)
    return { kind: 'refusal', response: upgradeRequired('The header "Upgrade: websocket" is missing.') };
  if (!hasListItem(headers.connection, 'upgrade')) {
    return { kind: 'refusal', response: upgradeRequired('The header "Connection: Upgrade" is missing.') };
  }
  // 4.2.1, 6 and 4.2.2, 4. A missing version is a wrong one: the drafts before it was invented sent none.
  if (headers['sec-websocket-version'] !== VERSION) {
    const message = `Only WebSocket version ${VERSION} is spoken here.`;
    return { kind: 'refusal', response: upgradeRequired(message, { 'Sec-WebSocket-Version': VERSION }) };
  }
  return readOffer(headers);
}

/** 4.2.1, 5 and 7 to 9: the key and what the client offers. */
function readOffer(headers: RequestHead['headers']): HandshakeResult {
  const key = headers['sec-websocket-key'] ?? '';
  // 16 bytes are 22 characters and two of padding; two keys are joined by a comma, and so fail.
  if (!/^[A-Za-z0-9+/]{22}==$/.test(key)) {
    return refuse(400, 'There must be one Sec-WebSocket-Key, of 16 bytes in base64.');
  }
  const protocols = parseTokenList(headers['sec-websocket-protocol']);
  if (protocols === undefined) return refuse(400, 'Sec-WebSocket-Protocol must be a list of tokens.');
  // 4.1, 10: "The elements that comprise this value ... MUST all be unique strings."
  if (new Set(protocols).size !== protocols.length) {
    return refuse(400, 'Sec-WebSocket-Protocol must name each subprotocol once.');
  }
  const extensions = headers['sec-websocket-extensions'];
  if (extensions !== undefined && !isExtensionList(extensions)) {
    return refuse(400, 'Sec-WebSocket-Extensions is malformed.');
  }
  return { kind: 'upgrade', key, protocols, extensions: extensions ?? '', origin: headers.origin };
}

/** 426 with `Upgrade: websocket` (RFC 9110 15.5.22): for a plain request that nobody else answers. */
export function upgradeRequired(
  message = 'This is a WebSocket server: connect with ws://.',
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return refusal(426, message, { Upgrade: 'websocket', ...headers });
}

function refuse(
  status: number,
  message: string,
  headers?: Readonly<Record<string, string>>,
): HandshakeResult {
  return { kind: 'refusal', response: refusal(status, message, headers) };
}

/** Sec-WebSocket-Accept for a key (RFC 6455 4.2.2, 5.4). */
export function acceptKey(key: string): string {
  return hash('sha1', key + GUID, 'base64');
}

/** The headers of an upgrade that are the handshake's own; the rest of `sec-websocket-*` is refused by its prefix. */
const HANDSHAKE_HEADERS = new Set(['upgrade', 'connection', 'content-length', 'transfer-encoding']);

/**
 * The 101 answer (RFC 6455 4.2.2, 5). Throws `TypeError` for a subprotocol that is not a token, for a header that
 * cannot be sent as it is, and for one that belongs to the handshake or to framing: Upgrade, Connection,
 * Sec-WebSocket-*, Content-Length, Transfer-Encoding.
 */
export function upgradeResponse(accepted: {
  readonly key: string;
  readonly subprotocol?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}): Uint8Array {
  const { key, subprotocol, headers = {} } = accepted;
  const reserved = Object.keys(headers).find((name) => /^sec-websocket-/i.test(name));
  if (reserved !== undefined) throw new TypeError(`The header ${reserved} is set by the server itself.`);
  if (subprotocol !== undefined && !isToken(subprotocol)) {
    throw new TypeError(`The subprotocol ${JSON.stringify(subprotocol)} is not a token.`);
  }
  const lines =
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${acceptKey(key)}\r\n` +
    (subprotocol === undefined ? '' : `Sec-WebSocket-Protocol: ${subprotocol}\r\n`);
  return Buffer.from(`${lines}${headerLines(headers, HANDSHAKE_HEADERS)}\r\n`, 'latin1');
}

/**
 * The first of the server's subprotocols that the client offers, or `undefined` when they share none: then the
 * handshake goes on without one (RFC 6455 4.2.2, 4). Names are case-sensitive.
 */
export function chooseSubprotocol(
  offered: readonly string[],
  supported: readonly string[],
): string | undefined {
  return supported.find((name) => offered.includes(name));
}

/** The items of a comma list; empty ones do not count (RFC 9110 5.6.1.2). */
function listItems(value: string): string[] {
  return value
    .split(',')
    .map((item) => trimmed(item))
    .filter((item) => item !== '');
}

function hasListItem(value: string | undefined, wanted: string): boolean {
  return value !== undefined && listItems(value.toLowerCase()).includes(wanted);
}

/** `1#token`; `[]` for an absent header, `undefined` for a malformed one. */
function parseTokenList(value: string | undefined): string[] | undefined {
  if (value === undefined) return [];
  const items = listItems(value);
  return items.length > 0 && items.every(isToken) ? items : undefined;
}

/** Tokens, quoted tokens and blanks; a quoted value must be a token once it is unquoted (RFC 6455 9.1). */
const LEXEMES = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+|"(?:\\?[!#$%&'*+\-.^_`|~0-9A-Za-z])+"|[ \t]+/g;

/**
 * `1#( token *( ";" token [ "=" ( token | quoted-string ) ] ) )` (RFC 6455 9.1). Each lexeme is first replaced by one
 * letter, t or q; what is no lexeme stays, and fits no pattern.
 */
function isExtensionList(value: string): boolean {
  const shape = value.replace(LEXEMES, (lexeme) => (lexeme[0] === '"' ? 'q' : isToken(lexeme) ? 't' : ''));
  const items = listItems(shape);
  return items.length > 0 && items.every((item) => /^t(?:;t(?:=[tq])?)*$/.test(item));
}
