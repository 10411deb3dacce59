/**
 * Connections inside one process: a pair of transports, and a listener to connect through. For tests.
 *
 * It behaves as TCP does where that matters to what lies above: bytes are cut and joined at will, each side ends by
 * itself, a reset loses what is on its way, a reader that pauses makes the writer wait, and a side that is destroyed
 * with bytes unread resets the other. There is no timer: everything is told by tasks that a scheduler runs, so
 * nothing is ever told within a call. What `write` could not take stays in the writer's memory, not in a copy, so
 * that a writer who touches it too early is found out; with `shared`, so is a reader who keeps what was only lent.
 */
import { Buffer } from 'node:buffer';
import type { Listener, Transport, TransportListener } from './transport.ts';

export interface MemoryOptions {
  /** Runs tasks later, in the order given. Default: `queueMicrotask`. */
  readonly schedule?: (task: () => void) => void;
  /** Bytes that may be on their way to a reader before `write` returns false. Default: no bound. */
  readonly capacityBytes?: number;
  /** Bytes told at a time at most. Default: all there are. */
  readonly chunkBytes?: number;
  /** Bytes are only lent to the server's side: overwritten when `onBytes` returns. Default false. */
  readonly shared?: boolean;
}

/** One direction: what has been written and not been read. */
class Lane {
  /** On their way, as copies. */
  readonly taken: Uint8Array[] = [];
  takenBytes = 0;
  /** Not taken yet: the writer's own memory. */
  readonly waiting: Uint8Array[] = [];
  waitingBytes = 0;
  /** The writer has ended; a FIN follows the bytes. */
  ended = false;
  /** The reader has been told of that. */
  endTold = false;

  /** Takes of what waits as much as `capacity` leaves room for. */
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

  /** The next bytes, at most `most`, in one piece; a Buffer, as sockets give them. */
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
  readonly remoteAddress: string;
  readonly #ends: Ends;
  readonly #in: Lane;
  readonly #out: Lane;
  #peer: MemoryTransport | undefined;
  #listener: TransportListener | undefined;
  #paused = false;
  /** Nothing is read or written any more; `onClosed` is on its way or was told. */
  #over = false;
  #awake = false;
  #drainOwed = false;

  /** @internal Made by `memoryPair` and `MemoryListener`. */
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
    return this.#peer as MemoryTransport; // joined before anybody else sees either
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
    // What had left still arrives, then a FIN; what waited is lost.
    this.#out.waiting.length = 0;
    this.#out.waitingBytes = 0;
    this.#out.ended = true;
    this.#other.#wake();
  }

  /** Breaks the connection (TCP: RST): the peer gets `onError`, and bytes on their way are lost. */
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

  /** Something may be there to tell. */
  #wake(): void {
    if (this.#awake || this.#over || this.#listener === undefined) return;
    this.#awake = true;
    this.#ends.schedule(() => {
      this.#awake = false;
      this.#tell(this.#listener as TransportListener);
    });
  }

  /** Tells one thing, and comes again while there is more. */
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

/** Two transports that are connected: what is written to one is told by the other. */
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

/** Listens inside the process: `createServer({ port: 0, listener })`, then `listener.connect()`. */
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
   * A new connection's client side; the server is given the other one by the scheduler.
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

  /** The port is lost, for a reason of the outer world's. */
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
