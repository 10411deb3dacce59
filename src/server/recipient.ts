/**
 * The border between a server and its user. Only types; `src/api/server/dispatcher.ts` implements it.
 */
import type { Recipient } from '../connection/recipient.ts';
import type { Session } from '../connection/session.ts';
import type { Fault } from '../io/faults.ts';
import type { ServerState } from '../machines/server-ports.ts';

export interface ServerRecipient {
  /** Whether a request for this path, without the query, would find one. */
  serves(path: string): boolean;
  /** Makes the user's side of a connection. */
  recipientOf(session: Session): Recipient;
  /** The server is in a new state. `error` says why it failed. */
  changed(from: ServerState, to: ServerState, error: Error | undefined): void;
  /** A peer was lost or refused before it was a connection. `cause` is what the system said. */
  lost(fault: Fault, remoteAddress: string, cause?: Error): void;
  /** Something went wrong that is no connection's. */
  failed(error: unknown): void;
  /** A transport or a part of this library broke where none should. */
  broke(cause: unknown): void;
}
