/**
 * A WebSocket client for tests that can say anything: it writes the bytes it is told to, right or wrong,
 * and reads what the server sends with the strictness that RFC 6455 asks of a client. It knows no retries,
 * no defaults that hide a mistake, and sends nothing that a test did not ask for (no Close, no Pong, no FIN).
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { split, type Way } from './splits.ts';

/** Opcodes by name (RFC 6455 5.2 and 11.8). */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** The masking key of the examples in RFC 6455 5.7. */
export const SAMPLE_KEY = Uint8Array.of(0x37, 0xfa, 0x21, 0x3d);

/** The key of the example handshake in RFC 6455 1.3; its answer is `s3pPLMBiTxaQ9kYGzzhZRbK+xOo=`. */
export const SAMPLE_HANDSHAKE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** How long an await may last. It guards against a hang and is never part of what a test measures. */
const AWAIT_LIMIT_MS = 5_000;
/** Taken at load, so that a test's fake timers cannot disarm the guard. */
const { setTimeout: realSetTimeout, clearTimeout: realClearTimeout } = globalThis;

/** What to write as one frame. Everything may be wrong on purpose. */
export interface FrameFields {
  /** Default: true. */
  fin?: boolean;
  /** The three reserved bits as a number of 0 to 7, RSV1 being the 4. Default: 0. */
  rsv?: number;
  /** 0 to 15. */
  opcode: number;
  /** `true`: masked with {@link SAMPLE_KEY}, or with the 4 bytes given; `false`: not masked. Default: true. */
  mask?: boolean | Uint8Array;
  /** Strings are encoded as UTF-8. Default: empty. */
  payload?: string | Uint8Array;
  /** Overrides the length that the header declares and the form (7, 16 or 64 bits) it is written in. */
  length?: { declared?: number | bigint; bits?: 7 | 16 | 64 };
}

/** One frame from the server, already checked. */
export interface ServerFrame {
  fin: boolean;
  opcode: number;
  payload: Uint8Array;
}

/** The server's answer to the request head. Header names are in lower case; repeated ones are joined by `, `. */
export interface ServerResponse {
  status: number;
  reason: string;
  headers: Record<string, string>;
  /** The status line and the header lines, as sent. */
  head: string;
  body: string;
}

/** The payload of a Close frame; an empty one has no code. */
export interface ClosePayload {
  code: number | undefined;
  reason: string;
}

export interface RequestFields {
  /** Default: `/echo`. */
  path?: string;
  /** Added to the default headers, or put in place of the one with the same name; `null` leaves it out. */
  headers?: Record<string, string | null>;
}

export interface ConnectOptions extends RequestFields {
  host?: string;
  /** `false`: connect only, and write the request head by hand. Default: true. */
  sendHead?: boolean;
}

/** Bytes from hexadecimal digits; white space between them is ignored. */
export function hex(digits: string): Uint8Array {
  const packed = digits.replace(/\s+/g, '');
  if (!/^([0-9a-fA-F]{2})*$/.test(packed)) throw new TypeError(`not hexadecimal: ${digits}`);
  return Uint8Array.from(packed.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

/** The given byte runs, joined; strings are encoded as UTF-8. */
export function bytes(...parts: (string | Uint8Array)[]): Uint8Array {
  return new Uint8Array(
    Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : part))),
  );
}

/** The bytes of one frame (RFC 6455 5.2). */
export function frame(fields: FrameFields): Uint8Array {
  const payload = bytes(fields.payload ?? '');
  const key = maskingKey(fields.mask ?? true);
  const first = ((fields.fin ?? true) ? 0x80 : 0) | ((fields.rsv ?? 0) << 4) | fields.opcode;
  const length = lengthBytes(fields.length?.declared ?? payload.length, fields.length?.bits);
  length[0] = (length[0] ?? 0) | (key === undefined ? 0 : 0x80);
  if (key === undefined) return bytes(Uint8Array.of(first), length, payload);
  return bytes(Uint8Array.of(first), length, key, masked(payload, key));
}

