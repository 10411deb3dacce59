/**
 * TLS on Node's own handle (`TLSWrap`), without the streams of a `TLSSocket`: see `handle-tcp.ts`.
 *
 * A TLSWrap differs from a handle of TCP:
 * - It has encrypted what it was given when a write returns, so the memory is free at once. But it tells only later that
 *   the write is done, and it must not get the next one before. What comes meanwhile is held here.
 * - It goes on passing on what it has decrypted after `readStop()`. That is held here as well.
 *
 * The handle stays in its `TLSSocket`, which knows how to close it, and is kept for that.
 */
import { Buffer } from 'node:buffer';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { getSystemErrorName } from 'node:util';
import { readBuffer } from '../frames/read-buffer.ts';
import { EOF, isAsExpected, type StreamHandle } from './handle-tcp.ts';
import { peerAddress } from './peer-address.ts';
import { findStreamWrap, type StreamWrap } from './stream-wrap.ts';
import type { Transport, TransportListener, TransportName } from './transport.ts';
import { verifiedCertificate } from './verified-certificate.ts';

const kTransport = Symbol('transport');

type TlsHandle = Omit<StreamHandle, 'onread'> & {
  [kTransport]?: TlsHandleTransport;
  onread: (this: TlsHandle) => void;
  onerror?: (this: TlsHandle, error: Error) => void;
  /** The handle of the connection below. */
  readonly _parent?: { readonly writeQueueSize?: number };
};

type OwnedSocket = TLSSocket & {
  [kTransport]?: TlsHandleTransport;
  readonly _handle?: TlsHandle | null;
};

interface Request {
  oncomplete: (this: Request, status: number) => void;
  transport: TlsHandleTransport;
}

let streamWrap: StreamWrap | undefined;

/** Many members: those of `Transport`, and the state of each direction. */
export class TlsHandleTransport implements Transport {
  readonly name: TransportName;
  readonly remoteAddress: string;
  readonly #socket: OwnedSocket;
  readonly #handle: TlsHandle;
  #listener: TransportListener | undefined;
  /** A write is under way. */
  #writing = false;
  /** Blocks of the caller that wait for it. */
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #owesDrain = false;
  #ended = false;
  #shutDown = false;
  #peerEnded = false;
  #destroyed = false;
  #paused = false;
  /** What was decrypted while paused, as copies, and whether the end came after it. */
  #unread: Uint8Array[] = [];
  #unreadEnd = false;

  /** Undefined where the parts of Node that are needed are not as expected. */
  static of(socket: TLSSocket, name: TransportName = 'tls'): TlsHandleTransport | undefined {
    streamWrap ??= findStreamWrap();
    const handle = (socket as OwnedSocket)._handle;
    if (streamWrap === undefined || handle == null || !isAsExpected(handle)) return undefined;
    if (typeof handle._parent?.writeQueueSize !== 'number' || typeof handle.onerror !== 'function')
      return undefined;
    // Somebody has used it already: its streams hold bytes, or its end.
    if (socket.readableLength > 0 || socket.writableLength > 0 || hasEnded(socket)) return undefined;
    return new TlsHandleTransport(socket, handle, name);
  }

  private constructor(socket: OwnedSocket, handle: TlsHandle, name: TransportName) {
    this.name = name;
    this.#socket = socket;
    this.#handle = handle;
    this.remoteAddress = peerAddress(socket);
    socket[kTransport] = this;
    handle[kTransport] = this;
    handle.onread = onRead;
    handle.onerror = onHandleError;
    handle.useUserBuffer(readBuffer);
    // Until there is a listener.
    this.pause();
    socket.on('error', onSocketError);
    socket.on('close', onSocketClose);
  }

