/**
 * The other side of a connection, for tests: a well-behaved client in memory, until it is told to misbehave.
 *
 * It answers pings and Closes as a browser does. What it awaits either comes, or rejects saying what came instead.
 */
import { Buffer } from 'node:buffer';
import { ABNORMAL, encodeClosePayload, NO_STATUS } from '../io/frames/close-payload.ts';
import { BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT } from '../io/frames/frame-encoder.ts';
import { guard } from '../io/time/clock.ts';
import type { MemoryTransport } from '../io/transports/memory.ts';
import { type ClientFrame, encodeClientFrame, ServerFrames } from './frames.ts';

export type TestMessage = string | Uint8Array;

/** How a client calls. */
export interface ConnectOptions {
  /** More headers, or others in place of the usual ones; null leaves one out. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined;
  readonly origin?: string | undefined;
  /** Subprotocols to offer, best first. */
  readonly subprotocols?: readonly string[] | undefined;
  /** Where the call comes from. Default `127.0.0.1`. */
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
  /** The server said Close. */
  readonly wasClean: boolean;
}

/** The server's answer to the handshake was no 101. */
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

interface Response {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** The example of RFC 6455 1.3. */
const HANDSHAKE_KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

export class TestClient implements AsyncIterable<TestMessage> {
  /** Each message so far, taken or not. */
  readonly received: TestMessage[] = [];
  /** The payload of each Ping so far. */
  readonly pings: Uint8Array[] = [];
  /** How it ended; never rejects. */
  readonly closed: Promise<ClientClose>;

  readonly #transport: MemoryTransport;
  readonly #options: ConnectOptions;
  readonly #frames = new ServerFrames();
  readonly #pongs: Uint8Array[] = [];
  #head = Buffer.alloc(0);
  #response: Response | undefined;
  #parts: Uint8Array[] = [];
  #isText = false;
  #taken = 0;
  #pongsTaken = 0;
  #sentClose = false;
  #theirs: ClientClose | undefined;
  #end: ClientClose | undefined;
  #tellClosed: (close: ClientClose) => void = () => {};
  /** Who waits for something to happen. */
  #waiting: (() => void)[] = [];

  /** @internal Made by `connect`. */
  constructor(transport: MemoryTransport, path: string, options: ConnectOptions) {
    this.#transport = transport;
    this.#options = options;
    this.closed = new Promise((resolve) => {
      this.#tellClosed = resolve;
    });
    transport.attach({
      onBytes: (chunk) => this.#read(chunk),
      onDrain: () => {},
      onEnd: () => {
        this.#transport.end();
        this.#ended();
      },
      onError: () => this.#ended(),
      onClosed: () => this.#ended(),
    });
    this.sendBytes(requestHead(path, options));
  }

  /** @internal Awaits the 101. */
  async opened(): Promise<this> {
    await this.#until('an answer to the handshake', () => this.#response);
    const { status, headers } = this.#response as Response; // awaited above
    if (status === 101) return this;
    await this.closed;
    throw new HandshakeRefused(status, headers, this.#head.toString());
  }

  /** The headers of the 101 answer; names in lower case. */
  get headers(): Readonly<Record<string, string>> {
    return this.#response?.headers ?? {};
  }

  /** The subprotocol agreed on, or an empty string. */
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
    await this.#until('a Pong', () => this.#pongs.length > nth || undefined);
    return this.#pongs[nth] as Uint8Array; // awaited above
  }

  /** Sends a Pong that nobody asked for. */
  pong(payload: TestMessage = ''): void {
    this.sendFrame({ opcode: PONG, payload });
  }

  /** The next message. Rejects when the connection ends before one comes. */
  async message(): Promise<TestMessage> {
    const nth = this.#taken++;
    await this.#until('a message', () => this.received.length > nth || undefined);
    return this.received[nth] as TestMessage; // awaited above
  }

  /** Each message from the next one on, until the connection ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<TestMessage, void> {
    for (;;) {
      const nth = this.#taken;
      while (this.received.length <= nth && this.#end === undefined) await this.#change();
      if (this.received.length <= nth) return;
      this.#taken++;
      yield this.received[nth] as TestMessage; // just looked
    }
  }

  /** Sends a Close; resolves when the connection has ended. Any code, also those that may not be sent. */
  close(code = 1000, reason = ''): Promise<ClientClose> {
    this.sendFrame({ opcode: CLOSE, payload: encodeClosePayload(code, reason) });
    return this.closed;
  }

  // ------------------------------------------------------------------ one that does not

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
    this.#transport.write([bytes.slice()]);
  }

  /** Reads no more, and so answers nothing: what the server sends piles up on its side. */
  stall(): void {
    this.#transport.pause();
  }

