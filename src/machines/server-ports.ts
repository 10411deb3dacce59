/**
 * What the server machine does and hears. Only types; `src/server/core.ts` is the port in production.
 */

/** The states of a server. */
export type ServerState = 'stopped' | 'starting' | 'listening' | 'draining' | 'failed';

export type ServerEvent =
  | { readonly type: 'server.start' }
  | { readonly type: 'server.stop'; readonly code: number; readonly reason: string }
  | { readonly type: 'listener.ready' }
  | { readonly type: 'listener.failed'; readonly error: Error }
  | { readonly type: 'connections.gone' }
  | { readonly type: 'timeout.drain' }
  // How a connection tells of its end, as XState's actors do; all of them share one id, so the types stay two.
  | { readonly type: 'xstate.done.actor.connection' }
  | { readonly type: 'xstate.error.actor.connection'; readonly error: unknown };

/** What the server machine's actions call. */
export interface ServerPort {
  /** Opens the port; answers with `listener.ready` or `listener.failed`. */
  listen(): void;
  /** Stops to accept; connections live on. */
  closeListener(): void;
  /** Asks every connection to close (RFC 6455 7.1.2); answers `connections.gone` when none is left. */
  closeConnections(code: number, reason: string): void;
  /** Destroys those that are left. */
  terminateConnections(): void;
  /** A connection's machine has ended. */
  connectionEnded(): void;
  /** A connection's machine broke on an impossible state. */
  connectionBroke(error: unknown): void;
  announce(state: ServerState, error?: Error): void;
  /** What stands for this port where a snapshot is written as JSON. */
  toJSON(): object;
}
