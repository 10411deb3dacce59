/**
 * The answer to an opening handshake on a stream of HTTP/2 (RFC 8441 5): 200 accepts, and there is neither
 * `Sec-WebSocket-Accept` nor `Upgrade`.
 */
import type { HeaderField } from './header-fields.ts';
import { readHttpResponse } from './http-response.ts';
import type { HandshakeVerdict } from './verdict.ts';

/** Headers as `stream.respond` of `node:http2` takes them. */
export type Http2Headers = Record<string, number | string | string[]>;

/** Header fields that speak of one HTTP/1.1 connection: a message of HTTP/2 must not have them (RFC 9113 8.2.2). */
const OF_THE_CONNECTION = new Set([
  'connection',
  'http2-settings',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** Headers and body of a verdict. Throws what `encodeVerdict` throws. */
export function http2Answer(verdict: HandshakeVerdict): { headers: Http2Headers; body: Uint8Array } {
  if (verdict.kind === 'refuse') {
    const { status, fields, body } = readHttpResponse(verdict.response);
    return { headers: { ':status': status, ...headersOf(fields) }, body };
  }
  const { subprotocol, extensions, headers: own } = verdict;
  const headers: Http2Headers = { ':status': 200, ...headersOf(own) };
  if (subprotocol !== undefined) headers['sec-websocket-protocol'] = subprotocol;
  if (extensions !== '') headers['sec-websocket-extensions'] = extensions;
  return { headers, body: new Uint8Array(0) };
}

/** Names in lower case (RFC 9113 8.2.1); what comes several times is a list. */
function headersOf(fields: readonly HeaderField[]): Record<string, string | string[]> {
  const values = new Map<string, string[]>();
  for (const [name, value] of fields) {
    const lower = name.toLowerCase();
    if (!OF_THE_CONNECTION.has(lower)) values.set(lower, [...(values.get(lower) ?? []), value]);
  }
  return Object.fromEntries([...values].map(([name, all]) => [name, all.length === 1 ? `${all[0]}` : all]));
}
