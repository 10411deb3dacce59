/**
 * What the server machine does and hears. Only types; `src/server/core.ts` is the port in production.
 */

/** The states of a server. */
export type ServerState = 'stopped' | 'starting' | 'listening' | 'draining' | 'failed';

/** What the server machine hears. */
export type ServerEvent =
  | { readonly type: 'server.start' }
  | { readonly type: 'server.stop'; readonly code: number; readonly reason: string }
  | { readonly type: 'listener.ready' }
  | { readonly type: 'listener.failed'; readonly error: Error }
  /** The port is free again; `connections` counts all that are still there. */
  | { readonly type: 'listener.closed'; readonly connections: number }
  /** While the server drains: a connection has ended or a handler has settled, and this is what is left. */
  | ({ readonly type: 'drain.progress' } & Remaining)
  /** The deadline of the stop has passed. */
  | { readonly type: 'timeout.drain' }
  // How a connection tells its parent that it has ended, as XState's actors do. All have the id `connection`, so that
  // these are two event types and not two for each connection.
  | { readonly type: 'xstate.done.actor.connection' }
  | { readonly type: 'xstate.error.actor.connection'; readonly error: unknown };

/** What a server that drains has left, as counts. */
export interface Remaining {
  /** Of the connections that were there when the stop began. */
  readonly leaving: number;
  /** Handlers whose promise is pending. */
  readonly handlers: number;
  /** All connections, those that came during the stop included. */
  readonly connections: number;
}

/** What the server machine's actions call. */
export interface ServerPort {
  /** Opens the port; answers `listener.ready` or `listener.failed`. */
  listen(): void;
  /** Stops accepting and closes the port; answers `listener.closed`. Connections stay open. */
  closeListener(): void;
  /**
   * Asks every connection to close (RFC 6455 7.1.2), those that never sent a byte aside: they are destroyed. Arms the
   * deadline that is told by `timeout.drain`, and answers `drain.progress` at once and whenever somebody has left.
   */
  closeConnections(code: number, reason: string): void;
  /** Destroys all connections, and waits for their handlers no longer. */
  terminateConnections(): void;
  /** Refuses the handshakes that came during the stop, and ends them. */
  endLatecomers(): void;
  /** A connection's machine has ended; answers `drain.progress` while the server drains. */
  connectionEnded(): void;
  /** A connection's machine broke on an impossible state; the same answer. */
  connectionBroke(error: unknown): void;
  /** Resolves the promise of the start: the server listens. */
  settleStart(): void;
  /** Rejects the promise of the start, also of one that waits for the end of a stop. Without an error: a stop is the reason. */
  rejectStart(error: Error | undefined): void;
  /** A start was asked for during a stop: it begins after the stop. */
  startAfterStop(): void;
  /** Resolves the promise of the stop; answers `server.start` when a start waits for that. */
  settleStop(): void;
  announce(state: ServerState, error?: Error): void;
  /** What a snapshot shows in place of this port, where it is written as JSON. */
  toJSON(): object;
}
