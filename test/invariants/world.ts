/**
 * One connection under random commands: a server, a client that writes bytes, and a record of all that both see. The
 * invariants are asked of that record, after every command and at the end.
 */
import { Buffer } from 'node:buffer';
import net from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import {
  type CloseReport,
  type Connection,
  createServer,
  InternalError,
  LimitError,
  ProtocolError,
  type Server,
} from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { HandleTcpListener } from '../../src/io/transports/handle-tcp.ts';
import { MemoryListener, type MemoryTransport } from '../../src/io/transports/memory.ts';
import { TcpListener } from '../../src/io/transports/tcp.ts';
import type { Listener, TransportListener } from '../../src/io/transports/transport.ts';
import type { ConnectionState, Decision } from '../../src/machines/connection-ports.ts';
import { PersistentPeer } from '../support/deflate-peer.ts';
import { requestHead, textFrame } from '../support/raw-client.ts';
import { type Tap, TappedListener } from '../support/tapped-listener.ts';
import { Wire } from './wire.ts';

/** What a handler does with the next message. */
export type Doing = 'nothing' | 'send' | 'throw' | 'wait' | 'close' | 'terminate' | 'pause';

export interface Setting {
  readonly carrier: 'memory' | 'handle' | 'socket';
  /** Of memory: bytes on their way at most, bytes told at a time at most, and whether they are only lent. */
  readonly capacityBytes: number;
  readonly chunkBytes: number;
  readonly shared: boolean;
  readonly overflow: 'close' | 'drop' | 'drop-oldest';
  /** How messages are compressed, if they are. */
  readonly deflate: 'shared' | 'contexts' | undefined;
  /** Somebody inspects: then every frame is an event. */
  readonly inspected: boolean;
  /** The client answers our Close with its own (5.5.1). */
  readonly answers: boolean;
  /** How it ends when it has not ended by then. */
  readonly ending: 'silence' | 'fin' | 'reset' | 'close' | 'stop';
}

export const CAP = 200;
export const MAX_FRAGMENTS = 5;
const SEND_LIMIT = 4000;
/** A window that is soon full. */
const WINDOW_BITS = 9;
const DEADLINES = {
  closeDeadline: 5_000,
  heartbeatInterval: 25_000,
  pongDeadline: 20_000,
  messageDeadline: 30_000,
  writeDeadline: 60_000,
};

/** The client's side of a byte stream, by memory or by TCP. */
interface Peer {
  write(bytes: Uint8Array): void;
  end(): void;
  reset(): void;
  pause(): void;
  resume(): void;
}

export class World {
  readonly clock = new ManualClock();
  /** What the server wrote, and what of it the client has read. */
  readonly written: Wire;
  readonly wire: Wire;
  readonly setting: Setting;
  /** Another connection of the same server, in memory alone: it shares the memory that all write from. */
  bystander: Bystander | undefined;
  /** Messages that a handler was given while it held reading back. */
  readonly intruders: string[] = [];
  /** What the connection's streams told, in order; `closed` is among them. */
  readonly told: string[] = [];
  /** The user held messages back when `closed` was told. */
  heldAtEnd = false;
  readonly delivered: string[] = [];
  readonly handled: string[] = [];
  readonly states: ConnectionState[] = [];
  readonly reports: CloseReport[] = [];
  /** Every text that `send` was given. */
  readonly texts = new Set<string>();
  /** Impossible states that were reached. */
  readonly breaks: string[] = [];
  /** Faults that the server blames on the client. */
  readonly blames: string[] = [];
  /** Numbers of the messages that `send` took, and of those begun by `sendFragments`. */
  readonly sent: number[] = [];
  /** Of those, the ones that a message under way in fragments held back: a close may overtake them. */
  readonly heldBack = new Set<number>();
  readonly promises: { readonly name: string; settled: boolean }[] = [];
  readonly doings: Doing[] = [];
  decision: Decision = 'close';
  /** How often onError asked for another try. */
  retries = 0;
  isPaused = false;
  isPeerPaused = false;
  isIterated = false;
  /** How many wait for a message. */
  pulls = 0;