export const textFrame = (payload: string | Uint8Array, fields: Partial<FrameFields> = {}): Uint8Array =>
  frame({ opcode: OPCODE.text, payload, ...fields });
export const binaryFrame = (payload: string | Uint8Array, fields: Partial<FrameFields> = {}): Uint8Array =>
  frame({ opcode: OPCODE.binary, payload, ...fields });
export const continuationFrame = (
  payload: string | Uint8Array,
  fields: Partial<FrameFields> = {},
): Uint8Array => frame({ opcode: OPCODE.continuation, payload, ...fields });
export const pingFrame = (payload: string | Uint8Array = '', fields: Partial<FrameFields> = {}): Uint8Array =>
  frame({ opcode: OPCODE.ping, payload, ...fields });
export const pongFrame = (payload: string | Uint8Array = '', fields: Partial<FrameFields> = {}): Uint8Array =>
  frame({ opcode: OPCODE.pong, payload, ...fields });
export const closeFrame = (
  code?: number,
  reason: string | Uint8Array = '',
  fields: Partial<FrameFields> = {},
): Uint8Array => frame({ opcode: OPCODE.close, payload: closePayload(code, reason), ...fields });

/** The payload of a Close frame (RFC 6455 5.5.1): nothing, or the code in two bytes and the reason. */
export function closePayload(code?: number, reason: string | Uint8Array = ''): Uint8Array {
  return code === undefined ? bytes(reason) : bytes(Uint8Array.of(code >> 8, code & 0xff), reason);
}

/** A message in fragments of at most `fragmentBytes` bytes (RFC 6455 5.4). */
export function fragmented(
  opcode: number,
  payload: string | Uint8Array,
  fragmentBytes: number,
): Uint8Array[] {
  const whole = bytes(payload);
  const frames: Uint8Array[] = [];
  for (let from = 0; from === 0 || from < whole.length; from += fragmentBytes) {
    const fin = from + fragmentBytes >= whole.length;
    const part = whole.subarray(from, from + fragmentBytes);
    frames.push(frame({ fin, opcode: from === 0 ? opcode : OPCODE.continuation, payload: part }));
  }
  return frames;
}

