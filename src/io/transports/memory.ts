/**
 * Connections within one process, for tests: a pair of transports, and a listener to connect through.
 *
 * They behave as TCP does where the layers above can notice it. Bytes arrive in pieces of any size. Each side ends by
 * itself. A reset loses the bytes in flight. A reader that pauses makes the writer wait. A side that is destroyed while
 * it has unread bytes resets the other one.
 *
 * There are no timers. A scheduler runs tasks that call the listeners, so nothing is ever called within another call.
 * Bytes that `write` could not take are not copied, so that a test finds a writer that reuses their memory too early. With
 * `shared`, a test finds a reader that keeps memory which was only lent to it.
 */
import { Buffer } from 'node:buffer';
import type { Listener, Transport, TransportListener } from './transport.ts';

export interface MemoryOptions {
  /** Runs tasks later, in the order in which they are given. Default: `queueMicrotask`. */
  readonly schedule?: (task: () => void) => void;
  /** Bytes that may be in flight before `write` returns false, more than 0. Default: no limit. */
  readonly capacityBytes?: number;
  /** Bytes in one call of `onBytes` at most, more than 0. Default: all that are in flight. */
  readonly chunkBytes?: number;
  /** Whether bytes are only lent to the server's side, and overwritten when `onBytes` returns. Default: false. */
  readonly shared?: boolean;
}

/** One direction: what has been written and not yet been read. */
class Lane {
  /** In flight, as copies. */
  readonly taken: Uint8Array[] = [];
  takenBytes = 0;
  /** Not taken yet, in the writer's own memory. */
  readonly waiting: Uint8Array[] = [];
  waitingBytes = 0;
  /** Whether the writer has ended its side: a FIN follows the bytes. */
  ended = false;
  /** Whether the reader has been told. */
  endTold = false;

  /** Takes as many of the waiting bytes as `capacity` leaves room for. */
  fill(capacity: number): void {
    while (this.waitingBytes > 0 && this.takenBytes < capacity) {
      const block = this.waiting[0] as Uint8Array;
      const bytes = Math.min(block.length, capacity - this.takenBytes);
      this.taken.push(new Uint8Array(block.subarray(0, bytes))); // not slice: a Buffer's is a view
      this.takenBytes += bytes;
      this.waitingBytes -= bytes;
      if (bytes === block.length) this.waiting.shift();
      else this.waiting[0] = block.subarray(bytes);
    }
  }

  /** Removes the next bytes, at most `most`, and returns them in one Buffer, as sockets do. */
  read(most: number): Buffer {
    const piece = Buffer.alloc(Math.min(this.takenBytes, most));
    for (let used = 0; used < piece.length; ) {
      const block = this.taken[0] as Uint8Array;
      const bytes = Math.min(block.length, piece.length - used);
      piece.set(block.subarray(0, bytes), used);
      used += bytes;
      if (bytes === block.length) this.taken.shift();
      else this.taken[0] = block.subarray(bytes);
    }
    this.takenBytes -= piece.length;
    return piece;
  }

  clear(): void {
    this.taken.length = 0;
    this.waiting.length = 0;
    this.takenBytes = 0;
    this.waitingBytes = 0;
  }
}

interface Ends {
  readonly schedule: (task: () => void) => void;
  readonly capacityBytes: number;
  readonly chunkBytes: number;
  readonly shared: boolean;
}

export class MemoryTransport implements Transport {
  readonly name = 'memory';
  readonly remoteAddress: string;
  readonly #ends: Ends;
  readonly #in: Lane;
  readonly #out: Lane;
  #peer: MemoryTransport | undefined;
  #listener: TransportListener | undefined;
  #paused = false;
  /** Nothing is read or written any more. `onClosed` has been called, or a task to call it is scheduled. */
  #over = false;
  /** A task that calls the listener is scheduled. */
  #awake = false;
  /** `write` has returned false, and `onDrain` has not been called since. */
  #drainOwed = false;

  /** @internal Use `memoryPair` or `MemoryListener`. */
  constructor(ends: Ends, remoteAddress: string, incoming: Lane, outgoing: Lane) {
    this.#ends = ends;
    this.remoteAddress = remoteAddress;
    this.#in = incoming;
    this.#out = outgoing;
  }

  /** @internal */
  join(peer: MemoryTransport): void {
    this.#peer = peer;
    peer.#peer = this;
  }

