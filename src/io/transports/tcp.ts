/**
 * TCP by Node's public `net` API: one `Socket` for each connection. Its events go to functions that all sockets share.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { explainAccept, noDescriptorLeft, openFilesLimit } from './open-files.ts';
import type { Listener, Transport, TransportListener, TransportName } from './transport.ts';

export interface TcpOptions {
  readonly port: number;
  readonly host?: string | undefined;
  /** Connections that the kernel keeps waiting until we accept them. */
  readonly backlog?: number | undefined;
}

const kListener = Symbol('listener');
const kHeldEnd = Symbol('held end');
type OwnedSocket = Socket & {
  [kListener]?: TransportListener;
  /** The end came while the socket was paused, and has not been told yet. */
  [kHeldEnd]?: boolean;
  readonly _handle?: { readonly writeQueueSize?: number } | null;
};
const NOTHING = new Uint8Array(0);

export class TcpTransport implements Transport {
  readonly name: TransportName;
  readonly #socket: OwnedSocket;

  constructor(socket: Socket, name: TransportName = 'tcp') {
    this.name = name;
    this.#socket = socket;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? '';
  }

  get bufferedAmount(): number {
    const { writableLength, _handle } = this.#socket;
    // A socket counts a write as a whole until it is done. Node's handle, where there is one, knows what is left of it.
    const left = _handle?.writeQueueSize;
    return typeof left === 'number' ? Math.min(left, writableLength) : writableLength;
  }

  attach(listener: TransportListener): void {
    const socket = this.#socket;
    socket[kListener] = listener;
    socket.on('data', onData);
    socket.on('end', onEnd);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  write(blocks: readonly Uint8Array[]): boolean {
    const socket = this.#socket;
    if (!socket.writable) return true;
    if (blocks.length === 1) {
      socket.write(blocks[0] as Uint8Array);
    } else {
      socket.cork();
      for (const block of blocks) socket.write(block);
      socket.uncork();
    }
    // What the kernel took at once is already subtracted here.
    if (socket.writableLength === 0) return true;
    // An empty write after the blocks that wait: its callback comes when they have left, or with an error.
    socket.write(NOTHING, (error) => {
      if (!error) socket[kListener]?.onDrain();
    });
    return false;
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
    if (this.#socket[kHeldEnd]) process.nextTick(tellHeldEnd, this.#socket);
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

function onData(this: OwnedSocket, chunk: Uint8Array): void {
  // Node goes on emitting what it has buffered after `destroy`.
  if (!this.destroyed) this[kListener]?.onBytes(chunk, false);
}

/** Node emits 'end' on a paused socket too, if no bytes are buffered. The end is then kept until reading goes on. */
function onEnd(this: OwnedSocket): void {
  if (this.isPaused()) this[kHeldEnd] = true;
  else this[kListener]?.onEnd();
}

function tellHeldEnd(socket: OwnedSocket): void {
  if (!socket[kHeldEnd] || socket.isPaused() || socket.destroyed) return;
  socket[kHeldEnd] = false;
  socket[kListener]?.onEnd();
}

function onError(this: OwnedSocket, error: Error): void {
  this[kListener]?.onError(error);
}

function onClose(this: OwnedSocket): void {
  this[kListener]?.onClosed();
}

/** What is read of the handle of an accepted connection. On Windows its `fd` is -1. */
interface Descriptor {
  readonly fd?: number;
}

export class TcpListener implements Listener {
  readonly #options: TcpOptions;
  #server: Server | undefined;
  #failed: ((error: Error) => void) | undefined;
  #openFiles = Number.POSITIVE_INFINITY;

  constructor(options: TcpOptions) {
    this.#options = options;
  }

  listen(accept: (transport: Transport) => void, failed: (error: Error) => void): Promise<void> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    this.#server = server;
    this.#failed = failed;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...this.#options }, () => {
        server.off('error', reject);
        server.on('error', (error) => failed(explainAccept(error)));
        this.#openFiles = openFilesLimit() ?? Number.POSITIVE_INFINITY;
        this.acceptFrom(server, accept);
        resolve();
      });
    });
  }

  /** Passes on the connections of a server that listens. */
  protected acceptFrom(server: Server, accept: (transport: Transport) => void): void {
    server.on('connection', (socket) => {
      accept(new TcpTransport(socket));
      this.checkDescriptor((socket as { _handle?: Descriptor | null })._handle);
    });
  }

  /**
   * Reports an accepted connection that got the last file descriptor. The system gives out the lowest one that is free,
   * so all are in use then. libuv closes the next connections without calling us, so there is no later chance to notice.
   */
  protected checkDescriptor(handle: Descriptor | null | undefined): void {
    const { fd = -1 } = handle ?? {};
    if (fd >= this.#openFiles - 1) this.#failed?.(noDescriptorLeft(this.#openFiles));
  }

  close(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || !server.listening) return Promise.resolve();
    // Node calls back when the last connection has gone. The port is free before that, and this promise is fulfilled.
    server.close();
    return new Promise((resolve) => setImmediate(resolve));
  }

  address(): AddressInfo | null {
    const address = this.#server?.address();
    return typeof address === 'object' && address !== null ? address : null;
  }
}