/** The head of an opening handshake (RFC 6455 4.1). */
export function requestHead(fields: RequestFields = {}, host = '127.0.0.1'): string {
  const headers: Record<string, string | null> = {
    Host: host,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': SAMPLE_HANDSHAKE_KEY,
    'Sec-WebSocket-Version': '13',
  };
  for (const [name, value] of Object.entries(fields.headers ?? {})) {
    const known = Object.keys(headers).find((each) => each.toLowerCase() === name.toLowerCase());
    headers[known ?? name] = value;
  }
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`],
  );
  return [`GET ${fields.path ?? '/echo'} HTTP/1.1`, ...lines, '', ''].join('\r\n');
}

/** The value of `Sec-WebSocket-Accept` that answers `key` (RFC 6455 4.2.2). */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** One TCP connection to the server under test. */
export class RawClient {
  static readonly #open = new Set<RawClient>();

  readonly #socket: net.Socket;
  readonly #frames: ServerFrame[] = [];
  #wakers: (() => void)[] = [];
  #received: Buffer[] = [];
  #receivedBytes = 0;
  #wantedBytes = 1;
  #response: ServerResponse | undefined;
  #closeSeen = false;
  #message: { opcode: number; parts: Uint8Array[] } | undefined;
  #ended: 'fin' | 'reset' | undefined;
  #fault: Error | undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    RawClient.#open.add(this);
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('end', () => this.#end('fin'));
    socket.on('error', () => this.#end('reset'));
    socket.on('close', () => {
      RawClient.#open.delete(this);
      this.#end('fin');
    });
  }

  /** Connects to `port` and, unless told otherwise, sends a right request head. */
  static async connect(port: number, options: ConnectOptions = {}): Promise<RawClient> {
    const host = options.host ?? '127.0.0.1';
    const socket = net.connect({ port, host, noDelay: true, allowHalfOpen: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const client = new RawClient(socket);
    if (options.sendHead ?? true) await client.sendBytes(bytes(requestHead(options, `${host}:${port}`)));
    return client;
  }

  /** Drops every connection that a test left open, without a word. For `afterEach`. */
  static destroyAll(): void {
    for (const client of RawClient.#open) client.destroy();
  }

  /** Our own port: names this connection on the server's side. */
  get localPort(): number | undefined {
    return this.#socket.localPort;
  }

  /** Awaits `101 Switching Protocols`, and checks what RFC 6455 4.1 tells a client to check. */
  async handshake(key = SAMPLE_HANDSHAKE_KEY): Promise<ServerResponse> {
    const response = await this.response();
    if (response.status !== 101) throw new Error(`handshake refused: ${response.head}\n${response.body}`);
    const { upgrade, connection, 'sec-websocket-accept': accept } = response.headers;
    if (upgrade?.toLowerCase() !== 'websocket')
      throw new Error(`101 without Upgrade: websocket: ${response.head}`);
    if (connection?.toLowerCase() !== 'upgrade')
      throw new Error(`101 without Connection: Upgrade: ${response.head}`);
    if (accept !== acceptFor(key)) throw new Error(`101 with a wrong Sec-WebSocket-Accept: ${response.head}`);
    return response;
  }

  /** The server's answer to the request head; if it is not a 101, then with the body up to its end. */
  async response(): Promise<ServerResponse> {
    const head = await this.#until('a response head', () => this.#response);
    if (head.status === 101) return head;
    await this.ended();
    return { ...head, body: Buffer.concat(this.#received).toString('latin1') };
  }

  /** Writes bytes as they are, given as such or as hexadecimal digits, in one piece. */
  async sendBytes(data: Uint8Array | string): Promise<void> {
    await this.#write(typeof data === 'string' ? hex(data) : data);
  }

  /** Writes one frame, in one piece. */
  async sendFrame(fields: FrameFields): Promise<void> {
    await this.#write(frame(fields));
  }

  /**
   * Writes bytes in pieces, giving the event loop a turn after each, so that they arrive one by one. Stops
   * early when the server has sent its Close or ended: what is left could not change what has been answered.
   */
  async sendSplit(data: Uint8Array, way: Way): Promise<void> {
    for (const piece of split(data, way)) {
      if (this.#closeSeen || this.#ended !== undefined) return;
      await this.#write(piece);
      await turn();
    }
  }

  /** The next frame from the server. Rejects if the server broke the protocol, or ended first. */
  async nextFrame(): Promise<ServerFrame> {
    return await this.#until('a frame', () => this.#frames.shift());
  }

  /** The next frame, which must be a Close. */
  async closeFrame(): Promise<ClosePayload> {
    const next = await this.#until('a Close frame', () => this.#frames.shift());
    if (next.opcode !== OPCODE.close)
      throw new Error(`expected a Close frame, received ${nameOfFrame(next)}`);
    return parseClose(next.payload);
  }

  /**
   * How the server ended the TCP connection: by a FIN or by a reset. Frames not taken yet stay. Rejects if the
   * server has broken the protocol, such as by a frame after its Close.
   */
  async ended(): Promise<'fin' | 'reset'> {
    return await this.#until('the end of the TCP connection', () => this.#ended, { ofEnd: true });
  }

  /** The frames that have arrived and that nobody has taken. */
  get waitingFrames(): readonly ServerFrame[] {
    return this.#frames;
  }

  /** Whether the server has ended the TCP connection, as far as has been read. */
  get hasEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Ends our side of the TCP connection; the server's side stays open. */
  fin(): void {
    this.#socket.end();
  }

  /** Breaks the TCP connection with a RST. */
  reset(): void {
    this.#socket.resetAndDestroy();
  }

  /** Drops the TCP connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Stops reading, so that the server's writes pile up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async #write(data: Uint8Array): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableEnded || data.length === 0) return;
    if (this.#socket.write(data)) return;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#socket.off('drain', done);
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('drain', done);
      this.#socket.on('close', done);
    });
  }

  #take(chunk: Buffer): void {
    this.#received.push(chunk);
    this.#receivedBytes += chunk.length;
    if (this.#receivedBytes >= this.#wantedBytes) this.#parse();
    this.#wake();
  }

  #end(how: 'fin' | 'reset'): void {
    this.#ended ??= how;
    this.#wake();
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const waker of wakers) waker();
  }

  /** Takes out of what has arrived all that is whole, and notes how many bytes the next step needs. */
  #parse(): void {
    if (this.#fault !== undefined) return;
    let rest: Buffer = Buffer.concat(this.#received);
    try {
      if (this.#response === undefined) rest = this.#parseHead(rest);
      while (this.#response?.status === 101) {
        const parsed = parseServerFrame(rest);
        if (typeof parsed === 'number') {
          this.#wantedBytes = parsed;
          break;
        }
        this.#accept(parsed.frame);
        rest = rest.subarray(parsed.size);
      }
    } catch (error) {
      this.#fault = error instanceof Error ? error : new Error(String(error));
    }
    this.#received = rest.length === 0 ? [] : [rest];
    this.#receivedBytes = rest.length;
  }

  #parseHead(rest: Buffer): Buffer {
    const end = rest.indexOf('\r\n\r\n');
    if (end === -1) return rest;
    this.#response = parseResponseHead(rest.toString('latin1', 0, end));
    return rest.subarray(end + 4);
  }

  /** The rules between frames: nothing after a Close, fragments in order, text that is UTF-8. */
  #accept(next: ServerFrame): void {
    if (this.#closeSeen) throw new Error(`the server sent ${nameOfFrame(next)} after its Close (5.5.1)`);
    if (next.opcode === OPCODE.close) this.#closeSeen = true;
    if (next.opcode < OPCODE.close) this.#acceptFragment(next);
    this.#frames.push(next);
  }

  #acceptFragment(next: ServerFrame): void {
    const isContinuation = next.opcode === OPCODE.continuation;
    if (isContinuation !== (this.#message !== undefined))
      throw new Error(`the server sent ${nameOfFrame(next)} out of order (5.4)`);
    this.#message ??= { opcode: next.opcode, parts: [] };
    this.#message.parts.push(next.payload);
    if (!next.fin) return;
    if (this.#message.opcode === OPCODE.text && !isUtf8(Buffer.concat(this.#message.parts)))
      throw new Error('the server sent a text message that is not UTF-8 (5.6)');
    this.#message = undefined;
  }

  async #until<T>(what: string, take: () => T | undefined, { ofEnd = false } = {}): Promise<T> {
    let isLate = false;
    let guard: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        if (this.#fault !== undefined && ofEnd) throw this.#fault;
        const taken = take();
        if (taken !== undefined) return taken;
        if (this.#fault !== undefined) throw this.#fault;
        if (this.#ended !== undefined && !ofEnd)
          throw new Error(`the connection ended (${this.#ended}) while a test awaited ${what}`);
        if (isLate) throw new Error(`${what} did not come within ${AWAIT_LIMIT_MS} ms; ${this.#describe()}`);
        guard ??= realSetTimeout(() => {
          isLate = true;
          this.#wake();
        }, AWAIT_LIMIT_MS);
        await new Promise<void>((resolve) => this.#wakers.push(resolve));
      }
    } finally {
      realClearTimeout(guard);
    }
  }

  #describe(): string {
    const frames = this.#frames.map(nameOfFrame).join(', ') || 'none';
    return `frames waiting: ${frames}; bytes unread: ${this.#receivedBytes}; ended: ${this.#ended ?? 'no'}`;
  }
}

