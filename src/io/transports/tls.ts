/**
 * TLS of our own: handshakes by `node:tls`, on the connections of a TCP port, a Unix socket or a descriptor.
 *
 * The first byte of a connection is looked at before TLS begins, since somebody who speaks ws:// to this port can then be
 * told so in words. Connections whose handshake is under way are limited in time and in number: nobody else knows of them.
 */
import type { Server, Socket } from 'node:net';
import type { PeerCertificate, TLSSocket } from 'node:tls';
import { fault } from '../faults.ts';
import { TlsHandleTransport } from './handle-tls.ts';
import { peerAddress } from './peer-address.ts';
import { TcpListener, type TcpOptions, TcpTransport } from './tcp.ts';
import { listensItself, type TlsHost, type TlsIdentity } from './tls-identity.ts';
import type { Accept, TransportName } from './transport.ts';
import { verifiedCertificate } from './verified-certificate.ts';

/** The first byte of a TLS connection: a record of the type handshake (RFC 8446 5.1). */
const HANDSHAKE_RECORD = 0x16;

export interface TlsListenerOptions {
  readonly identity: TlsIdentity;
  /** Connections by Node's handles, where they are as expected. */
  readonly byHandle: boolean;
  /** Milliseconds for a client's first byte. */
  readonly handshakeDeadline: number;
  /** Handshakes under way at a time. Over it, the oldest is dropped. */
  readonly maxHandshakes: number;
}

/** A TLS handshake that came to nothing. */
export class TlsHandshakeFailure extends Error {
  readonly code: string;
  readonly remoteAddress: string;
  /** The option whose value was passed. */
  readonly limit: 'handshakeDeadline' | 'maxHandshakes' | undefined;

  constructor(code: string, why: string, socket: Socket, cause?: Error) {
    super(why, cause && { cause });
    this.code = code;
    this.remoteAddress = peerAddress(socket);
    this.limit = LIMITS[code];
  }
}

const LIMITS: Record<string, TlsHandshakeFailure['limit']> = {
  ERR_TLS_HANDSHAKE_TIMEOUT: 'handshakeDeadline',
  ERR_TLS_HANDSHAKE_CROWDED: 'maxHandshakes',
};

/** A TLS connection by the public `TLSSocket`. */
export class TlsSocketTransport extends TcpTransport {
  constructor(socket: TLSSocket, name: TransportName = 'tls') {
    super(socket, name);
  }

  peerCertificate(): PeerCertificate | undefined {
    return verifiedCertificate(this.socket as TLSSocket);
  }
}

export class TlsListener extends TcpListener implements TlsHost {
  readonly #options: TlsListenerOptions;
  /** Accepted, and not yet through with TLS; the oldest first. */
  readonly #pending = new Set<Socket>();
  /** Those that were dropped here, which has been told. */
  readonly #dropped = new WeakSet<Socket>();
  #accept: Accept = (transport) => transport.destroy();

  constructor(place: TcpOptions, options: TlsListenerOptions) {
    super(place);
    this.#options = options;
  }

  protected override makeServer(): Server {
    return listensItself ? this.#options.identity.server : super.makeServer();
  }

  protected override acceptFrom(server: Server, accept: Accept): void {
    this.#accept = accept;
    this.#options.identity.host = this;
    if (!listensItself) server.on('connection', (socket) => this.#greet(socket));
  }

  /** Waits for the first byte. */
  #greet(socket: Socket): void {
    this.#pending.add(socket);
    if (this.#pending.size > this.#options.maxHandshakes) this.#crowdOut();
    const onReadable = () => {
      const chunk: Uint8Array | null = socket.read();
      if (chunk === null) return;
      socket.off('readable', onReadable);
      socket.setTimeout(0);
      socket.unshift(chunk);
      if (chunk[0] === HANDSHAKE_RECORD) this.#options.identity.handshake(socket);
      else this.#refuse(socket);
    };
    socket.on('readable', onReadable);
    socket.on('end', () => {
      if (this.#pending.has(socket)) socket.destroy();
    });
    // The reason is told by `failed`, or nobody wants to know it.
    socket.on('error', () => {});
    socket.on('close', () => this.#pending.delete(socket));
    socket.setTimeout(this.#options.handshakeDeadline, () => {
      if (this.#pending.has(socket)) this.#drop(socket, 'ERR_TLS_HANDSHAKE_TIMEOUT', 'nothing was sent');
    });
    this.checkDescriptor((socket as { _handle?: { fd?: number } | null })._handle);
  }

  /** Who is not through with TLS by then has asked for nothing, and would keep the process alive until its deadline. */
  override close(): Promise<void> {
    for (const socket of this.#pending) {
      this.#dropped.add(socket);
      socket.destroy();
    }
    return super.close();
  }

  /** Somebody speaks ws:// or http:// here. */
  #refuse(socket: Socket): void {
    this.#pending.delete(socket);
    this.#accept(new TcpTransport(socket), fault('plain'));
  }

  #crowdOut(): void {
    const [oldest] = this.#pending;
    if (oldest !== undefined) this.#drop(oldest, 'ERR_TLS_HANDSHAKE_CROWDED', 'maxHandshakes were under way');
  }

  #drop(socket: Socket, code: string, why: string): void {
    this.#pending.delete(socket);
    this.#dropped.add(socket);
    this.connectionFailed(new TlsHandshakeFailure(code, why, socket));
    socket.destroy();
  }

  /** @internal A handshake is done. */
  secured(socket: TLSSocket, needsCertificate: boolean): void {
    this.#through(socket);
    // Node 20 and 22 let in a client that resumes a session, though it has shown no certificate.
    if (needsCertificate && verifiedCertificate(socket) === undefined) {
      const why = 'a session was resumed without a certificate';
      this.connectionFailed(new TlsHandshakeFailure('ERR_TLS_CERT_MISSING', why, socket));
      socket.destroy();
      return;
    }
    const transport = this.#options.byHandle ? TlsHandleTransport.of(socket) : undefined;
    this.#accept(transport ?? new TlsSocketTransport(socket));
  }

  /** @internal A handshake has failed. Node leaves a socket open whose time is up. */
  failed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const below = this.#through(socket);
    if (below !== undefined && this.#dropped.has(below)) return;
    const [code, why] = reasonOf(error, socket);
    const failure = new TlsHandshakeFailure(code, why, socket, error);
    socket.destroy();
    this.connectionFailed(failure);
  }

  /** The connection below has no handshake under way any more. */
  #through(socket: TLSSocket): Socket | undefined {
    const below = (socket as { _parent?: Socket })._parent;
    // Without this private part of Node it is not known which one that is, so none is counted.
    if (below === undefined) this.#pending.clear();
    else this.#pending.delete(below);
    return below;
  }
}

/** A code, and what OpenSSL says in a few words. Of a certificate that it did not verify Node tells only the socket. */
function reasonOf(
  { code = 'ERR_TLS', reason, message }: NodeJS.ErrnoException & { reason?: string },
  { authorizationError: refused }: TLSSocket,
): [code: string, why: string] {
  if (refused == null) return [code, reason ?? message];
  // The types say Error; it is the code of one.
  return ['ERR_TLS_CERT_REFUSED', `the client's certificate was not verified: ${refused}`];
}