  readonly #server: Server;
  #connection: Connection | undefined;
  #iterator: AsyncIterator<unknown> | undefined;
  #peer: Peer | undefined;
  #tap: Tap | undefined;
  #waiting: { resolve(): void; reject(error: Error): void }[] = [];
  #numbers = 0;
  #fragmented = 0;
  #sentBytes = 0;
  #isPeerGone = false;
  #isRetry = false;

  private constructor(setting: Setting, listener: Listener) {
    this.setting = setting;
    const inflating = () => (setting.deflate === undefined ? undefined : new PersistentPeer(WINDOW_BITS));
    this.written = new Wire(inflating());
    this.wire = new Wire(inflating());
    this.#server = createServer({
      port: 0,
      listener,
      clock: this.clock,
      cap: CAP,
      maxFragments: MAX_FRAGMENTS,
      sendLimit: SEND_LIMIT,
      overflow: setting.overflow,
      ...(setting.deflate === undefined
        ? {}
        : { perMessageDeflate: { mode: setting.deflate, threshold: 1, serverWindowBits: WINDOW_BITS } }),
      ...(setting.inspected ? { inspect: () => undefined } : {}),
      ...DEADLINES,
    });
    this.#server.path('/', {
      onMessage: (_, message) => this.#handle(message),
      onError: (_, error) => {
        if (error instanceof InternalError) this.breaks.push(String(error.cause));
        if (error instanceof ProtocolError) this.blames.push(error.message);
        if (error instanceof LimitError && /^(cap|maxFragments)$/.test(error.limit))
          this.blames.push(error.limit);
        this.#isRetry = this.decision === 'retry';
        if (this.#isRetry) this.retries += 1;
        return this.decision;
      },
      onClose: (_, report) => void this.reports.push(report),
    });
    this.#server.path('/other', { onMessage: (connection, message) => void connection.send(message) });
    this.#server.path('/').connections$.subscribe((connection) => this.#watch(connection));
  }

  /** A connection that is open. */
  static async begin(setting: Setting): Promise<World> {
    const memory = new MemoryListener(setting);
    const at = { port: 0, host: '127.0.0.1' };
    const carriers = {
      memory: () => memory,
      handle: () => new HandleTcpListener(at),
      socket: () => new TcpListener(at),
    };
    const listener = new TappedListener(carriers[setting.carrier]());
    const world = new World(setting, listener);
    await world.#server.start();
    if (setting.carrier === 'memory') world.bystander = new Bystander(memory.connect());
    await turn();
    listener.onWrite = (block) => world.written.read(block);
    const tap = listener.nextTap();
    world.#peer =
      setting.carrier === 'memory'
        ? world.#join(memory.connect())
        : await world.#dial(world.#server.address()?.port ?? 0);
    world.#tap = await tap;
    const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    world.write(Buffer.from(requestHead({ path: '/', headers })));
    await world.settle();
    return world;
  }

  get connection(): Connection {
    if (this.#connection === undefined) throw new Error('the connection has not been opened');
    return this.#connection;
  }

  /** Nothing holds reading back. */
  get reads(): boolean {
    if (this.isPaused) return false;
    return this.isIterated ? this.pulls > 0 : this.#waiting.length === 0;
  }

  // ------------------------------------------------------------------ the client

  write(bytes: Uint8Array): void {
    if (this.#isPeerGone) return;
    this.#sentBytes += bytes.length;
    this.#peer?.write(bytes);
  }

  fin(): void {
    this.#isPeerGone = true;
    this.#peer?.end();
  }

  reset(): void {
    this.#isPeerGone = true;
    this.#peer?.reset();
  }

  pausePeer(paused: boolean): void {
    this.isPeerPaused = paused;
    if (paused) this.#peer?.pause();
    else this.#peer?.resume();
  }

  // ------------------------------------------------------------------ the user

  send(bytes: number, compress?: boolean): void {
    const number = this.#number();
    const text = `s${number}:${'x'.repeat(bytes)}`;
    this.texts.add(text);
    const result = this.connection.send(text, { compress });
    if (result !== 'sent' && result !== 'queued') return;
    this.sent.push(number);
    if (this.#fragmented > 0) this.heldBack.add(number);
  }

  sendFragments(pieces: number, fails: boolean, compress = true): void {
    const number = this.#number();
    const clock = this.clock;
    async function* parts(): AsyncGenerator<string> {
      yield `f${number}:`;
      for (let piece = 0; piece < pieces; piece += 1) {
        await turn();
        yield 'y'.repeat(clock.now() % 7);
      }
      if (fails) throw new Error('no more pieces');
    }
    this.#fragmented += 1;
    const sending = this.connection.sendFragments(parts(), { compress }).finally(() => {
      this.#fragmented -= 1;
    });
    this.track('sendFragments', sending);
  }

  /** One turn of a loop over the messages: somebody waits for the next. */
  iterate(): void {
    this.#iterator ??= this.connection[Symbol.asyncIterator]();
    this.isIterated = true;
    this.pulls += 1;
    const next = this.#iterator.next().then(({ done }) => {
      this.pulls -= 1;
      if (done) this.isIterated = false;
    });
    this.track('next', next);
  }

  /** Settles the promise that a handler gave first. */
  settleHandler(fails: boolean): void {
    const waiting = this.#waiting.shift();
    if (fails) waiting?.reject(new Error('late'));
    else waiting?.resolve();
  }

  track(name: string, promise: Promise<unknown>): void {
    const entry = { name, settled: false };
    this.promises.push(entry);
    const settle = (): void => {
      entry.settled = true;
    };
    promise.then(settle, settle);
  }

  // ------------------------------------------------------------------ time

  /** Waits until nothing moves any more. */
  async settle(): Promise<void> {
    await turn();
    if (this.#peer instanceof TcpPeer) await this.#settleTcp(this.#peer);
  }

  /** What was sent has been read, unless the server does not read; what was written has been, unless we do not. */
  async #settleTcp(peer: TcpPeer): Promise<void> {
    const tap = this.#tap as Tap; // there since the connection is
    await tap.until(
      'what was sent',
      () => tap.receivedBytes === this.#sentBytes || tap.isPaused || tap.isClosed,
    );
    if (this.#isPeerGone)
      await tap.until('the end', () => tap.stateAtEnd !== undefined || tap.isPaused || tap.isClosed);
    await turn();
    if (!this.isPeerPaused) await peer.until(() => this.wire.receivedBytes >= tap.writtenBytes);
    await turn();
  }

  /** The end of all: in one way or another, then every deadline passes and the server stops. */
  async end(answer: () => Promise<void>): Promise<void> {
    const { ending } = this.setting;
    if (ending === 'close' || ending === 'stop') this.pausePeer(false);
    await this.#takeAll();
    if (ending === 'close') this.connection.close(1000);
    if (ending === 'fin') this.fin();
    if (ending === 'reset') this.reset();
    const stopped = ending === 'stop' ? this.#server.stop() : undefined;
    await this.settle();
    await answer();
    this.fin();
    await this.settle();
    this.clock.advance(200_000);
    this.track('stop', stopped ?? this.#server.stop({ deadline: 0 }));
    this.clock.advance(1_000);
    await stopped;
    this.#peer?.reset();
    await turn();
    await this.#takeAll();
    await turn();
  }

  // ------------------------------------------------------------------ inside

  /** Nothing holds reading back any more, whatever a handler does meanwhile. */
  async #takeAll(): Promise<void> {
    do {
      this.isPaused = false;
      this.connection.resume();
      this.settleHandler(false);
      await this.settle();
    } while (this.#waiting.length > 0 || this.isPaused);
  }

  #number(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  #handle(message: string | Uint8Array): unknown {
    const name = nameOfMessage(message);
    // A handler that is called again has its message already.
    if (!this.reads && !this.#isRetry) this.intruders.push(name);
    this.#isRetry = false;
    this.handled.push(name);
    const doing = this.doings.shift() ?? 'nothing';
    if (doing === 'send') this.send(3);
    if (doing === 'close') this.connection.close(3000);
    if (doing === 'terminate') this.connection.terminate();
    if (doing === 'pause') {
      this.isPaused = true;
      this.connection.pause();
    }
    if (doing === 'throw') throw new Error('handler');
    if (doing !== 'wait') return undefined;
    return new Promise<void>((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  #watch(connection: Connection): void {
    this.#connection = connection;
    const tell = (line: string) => () => void this.told.push(line);
    connection.messages$.subscribe({
      next: (message) => {
        this.delivered.push(nameOfMessage(message));
        this.told.push('message');
      },
      error: tell('messages$ error'),
    });
    connection.pings$.subscribe(tell('ping'));
    connection.pongs$.subscribe(tell('pong'));
    connection.drain$.subscribe(tell('drain'));
    connection.state$.subscribe((state) => {
      // Our Close ends a pause: the peer's must be read.
      if (state === 'closing') this.isPaused = false;
      this.states.push(state);
      this.told.push('state');
    });
    connection.closed$.subscribe(() => {
      this.heldAtEnd = !this.reads;
      this.told.push('closed');
    });
  }

  #join(transport: MemoryTransport): Peer {
    transport.attach(readingInto(this.wire));
    return {
      write: (bytes) => void transport.write([bytes]),
      end: () => transport.end(),
      reset: () => transport.reset(),
      pause: () => transport.pause(),
      resume: () => transport.resume(),
    };
  }

  async #dial(port: number): Promise<Peer> {
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true, allowHalfOpen: true });
    const peer = new TcpPeer(socket, (chunk) => this.wire.read(chunk));
    await new Promise((resolve) => socket.once('connect', resolve));
    return peer;
  }
}

