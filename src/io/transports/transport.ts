/**
 * A connection's byte stream, whatever carries it. TCP, an in-memory pair, and later TLS or HTTP/2 stand behind it.
 */
export interface Transport {
  /** The peer's address as text, empty when there is none. */
  readonly remoteAddress: string;
  /** Bytes given to `write` that have not left yet. */
  readonly bufferedAmount: number;

  /** Names who is told what happens; once, before the first event. */
  attach(listener: TransportListener): void;

  /**
   * Writes the blocks in order. True when all of them left at once: then their memory may be reused.
   * False when some wait: `onDrain` is called when they are gone, and until then they must not change.
   */
  write(blocks: readonly Uint8Array[]): boolean;

  /** Stops and restarts reading; the peer is held back by flow control. */
  pause(): void;
  resume(): void;

  /** Ends our side after what is written (TCP: FIN). */
  end(): void;
  /** Drops both sides at once; what waits is lost. `onClosed` follows. */
  destroy(): void;
}

/** What a transport tells; never within a call to it, and nothing after `onClosed`. */
export interface TransportListener {
  /** Bytes came. With `shared`, the memory is reused when this call returns. */
  onBytes(chunk: Uint8Array, shared: boolean): void;
  /** All that was written has left. */
  onDrain(): void;
  /** The peer ended its side (TCP: FIN). */
  onEnd(): void;
  /** The stream broke; `onClosed` follows. */
  onError(error: Error): void;
  /** Both sides are gone. */
  onClosed(): void;
}

/** A listening port of some kind. */
export interface Listener {
  /**
   * Starts to accept; settles when it listens, or rejects with the reason. `failed` is told what goes wrong later; when
   * `address()` is null by then, the listener is lost.
   */
  listen(accept: (transport: Transport) => void, failed: (error: Error) => void): Promise<void>;
  /** Stops to accept; connections live on. Settles when the port is free. */
  close(): Promise<void>;
  address(): { address: string; family: string; port: number } | null;
}
