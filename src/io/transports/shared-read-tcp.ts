/**
 * TCP whose sockets all read into one buffer.
 *
 * Node allocates up to 64 KiB for each read of an ordinary socket. Its `onread` option reads into a buffer of ours
 * instead, but Node offers it only to sockets that a program makes itself. So this file, and no other, takes the
 * handle of each accepted connection before Node makes a socket of it: `server._handle.onconnection` and the
 * constructor's `handle` option are not documented. They are looked at before they are used; where they are not as
 * expected, connections come the public way and everything works as well, only slower.
 */
import { type OnReadOpts, type Server, Socket } from 'node:net';
import { readBuffer } from '../read-buffer.ts';
import { kListener, type OwnedSocket, TcpListener, TcpTransport } from './tcp.ts';
import type { Transport } from './transport.ts';

/** The handle of an accepted connection, as far as we touch it. */
interface ConnectionHandle {
  readonly useUserBuffer: unknown;
  setNoDelay(on: boolean): void;
}

/** The handle of a listening server. */
interface ServerHandle {
  onconnection: (this: ServerHandle, error: number, connection: ConnectionHandle) => void;
}

/** `onread` with the one buffer; Node calls `callback` as a method of the socket. */
const onread: OnReadOpts = { buffer: readBuffer, callback: onRead };

function onRead(this: OwnedSocket, bytes: number, buffer: Uint8Array): boolean {
  this[kListener]?.onBytes(buffer.subarray(0, bytes), true);
  return true;
}

export class SharedReadTcpListener extends TcpListener {
  protected override acceptFrom(server: Server, accept: (transport: Transport) => void): void {
    super.acceptFrom(server, accept);
    const handle = (server as { _handle?: Partial<ServerHandle> })._handle;
    const accepted = handle?.onconnection;
    if (handle === undefined || typeof accepted !== 'function') return;
    handle.onconnection = function onConnection(error, connection) {
      // An error, or a handle of another kind, goes the public way.
      const socket = error === 0 || !error ? adopt(connection) : undefined;
      if (socket === undefined) accepted.call(this, error, connection);
      else accept(new TcpTransport(socket, false));
    };
  }
}

/** A socket on the handle that reads into the shared buffer; undefined where Node is not as expected. */
function adopt(handle: ConnectionHandle): Socket | undefined {
  if (typeof handle?.useUserBuffer !== 'function' || typeof handle.setNoDelay !== 'function')
    return undefined;
  handle.setNoDelay(true);
  const socket = new Socket({ handle, allowHalfOpen: true, onread } as ConstructorParameters<
    typeof Socket
  >[0]);
  return (socket as { _handle?: unknown })._handle === handle ? socket : undefined;
}
