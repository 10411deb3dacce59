/**
 * TCP on Node's own handle, without a `net.Socket` around it.
 *
 * A `Socket` is a pair of streams: it allocates up to 64 KiB for each read, a few objects for each write, and some
 * kilobytes for each connection. Below it is a handle that reads and writes. This file takes the handle of an accepted
 * connection before Node makes a socket of it, lets all handles read into one shared buffer, and writes with one request
 * object until a write has to wait. Node's own `net` uses handles in the same way, and puts streams on top.
 *
 * None of this is documented, so each part is checked before it is used. Where one is not as expected, in any version of
 * Node or another runtime, connections come by `net.Socket`: everything works as well, only slower. The whole test suite
 * runs over both.
 */
import type { Server } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { readBuffer } from '../frames/read-buffer.ts';
import { UNKNOWN } from './peer-address.ts';
import { findStreamWrap, type StreamWrap } from './stream-wrap.ts';
import { nameOf, TcpListener } from './tcp.ts';
import type { Accept, Transport, TransportListener, TransportName } from './transport.ts';

/** libuv's UV_EOF: the peer has ended its side. */
export const EOF = -4095;
const kTransport = Symbol('transport');

/**
 * The parts of a connection's handle that are used. Numbers below zero are libuv's errors. Handles of TCP have all of
 * them; those of Unix sockets (Pipe) and TLS (TLSWrap) lack the optional ones.
 */
export interface StreamHandle {
  [kTransport]?: HandleTransport;
  readonly fd?: number;
  onread: (this: StreamHandle) => void;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, block: Uint8Array): number;
  writev(request: WriteRequest, blocks: readonly Uint8Array[], allBuffers: true): number;
  shutdown(request: ShutdownRequest): number;
  close(done: () => void): void;
  setNoDelay?(on: boolean): number;
  getpeername?(out: { address?: string }): number;
}

interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  /** Whose write waits. */
  transport: HandleTransport | undefined;
  /** What is being written, kept from the garbage collector. */
  blocks: readonly Uint8Array[] | undefined;
}

interface ShutdownRequest {
  oncomplete: (this: ShutdownRequest, status: number) => void;
  transport: HandleTransport;
}

interface ServerHandle {
  onconnection: (this: ServerHandle, error: number, connection: StreamHandle) => void;
}

const METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeBuffer',
  'writev',
  'shutdown',
  'close',
] as const;

/** Whether a handle has all methods that are used. */
export function isAsExpected(handle: object): handle is StreamHandle {
  return METHODS.every((name) => typeof (handle as Partial<StreamHandle>)[name] === 'function');
}

/** Set by the first listener, and the same for all handles. */
let streamWrap: StreamWrap | undefined;
/** Taken out of `streamWrap`, because each read and each write looks at them. */
let state: Int32Array = new Int32Array(0);
let bytesOrErrorAt = 0;
let wasAsyncAt = 0;

/** Finds Node's request classes, when first asked. False where they are not as expected. */
function canUseHandles(): boolean {
  if (streamWrap !== undefined) return true;
  streamWrap = findStreamWrap();
  if (streamWrap === undefined) return false;
  state = streamWrap.streamBaseState;
  bytesOrErrorAt = streamWrap.kReadBytesOrError;
  wasAsyncAt = streamWrap.kLastWriteWasAsync;
  return true;
}

export class HandleTcpListener extends TcpListener {
  protected override acceptFrom(server: Server, accept: Accept): void {
    super.acceptFrom(server, accept);
    const handle = (server as { _handle?: Partial<ServerHandle> })._handle;
    const onSocket = handle?.onconnection;
    if (handle === undefined || typeof onSocket !== 'function' || !canUseHandles()) return;
    const name = nameOf(server);
    const checkDescriptor = (connection: StreamHandle) => this.checkDescriptor(connection);
    handle.onconnection = function onConnection(error, connection) {
      // Node itself handles an error, and makes a socket of a handle of another kind.
      if (error || !isAsExpected(connection)) {
        onSocket.call(this, error, connection);
      } else {
        accept(new HandleTransport(connection, name));
        checkDescriptor(connection);
      }
    };
  }
}

/** Whether a handle, and Node, are as expected, so that a `HandleTransport` can be made of it. */
export function canUse(handle: Partial<StreamHandle>): handle is StreamHandle {
  return isAsExpected(handle) && canUseHandles();
}

/** Empty for a Unix socket, which has none. */
function addressOf(handle: StreamHandle): string {
  const peer: { address?: string } = {};
  handle.getpeername?.(peer);
  return peer.address ?? (handle.getpeername === undefined ? '' : UNKNOWN);
}

export class HandleTransport implements Transport {
  readonly name: TransportName;
  readonly remoteAddress: string;
  readonly #handle: StreamHandle;
  #listener: TransportListener | undefined;
  #ended = false;
  #shutDown = false;
  #peerEnded = false;
  #destroyed = false;
  #paused = false;
  #givingWay = false;

