/**
 * Close codes and the payload of a Close frame (RFC 6455 5.5.1, 7.4).
 *
 * Codes 1005, 1006 and 1015 exist for reports only; they are never on the wire (7.4.1).
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { type Fault, fault } from '../faults.ts';

/** The keywords that `close` accepts instead of a number. */
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

/** The longest reason in UTF-8 bytes: a control frame has at most 125, and two of them are the code (RFC 6455 5.5). */
export const MAX_REASON_BYTES = 123;

/** The code and reason that a peer sent; `code` is 1005 when its Close frame was empty. */
export interface ClosePayload {
  readonly code: number;
  readonly reason: string;
}

/**
 * Whether an endpoint may send this code: 1000–1003, 1007–1014 and 3000–4999.
 * RFC 6455 7.4.1 and 7.4.2, with 1012–1014 from the IANA registry.
 */
export function isWireCloseCode(code: number): boolean {
  if (!Number.isInteger(code)) return false;
  if (code >= 3000) return code <= 4999;
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
}

/**
 * The close code for a keyword or a number.
 * @throws RangeError for a code that RFC 6455 7.4 does not allow to be sent.
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

/** Codes that report a missing Close frame, or one without a code (RFC 6455 7.4.1). */
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

/** Reads the payload of a Close frame that a peer sent. */
export function readClosePayload(payload: Uint8Array): ClosePayload | { readonly fault: Fault } {
  if (payload.length === 0) return { code: NO_STATUS, reason: '' };
  // 5.5.1: "If there is a body, the first two bytes of the body MUST be a 2-byte unsigned integer".
  if (payload.length === 1) return { fault: fault('closePayload') };
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  const code = bytes.readUInt16BE(0);
  if (!isWireCloseCode(code)) return { fault: fault('closeCode', { code }) };
  // 5.5.1: the rest is "UTF-8-encoded data"; 8.1: data that is not valid UTF-8 fails the connection.
  const reason = bytes.subarray(2);
  if (!isUtf8(reason)) return { fault: fault('closeReason') };
  return { code, reason: reason.toString('utf8') };
}
