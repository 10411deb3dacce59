/**
 * Every way in which a peer, a limit or a callback can end a connection or a handshake: one row each.
 *
 * The table lies at the bottom of the layers, since all of them read it: the decoders name a row, the statecharts take
 * their close codes from it, and the errors of `src/api/errors.ts` are made from it. A row says
 *
 *   code     the close code that is sent or reported (RFC 6455 7.4), or the HTTP status where there is no connection yet
 *   reason   what the peer reads, in the Close frame or in the body of the answer; `{name}` is filled in
 *   told     what the user reads, where that is something else
 *   by       whose fault it is: the peer's, or the user's program
 *   error    the class of the error that the user gets; undefined: it is no error
 *   limit    the option (or, for `maxStringLength`, the constant of Node) whose value was passed
 *   advice   what the user can do if it was a mistake of the program; `{name}` is filled in
 *   headers  of the HTTP answer, where its status asks for some
 *
 * Codes 1006 are never on the wire (7.4.1): the row is a connection that ends without a Close frame.
 */

/** The classes of `src/api/errors.ts` that a fault becomes. */
export type FaultErrorName =
  | 'ProtocolError'
  | 'InvalidMessageError'
  | 'LimitError'
  | 'HandshakeError'
  | 'ConnectionLostError'
  | 'SendLimitError'
  | 'InternalError';