  /** What is known of the handle already needs no call to the system: the address, and that small writes are not delayed. */
  constructor(
    handle: StreamHandle,
    name: TransportName,
    remoteAddress = addressOf(handle),
    hasNoDelay = false,
  ) {
    this.name = name;
    this.remoteAddress = remoteAddress;
    this.#handle = handle;
    handle[kTransport] = this;
    handle.onread = onRead;
    if (!hasNoDelay) handle.setNoDelay?.(true);
    handle.useUserBuffer(readBuffer);
  }

  get bufferedAmount(): number {
    return this.#destroyed ? 0 : this.#handle.writeQueueSize;
  }

  attach(listener: TransportListener): void {
    this.#listener = listener;
    this.resume();
  }

  write(blocks: readonly Uint8Array[]): boolean {
    if (this.#destroyed || this.#ended) return true;
    spareRequest ??= newWriteRequest();
    const request = spareRequest;
    const error =
      blocks.length === 1
        ? this.#handle.writeBuffer(request, blocks[0] as Uint8Array)
        : this.#handle.writev(request, blocks, true);
    if (error !== 0) {
      this.#failLater(error);
      return true;
    }
    if (state[wasAsyncAt] === 0) return true;
    // libuv holds this request until the write is done. The next write gets another one.
    spareRequest = undefined;
    request.transport = this;
    request.blocks = blocks.slice();
    return false;
  }

  pause(): void {
    this.#paused = true;
    if (!this.#destroyed) this.#handle.readStop();
  }

  resume(): void {
    this.#paused = false;
    if (this.#destroyed || this.#peerEnded || this.#givingWay) return;
    const error = this.#handle.readStart();
    // A handle that an HTTP server has used is reading already.
    if (error !== 0 && getSystemErrorName(error) !== 'EALREADY') this.#failLater(error);
  }

  end(): void {
    if (this.#destroyed || this.#ended) return;
    this.#ended = true;
    const error = this.#handle.shutdown(newShutdownRequest(this));
    if (error !== 0) this.#failLater(error);
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#handle.close(() => this.#listener?.onClosed());
  }

  /** @internal Called after each read, with the number of bytes or an error. */
  read(bytesOrError: number): void {
    if (bytesOrError > 0) {
      if (bytesOrError === readBuffer.length) this.#giveWay();
      this.#listener?.onBytes(readBuffer.subarray(0, bytesOrError), true);
    } else if (bytesOrError === EOF) {
      this.#peerEnded = true;
      this.#listener?.onEnd();
      if (this.#shutDown) this.destroy();
    } else if (bytesOrError < 0) {
      this.#fail(bytesOrError, 'read');
    }
  }

  /**
   * After a read that fills the buffer there is more to read. libuv would read up to 32 times in a row, 8 MiB, before it
   * turns to another connection, so reading stops here until the others have had their turn.
   */
  #giveWay(): void {
    this.#givingWay = true;
    this.#handle.readStop();
    setImmediate(goOn, this);
  }

  /** @internal The other connections have had their turn. */
  goOn(): void {
    this.#givingWay = false;
    if (!this.#paused) this.resume();
  }

  /** @internal A write that had to wait is done. */
  written(status: number): void {
    if (this.#destroyed) return;
    if (status < 0) this.#fail(status, 'write');
    else this.#listener?.onDrain();
  }

  /** @internal Our side has ended. */
  shutDown(status: number): void {
    if (this.#destroyed) return;
    this.#shutDown = true;
    if (status < 0 || this.#peerEnded) this.destroy();
  }

  /** A call to the handle failed. The listener hears of it after the present call. */
  #failLater(error: number): void {
    process.nextTick(() => this.#fail(error, 'write'));
  }

  #fail(error: number, call: string): void {
    if (this.#destroyed) return;
    const code = getSystemErrorName(error);
    this.#listener?.onError(
      Object.assign(new Error(`${call} ${code}`), { code, errno: error, syscall: call }),
    );
    this.destroy();
  }
}

function goOn(transport: HandleTransport): void {
  transport.goOn();
}

/** The request of the next write on any connection. Most writes are done at once, and leave it free for the next. */
let spareRequest: WriteRequest | undefined;

function newWriteRequest(): WriteRequest {
  // Whoever writes has a transport, and transports are made only once `streamWrap` is set.
  const { WriteWrap } = streamWrap as StreamWrap;
  const request = new WriteWrap() as WriteRequest;
  request.oncomplete = onWritten;
  request.transport = undefined;
  request.blocks = undefined;
  return request;
}

function newShutdownRequest(transport: HandleTransport): ShutdownRequest {
  const { ShutdownWrap } = streamWrap as StreamWrap;
  const request = new ShutdownWrap() as ShutdownRequest;
  request.oncomplete = onShutDown;
  request.transport = transport;
  return request;
}

function onRead(this: StreamHandle): void {
  this[kTransport]?.read(state[bytesOrErrorAt] as number);
}

function onWritten(this: WriteRequest, status: number): void {
  const { transport } = this;
  this.transport = undefined;
  this.blocks = undefined;
  transport?.written(status);
}

function onShutDown(this: ShutdownRequest, status: number): void {
  this.transport.shutDown(status);
}
