/**
 * The client's side of the opening handshake (RFC 6455 4.1): the request it sends, and the response it reads.
 */

/** The key of the example in RFC 6455 1.3; it is answered with `s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`. */
export const SAMPLE_HANDSHAKE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** Headers to send: more of them, or others in place of the usual ones; null leaves one out. */
export type RequestHeaders = Readonly<Record<string, string | null | undefined>>;

/** The head of the server's response. */
export interface ServerResponse {
  readonly status: number;
  readonly reason: string;
  /** Names in lower case; the values of repeated ones are joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** The status line and the header lines, as sent. */
  readonly head: string;
}

/** The head of the request. A name in `headers` is the same in upper and lower case. */
export function requestHead(path: string, host: string, headers: RequestHeaders = {}): string {
  const fields: Record<string, string | null | undefined> = {
    Host: host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': SAMPLE_HANDSHAKE_KEY,
    'Sec-WebSocket-Version': '13',
  };
  for (const [name, value] of Object.entries(headers)) {
    const known = Object.keys(fields).find((each) => each.toLowerCase() === name.toLowerCase());
    fields[known ?? name] = value;
  }
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value == null ? [] : [`${name}: ${value}`],
  );
  return [`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

/**
 * Reads the head of a response, without the empty line at its end.
 * @throws Error when it is not well-formed.
 */
export function parseResponseHead(head: string): ServerResponse {
  const [statusLine = '', ...lines] = head.split('\r\n');
  const status = /^HTTP\/1\.1 (\d{3}) (.*)$/.exec(statusLine);
  if (status === null) throw new Error(`not an HTTP/1.1 status line: ${JSON.stringify(statusLine)}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field === null) throw new Error(`not a header line: ${JSON.stringify(line)}`);
    const name = (field[1] ?? '').toLowerCase();
    const value = field[2] ?? '';
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { status: Number(status[1]), reason: status[2] ?? '', headers, head };
}