  /** Reads on. */
  resume(): void {
    this.#transport.resume();
  }

  /** Ends its side without a Close (TCP: FIN), and is gone. */
  drop(): void {
    this.#transport.destroy();
    this.#ended();
  }

  /** Breaks the connection (TCP: RST); what is on its way is lost. */
  reset(): void {
    this.#transport.reset();
    this.#ended();
  }

  // ------------------------------------------------------------------ reading

  #read(chunk: Uint8Array): void {
    if (this.#response?.status === 101) this.#frames.push(chunk);
    else this.#readHead(chunk);
    for (let frame = this.#frames.next(); frame !== undefined; frame = this.#frames.next()) {
      if (frame.opcode >= CLOSE) this.#takeControl(frame.opcode, frame.payload);
      else this.#takeData(frame.opcode, frame.payload, frame.final);
    }
    this.#changed();
  }

  #readHead(chunk: Uint8Array): void {
    this.#head = Buffer.concat([this.#head, chunk]);
    const end = this.#response === undefined ? this.#head.indexOf('\r\n\r\n') : -1;
    if (end < 0) return;
    const [statusLine = '', ...lines] = this.#head.toString('latin1', 0, end).split('\r\n');
    const fields = lines.map((line): [string, string] => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    });
    this.#response = { status: Number(statusLine.split(' ')[1]), headers: Object.fromEntries(fields) };
    this.#head = this.#head.subarray(end + 4);
    if (this.#response.status === 101) this.#frames.push(this.#head);
  }

  #takeData(opcode: number, payload: Uint8Array, final: boolean): void {
    if (opcode !== CONTINUATION) this.#isText = opcode === TEXT;
    this.#parts.push(payload);
    if (!final) return;
    const bytes = Buffer.concat(this.#parts.splice(0));
    this.received.push(this.#isText ? bytes.toString() : new Uint8Array(bytes));
  }

  #takeControl(opcode: number, payload: Uint8Array): void {
    const { pongs = true, answersClose = true } = this.#options;
    if (opcode === PONG) this.#pongs.push(payload);
    if (opcode === PING) {
      this.pings.push(payload);
      if (pongs) this.pong(payload);
    }
    if (opcode !== CLOSE) return;
    const bytes = Buffer.from(payload);
    const code = bytes.length < 2 ? NO_STATUS : bytes.readUInt16BE(0);
    this.#theirs = { code, reason: bytes.toString('utf8', 2), wasClean: true };
    if (answersClose && !this.#sentClose) this.sendFrame({ opcode: CLOSE, payload: payload.subarray(0, 2) });
  }

  #ended(): void {
    if (this.#end !== undefined) return;
    this.#end = this.#theirs ?? { code: ABNORMAL, reason: '', wasClean: false };
    this.#tellClosed(this.#end);
    this.#changed();
  }

  #changed(): void {
    for (const tell of this.#waiting.splice(0)) tell();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** Waits until `look` finds something. */
  async #until(wanted: string, look: () => unknown): Promise<void> {
    let outOfPatience = false;
    const { patience = 4_000 } = this.#options;
    const stop = guard(patience, () => {
      outOfPatience = true;
      this.#changed();
    });
    try {
      while (look() === undefined) {
        if (this.#end !== undefined)
          throw new Error(`the connection ended before ${wanted} came: ${described(this.#end)}`);
        if (outOfPatience) throw new Error(`${wanted} did not come within ${patience} ms`);
        await this.#change();
      }
    } finally {
      stop();
    }
  }
}

function opcodeOf(message: TestMessage): number {
  return typeof message === 'string' ? TEXT : BINARY;
}

function described({ code, reason }: ClientClose): string {
  return `${code}${reason === '' ? '' : ` ${JSON.stringify(reason)}`}`;
}

/** The head of an opening handshake (RFC 6455 4.1). */
function requestHead(path: string, { headers = {}, origin, subprotocols }: ConnectOptions): Uint8Array {
  const fields: Record<string, string | null | undefined> = {
    Host: 'test',
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': HANDSHAKE_KEY,
    Origin: origin,
    'Sec-WebSocket-Protocol': subprotocols?.join(', '),
  };
  for (const [name, value] of Object.entries(headers)) {
    const known = Object.keys(fields).find((each) => each.toLowerCase() === name.toLowerCase());
    fields[known ?? name] = value;
  }
  const lines = Object.entries(fields).flatMap(([name, value]) =>
    value == null ? [] : [`${name}: ${value}`],
  );
  return Buffer.from([`GET ${path} HTTP/1.1`, ...lines, '', ''].join('\r\n'), 'latin1');
}