/** The code and the reason of a Close frame's payload; throws where RFC 6455 5.5.1 or 7.4 is broken. */
export function parseClose(payload: Uint8Array): ClosePayload {
  if (payload.length === 0) return { code: undefined, reason: '' };
  if (payload.length === 1) throw new Error('the server sent a Close frame of 1 byte (5.5.1)');
  const code = ((payload[0] ?? 0) << 8) | (payload[1] ?? 0);
  return {
    code,
    reason: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload.subarray(2)),
  };
}

/** `text "hello"`, `ping (3 bytes)` and the like, for messages. */
export function nameOfFrame(frame: ServerFrame): string {
  const name = Object.entries(OPCODE).find(([, opcode]) => opcode === frame.opcode)?.[0];
  const payload = Buffer.from(frame.payload);
  if (name === 'close') {
    const { code, reason } = parseClose(payload);
    return `close ${code ?? 'without a code'} ${JSON.stringify(reason)}`;
  }
  const shown =
    payload.length <= 64 && isUtf8(payload)
      ? JSON.stringify(payload.toString())
      : `(${payload.length} bytes)`;
  return `${name ?? `opcode ${frame.opcode}`}${frame.fin ? '' : ' without FIN'} ${shown}`;
}

/** One frame off the front of `received`, or the number of bytes that are needed to go on. */
function parseServerFrame(received: Buffer): { frame: ServerFrame; size: number } | number {
  if (received.length < 2) return 2;
  const first = received.readUInt8(0);
  const second = received.readUInt8(1);
  const opcode = first & 0x0f;
  const fin = first >= 0x80;
  if ((first & 0x70) !== 0) throw new Error('the server set a reserved bit without an extension (5.2)');
  if (!Object.values<number>(OPCODE).includes(opcode))
    throw new Error(`the server sent opcode ${opcode} (5.2)`);
  if (second >= 0x80) throw new Error('the server masked a frame (5.1)');
  const headerSize = second === 127 ? 10 : second === 126 ? 4 : 2;
  if (opcode >= OPCODE.close && (!fin || second > 125))
    throw new Error('the server sent a control frame that is fragmented or longer than 125 bytes (5.5)');
  if (received.length < headerSize) return headerSize;
  const length = payloadLength(received, second);
  if (received.length < headerSize + length) return headerSize + length;
  const payload = new Uint8Array(received.subarray(headerSize, headerSize + length));
  return { frame: { fin, opcode, payload }, size: headerSize + length };
}