  get #other(): MemoryTransport {
    return this.#peer as MemoryTransport; // `memoryPair` joins the two before it returns them
  }

  get bufferedAmount(): number {
    return this.#out.waitingBytes;
  }

  attach(listener: TransportListener): void {
    this.#listener = listener;
    this.#wake();
  }

  write(blocks: readonly Uint8Array[]): boolean {
    if (this.#over || this.#out.ended) return true;
    if (this.#other.#over) {
      this.#break('write EPIPE');
      return true;
    }
    for (const block of blocks) {
      if (block.length === 0) continue;
      this.#out.waiting.push(block);
      this.#out.waitingBytes += block.length;
    }
    this.#out.fill(this.#ends.capacityBytes);
    this.#other.#wake();
    this.#drainOwed = this.#out.waitingBytes > 0;
    return !this.#drainOwed;
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#wake();
  }

  end(): void {
    if (this.#over || this.#out.ended) return;
    this.#out.ended = true;
    this.#other.#wake();
    this.#wake();
  }

  destroy(): void {
    if (this.#over) return;
    const unread = this.#in.takenBytes + this.#in.waitingBytes > 0;
    this.#close();
    if (unread) {
      this.#other.#break('read ECONNRESET');
      return;
    }
    // Bytes in flight still arrive, then a FIN. Bytes that waited are lost.
    this.#out.waiting.length = 0;
    this.#out.waitingBytes = 0;
    this.#out.ended = true;
    this.#other.#wake();
  }

  /** Resets the connection (TCP: RST): the peer's `onError` is called, and bytes in flight are lost. */
  reset(): void {
    if (this.#over) return;
    this.#close();
    this.#other.#break('read ECONNRESET');
  }

  #close(): void {
    this.#over = true;
    this.#in.clear();
    this.#ends.schedule(() => this.#listener?.onClosed());
  }

  #break(why: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#in.clear();
    this.#out.clear();
    const error = Object.assign(new Error(why), { code: why.split(' ')[1] });
    this.#ends.schedule(() => {
      this.#listener?.onError(error);
      this.#listener?.onClosed();
    });
  }

  /** Schedules a call of the listener: there may be something to tell it. */
  #wake(): void {
    if (this.#awake || this.#over || this.#listener === undefined) return;
    this.#awake = true;
    this.#ends.schedule(() => {
      this.#awake = false;
      this.#tell(this.#listener as TransportListener);
    });
  }

  /** Tells the listener one thing, and schedules the next call while there is more. */
  #tell(listener: TransportListener): void {
    if (this.#over) return;
    if (this.#drainOwed && this.#out.waitingBytes === 0) {
      this.#drainOwed = false;
      this.#wake();
      listener.onDrain();
      return;
    }
    if (!this.#paused && this.#in.takenBytes > 0) {
      this.#tellBytes(listener);
      return;
    }
    if (!this.#paused && this.#in.ended && !this.#in.endTold && this.#in.waitingBytes === 0) {
      this.#in.endTold = true;
      this.#wake();
      listener.onEnd();
      return;
    }
    if (this.#in.endTold && this.#out.ended && this.#out.waitingBytes === 0) this.#close();
  }

  #tellBytes(listener: TransportListener): void {
    const { capacityBytes, chunkBytes, shared } = this.#ends;
    const piece = this.#in.read(chunkBytes);
    this.#in.fill(capacityBytes);
    this.#other.#wake();
    this.#wake();
    listener.onBytes(piece, shared);
    if (shared) piece.fill(0xee);
  }
}

/**
 * Two transports that are connected: what is written to one is read from the other.
 * @throws RangeError for a `capacityBytes` or `chunkBytes` that is not more than 0.
 */
export function memoryPair(
  options: MemoryOptions = {},
  remoteAddress = '127.0.0.1',
): [server: MemoryTransport, client: MemoryTransport] {
  const {
    schedule = queueMicrotask,
    capacityBytes = Number.POSITIVE_INFINITY,
    chunkBytes = Number.POSITIVE_INFINITY,
    shared = false,
  } = options;
  if (!(capacityBytes > 0) || !(chunkBytes > 0)) {
    throw new RangeError(
      `capacityBytes ${capacityBytes}, chunkBytes ${chunkBytes}; allowed is more than 0 of each`,
    );
  }
  const ends = { schedule, capacityBytes, chunkBytes };
  const up = new Lane();
  const down = new Lane();
  const server = new MemoryTransport({ ...ends, shared }, remoteAddress, up, down);
  const client = new MemoryTransport({ ...ends, shared: false }, 'memory', down, up);
  server.join(client);
  return [server, client];
}

/** Listens within the process: `createServer({ port: 0, listener })`, then `listener.connect()`. */
export class MemoryListener implements Listener {
  readonly #options: MemoryOptions;
  #accept: ((transport: Transport) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;

  constructor(options: MemoryOptions = {}) {
    this.#options = options;
  }

  listen(accept: (transport: Transport) => void, failed: (error: Error) => void): Promise<void> {
    if (this.#accept !== undefined) {
      return Promise.reject(Object.assign(new Error('listen EADDRINUSE'), { code: 'EADDRINUSE' }));
    }
    this.#accept = accept;
    this.#failed = failed;
    return Promise.resolve();
  }

  /**
   * Makes a connection and returns the client's side. A task of the scheduler gives the other side to the server.
   * @throws Error with code ECONNREFUSED while nobody listens.
   */
  connect(remoteAddress?: string): MemoryTransport {
    if (this.#accept === undefined) {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    }
    const [server, client] = memoryPair(this.#options, remoteAddress);
    const { schedule = queueMicrotask } = this.#options;
    schedule(() => {
      if (this.#accept === undefined) server.reset();
      else this.#accept(server);
    });
    return client;
  }

  /** Reports an error as a listener does that goes wrong after it has started. */
  fail(error: Error): void {
    this.#failed?.(error);
  }

  close(): Promise<void> {
    this.#accept = undefined;
    this.#failed = undefined;
    return Promise.resolve();
  }

  address(): { address: string; family: string; port: number } | null {
    return this.#accept === undefined ? null : { address: 'memory', family: 'memory', port: 0 };
  }
}
