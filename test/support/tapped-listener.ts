/**
 * A listener that lets a test watch the server's side of its connections: how many bytes have been handled, what was
 * told and in which state the session was left by it. What it carries, it does not change.
 *
 * It also does what no client can: take the socket away under a connection.
 */
import { TcpListener } from '../../src/io/transports/tcp.ts';
import type {
  Listener,
  Transport,
  TransportListener,
  TransportName,
} from '../../src/io/transports/transport.ts';
import type { Interpreter } from '../../src/machines/interpreter.ts';
import { PATIENCE_MS } from './patience.ts';

/** What a test may know of a session, which is the listener of its transport. */
export interface SessionView extends TransportListener {
  readonly state: string;
  readonly machine: Interpreter;
  readonly reading: { readonly bytes: number };
}

/** The server's end of one connection. */
export class Tap implements Transport, TransportListener {
  /** Bytes that the session has been given, and has handled. */
  receivedBytes = 0;
  /** Bytes that the session has written. */
  writtenBytes = 0;
  /** The session's state when it had handled the peer's FIN. */
  stateAtEnd: string | undefined;
  isClosed = false;
  isPaused = false;

  readonly #inner: Transport;
  readonly #onWrite: ((block: Uint8Array) => void) | undefined;
  #session: SessionView | undefined;
  #wakers: (() => void)[] = [];

  constructor(inner: Transport, onWrite?: (block: Uint8Array) => void) {
    this.#inner = inner;
    this.#onWrite = onWrite;
  }

  get session(): SessionView {
    if (this.#session === undefined) throw new Error('nobody is attached yet');
    return this.#session;
  }

  /** Resolves when `holds` does; asked again after everything that is told. */
  async until(what: string, holds: () => boolean): Promise<void> {
    let isLate = false;
    const guard = setTimeout(() => {
      isLate = true;
      this.#wake();
    }, PATIENCE_MS);
    try {
      while (!holds()) {
        if (isLate) throw new Error(`${what} did not come within ${PATIENCE_MS} ms`);
        await new Promise<void>((resolve) => this.#wakers.push(resolve));
      }
    } finally {
      clearTimeout(guard);
    }
  }

  /** Takes the socket away, as a fault of the process would: the session is told that it is closed, and nothing before. */
  lose(): void {
    this.#inner.destroy();
  }

  /** What the session is told when the peer resets the connection. */
  breakWith(code: string): void {
    this.onError(Object.assign(new Error(`read ${code}`), { code }));
    this.#inner.destroy();
  }

  get name(): TransportName {
    return this.#inner.name;
  }
  get remoteAddress(): string {
    return this.#inner.remoteAddress;
  }
  get bufferedAmount(): number {
    return this.#inner.bufferedAmount;
  }
  attach(session: TransportListener): void {
    this.#session = session as SessionView;
    this.#inner.attach(this);
  }
  write(blocks: readonly Uint8Array[]): boolean {
    for (const block of blocks) {
      this.writtenBytes += block.length;
      this.#onWrite?.(block);
    }
    return this.#inner.write(blocks);
  }
  pause(): void {
    this.isPaused = true;
    this.#inner.pause();
  }
  resume(): void {
    this.isPaused = false;
    this.#inner.resume();
  }
  end(): void {
    this.#inner.end();
  }
  destroy(): void {
    this.#inner.destroy();
  }

  onBytes(chunk: Uint8Array, shared: boolean): void {
    const { length } = chunk;
    this.session.onBytes(chunk, shared);
    this.receivedBytes += length;
    this.#wake();
  }
  onDrain(): void {
    this.session.onDrain();
    this.#wake();
  }
  onEnd(): void {
    this.session.onEnd();
    this.stateAtEnd = this.session.state;
    this.#wake();
  }
  onError(error: Error): void {
    this.session.onError(error);
    this.#wake();
  }
  onClosed(): void {
    this.session.onClosed();
    this.isClosed = true;
    this.#wake();
  }

  #wake(): void {
    const wakers = this.#wakers;
    this.#wakers = [];
    for (const waker of wakers) waker();
  }
}

export class TappedListener implements Listener {
  readonly taps: Tap[] = [];
  /** Is shown every block that a session writes. */
  onWrite: ((block: Uint8Array) => void) | undefined;
  readonly #inner: Listener;
  #waiting: ((tap: Tap) => void)[] = [];

  constructor(inner: Listener = new TcpListener({ port: 0, host: '127.0.0.1' })) {
    this.#inner = inner;
  }

  /** The server's end of the next connection. */
  nextTap(): Promise<Tap> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  listen(accept: (transport: Transport) => void, failed: (error: Error) => void): Promise<void> {
    return this.#inner.listen((transport) => {
      const tap = new Tap(transport, this.onWrite);
      this.taps.push(tap);
      accept(tap);
      this.#waiting.shift()?.(tap);
    }, failed);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
  address(): { address: string; family: string; port: number } | null {
    return this.#inner.address();
  }
}
