/**
 * TCP and Unix sockets by Node's public `net` API: one `Socket` for each connection. Its events go to functions that all
 * sockets share.
 */
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { pathOfDescriptor } from './descriptor.ts';
import { explainAccept, noDescriptorLeft, openFilesLimit } from './open-files.ts';
import { peerAddress } from './peer-address.ts';
import type { Accept, Address, Listener, Transport, TransportListener, TransportName } from './transport.ts';
import { UnixFile } from './unix-file.ts';

/** Where to listen: a TCP port, the path of a Unix socket, or a descriptor of either that is handed down. */
export interface TcpOptions {
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly path?: string | undefined;
  /** Permissions of the Unix socket's file; undefined: as the umask says. */
  readonly mode?: number | undefined;
  readonly fd?: number | undefined;
  /** Several processes listen on the same port, and the kernel spreads the connections (SO_REUSEPORT). */
  readonly reusePort?: boolean | undefined;
  /** A worker of `node:cluster` listens itself, and shares nothing. */
  readonly exclusive?: boolean | undefined;
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

  /** The socket, for what is made on top of this. */
  protected get socket(): Socket {
    return this.#socket;
  }

  get remoteAddress(): string {
    return peerAddress(this.#socket);
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
  #file: UnixFile | undefined;
  /** Where it listens if that is a Unix socket; empty for one that was handed down by somebody who cannot be asked. */
  #path = '';
  #failed: ((error: Error) => void) | undefined;
  #openFiles = Number.POSITIVE_INFINITY;

  constructor(options: TcpOptions) {
    this.#options = options;
  }

  async listen(accept: Accept, failed: (error: Error) => void): Promise<void> {
    const { path, mode, ...place } = this.#options;
    this.#failed = failed;
    this.#path = path ?? pathOfDescriptor(place.fd);
    if (path === undefined) {
      await this.#bind(place, accept, failed);
      return;
    }
    const file = new UnixFile(path);
    await file.bind(() => this.#bind({ path, backlog: place.backlog }, accept, failed));
    this.#file = file;
    try {
      file.own(mode);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Binds and listens. The server is set before this returns, so that a close finds it. */
  #bind(place: object, accept: Accept, failed: (error: Error) => void): Promise<void> {
    const server = this.makeServer();
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ ...place }, () => {
        server.off('error', reject);
        server.on('error', (error) => failed(explainAccept(error)));
        this.#openFiles = openFilesLimit() ?? Number.POSITIVE_INFINITY;
        this.acceptFrom(server, accept);
        resolve();
      });
    });
  }

  protected makeServer(): Server {
    return createServer({ allowHalfOpen: true, noDelay: true });
  }

  /** Passes on the connections of a server that listens. */
  protected acceptFrom(server: Server, accept: Accept): void {
    const name = nameOf(server);
    server.on('connection', (socket) => {
      accept(new TcpTransport(socket, name));
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

  /** Passes on the error of a connection that came to nothing. */
  protected connectionFailed(error: Error): void {
    this.#failed?.(error);
  }

  close(): Promise<void> {
    const server = this.#server;
    const file = this.#file;
    this.#server = undefined;
    this.#file = undefined;
    if (server === undefined || !server.listening) return Promise.resolve();
    // Node calls back when the last connection has gone. The port is free before that, and this promise is fulfilled.
    if (file === undefined) server.close();
    else file.release(() => server.close());
    return new Promise((resolve) => setImmediate(resolve));
  }

  address(): Address | null {
    if (!this.#server?.listening) return null;
    const address = tcpAddress(this.#server);
    return address ?? { address: this.#path, family: 'unix', port: 0 };
  }
}

/** The address of a server that listens on TCP. Of a Unix socket Node gives the path, or null if it came as a descriptor. */
function tcpAddress(server: Server): AddressInfo | undefined {
  const address = server.address();
  return typeof address === 'string' || address === null ? undefined : address;
}

/** The name of the transports of a server that listens. */
export function nameOf(server: Server): TransportName {
  return tcpAddress(server) === undefined ? 'unix' : 'tcp';
}