export interface FaultRow {
  readonly code: number;
  readonly reason: string;
  readonly told?: string;
  readonly by: 'peer' | 'user';
  readonly error?: FaultErrorName;
  readonly limit?: string;
  readonly advice?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const violation = (code: number, reason: string) =>
  ({ code, reason, by: 'peer', error: 'ProtocolError' }) as const;
const limit = (name: string, code: number, reason: string, told?: string) =>
  ({ code, reason, by: 'peer', error: 'LimitError', limit: name, ...(told && { told }) }) as const;
/** `sendLimit` was passed, and the peer could not help it. */
const tooMuch = (reason: string, told: string) =>
  ({ code: 1013, reason, told, by: 'user', error: 'SendLimitError', limit: 'sendLimit' }) as const;
const refusal = (code: number, reason: string, more: Pick<FaultRow, 'limit' | 'advice' | 'headers'> = {}) =>
  ({ code, reason, by: 'peer', error: 'HandshakeError', ...more }) as const;
/** 426 names the protocol to change to (RFC 9110 15.5.22). */
const upgradeRequired = (reason: string, headers: Readonly<Record<string, string>> = {}) =>
  refusal(426, reason, { headers: { Upgrade: 'websocket', ...headers } });
/** 503 says after how many seconds another attempt makes sense (RFC 9110 10.2.3). */
const RETRY_AFTER = { 'Retry-After': '5' };
const unavailable = (reason: string, name?: string) =>
  refusal(503, reason, { headers: RETRY_AFTER, ...(name && { limit: name }) });
const WHICH_HEADER =
  "Say which one your proxy writes: trustProxy: { addresses: [...], header: 'forwarded' }.";
const lost = (reason: string, told: string, name?: string) =>
  ({
    code: 1006,
    reason,
    told,
    by: 'peer',
    error: 'ConnectionLostError',
    ...(name && { limit: name }),
  }) as const;

export const faults = {
  // -------------------------------------------------------------- frames (RFC 6455 5)
  reservedBits: violation(1002, 'reserved bits set with no extension negotiated'),
  misplacedRsv1: violation(1002, 'RSV1 set on a frame that begins no message'),
  reservedOpcode: violation(1002, 'reserved opcode {opcode}'),
  fragmentedControl: violation(1002, 'fragmented control frame'),
  strayContinuation: violation(1002, 'continuation frame outside a message'),
  interleavedMessage: violation(1002, 'new message inside a fragmented one'),
  unmasked: violation(1002, 'frame from a client is not masked'),
  masked: violation(1002, 'frame from a server is masked'),
  longControl: violation(1002, 'control frame over 125 bytes'),
  lengthSign: violation(1002, 'most significant bit of the length is set'),
  longLength: violation(1002, 'length is not in its shortest form'),
  invalidText: violation(1007, 'text is not valid UTF-8'),
  invalidDeflate: violation(1007, 'compressed message cannot be inflated'),
  closePayload: violation(1002, 'close payload of one byte'),
  closeCode: violation(1002, 'close code {code} is not allowed'),
  closeReason: violation(1007, 'close reason is not valid UTF-8'),

  // -------------------------------------------------------------- limits of an open connection
  cap: limit('cap', 1009, 'message is over the cap of {bytes} bytes'),
  maxStringLength: limit('maxStringLength', 1009, 'message is over {bytes} bytes'),
  maxInflation: limit('maxInflation', 1009, 'message inflates to more than {ratio} times its size'),
  maxFragments: limit('maxFragments', 1008, 'message has more than {count} fragments'),
  maxMessagesPerSecond: limit('maxMessagesPerSecond', 1008, 'too many messages a second'),
  maxBytesPerSecond: limit('maxBytesPerSecond', 1008, 'too many bytes a second'),
  messageDeadline: limit(
    'messageDeadline',
    1008,
    'message took too long',
    'a message took too long, from its first byte to its last',
  ),
  sendLimit: limit(
    'sendLimit',
    1013,
    'peer reads too slowly',
    'more than {bytes} bytes would wait for the peer',
  ),
  sendBurst: tooMuch(
    'too much to send at once',
    'more than {bytes} bytes would wait after messages that were sent in one go; ' +
      'await connection.drained() between them, or raise sendLimit',
  ),
  unfinishedMessage: tooMuch(
    'a message was not finished',
    'more than {bytes} bytes would wait for a message of sendFragments() whose pieces do not come',
  ),
  memoryBudget: limit(
    'memoryBudget',
    1013,
    'server is short of memory',
    'this connection held memory longest without progress',
  ),
  maxAge: { code: 1001, reason: 'connection reached its age limit', by: 'user', limit: 'maxAge' },

  // -------------------------------------------------------------- the connection is lost
  connectionLost: lost('', '{message}'),
  tlsHandshake: lost('', 'the TLS handshake failed: {message}'),
  pongDeadline: lost(
    'pong deadline passed',
    'no sign of life within pongDeadline after a ping',
    'pongDeadline',
  ),
  writeDeadline: lost(
    'write deadline passed',
    'the peer accepted nothing within writeDeadline',
    'writeDeadline',
  ),
  closeDeadline: { code: 1006, reason: 'close deadline passed', by: 'peer', limit: 'closeDeadline' },

  // -------------------------------------------------------------- the user's callbacks, and defects
  callbackFailed: { code: 1011, reason: 'internal error', by: 'user' },
  invalidMessage: { code: 1007, reason: 'message does not fit', by: 'peer', error: 'InvalidMessageError' },
  broken: { code: 1011, reason: 'internal error', by: 'user', error: 'InternalError' },

  // -------------------------------------------------------------- before the request head
  proxyProtocol: refusal(
    400,
    'This is the PROXY protocol; it is read only from proxies named in trustProxy.',
    {
      advice: 'Add the address of the proxy to the option trustProxy.',
    },
  ),
  badProxyHeader: refusal(400, 'The header of the PROXY protocol is malformed.'),

  // -------------------------------------------------------------- the request head (RFC 9112)
  noMethod: refusal(400, 'A request begins with a method.'),
  tls: refusal(400, 'This port speaks ws://, not TLS (wss://).', {
    advice: 'Connect with ws://, or give this port the option tls.',
  }),
  plain: refusal(400, 'This port speaks TLS: connect with wss://, not ws://, and without a PROXY header.', {
    advice:
      'Connect with wss://, or give this listener no tls; a proxy in front must not send the PROXY protocol.',
  }),
  badMethod: refusal(400, 'The method must be a token, with one space after it.'),
  longMethod: refusal(501, 'The method is not implemented.'),
  noTarget: refusal(400, 'The request target must begin with "/", one space after the method.'),
  badTarget: refusal(400, 'The request target must be a plain path, then one space and HTTP/1.1.'),
  targetForm: refusal(400, 'The request target must be a path, such as /chat.'),
  wrongVersion: refusal(505, 'Only HTTP/1.1 is spoken here (behind Nginx: proxy_http_version 1.1).'),
  badVersion: refusal(400, 'The request line must end with HTTP/1.1.'),
  lineEnd: refusal(400, 'Lines must end with CR LF.'),
  lineStart: refusal(400, 'A header line must begin with a name.'),
  foldedLine: refusal(400, 'A header line must not begin with whitespace.'),
  headerName: refusal(400, 'A header name must be a token, with a colon right after it.'),
  headerValue: refusal(400, 'A header value must not hold control characters.'),
  badHost: refusal(400, 'The Host header is not a host with an optional port.'),
  hostCount: refusal(400, 'A request must have exactly one Host header; this one has {count}.'),
  requestBody: refusal(400, 'A {method} request must have no body here.'),
  maxHeadBytes: refusal(431, 'The request head is longer than {bytes} bytes (maxHeadBytes).', {
    limit: 'maxHeadBytes',
    advice: 'If such requests are meant to come in, raise the option maxHeadBytes.',
  }),
  maxHeaders: refusal(431, 'The request has more than {count} headers (maxHeaders).', {
    limit: 'maxHeaders',
    advice: 'If such requests are meant to come in, raise the option maxHeaders.',
  }),

  // -------------------------------------------------------------- the opening handshake (RFC 6455 4.2)
  wrongMethod: refusal(405, 'Only GET is answered here.', { headers: { Allow: 'GET' } }),
  noUpgrade: upgradeRequired('This is a WebSocket server: connect with ws://.'),
  noUpgradeHeader: upgradeRequired('The header "Upgrade: websocket" is missing.'),
  noConnectionHeader: upgradeRequired('The header "Connection: Upgrade" is missing.'),
  wrongWebSocketVersion: upgradeRequired('Only WebSocket version 13 is spoken here.', {
    'Sec-WebSocket-Version': '13',
  }),
  wrongConnectProtocol: refusal(501, 'The only :protocol of a CONNECT request here is websocket.'),
  badKey: refusal(400, 'There must be one Sec-WebSocket-Key, of 16 bytes in base64.'),
  badProtocols: refusal(400, 'Sec-WebSocket-Protocol must be a list of tokens.'),
  doubleProtocols: refusal(400, 'Sec-WebSocket-Protocol must name each subprotocol once.'),
  badExtensions: refusal(400, 'Sec-WebSocket-Extensions is malformed.'),
  contradictingProxies: refusal(400, 'Forwarded and X-Forwarded-For name different clients.', {
    advice: WHICH_HEADER,
  }),
  contradictingHosts: refusal(400, 'Forwarded and X-Forwarded-Host name different hosts.', {
    advice: WHICH_HEADER,
  }),
  badForwarded: refusal(400, 'The Forwarded header is malformed (RFC 7239).'),
  noPath: refusal(404, 'There is nothing at {path}.', {
    advice: 'server.path({quotedPath}, { onMessage }) would make it.',
  }),
  origin: refusal(403, '{message}', { advice: '{advice}' }),
  noSubprotocol: refusal(400, 'Messages here are of a subprotocol: offer {names} (Sec-WebSocket-Protocol).'),
  denied: refusal(403, 'You may not connect here.'),
  handshakeDeadline: refusal(408, 'The handshake took too long.', { limit: 'handshakeDeadline' }),
  stopping: unavailable('The server is stopping.'),
  memoryShort: unavailable('The server is short of memory (memoryBudget).', 'memoryBudget'),
  notStarted: refusal(503, 'The server is not started.', {
    headers: RETRY_AFTER,
    advice: 'Call server.start(), also for a server that is attached to an HTTP server.',
  }),
  starting: unavailable('The server is starting.'),
  stopped: unavailable('The server is stopped.'),
  maxConnections: unavailable('The server has its {count} connections (maxConnections).', 'maxConnections'),
  maxConnectionsPerAddress: unavailable(
    'Your address has its {count} connections (maxConnectionsPerAddress).',
    'maxConnectionsPerAddress',
  ),
  maxHandshakes: unavailable(
    'The server has its {count} handshakes under way (maxHandshakes).',
    'maxHandshakes',
  ),
  callbackUndecided: { code: 500, reason: 'The server could not decide.', by: 'user' },
} as const satisfies Record<string, FaultRow>;

export type FaultName = keyof typeof faults;

/** One fault that happened: its row, and the row's texts with the values of this time filled in. */
export interface Fault {
  readonly name: FaultName;
  /** Close code or HTTP status. */
  readonly code: number;
  /** What the peer reads. */
  readonly reason: string;
  /** What the user reads; left out where that is the same. */
  readonly told?: string;
  /** What the user can do about it; left out where the row has no advice. */
  readonly advice?: string;
}

/** The values for `{name}` in a row's texts. */
export type FaultValues = Readonly<Record<string, string | number>>;

/** A fault of that row. */
export function fault(name: FaultName, values: FaultValues = {}): Fault {
  const { code, reason, told, advice }: FaultRow = faults[name];
  return {
    name,
    code,
    reason: filled(reason, values),
    ...(told === undefined ? {} : { told: filled(told, values) }),
    ...(advice === undefined ? {} : { advice: filled(advice, values) }),
  };
}

/** The text of a row with its values filled in. */
function filled(text: string, values: FaultValues): string {
  return text.replace(/\{(\w+)\}/g, (placeholder, key: string) => String(values[key] ?? placeholder));
}