function payloadLength(received: Buffer, second: number): number {
  if (second < 126) return second;
  const length = second === 126 ? received.readUInt16BE(2) : Number(received.readBigUInt64BE(2));
  const isMinimal = second === 126 ? length > 125 : length > 0xffff;
  if (!isMinimal) throw new Error(`the server wrote the length ${length} in more bytes than needed (5.2)`);
  return length;
}

function parseResponseHead(head: string): ServerResponse {
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
  return { status: Number(status[1]), reason: status[2] ?? '', headers, head, body: '' };
}

function maskingKey(mask: boolean | Uint8Array): Uint8Array | undefined {
  if (mask === false) return undefined;
  return mask === true ? SAMPLE_KEY : mask;
}

/** RFC 6455 5.3: octet i of the result is octet i of the data XOR octet (i modulo 4) of the key. */
function masked(payload: Uint8Array, key: Uint8Array): Uint8Array {
  const result = new Uint8Array(payload.length);
  for (let i = 0; i < payload.length; i += 1) result[i] = (payload[i] ?? 0) ^ (key[i & 3] ?? 0);
  return result;
}

function lengthBytes(declared: number | bigint, bits?: 7 | 16 | 64): Uint8Array {
  const form = bits ?? (declared <= 125 ? 7 : declared <= 0xffff ? 16 : 64);
  if (form === 7) return Uint8Array.of(Number(declared));
  const written = Buffer.alloc(form === 16 ? 3 : 9);
  written.writeUInt8(form === 16 ? 126 : 127, 0);
  if (form === 16) written.writeUInt16BE(Number(declared), 1);
  else written.writeBigUInt64BE(BigInt(declared), 1);
  return new Uint8Array(written);
}
