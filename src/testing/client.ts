/**
 * The other side of a connection, for tests: a client in memory. It behaves well unless a test makes it misbehave.
 *
 * It answers Pings and Closes as a browser does. Each of its promises resolves with what was awaited, or rejects with an
 * error that says what happened instead.
 */
import { Buffer } from 'node:buffer';
import { ABNORMAL, type ClosePayload, encodeClosePayload } from '../io/frames/close-payload.ts';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from '../io/frames/frame-encoder.ts';
import type { MemoryTransport } from '../io/transports/memory.ts';
import { type ClientFrame, encodeClientFrame } from './frames.ts';
import { requestHead } from './handshake.ts';
import { ClientPeer, type PeerFrame } from './peer.ts';

export type TestMessage = string | Uint8Array;

/** How a client connects. */
export interface ConnectOptions {
  /** More headers, or other values for the usual ones; null leaves one out. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined;
  readonly origin?: string | undefined;
  /** Subprotocols to offer, best first. */
  readonly subprotocols?: readonly string[] | undefined;
  /** The client's address. Default `127.0.0.1`. */
  readonly remoteAddress?: string | undefined;
  /** Answers pings. Default true. */
  readonly pongs?: boolean | undefined;
  /** Answers a Close. Default true. */
  readonly answersClose?: boolean | undefined;
  /** Real milliseconds that an await may last: a guard against a test that hangs. Default 4000. */
  readonly patience?: number | undefined;
}

/** How a connection ended, as a client sees it: 1005 for an empty Close, 1006 for none. */
export interface ClientClose {
  readonly code: number;
  readonly reason: string;
  /** The server sent a Close. */
  readonly wasClean: boolean;
}

/** The server answered the handshake with something else than 101. */
export class HandshakeRefused extends Error {
  override readonly name = 'HandshakeRefused';
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  constructor(status: number, headers: Readonly<Record<string, string>>, body: string) {
    super(`the handshake was answered with ${status}: ${body.trim()}`);
    this.status = status;
    this.headers = headers;
    this.body = body;
  }
}

/**
 * A client in a test.
 *
 * Many members: a test makes it do whatever a client can do, right or wrong.
 */
export class TestClient implements AsyncIterable<TestMessage> {
  /** Each message so far, taken or not. */
  readonly received: TestMessage[] = [];
  /** The payload of each Ping so far. */
  readonly pings: Uint8Array[] = [];
  /** How it ended; never rejects. */
  readonly closed: Promise<ClientClose>;

  readonly #transport: MemoryTransport;
  readonly #options: ConnectOptions;
  readonly #peer: ClientPeer;
  readonly #pongs: Uint8Array[] = [];
  #taken = 0;
  #pongsTaken = 0;
  #sentClose = false;
  #end: ClientClose | undefined;
  #tellClosed: (close: ClientClose) => void = () => {};

