/**
 * A connection's byte stream, whatever carries it: TCP, TLS, a Unix socket, a socket that an HTTP server has handed over
 * (`http1`), a stream of HTTP/2, or a pair in memory.
 */
import type { PeerCertificate } from 'node:tls';
import type { Fault } from '../faults.ts';

/** What carries a connection. */
export type TransportName = 'tcp' | 'tls' | 'unix' | 'http1' | 'http2' | 'memory';

/** Where a listener listens. A Unix socket has the family `unix`, its path as the address, and port 0. */
export interface Address {
  readonly address: string;
  readonly family: string;
  readonly port: number;
}

/** The byte stream of one connection. */
export interface Transport {
  readonly name: TransportName;
  /** The peer's address as text, as the system gives it. Empty on a Unix socket; `unknown` when it cannot be told. */
  readonly remoteAddress: string;
  /** Bytes given to `write` that the system has not taken yet. */
  readonly bufferedAmount: number;

  /** Sets the listener. Called once, before the first event. */
  attach(listener: TransportListener): void;

  /**
   * Writes the blocks in order. Returns true when the system has taken all of them: the caller may reuse their memory.
   * Returns false when some of them wait: they must not change until `onDrain` is called.
   */
  write(blocks: readonly Uint8Array[]): boolean;

  /** Stops reading. Flow control then holds the peer back. */
  pause(): void;
  /** Starts reading again. */
  resume(): void;

  /** Ends our side once everything written has been sent (TCP: FIN). */
  end(): void;
  /** Closes both sides at once. Bytes that still wait are lost. `onClosed` follows. */
  destroy(): void;

  /** TLS only: the certificate that the peer has shown and that was verified, if there is one. */
  peerCertificate?(): PeerCertificate | undefined;
}

/** Hears what happens to a transport. Never called within a call to the transport, and not after `onClosed`. */
export interface TransportListener {
  /**
   * Bytes were read. With `shared`, their memory is reused as soon as this call returns. With `inPieces`, more of the same
   * read may follow at once, as the records of TLS do.
   */
  onBytes(chunk: Uint8Array, shared: boolean, inPieces?: boolean): void;
  /** The system has taken everything that was written. */
  onDrain(): void;
  /** The peer ended its side (TCP: FIN). */
  onEnd(): void;
  /** The stream failed. `onClosed` follows. */
  onError(error: Error): void;
  /** Both sides are closed. */
  onClosed(): void;
}

/** Takes a connection. With `refusal`, the connection can only be answered with that. */
export type Accept = (transport: Transport, refusal?: Fault) => void;

/** Accepts connections, on a TCP port or elsewhere. */
export interface Listener {
  /**
   * Starts listening. The promise is fulfilled when the listener is ready, and rejected when it cannot listen. Errors
   * that come later are passed to `failed`; if `address()` is null then, the listener itself has been lost.
   */
  listen(accept: Accept, failed: (error: Error) => void): Promise<void>;
  /** Stops accepting. Open connections stay open. The promise is fulfilled when the port is free. */
  close(): Promise<void>;
  address(): Address | null;
}
