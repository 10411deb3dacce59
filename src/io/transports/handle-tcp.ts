/**
 * TCP on Node's own handle, without a `net.Socket` around it.
 *
 * A `Socket` is a pair of streams: it allocates up to 64 KiB for each read, a few objects for each write, and some
 * kilobytes for each connection. Underneath is a handle that reads and writes. This file, and no other, takes the
 * handle of an accepted connection before Node makes a socket of it, lets all handles read into one shared buffer, and
 * writes with one request object until a write has to wait. It is what Node's own `net` does, less the streams.
 *
 * None of it is documented: `server._handle.onconnection`, and the requests of `process.binding('stream_wrap')`. So
 * every part is looked at before it is used. Where one is not as expected, on whatever Node this runs, connections come
 * by `net.Socket` and everything works as well, only slower. The whole test suite runs over both.
 */
import type { Server } from 'node:net';
import { getSystemErrorName } from 'node:util';
import { readBuffer } from '../frames/read-buffer.ts';
import { TcpListener } from './tcp.ts';
import type { Transport, TransportListener } from './transport.ts';

/** libuv's end of file. */
const EOF = -4095;
const kTransport = Symbol('transport');

/** The handle of an accepted connection, as far as we touch it. Numbers below zero are libuv's errors. */
interface TcpHandle {
  [kTransport]?: HandleTransport;
  onread: (this: TcpHandle) => void;
  readonly writeQueueSize: number;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest, block: Uint8Array): number;
  writev(request: WriteRequest, blocks: readonly Uint8Array[], allBuffers: true): number;
  shutdown(request: ShutdownRequest): number;
  close(done: () => void): void;
  setNoDelay(on: boolean): number;
  getpeername(out: { address?: string }): number;
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
  transport: HandleTransport | undefined;
}

interface StreamWrap {
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => ShutdownRequest;
  /** What the last call did, at the places that the next two name. */
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
}

interface ServerHandle {
  onconnection: (this: ServerHandle, error: number, connection: TcpHandle) => void;
}

const METHODS = [
  'useUserBuffer',
  'readStart',
  'readStop',
  'writeBuffer',
  'writev',
  'shutdown',
  'close',
  'setNoDelay',
  'getpeername',
] as const;

const streamWrap = findStreamWrap();

function findStreamWrap(): StreamWrap | undefined {
  try {
    const wrap = (process as unknown as { binding(name: string): StreamWrap }).binding('stream_wrap');
    const { WriteWrap, ShutdownWrap, streamBaseState, kReadBytesOrError, kLastWriteWasAsync } = wrap;
    const asExpected =
      typeof WriteWrap === 'function' &&
      typeof ShutdownWrap === 'function' &&
      streamBaseState instanceof Int32Array &&
      Number.isInteger(streamBaseState[kReadBytesOrError]) &&
      Number.isInteger(streamBaseState[kLastWriteWasAsync]);
    return asExpected ? wrap : undefined;
  } catch {
    return undefined;
  }
}

export class HandleTcpListener extends TcpListener {
  protected override acceptFrom(server: Server, accept: (transport: Transport) => void): void {
    super.acceptFrom(server, accept);
    const handle = (server as { _handle?: Partial<ServerHandle> })._handle;
    const onSocket = handle?.onconnection;
    const wrap = streamWrap;
    if (handle === undefined || typeof onSocket !== 'function' || wrap === undefined) return;
    handle.onconnection = function onConnection(error, connection) {
      // An error, or a handle of another kind, goes Node's way.
      if (error || !METHODS.every((name) => typeof connection[name] === 'function')) {
        onSocket.call(this, error, connection);
      } else {
        accept(new HandleTransport(connection, wrap));
      }
    };
  }
}

class HandleTransport implements Transport {
  readonly remoteAddress: string;
  readonly #handle: TcpHandle;
  readonly #wrap: StreamWrap;
  #listener: TransportListener | undefined;
  #ended = false;
  #shutDown = false;
  #peerEnded = false;
  #destroyed = false;
  #paused = false;
  #givingWay = false;

  constructor(handle: TcpHandle, wrap: StreamWrap) {
    const peer: { address?: string } = {};
    handle.getpeername(peer);
    this.remoteAddress = peer.address ?? '';
    this.#handle = handle;
    this.#wrap = wrap;
    handle[kTransport] = this;
    handle.onread = onRead;
    handle.setNoDelay(true);
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
    spareRequest ??= newRequest(this.#wrap);
    const request = spareRequest;
    const error =
      blocks.length === 1
        ? this.#handle.writeBuffer(request, blocks[0] as Uint8Array)
        : this.#handle.writev(request, blocks, true);
    if (error !== 0) {
      this.#failLater(error);
      return true;
    }
    if (this.#wrap.streamBaseState[this.#wrap.kLastWriteWasAsync] === 0) return true;
    // libuv has this request until the write is done; the next write gets another.
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
    if (error !== 0) this.#failLater(error);
  }

  end(): void {
    if (this.#destroyed || this.#ended) return;
    this.#ended = true;
    const request = new this.#wrap.ShutdownWrap();
    request.transport = this;
    request.oncomplete = onShutDown;
    const error = this.#handle.shutdown(request);
    if (error !== 0) this.#failLater(error);
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#handle.close(() => this.#listener?.onClosed());
  }

  /** @internal What a read brought: bytes, the end, or an error. */
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
   * A read that fills the buffer leaves more behind, and libuv would read 32 times in a row, 8 MiB, before it looks at
   * another connection. This one goes on when the others have had their turn.
   */
  #giveWay(): void {
    this.#givingWay = true;
    this.#handle.readStop();
    setImmediate(goOn, this);
  }

  /** @internal */
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

  /** A call failed: its listener is told when that call is over. */
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

/** The request of the next write, of whichever connection: most are done at once and leave it free. */
let spareRequest: WriteRequest | undefined;

function newRequest({ WriteWrap }: StreamWrap): WriteRequest {
  const request = new WriteWrap();
  request.oncomplete = onWritten;
  request.transport = undefined;
  request.blocks = undefined;
  return request;
}

function onRead(this: TcpHandle): void {
  // Set only where streamWrap was found.
  const { streamBaseState, kReadBytesOrError } = streamWrap as StreamWrap;
  this[kTransport]?.read(streamBaseState[kReadBytesOrError] as number);
}

function onWritten(this: WriteRequest, status: number): void {
  const { transport } = this;
  this.transport = undefined;
  this.blocks = undefined;
  transport?.written(status);
}

function onShutDown(this: ShutdownRequest, status: number): void {
  this.transport?.shutDown(status);
}
