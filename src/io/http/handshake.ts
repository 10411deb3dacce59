/**
 * The server's side of the opening handshake (RFC 6455 4.2): whether this request is one to be upgraded, and what it
 * offers.
 *
 * `readHandshake` judges a head that was found valid, so HTTP and Host are in order. What depends on the server (path,
 * origin, subprotocol, authorisation) is decided elsewhere, and the answer is a verdict (`verdict.ts`).
 */
import { type Fault, type FaultName, fault } from '../faults.ts';
import { rememberingLast } from '../values.ts';
import { isToken, listItems } from './grammar.ts';
import type { RequestHead } from './request-head.ts';

/** What a request asks for. */
export type HandshakeResult =
  | Upgrade
  /** A plain GET or HEAD that asks for no WebSocket: for `onRequest`, else the fault `noUpgrade` (426). */
  | { readonly kind: 'request' }
  /** A row of the ladder with status 400, 405, 426, 501 or 505. */
  | { readonly kind: 'fault'; readonly fault: Fault };

/** A valid opening handshake. */
export interface Upgrade {
  readonly kind: 'upgrade';
  /** Sec-WebSocket-Key: 24 characters of base64; empty on HTTP/2, which has none (RFC 8441 5). */
  readonly key: string;
  /** The subprotocols on offer, in the client's order, each once. */
  readonly protocols: readonly string[];
  /** Sec-WebSocket-Extensions as sent (syntax checked); empty if there is none. */
  readonly extensions: string;
  readonly origin: string | undefined;
}

const VERSION = '13';

/**
 * Judges a request by RFC 6455 4.2.1, in this order: method 405; no sign of a WebSocket handshake: `request`; HTTP/1.0
 * 505; Upgrade and Connection 426; version 426; key, subprotocols and extensions 400. An extended CONNECT of HTTP/2
 * (RFC 8441) has neither Upgrade, Connection nor key. Never throws.
 */
export function readHandshake(head: RequestHead): HandshakeResult {
  const { method } = head;
  if (head.httpVersion >= '2') return readOverHttp2(head);
  const upgrades = hasListItem(head.header('upgrade'), 'websocket');
  const wantsWebSocket =
    upgrades ||
    head.header('sec-websocket-key') !== undefined ||
    head.header('sec-websocket-version') !== undefined;
  // 4.2.1, 1: a GET. HEAD is GET without the body (RFC 9110 9.3.2), so it may ask for a page but not for an upgrade.
  if (method !== 'GET' && (method !== 'HEAD' || wantsWebSocket)) return failed('wrongMethod');
  // Another Upgrade than websocket (curl offers h2c) is ignored, as RFC 9110 7.8 allows: a plain request.
  if (!wantsWebSocket) return { kind: 'request' };
  // 4.2.1, 1: HTTP/1.1 or higher.
  if (head.httpVersion === '1.0') return failed('wrongVersion');
  // 4.2.1, 3 and 4. 426 and not 400: the usual cause is a proxy that removed both, and the answer names what is missing.
  if (!upgrades) return failed('noUpgradeHeader');
  if (!hasListItem(head.header('connection'), 'upgrade')) return failed('noConnectionHeader');
  // 4.2.1, 6 and 4.2.2, 4. A missing version is a wrong one: drafts from before there was a version sent none.
  if (head.header('sec-websocket-version') !== VERSION) return failed('wrongWebSocketVersion');
  const key = head.header('sec-websocket-key') ?? '';
  // 4.2.1, 5: 16 bytes are 22 characters and two of padding. Two keys are joined by a comma, so they fail too.
  return /^[A-Za-z0-9+/]{22}==$/.test(key) ? readOffer(key, head) : failed('badKey');
}

/** RFC 8441 4 and 5; RFC 9220 3 for the status where another protocol is asked for. */
function readOverHttp2(head: RequestHead): HandshakeResult {
  const { method, protocol } = head;
  if (method === 'GET' || method === 'HEAD') return { kind: 'request' };
  if (method !== 'CONNECT' || protocol === undefined) return failed('wrongMethod');
  if (protocol !== 'websocket') return failed('wrongConnectProtocol');
  return head.header('sec-websocket-version') === VERSION
    ? readOffer('', head)
    : failed('wrongWebSocketVersion');
}

/** 4.2.1, 7 to 9: what the client offers. */
function readOffer(key: string, head: RequestHead): HandshakeResult {
  const protocols = parseTokenList(head.header('sec-websocket-protocol'));
  if (protocols === undefined) return failed('badProtocols');
  // 4.1, 10: "The elements that comprise this value ... MUST all be unique strings."
  if (new Set(protocols).size !== protocols.length) return failed('doubleProtocols');
  const extensions = head.header('sec-websocket-extensions');
  if (extensions !== undefined && !isExtensionList(extensions)) return failed('badExtensions');
  return { kind: 'upgrade', key, protocols, extensions: extensions ?? '', origin: head.header('origin') };
}

const failed = (name: FaultName): HandshakeResult => ({ kind: 'fault', fault: fault(name) });

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

function hasListItem(value: string | undefined, wanted: string): boolean {
  if (value === undefined) return false;
  const text = value.toLowerCase();
  return text === wanted || listItems(text).includes(wanted);
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
const isExtensionList = rememberingLast((value: string): boolean => {
  const shape = value.replace(LEXEMES, (lexeme) => (lexeme[0] === '"' ? 'q' : isToken(lexeme) ? 't' : ''));
  const items = listItems(shape);
  return items.length > 0 && items.every((item) => /^t(?:;t(?:=[tq])?)*$/.test(item));
});
