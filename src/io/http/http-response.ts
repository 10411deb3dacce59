/**
 * Plain HTTP answers: what a peer gets that is not to become a WebSocket (RFC 9112 4, RFC 9110 15).
 *
 * Every answer is whole and closes its connection, so nothing here keeps state. The status line says HTTP/1.1 to clients
 * of HTTP/1.0 too, since it names what the server speaks (RFC 9110 6.2). There is no Date header: this code has no clock,
 * and RFC 9110 6.6.1 asks for one only where there is.
 */

import { Buffer } from 'node:buffer';
import { type Fault, type FaultRow, faults } from '../faults.ts';
import { isPlainObject } from '../values.ts';
import { bytesAdvice, toBytes } from '../writing/bytes.ts';
import { type HeaderField, type HeadersInput, headerLines, kindOf, readHeaders } from './header-fields.ts';

/** An HTTP answer. A string body is sent as UTF-8; Content-Length and Connection are added. */
export interface HttpResponse {
  /** From 200 to 599. */
  readonly status: number;
  /** Content-Type is `text/plain; charset=utf-8` unless given. Values are latin1; a list makes a line of each. */
  readonly headers?: HeadersInput | undefined;
  readonly body?: string | Uint8Array | undefined;
}

/** Reason phrases (RFC 9110 15, RFC 6585); a status that is not here goes out with an empty one, as RFC 9112 4 allows. */
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  205: 'Reset Content',
  206: 'Partial Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  402: 'Payment Required',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  406: 'Not Acceptable',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  411: 'Length Required',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  414: 'URI Too Long',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  418: "I'm a teapot",
  421: 'Misdirected Request',
  422: 'Unprocessable Content',
  425: 'Too Early',
  426: 'Upgrade Required',
  428: 'Precondition Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  451: 'Unavailable For Legal Reasons',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  507: 'Insufficient Storage',
  511: 'Network Authentication Required',
};

/** Headers that say how the message is framed: only this code sets them. */
const FRAMING = new Set(['connection', 'content-length', 'transfer-encoding']);
const MEMBERS = ['status', 'headers', 'body'];

/**
 * The bytes of an answer. `omitBody` is for HEAD: the same head, with the length that the body would have.
 * Throws `TypeError` where the user's status, headers or body cannot be sent as they are, and for an answer that is no
 * plain object or has another member than these three: nothing is dropped in silence.
 */
export function encodeHttpResponse(response: HttpResponse, options: { omitBody?: boolean } = {}): Uint8Array {
  const { status, fields, body } = readHttpResponse(response);
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${headerLines(fields)}`;
  // RFC 9110 8.6: none with 204; with 304 it would be the length of what is not sent.
  if (status !== 204 && status !== 304) head += `Content-Length: ${body.length}\r\n`;
  // RFC 9110 7.8: who sends Upgrade names it in Connection too.
  head += hasField(fields, 'upgrade') ? 'Connection: close, Upgrade\r\n\r\n' : 'Connection: close\r\n\r\n';
  const headBytes = Buffer.from(head, 'latin1');
  return options.omitBody === true ? headBytes : Buffer.concat([headBytes, body]);
}

/** An answer that was found right: whatever the protocol, these are its parts. */
export interface ResponseParts {
  readonly status: number;
  /** The user's own, and a Content-Type where there is a body. */
  readonly fields: readonly HeaderField[];
  readonly body: Uint8Array;
}

/** The parts of an answer. Throws as `encodeHttpResponse` does. */
export function readHttpResponse(response: HttpResponse): ResponseParts {
  checkShape(response);
  const { status, headers } = response;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw new TypeError(`An HTTP response needs a status from 200 to 599, not ${String(status)}.`);
  }
  const body = bodyBytes(response);
  const fields = readHeaders(headers, FRAMING);
  if (body.length > 0 && !hasField(fields, 'content-type')) {
    fields.push(['Content-Type', 'text/plain; charset=utf-8']);
  }
  return { status, fields, body };
}

/**
 * A response of the user's, read once: what it says cannot change after it was checked.
 * @throws TypeError where it cannot be sent as it is.
 */
export function checkedResponse(response: HttpResponse): HttpResponse {
  checkShape(response);
  const { status, headers, body } = response;
  const once: HttpResponse = {
    status,
    ...(headers === undefined
      ? {}
      : { headers: readHeaders(headers, FRAMING).reduce(addField, Object.create(null)) }),
    ...(body === undefined ? {} : { body }),
  };
  encodeHttpResponse(once);
  return once;
}

function addField(
  fields: Record<string, string | readonly string[]>,
  [name, value]: readonly [string, string],
): Record<string, string | readonly string[]> {
  const before = fields[name] ?? [];
  fields[name] = [...(typeof before === 'string' ? [before] : before), value];
  return fields;
}
const hasField = (fields: readonly HeaderField[], wanted: string): boolean =>
  fields.some(([name]) => name.toLowerCase() === wanted);

/** The answer that tells a peer of a fault: its status, its text, and the headers of its row. */
export function refusal({ name, code, reason }: Fault): HttpResponse {
  const { headers = {} }: FaultRow = faults[name];
  return textResponse(code, reason, headers);
}

/** An answer of one line for a person to read, with `Content-Type: text/plain`. Control characters become spaces. */
export function textResponse(
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): HttpResponse {
  return { status, headers, body: `${text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()}\n` };
}

function checkShape(response: unknown): void {
  if (!isPlainObject(response)) {
    throw new TypeError(
      `An HTTP response must be a plain object such as { status: 200, body }, not ${kindOf(response)}.`,
    );
  }
  const unknown = Reflect.ownKeys(response).find((name) => !MEMBERS.includes(name as string));
  if (unknown !== undefined) {
    throw new TypeError(`An HTTP response has status, headers and body, and no ${String(unknown)}.`);
  }
}

function bodyBytes({ status, body = '' }: HttpResponse): Uint8Array {
  const bytes = typeof body === 'string' ? Buffer.from(body, 'utf8') : toBytes(body);
  if (bytes === undefined) {
    throw new TypeError(`The body of an HTTP response must be a string or a Uint8Array${bytesAdvice(body)}.`);
  }
  if (bytes.length > 0 && (status === 204 || status === 205 || status === 304)) {
    throw new TypeError(`An HTTP response with status ${status} has no body.`);
  }
  return bytes;
}
