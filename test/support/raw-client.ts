/**
 * A WebSocket client over TCP, for tests: the peer of `src/testing/peer.ts` on a socket. It writes the bytes it is told to,
 * right or wrong, and sends nothing that a test did not ask for (no Close, no Pong, no FIN). A server that breaks the
 * protocol makes its promises reject.
 */
import { Buffer, isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import type net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Extension } from '../../src/io/extensions/extension.ts';
import { TcpTransport } from '../../src/io/transports/tcp.ts';
import { encodeClientFrame } from '../../src/testing/frames.ts';
import {
  requestHead as headOf,
  type ServerResponse as ResponseHead,
  SAMPLE_HANDSHAKE_KEY,
} from '../../src/testing/handshake.ts';
import { ClientPeer, type PeerFrame } from '../../src/testing/peer.ts';
import { dial, reset } from './carrier.ts';
import { PATIENCE_MS } from './patience.ts';
import { split, type Way } from './splits.ts';

export { SAMPLE_HANDSHAKE_KEY };

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

/** One frame from the server, already checked. The payload of a fragment of text ends at a whole character. */
export interface ServerFrame {
  fin: boolean;
  opcode: number;
  payload: Uint8Array;
}

/** The server's answer to the request head. */
export interface ServerResponse extends ResponseHead {
  readonly body: string;
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
  /** Reads the server's messages that have RSV1 set. Without it, they break the protocol. */
  extension?: Extension | undefined;
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
export function frame({ opcode, fin, rsv, mask = true, payload, length }: FrameFields): Uint8Array {
  const key = mask instanceof Uint8Array ? Buffer.from(mask).readInt32LE() : undefined;
  const { declared: declaredBytes, bits: lengthBits } = length ?? {};
  return encodeClientFrame({
    opcode,
    payload,
    final: fin,
    rsv,
    masked: mask !== false,
    key,
    declaredBytes,
    lengthBits,
  });
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
export function requestHead({ path = '/echo', headers }: RequestFields = {}, host = '127.0.0.1'): string {
  return headOf(path, host, headers);
}

/** The value of `Sec-WebSocket-Accept` that answers `key` (RFC 6455 4.2.2). */
export function acceptFor(key: string): string {
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');
}

/** One TCP connection to the server under test. */
export class RawClient {
  static readonly #open = new Set<RawClient>();

  readonly #socket: net.Socket;
  readonly #transport: TcpTransport;
  readonly #peer: ClientPeer;
  readonly #frames: ServerFrame[] = [];

  private constructor(socket: net.Socket, extension?: Extension) {
    this.#socket = socket;
    RawClient.#open.add(this);
    this.#transport = new TcpTransport(socket);
    const onFrame = (frame: PeerFrame) => void this.#frames.push(asServerFrame(frame));
    this.#peer = new ClientPeer(this.#transport, { onFrame }, extension);
    socket.on('close', () => RawClient.#open.delete(this));
  }

  /** Connects to `port` and, unless told otherwise, sends a right request head. */
  static async connect(port: number, options: ConnectOptions = {}): Promise<RawClient> {
    const host = options.host ?? '127.0.0.1';
    const client = new RawClient(await dial(port, host), options.extension);
    if (options.sendHead ?? true) await client.sendBytes(bytes(requestHead(options, `${host}:${port}`)));
    return client;
  }

  /** Drops every connection that a test left open, without a Close. For `afterEach`. */
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
    const head = await this.#until('a response head', () => this.#peer.response);
    if (head.status !== 101) await this.ended();
    return { ...head, body: this.#peer.body.toString('latin1') };
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
      if (this.#peer.close !== undefined || this.hasEnded) return;
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
    return await this.#until('the end of the TCP connection', () => this.#peer.ended, { ofEnd: true });
  }

  /** The frames that have arrived and that nobody has taken. */
  get waitingFrames(): readonly ServerFrame[] {
    return this.#frames;
  }

  /** Whether the server has ended the TCP connection, as far as has been read. */
  get hasEnded(): boolean {
    return this.#peer.ended !== undefined;
  }

  /** Ends our side of the TCP connection; the server's side stays open. */
  fin(): void {
    this.#socket.end();
  }

  /** Breaks the TCP connection with a RST. */
  reset(): void {
    reset(this.#socket);
  }

  /** Drops the TCP connection. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Stops reading, so that the server's writes pile up. */
  pause(): void {
    this.#transport.pause();
  }

  resume(): void {
    this.#transport.resume();
  }

  async #write(data: Uint8Array): Promise<void> {
    const taken = this.#peer.send(data);
    if (this.#socket.writableNeedDrain) await taken;
  }

  /** Who awaits the end wants to hear of a violation first; the others when there is nothing left to take. */
  async #until<T>(what: string, take: () => T | undefined, { ofEnd = false } = {}): Promise<T> {
    const peer = this.#peer;
    const taken = await peer.until(() => {
      if (peer.violation !== undefined && ofEnd) throw new Error(peer.violation);
      const taken = take();
      if (taken !== undefined) return taken;
      if (peer.violation !== undefined) throw new Error(peer.violation);
      if (peer.ended !== undefined)
        throw new Error(`the connection ended (${peer.ended}) while a test awaited ${what}`);
      return undefined;
    }, PATIENCE_MS);
    if (taken !== undefined) return taken;
    const waiting = this.#frames.map(nameOfFrame).join(', ') || 'none';
    throw new Error(`${what} did not come within ${PATIENCE_MS} ms; frames waiting: ${waiting}`);
  }
}

const asServerFrame = ({ opcode, final, data }: PeerFrame): ServerFrame => ({
  fin: final,
  opcode,
  payload: bytes(data),
});

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