  /** @internal Made by `connect`. */
  constructor(transport: MemoryTransport, path: string, options: ConnectOptions) {
    this.#transport = transport;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
    this.#peer = new ClientPeer(transport, {
      onFrame: (frame) => this.#take(frame),
      onEnd: () => {
        transport.end();
        this.#ended(this.#peer.close);
      },
      onViolation: () => this.drop(),
    });
    const { headers, origin, subprotocols } = options;
    const usual = { Origin: origin, 'Sec-WebSocket-Protocol': subprotocols?.join(', ') };
    this.sendBytes(Buffer.from(requestHead(path, 'test', { ...usual, ...headers }), 'latin1'));
  }

  /** @internal Awaits the 101. */
  async opened(): Promise<this> {
    const { status, headers } = await this.#until('an answer to the handshake', () => this.#peer.response);
    if (status === 101) return this;
    await this.closed;
    throw new HandshakeRefused(status, headers, this.#peer.body.toString());
  }

  /** The headers of the 101 answer; names in lower case. */
  get headers(): Readonly<Record<string, string>> {
    return this.#peer.response?.headers ?? {};
  }

  /** The subprotocol that the server chose, or an empty string. */
  get subprotocol(): string {
    return this.headers['sec-websocket-protocol'] ?? '';
  }

  // ------------------------------------------------------------------ a client that behaves

  /** Sends a message: a string as text, bytes as binary. */
  send(message: TestMessage): void {
    this.sendFrame({ opcode: opcodeOf(message), payload: message });
  }

  /** Sends one message in fragments. */
  sendFragments(pieces: Iterable<TestMessage>): void {
    const all = [...pieces];
    all.forEach((payload, n) => {
      const opcode = n === 0 ? opcodeOf(payload) : CONTINUATION;
      this.sendFrame({ opcode, payload, final: n === all.length - 1 });
    });
  }

  /** Sends a Ping; resolves with the payload of the Pong that answers. */
  async ping(payload: TestMessage = ''): Promise<Uint8Array> {
    const nth = this.#pongsTaken++;
    this.sendFrame({ opcode: PING, payload });
    return this.#until('a Pong', () => this.#pongs[nth]);
  }

  /** Sends a Pong that nobody asked for. */
  pong(payload: TestMessage = ''): void {
    this.sendFrame({ opcode: PONG, payload });
  }

  /** The next message. Rejects when the connection ends before one comes. */
  async message(): Promise<TestMessage> {
    const nth = this.#taken++;
    return this.#until('a message', () => this.received[nth]);
  }

  /** Each message from the next one on, until the connection ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TestMessage, void> {
    for (;;) {
      const nth = this.#taken;
      await this.#peer.until(() => this.received[nth] ?? this.#end);
      const message = this.received[nth];
      if (message === undefined) return;
      this.#taken++;
      yield message;
    }
  }

  /** Sends a Close; resolves when the connection has ended. Any code, also those that may not be sent. */
  close(code = 1000, reason = ''): Promise<ClientClose> {
    this.sendFrame({ opcode: CLOSE, payload: encodeClosePayload(code, reason) });
    return this.closed;
  }

  // ------------------------------------------------------------------ a client that misbehaves

  /** Sends one frame, right or wrong. */
  sendFrame(frame: ClientFrame): void {
    if (frame.opcode === CLOSE) this.#sentClose = true;
    this.sendBytes(encodeClientFrame(frame));
  }

  /** Sends the first bytes of a message's frame, and keeps the rest. */
  sendTruncated(message: TestMessage, bytes: number): void {
    this.sendBytes(encodeClientFrame({ opcode: opcodeOf(message), payload: message }).subarray(0, bytes));
  }

  /** Sends bytes as they are. */
  sendBytes(bytes: Uint8Array): void {
    this.#peer.send(bytes.slice());
  }

  /** Stops reading, and so answers nothing: what the server sends waits at the server. */
  stall(): void {
    this.#transport.pause();
  }

  /** Reads again. */
  resume(): void {
    this.#transport.resume();
  }

  /** Ends the connection without a Close (TCP: FIN). */
  drop(): void {
    this.#transport.destroy();
    this.#ended(this.#peer.close);
  }

  /** Breaks the connection (TCP: RST); what is on its way is lost. */
  reset(): void {
    this.#transport.reset();
    this.#ended(this.#peer.close);
  }

  // ------------------------------------------------------------------ reading

  #take({ opcode, data, message }: PeerFrame): void {
    const { pongs = true, answersClose = true } = this.#options;
    if (message !== undefined) this.received.push(message);
    if (opcode === PONG) this.#pongs.push(data as Uint8Array); // the data of a control frame are bytes
    if (opcode === PING) {
      this.pings.push(data as Uint8Array);
      if (pongs) this.pong(data);
    }
    if (opcode === CLOSE && answersClose && !this.#sentClose) {
      this.sendFrame({ opcode: CLOSE, payload: (data as Uint8Array).subarray(0, 2) });
    }
  }

  /** `close` is what the server's Close frame said, if one came. */
  #ended(close: ClosePayload | undefined): void {
    if (this.#end !== undefined) return;
    const { violation } = this.#peer;
    this.#end =
      close === undefined || violation !== undefined
        ? { code: ABNORMAL, reason: violation ?? '', wasClean: false }
        : { ...close, wasClean: true };
    this.#tellClosed(this.#end);
    this.#peer.wake();
  }

  /** Waits until `look` finds something. */
  async #until<T>(wanted: string, look: () => T | undefined): Promise<T> {
    const { patience = 4_000 } = this.#options;
    const found = await this.#peer.until(() => {
      const found = look();
      if (found !== undefined || this.#end === undefined) return found;
      throw new Error(`the connection ended before ${wanted} came: ${described(this.#end)}`);
    }, patience);
    if (found === undefined) throw new Error(`${wanted} did not come within ${patience} ms`);
    return found;
  }
}

function opcodeOf(message: TestMessage): number {
  return typeof message === 'string' ? TEXT : BINARY;
}

function described({ code, reason }: ClientClose): string {
  return `${code}${reason === '' ? '' : ` ${JSON.stringify(reason)}`}`;
}
