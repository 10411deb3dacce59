/**
 * Close codes and the payload of a Close frame (RFC 6455 5.5.1, 7.4).
 *
 * Three questions, three answers: may we send this code, may a peer send it, and what do the bytes of a Close
 * frame say. Codes 1005, 1006 and 1015 exist for reports only and are never on the wire (7.4.1).
 */
import { Buffer, isUtf8 } from 'node:buffer';

/** The keywords that `close` takes in place of a number. */
export const closeKeywords = {
  normal: 1000,
  'going-away': 1001,
  'protocol-error': 1002,
  'invalid-type': 1003,
  'inconsistent-type': 1007,
  'policy-violation': 1008,
  oversize: 1009,
  'extension-negotiation-failure': 1010,
  fatal: 1011,
} as const;

export type CloseKeyword = keyof typeof closeKeywords;

/** No Close frame carried a code (RFC 6455 7.4.1): reported, never sent. */
export const NO_STATUS = 1005;
/** The connection was lost without a Close frame (RFC 6455 7.4.1): reported, never sent. */
export const ABNORMAL = 1006;

/** Longest reason, in UTF-8 bytes: a control frame carries 125, two of them the code (RFC 6455 5.5). */
export const MAX_REASON_BYTES = 123;

/** Why a frame or message is refused: the close code that says so, and a reason for the peer. */
export interface Fault {
  readonly code: number;
  readonly reason: string;
}

/** The code and reason a peer gave; `code` is 1005 when its Close frame was empty. */
export interface ClosePayload {
  readonly code: number;
  readonly reason: string;
}

/**
 * Whether a code may be on the wire, either way: 1000–1003, 1007–1014 and 3000–4999.
 * RFC 6455 7.4.1 and 7.4.2, with 1012–1014 from the IANA registry.
 */
export function isWireCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/**
 * The number for a keyword or a number that may be sent.
 * @throws RangeError for every code that RFC 6455 7.4 forbids to send.
 */
export function toCloseCode(code: CloseKeyword | number): number {
  const number = typeof code === 'string' ? closeKeywords[code] : code;
  if (number === undefined || !isWireCloseCode(number)) {
    throw new RangeError(
      `close code ${typeof code === 'string' ? JSON.stringify(code) : String(code)} may not be sent` +
        `${isReported(code) ? ', it only reports that none came' : ''}; allowed are 1000-1003, 1007-1014, 3000-4999, ` +
        `or one of ${Object.keys(closeKeywords).join(', ')}`,
    );
  }
  return number;
}

/** Codes that stand for the want of a Close frame, or of a code in it (RFC 6455 7.4.1). */
const isReported = (code: unknown) => code === NO_STATUS || code === ABNORMAL;

/**
 * The payload of a Close frame that we send.
 * @throws RangeError when the reason is longer than 123 bytes of UTF-8.
 */
export function encodeClosePayload(code: number, reason = ''): Uint8Array {
  if (code === NO_STATUS) return new Uint8Array(0);
  if (typeof reason !== 'string')
    throw new TypeError(`close reason is a ${typeof reason}; allowed is a string`);
  const reasonBytes = Buffer.byteLength(reason);
  if (reasonBytes > MAX_REASON_BYTES) {
    throw new RangeError(`close reason is ${reasonBytes} bytes of UTF-8; allowed are 0-${MAX_REASON_BYTES}`);
  }
  const payload = Buffer.allocUnsafe(2 + reasonBytes);
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  return payload;
}

/** Reads the payload of a Close frame; a fault is what the connection is failed with. */
export function readClosePayload(payload: Uint8Array): ClosePayload | { readonly fault: Fault } {
  if (payload.length === 0) return { code: NO_STATUS, reason: '' };
  // 5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer".
  if (payload.length === 1) return { fault: { code: 1002, reason: 'close payload of one byte' } };
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const code = bytes.readUInt16BE(0);
  if (!isWireCloseCode(code)) return { fault: { code: 1002, reason: `close code ${code} is not allowed` } };
  // 5.5.1: the rest is "UTF-8-encoded data"; 8.1: data that is not valid UTF-8 fails the connection.
  const reason = bytes.subarray(2);
  if (!isUtf8(reason)) return { fault: { code: 1007, reason: 'close reason is not valid UTF-8' } };
  return { code, reason: reason.toString('utf8') };
}
