/**
 * One connection of a real server over a real socket, as a path of the model needs it: a raw client on one side, the
 * user's handlers and subscribers on the other, each writing down what it sees, and a clock that moves only when it is advanced.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { type Connection, createServer, PortalError, type Server } from '../../src/index.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import type { Decision } from '../../src/machines/connection-ports.ts';
import { carrier, makeListener, numberOf } from '../support/carrier.ts';
import {
  bytes,
  frame,
  nameOfFrame,
  RawClient,
  type RequestFields,
  requestHead,
  type ServerFrame,
} from '../support/raw-client.ts';
import { wordsOfReport } from '../support/recording-port.ts';
import { type Tap, TappedListener } from '../support/tapped-listener.ts';
import { Compressing } from './compressing.ts';
import { agree } from './prove.ts';

/**
 * The transports that a server can listen with, and one of them with somebody who inspects, and with somebody who
 * asks for the actor of each connection as it opens, and one where both sides compress all messages.
 */
export const TRANSPORTS = [
  'handle',
  'socket',
  'handle, inspected',
  'handle, watched',
  'handle, compressing',
] as const;
export type TransportName = (typeof TRANSPORTS)[number];

/** Deadlines far enough apart that the clock can pass one and not another; milliseconds. */
export const DEADLINES = {
  handshakeDeadline: 10_000,
  heartbeatInterval: 25_000,
  pongDeadline: 20_000,
  closeDeadline: 5_000,
  writeDeadline: 30_000,
  messageDeadline: 60_000,
} as const;
/** Bytes of a message at most. */
export const CAP = 1000;
/** What a client does not read fills every buffer of the kernel and more. */
export const FLOOD_BYTES = 24 * 1024 * 1024;

export class RealLife {
  readonly clock = new ManualClock();
  readonly server: Server;
  readonly listener: TappedListener;
  /** What onError answers. */
  decision: Decision = 'close';
  connection: Connection | undefined;
  /** Settles the promise that a handler has given for a message `wait`. */
  pending: { resolve(): void; reject(error: Error): void } | undefined;
  /** Settles the promise that `authorize` has given. */
  verdict: ((allowed: boolean) => void) | undefined;

  #seen: string[] = [];
  #client: RawClient | undefined;
  #tap: Tap | undefined;
  #sentBytes = 0;
  #readBytes = 0;
  #failures = 0;
  readonly #isWatched: boolean;
  /** Both sides compress. */
  readonly #compressing: Compressing | undefined;
  #actor: Connection['actor'] | undefined;

