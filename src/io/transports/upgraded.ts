/**
 * A socket that an HTTP server has handed over with its event 'upgrade' (RFC 9110 7.8).
 *
 * Node has taken its own listeners off the socket by then, and has given the handle below it back to JavaScript. So the
 * handle can be taken out of the socket: the connection is then as fast as on a port of our own. Node does the same
 * when it sends a socket to a child process. The handle of a TLS socket is used where it is, since only the socket knows how
 * to close it. What is taken is checked first; a socket with bytes on their way, or a stream that is no socket of Node's,
 * stays as it is and is used by its public methods.
 */
import { Buffer } from 'node:buffer';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import { canUse, HandleTransport, type StreamHandle } from './handle-tcp.ts';
import { TlsHandleTransport } from './handle-tls.ts';
import { peerAddress } from './peer-address.ts';
import { TcpTransport } from './tcp.ts';
import { TlsSocketTransport } from './tls.ts';
import type { Transport } from './transport.ts';

/** The transport of a socket, and the bytes that were read from it before. */
export interface Upgraded {
  readonly transport: Transport;
  readonly early: Uint8Array;
}

/** The parts of a server of Node's that counts its sockets. */
interface CountingServer {
  _connections?: number;
  _emitCloseIfDrained?: () => void;
}

/** The parts of a socket that are used, of which only some are public. */
type NodeSocket = Omit<Partial<Socket>, 'on' | 'once'> &
  Duplex & {
    encrypted?: boolean;
    getPeerCertificate?: unknown;
    _handle?: Partial<StreamHandle> | null;
    _server?: CountingServer | null;
    /** The answer that is being sent: a `ServerResponse` of Node's. */
    _httpMessage?: { once(event: 'close', listener: () => void): unknown } | null;
    /** Of a TLS socket: the socket below it. */
    _parent?: NodeSocket | null;
    readonly _readableState?: { readonly ended?: boolean };
  };

/**
 * Calls `then` when no answer is under way on that socket. A peer may ask for more before it has the answer, and HTTP/1.1
 * answers in turn (RFC 9112 9.3.2). The HTTP server goes on writing to the socket until then, so nobody else may use it.
 */
export function whenAnswered(socket: Duplex, then: () => void): void {
  const answer = (socket as NodeSocket)._httpMessage;
  if (answer == null) {
    then();
    return;
  }
  socket.on('error', ignore);
  answer.once('close', () => {
    socket.off('error', ignore);
    whenAnswered(socket, then);
  });
}

/** Node closes the socket after an error, and that is what counts. Without a listener it would end the process. */
function ignore(): void {}

/**
 * Makes a transport of a socket that no HTTP server uses any more. `head` is what came after the request head. The
 * listener must be attached in the same turn, since the socket may already flow.
 */
export function takeSocket(socket: Duplex, head: Uint8Array, way: 'handle' | 'socket'): Upgraded {
  const own = socket as NodeSocket;
  own.setTimeout?.(0);
  leaveServer(own);
  const isTls = own.encrypted === true && typeof own.getPeerCertificate === 'function';
  const byHandle = way === 'handle' ? (isTls ? takeTlsHandle(own, head) : takeHandle(own, head)) : undefined;
  if (byHandle !== undefined) return byHandle;
  own.setNoDelay?.(true);
  own.allowHalfOpen = true;
  // Whoever dispatched by hand may have paused it.
  if (own.isPaused()) own.resume();
  const transport = isTls
    ? new TlsSocketTransport(own as unknown as TLSSocket, 'http1')
    : new TcpTransport(own as unknown as Socket, 'http1');
  return { transport, early: head };
}

/** An HTTP server that is closed waits for the sockets that it counts. This one is not its own any more. */
function leaveServer(socket: NodeSocket): void {
  const counted = socket._server ? socket : socket._parent;
  const server = counted?._server;
  if (counted == null || server == null || typeof server._connections !== 'number') return;
  counted._server = null;
  server._connections--;
  server._emitCloseIfDrained?.();
}

/** Uses the handle of a TLS socket, which stays in the socket: that knows how to close it. */
function takeTlsHandle(socket: NodeSocket, head: Uint8Array): Upgraded | undefined {
  // What it has read already comes first.
  const rest: Uint8Array | null = socket.readableLength > 0 ? socket.read() : null;
  const transport = TlsHandleTransport.of(socket as unknown as TLSSocket, 'http1');
  if (transport === undefined) {
    if (rest !== null) socket.unshift(rest);
    return undefined;
  }
  socket.setNoDelay?.(true);
  return { transport, early: rest === null ? head : Buffer.concat([head, rest]) };
}

/** Symbols of Node's own, under which a handle keeps its socket and a socket that it does not delay small writes. */
let ownerSymbol: symbol | undefined;
let noDelaySymbol: symbol | undefined;

const symbolIn = (object: object, name: string): symbol | undefined =>
  Object.getOwnPropertySymbols(object).find(({ description }) => description === name);

/** The handle would keep the socket and all that hangs on it in memory. */
function disown(handle: StreamHandle): void {
  ownerSymbol ??= symbolIn(handle, 'owner_symbol');
  if (ownerSymbol !== undefined) Object.assign(handle, { [ownerSymbol]: null });
}

/** HTTP servers set it, unless the user has told them not to. */
function hasNoDelay(socket: NodeSocket): boolean {
  noDelaySymbol ??= symbolIn(socket, 'kSetNoDelay');
  return noDelaySymbol !== undefined && Reflect.get(socket, noDelaySymbol) === true;
}

/** Takes the handle out of a socket of plain TCP, or of a Unix socket. */
function takeHandle(socket: NodeSocket, head: Uint8Array): Upgraded | undefined {
  const handle = socket._handle;
  const isReady =
    handle != null &&
    canUse(handle) &&
    socket.encrypted !== true &&
    !socket.destroyed &&
    !socket.writableEnded &&
    socket.writableLength === 0 &&
    socket._readableState?.ended === false;
  if (!isReady) return undefined;
  const rest: Uint8Array | null = socket.read();
  // Node keeps the address in the socket once it was asked for; `authorize` may want to read it there.
  const address = peerAddress(socket);
  socket._handle = null;
  disown(handle);
  const transport = new HandleTransport(handle, 'http1', address, hasNoDelay(socket));
  // A callback of the user's may still write to the socket or destroy it, which it has from the request.
  socket.on('error', ignore);
  socket.once('close', () => transport.destroy());
  return { transport, early: rest === null ? head : Buffer.concat([head, rest]) };
}
