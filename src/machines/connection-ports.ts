/**
 * What the connection machine does and hears: the port it calls, and the closed set of its events.
 *
 * Only types. The machine decides what happens in which state. The port does it, with sockets, codecs and the user's
 * callbacks. In production the port is `src/connection/session.ts`; tests use one that records.
 */

import type { FaultName } from '../io/faults.ts';
import type { HttpResponse } from '../io/http/http-response.ts';

/** The five states that a user sees. */
export type ConnectionState = 'handshaking' | 'open' | 'fragmenting' | 'closing' | 'closed';

/** Opcodes by name (RFC 6455 5.2). */
export type FrameName = 'continuation' | 'text' | 'binary' | 'close' | 'ping' | 'pong';

/** How a connection ended. */
export interface CloseReport {
  /** The close code (RFC 6455 7.1.5): 1005 when a Close carried none, 1006 when the connection was lost without one. */
  readonly code: number;
  /** The reason in the Close frame, or a text of this server where there was no Close. */
  readonly reason: string;
  /** True when Close frames went both ways (RFC 6455 7.1.4). */
  readonly wasClean: boolean;
  /** Who began the end. */
  readonly initiator: 'server' | 'peer';
}

/** What `onError` chose after a handler had failed. */
export type Decision = 'close' | 'continue' | 'retry';

/** Every event a connection can get. The set is closed: no type is ever derived from network data. */
export type ConnectionEvent =
  // The socket's: what the transport tells.
  | { readonly type: 'socket.bytes'; readonly chunk: Uint8Array; readonly shared: boolean }
  | { readonly type: 'socket.end' }
  | { readonly type: 'socket.error'; readonly error: Error }
  | { readonly type: 'socket.closed' }
  // The handshake's outcome (RFC 6455 4.2.2).
  | { readonly type: 'handshake.pending' }
  | { readonly type: 'handshake.accepted' }
  | { readonly type: 'handshake.refused'; readonly response: HttpResponse }
  // Frames that change the state.
  | { readonly type: 'fragment.begin'; readonly byteLength: number; readonly opcode?: FrameName }
  | { readonly type: 'fragment.end'; readonly byteLength: number; readonly opcode?: FrameName }
  | { readonly type: 'close.received'; readonly code: number; readonly reason: string }
  // Reading goes on, after the commands that came before it. While somebody inspects, each frame that changed no state
  // is told by one.
  | { readonly type: 'read.continue'; readonly opcode?: FrameName; readonly byteLength?: number }
  // What fails a connection.
  | { readonly type: 'protocol.failed'; readonly code: number; readonly reason: string }
  | { readonly type: 'limit.breached'; readonly code: number; readonly reason: string }
  | { readonly type: 'callback.failed'; readonly decision: Decision }
  // The user's commands.
  | { readonly type: 'connection.close'; readonly code: number; readonly reason: string }
  | { readonly type: 'connection.terminate' }
  | { readonly type: 'connection.pause' }
  | { readonly type: 'connection.resume' }
  // Deadlines, from the shared ticker.
  | { readonly type: 'timeout.handshake' }
  | { readonly type: 'timeout.message' }
  | { readonly type: 'timeout.silence' }
  | { readonly type: 'timeout.pong' }
  | { readonly type: 'timeout.write' }
  | { readonly type: 'timeout.close' };

/** What an inspector shows of a connection in place of its port. */
export interface ConnectionFacts {
  /** The number of the connection; unique in the process. */
  readonly id: number;
  /** The path of its request; empty until the request head has been read. */
  readonly path: string;
  readonly remoteAddress: string;
}

/** What the machine's actions call. Nothing here throws into the machine. */
export interface ConnectionPort {
  /** Reads the request head; answers with a `handshake.*` event. */
  readHead(chunk: Uint8Array, shared: boolean): void;
  /** Keeps bytes that came before the handshake was decided. */
  holdBytes(chunk: Uint8Array, shared: boolean): void;
  /** Answers 101 (RFC 6455 4.2.2). */
  acceptHandshake(): void;
  /** Answers an HTTP error and ends the stream. */
  refuseHandshake(response: HttpResponse): void;
  /** The same, with the status and the text of that fault. */
  refuseFor(fault: FaultName): void;

  /** Decodes a chunk and delivers what changes no state; sends an event for what does. */
  read(chunk: Uint8Array): void;
  /** Goes on with what the last chunk left, unless an event of a frame is still in the mailbox. */
  readOn(): void;
  /** A `read.continue` has come out of the mailbox. */
  continueReading(): void;
  /** Tells the user that the connection is open. */
  deliverOpening(): void;
  /** Delivers the first fragment of a message. */
  deliverFragment(): void;
  /** Delivers the last fragment of a message, and the message with it. */
  deliverMessage(): void;
  /** Drops messages that came and wait for the user. */
  dropMessages(): void;
  /** Calls the handler that failed once more. */
  retryCallback(): void;

  pauseReading(): void;
  resumeReading(): void;
  /** Sends the Ping of the heartbeat (RFC 6455 5.5.2). */
  sendHeartbeat(): void;

  /** Sends our Close (RFC 6455 7.1.2); messages that wait go first. */
  sendClose(code: number, reason: string): void;
  /** Answers the peer's Close with its own code (5.5.1), then ends the stream: the server closes TCP first (7.1.1). */
  answerClose(code: number): void;
  /** Sends Close ahead of all that waits, then ends the stream (7.1.7). Input is discarded from here on. */
  failConnection(code: number, reason: string): void;
  /** Ends the stream; both Close frames have passed, or none may be sent any more. */
  endSocket(): void;

  /** Tells the user of a fault that ends the connection, and counts the limit that was passed. */
  reportFault(fault: FaultName): void;
  /** Tells the user that the stream broke. */
  reportLoss(error: Error): void;
  /** Tells observers that the connection is in a new state, and which event led there. */
  announce(state: ConnectionState, event: ConnectionEvent['type']): void;
  /** Closes the socket if it is still open, releases everything, and reports the end, once. */
  finish(report: CloseReport): void;
  /** An action threw, which none should: the connection fails with 1011, the process goes on. */
  broke(cause: unknown): void;

  /** What a snapshot shows in place of this port, where it is written as JSON. */
  toJSON(): ConnectionFacts;
}