  private constructor(transport: TransportName) {
    this.#isWatched = transport === 'handle, watched';
    this.#compressing = transport === 'handle, compressing' ? new Compressing() : undefined;
    this.listener = new TappedListener(makeListener(transport !== 'socket'));
    this.server = createServer({
      port: 0,
      listener: this.listener,
      clock: this.clock,
      cap: CAP,
      sendLimit: 2 * FLOOD_BYTES,
      // Who inspects sees every frame as an event; what a connection does stays the same.
      ...(transport === 'handle, inspected' ? { inspect: () => undefined } : {}),
      ...(this.#compressing === undefined ? {} : { perMessageDeflate: { mode: 'contexts', threshold: 0 } }),
      ...DEADLINES,
    });
  }

  /** A server that listens, and a client that has connected and not said anything. */
  static async begin(transport: TransportName): Promise<RealLife> {
    const life = new RealLife(transport);
    life.#listen();
    await life.server.start();
    const tap = life.listener.nextTap();
    life.#client = await RawClient.connect(numberOf(life.server.address()), {
      sendHead: false,
      extension: life.#compressing?.peer,
    });
    life.#tap = await tap;
    // A server that speaks TLS writes its session tickets in this turn. A RST before that would be an error of that write,
    // which nobody hears of, and then an end.
    await turn();
    return life;
  }

  get client(): RawClient {
    return this.#client as RawClient; // set by `begin`
  }

  get tap(): Tap {
    return this.#tap as Tap; // set by `begin`
  }

  /** The connection in the user's hand. */
  get user(): Connection {
    if (this.connection === undefined) throw new Error('the connection has not been opened');
    return this.connection;
  }

  /** The state as users see it; before a connection opens, as the session has it. */
  get state(): string {
    return this.connection?.state ?? this.tap.session.state;
  }

  /** Sends bytes in one piece and waits until the server has handled them. */
  async send(...parts: (string | Uint8Array)[]): Promise<void> {
    const whole = this.#onWire(parts);
    this.#sentBytes += whole.length;
    await this.client.sendBytes(whole);
    await this.handled();
  }

  /** Sends bytes that the server does not read for now. */
  async sendUnread(...parts: (string | Uint8Array)[]): Promise<void> {
    const whole = this.#onWire(parts);
    this.#sentBytes += whole.length;
    await this.client.sendBytes(whole);
  }

  /** What is open is sent compressed, where both sides compress. */
  #onWire(parts: (string | Uint8Array)[]): Uint8Array {
    const compressing = this.connection === undefined ? undefined : this.#compressing;
    return bytes(
      ...parts.map((part) => (typeof part === 'string' ? part : (compressing?.frames(part) ?? part))),
    );
  }

  /** The beginning of a frame that makes its message larger than `CAP`, where that is not compressed; otherwise all of it. */
  tooLarge(opcode: number): Uint8Array {
    if (this.#compressing === undefined) return frame({ opcode, length: { declared: CAP + 1 } });
    return frame({ opcode, payload: new Uint8Array(CAP + 1) });
  }

  /** All that was sent has been handled. */
  async handled(): Promise<void> {
    await this.tap.until(`byte ${this.#sentBytes}`, () => this.tap.receivedBytes === this.#sentBytes);
  }

  /** The peer resets the connection. A Unix socket cannot, so the server's end is told of it. */
  reset(): void {
    if (carrier === 'unix') this.tap.breakWith('ECONNRESET');
    else this.client.reset();
  }

  async request(fields: RequestFields): Promise<void> {
    const offer = this.#compressing && { 'Sec-WebSocket-Extensions': 'permessage-deflate' };
    await this.send(requestHead({ ...fields, headers: { ...fields.headers, ...offer } }));
  }

  /** What has been seen since this was asked last, once all that is under way has come to rest. */
  async takeSeen(): Promise<string[]> {
    await turn();
    const seen = this.#seen;
    this.#seen = [];
    return seen;
  }

  /** Reads the answer to the request head, and nothing after it. */
  async expectAnswer(status: number): Promise<void> {
    const answer = status === 101 ? await this.client.handshake() : await this.client.response();
    if (answer.status !== status) throw new Error(`answered ${answer.status}, specified is ${status}`);
    this.#readBytes += bytes(answer.head).length + 4 + bytes(answer.body).length;
  }

  /** Reads as many frames, and makes sure that the server wrote not a byte more. */
  async takeFrames(count: number): Promise<string[]> {
    const frames: ServerFrame[] = [];
    while (frames.length < count) frames.push(await this.client.nextFrame());
    for (const { payload } of frames) this.#readBytes += payload.length + (payload.length > 125 ? 4 : 2);
    const { pushedBytes, readBytes } = this.#compressing?.peer ?? { pushedBytes: 0, readBytes: 0 };
    const more = this.tap.writtenBytes - this.#readBytes - (pushedBytes - readBytes);
    if (more !== 0) throw new Error(`the server wrote ${more} bytes more than the ${count} frames`);
    return frames.map(nameOfFrame);
  }

  async end(): Promise<void> {
    const { value, status } = this.tap.session.machine;
    const actor = this.#actor?.getSnapshot();
    if (actor !== undefined) agree('the actor', [actor.value, actor.status], [value, status]);
    this.client.destroy();
    this.verdict?.(false);
    const stopped = this.server.stop({ deadline: 0 });
    this.clock.advance(DEADLINES.closeDeadline + 1000);
    await stopped;
  }

  // ------------------------------------------------------------------ the user's side

  #note(line: string): void {
    this.#seen.push(line);
  }

  #listen(): void {
    const { server } = this;
    server.path('/model', {
      authorize: ({ query }, signal) => {
        if (!query.has('wait')) return true;
        signal.addEventListener('abort', () => this.#note('authorize aborted'));
        return new Promise<boolean>((resolve) => {
          this.verdict = resolve;
        });
      },
      onOpen: () => this.#note('onOpen'),
      onMessage: (connection, message) => {
        this.#note(`onMessage ${message}`);
        if (message === 'wait') return this.#promise();
        if (message === 'boom') this.#fail();
        connection.send(message);
        return undefined;
      },
      onFragment: (_, { data }) => {
        this.#note(`onFragment ${data}`);
        if (data === '-fwait') return this.#promise();
        if (data === '-fboom') this.#fail();
        return undefined;
      },
      onError: (_, error) => {
        this.#note(`onError ${wordsOfError(error)}`);
        return this.decision;
      },
      onClose: (_, report) => this.#note(`onClose ${wordsOfReport(report)}`),
    });
    server.connections$.subscribe((connection) => this.#watch(connection));
    server.lifecycle$.subscribe(({ from, to, event }) =>
      this.#note(`lifecycle$ ${from} to ${to} by ${event}`),
    );
    server.errors$.subscribe(({ error }) => this.#note(`errors$ ${wordsOfError(error)}`));
  }

  #watch(connection: Connection): void {
    this.connection = connection;
    if (this.#compressing !== undefined && connection.extensions === '')
      throw new Error('nothing is compressed');
    if (this.#isWatched) this.#actor = connection.actor;
    this.#note('connections$');
    const see = <T>(name: string, words: (value: T) => string) => ({
      next: (value: T) => this.#note(`${name} ${words(value)}`),
      error: () => this.#note(`${name} broke`),
      complete: () => this.#note(`${name} done`),
    });
    const text = (payload: Uint8Array): string => Buffer.from(payload).toString('latin1');
    connection.messages$.subscribe(see('messages$', String));
    connection.fragments$.subscribe(see('fragments$', ({ data }) => String(data)));
    connection.pings$.subscribe(see('pings$', text));
    connection.pongs$.subscribe(see('pongs$', text));
    connection.state$.subscribe(see('state$', String));
    connection.closed$.subscribe(see('closed$', wordsOfReport));
  }

  #promise(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.pending = { resolve, reject };
    });
  }

  /** A handler fails once; called again, it succeeds. */
  #fail(): void {
    this.#failures += 1;
    if (this.#failures % 2 === 1) throw new Error('boom');
  }
}

/** An error by its code and what it says to the peer, or by its message when a handler threw it. */
function wordsOfError(error: unknown): string {
  if (!(error instanceof PortalError)) return (error as Error).message;
  const { closeCode, status } = error as { closeCode?: number; status?: number };
  return [error.code, closeCode ?? status].filter((part) => part !== undefined).join(' ');
}