/** Says something and wants it back, whatever happens beside it. */
class Bystander {
  readonly #transport: MemoryTransport;
  readonly #wire = new Wire();
  #said = 0;

  constructor(transport: MemoryTransport) {
    this.#transport = transport;
    transport.attach(readingInto(this.#wire));
    transport.write([Buffer.from(requestHead({ path: '/other' }))]);
  }

  say(): void {
    this.#said += 1;
    this.#transport.write([textFrame(this.#words(this.#said))]);
  }

  /** What is wrong with what came back; undefined when nothing is. */
  get fault(): string | undefined {
    const { messages, fault, close } = this.#wire;
    if (fault !== undefined || close !== undefined) return fault ?? close;
    const wrong = messages.findIndex(({ payload }, index) => payload !== this.#words(index + 1));
    if (wrong >= 0) return `message ${wrong + 1} came back as ${messages[wrong]?.payload}`;
    return messages.length === this.#said ? undefined : `${messages.length} of ${this.#said} came back`;
  }

  #words(number: number): string {
    return `${number} `.repeat(20);
  }
}

function readingInto(wire: Wire): TransportListener {
  const nothing = (): void => undefined;
  return {
    onBytes: (chunk) => wire.read(chunk),
    onDrain: nothing,
    onEnd: nothing,
    onError: nothing,
    onClosed: nothing,
  };
}

class TcpPeer implements Peer {
  readonly #socket: net.Socket;
  #isOver = false;
  #wake: () => void = () => undefined;

  constructor(socket: net.Socket, read: (chunk: Uint8Array) => void) {
    this.#socket = socket;
    const over = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    socket.on('data', (chunk) => {
      read(chunk);
      this.#wake();
    });
    socket.on('end', over).on('error', over).on('close', over);
  }

  /** Resolves when `holds` does, or the stream is over. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds() && !this.#isOver) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  write(bytes: Uint8Array): void {
    if (!this.#socket.destroyed) this.#socket.write(bytes);
  }
  end(): void {
    this.#socket.end();
  }
  reset(): void {
    this.#socket.resetAndDestroy();
  }
  pause(): void {
    this.#socket.pause();
  }
  resume(): void {
    this.#socket.resume();
  }
}

/** A message as a comparable name: its kind and its bytes. */
export function nameOfMessage(message: string | Uint8Array): string {
  return typeof message === 'string'
    ? `text ${Buffer.from(message).toString('latin1')}`
    : `binary ${Buffer.from(message).toString('latin1')}`;
}