  get bufferedAmount(): number {
    if (this.#destroyed || !this.#owesDrain) return 0;
    return this.#handle.writeQueueSize + this.#heldBytes;
  }

  attach(listener: TransportListener): void {
    this.#listener = listener;
    this.resume();
  }

  peerCertificate(): PeerCertificate | undefined {
    return verifiedCertificate(this.#socket);
  }

  write(blocks: readonly Uint8Array[]): boolean {
    if (this.#destroyed || this.#ended) return true;
    if (!this.#writing) return this.#submit(blocks);
    for (const block of blocks) {
      this.#held.push(block);
      this.#heldBytes += block.length;
    }
    this.#owesDrain = true;
    return false;
  }

  /** Passes blocks to the handle. Returns true when the kernel has all of them. */
  #submit(blocks: readonly Uint8Array[]): boolean {
    // One for each write: Node does not let go of it before its `oncomplete` has returned.
    const { WriteWrap } = streamWrap as StreamWrap;
    const request = new WriteWrap() as Request;
    request.oncomplete = onWritten;
    request.transport = this;
    const error =
      blocks.length === 1
        ? this.#handle.writeBuffer(request as never, blocks[0] as Uint8Array)
        : this.#handle.writev(request as never, blocks, true);
    if (error !== 0) {
      this.#failLater(error);
      return true;
    }
    this.#writing = true;
    if (this.#handle._parent?.writeQueueSize === 0) return true;
    this.#owesDrain = true;
    return false;
  }

  /** @internal The write that was under way is done. */
  written(status: number): void {
    this.#writing = false;
    if (this.#destroyed) {
      if (this.#held.length > 0 && status >= 0) this.#submit(this.#held);
      this.#close();
      return;
    }
    if (status < 0) {
      this.#fail(status, 'write');
      return;
    }
    if (this.#held.length > 0) {
      const blocks = this.#held;
      this.#held = [];
      this.#heldBytes = 0;
      if (!this.#submit(blocks)) return;
    }
    if (this.#owesDrain) {
      this.#owesDrain = false;
      this.#listener?.onDrain();
    }
    if (this.#ended) this.#endHandle();
  }

  pause(): void {
    this.#paused = true;
    if (!this.#destroyed) this.#handle.readStop();
  }

  resume(): void {
    this.#paused = false;
    if (this.#destroyed) return;
    if (this.#unread.length > 0 || this.#unreadEnd) {
      process.nextTick(tellUnread, this);
      return;
    }
    if (this.#peerEnded) return;
    const error = this.#handle.readStart();
    if (error !== 0) this.#failLater(error);
  }

  /** @internal Called after each read, with the number of bytes or an error. */
  read(bytesOrError: number): void {
    if (this.#destroyed) return;
    if (bytesOrError > 0) {
      const chunk = readBuffer.subarray(0, bytesOrError);
      if (this.#paused || this.#unread.length > 0) this.#unread.push(Buffer.from(chunk));
      else this.#listener?.onBytes(chunk, true, true);
    } else if (bytesOrError === EOF) {
      if (this.#peerEnded) return;
      this.#peerEnded = true;
      if (this.#paused || this.#unread.length > 0) this.#unreadEnd = true;
      else this.#tellEnd();
    } else if (bytesOrError < 0) {
      this.#fail(bytesOrError, 'read');
    }
  }

  /** @internal Tells what came while reading was paused. */
  tellUnread(): void {
    while (this.#unread.length > 0 && !this.#paused && !this.#destroyed) {
      this.#listener?.onBytes(this.#unread.shift() as Uint8Array, false);
    }
    if (this.#paused || this.#destroyed) return;
    if (this.#unreadEnd) {
      this.#unreadEnd = false;
      this.#tellEnd();
    } else if (!this.#peerEnded) {
      this.#handle.readStart();
    }
  }

  #tellEnd(): void {
    this.#listener?.onEnd();
    if (this.#shutDown) this.destroy();
  }

  end(): void {
    if (this.#destroyed || this.#ended) return;
    this.#ended = true;
    if (!this.#writing) this.#endHandle();
  }

  /** TLS tells its end and TCP sends a FIN. The handle would do that before a write that is under way is done. */
  #endHandle(): void {
    if (this.#writing || this.#destroyed) return;
    const { ShutdownWrap } = streamWrap as StreamWrap;
    const request = new ShutdownWrap() as Request;
    request.oncomplete = onShutDown;
    request.transport = this;
    const error = this.#handle.shutdown(request as never);
    if (error !== 0) this.#failLater(error);
  }

  /** @internal Our side has ended. */
  shutDown(status: number): void {
    if (this.#destroyed) return;
    this.#shutDown = true;
    if (status < 0 || (this.#peerEnded && !this.#unreadEnd)) this.destroy();
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    // As on TCP, the system gets what it has room for: a write that it has taken is done in the next turn.
    const isAlmostWritten = this.#writing && this.#handle._parent?.writeQueueSize === 0;
    if (!isAlmostWritten || this.#held.length === 0) this.#close();
  }

  #close(): void {
    this.#held = [];
    this.#socket.destroy();
  }

  /** @internal The socket has closed, be it by `destroy()` or because the connection below has. */
  closed(): void {
    this.#destroyed = true;
    this.#held = [];
    this.#unread = [];
    this.#listener?.onClosed();
  }

  /** @internal TLS or the connection below has failed. */
  broke(error: Error): void {
    if (this.#destroyed) return;
    this.#listener?.onError(error);
    this.#held = [];
    this.destroy();
  }

  /** A call to the handle failed. The listener hears of it after the present call. */
  #failLater(error: number): void {
    process.nextTick(() => this.#fail(error, 'write'));
  }

  #fail(error: number, call: string): void {
    const code = getSystemErrorName(error);
    this.broke(Object.assign(new Error(`${call} ${code}`), { code, errno: error, syscall: call }));
  }
}

function hasEnded(socket: TLSSocket): boolean {
  const { _readableState: state } = socket as { _readableState?: { ended?: boolean } };
  return socket.destroyed || socket.writableEnded || state?.ended !== false;
}

function onRead(this: TlsHandle): void {
  const { streamBaseState, kReadBytesOrError } = streamWrap as StreamWrap;
  this[kTransport]?.read(streamBaseState[kReadBytesOrError] as number);
}

function onWritten(this: Request, status: number): void {
  this.transport.written(status);
}

function onShutDown(this: Request, status: number): void {
  this.transport.shutDown(status);
}

/** TLS fails within a call of ours too, so it is told after that. */
function onHandleError(this: TlsHandle, error: Error): void {
  const transport = this[kTransport];
  if (transport !== undefined) process.nextTick(broke, transport, error);
}

function broke(transport: TlsHandleTransport, error: Error): void {
  transport.broke(error);
}

function onSocketError(this: OwnedSocket, error: Error): void {
  this[kTransport]?.broke(error);
}

function onSocketClose(this: OwnedSocket): void {
  this[kTransport]?.closed();
}

function tellUnread(transport: TlsHandleTransport): void {
  transport.tellUnread();
}
