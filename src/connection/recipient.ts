/**
 * The border between a connection and its user. Only types.
 *
 * A connection tells its recipient what happens, and asks it what only the user can decide. `src/api` implements it, with
 * paths, handlers and streams; nothing in this folder knows those.
 */
import type { PeerCertificate } from 'node:tls';
import type { DeflateSettings } from '../io/extensions/deflate.ts';
import type { Fault } from '../io/faults.ts';
import type { Upgrade } from '../io/http/handshake.ts';
import type { HeadersInput } from '../io/http/header-fields.ts';
import type { HttpResponse } from '../io/http/http-response.ts';
import type { RequestHead } from '../io/http/request-head.ts';
import type { CloseReport, ConnectionEvent, ConnectionState } from '../machines/connection-ports.ts';

/** A message: text as a string, binary as bytes that are yours to keep. */
export type Message = string | Uint8Array;

/** One data frame of a message as it arrived (RFC 6455 5.4). An unfragmented message is one, first and final. */
export interface Fragment {
  readonly data: Message;
  readonly opcode: 'text' | 'binary';
  /** It begins a message. */
  readonly first: boolean;
  /** It ends one. */
  readonly final: boolean;
}

/** A valid opening handshake for a path that exists, from an origin that may connect. */
export interface Opening {
  readonly head: RequestHead;
  readonly upgrade: Upgrade;
  readonly remoteAddress: string;
  /** Of TLS, where it was verified. */
  readonly peerCertificate: PeerCertificate | undefined;
  /** Aborts when the peer hangs up or the handshake's deadline passes. Made when it is asked for. */
  signal(): AbortSignal;
  /** The request as the HTTP server has it that this one is attached to; undefined on a port of our own. */
  readonly incoming?: (() => unknown) | undefined;
}

/** What the user says to an opening handshake. */
export type Answer =
  | {
      readonly kind: 'accepted';
      /** One that the client offered; undefined: none. */
      readonly subprotocol: string | undefined;
      readonly headers: HeadersInput | undefined;
      /** How to compress, where the client offers it; undefined: not at all. */
      readonly deflate?: DeflateSettings | undefined;
    }
  | Refused;

/** A handshake that comes to nothing, or a plain request that is answered. */
export interface Refused {
  readonly kind: 'refused';
  readonly response: HttpResponse;
  /** The row of the ladder, where there is one. */
  readonly fault?: Fault | undefined;
  /** What a callback of the user's threw. The peer never sees it. */
  readonly cause?: unknown;
}

type MaybePromise<T> = T | Promise<T>;

/** What the user of one connection is told and asked. Nothing here throws, but where it says so. */
export interface Recipient {
  // ------------------------------------------------------------------ the opening handshake

  /** A plain GET or HEAD. Undefined: nobody answers it. May throw or reject. */
  answerRequest(head: RequestHead, remoteAddress: string): MaybePromise<HttpResponse | undefined>;
  /** Looks for who serves this path; false: nobody does. */
  findPath(path: string): boolean;
  /** The request as callbacks of the user's get it. */
  plainRequest(head: RequestHead, remoteAddress: string): unknown;
  /** Whom to let in, and how. */
  decide(opening: Opening): MaybePromise<Answer>;
  /** The peer was refused. `head` is its request, where that has come whole. */
  refused(refused: Refused, head: RequestHead | undefined): void;

  // ------------------------------------------------------------------ the open connection

  opened(): void;
  /** Whether somebody takes whole messages, or single fragments. */
  readonly wantsMessages: boolean;
  readonly wantsFragments: boolean;
  /** A message that came in one frame. */
  whole(message: Message): void;
  /** A fragment that does not end its message. */
  fragment(fragment: Fragment): void;
  /** The last fragment of a message, and the message itself; each undefined where nobody wants it. */
  last(fragment: Fragment | undefined, message: Message | undefined): void;
  /** A Ping was answered. The payload is valid until this returns. */
  ping(payload: Uint8Array): void;
  /** A Pong that answers no heartbeat of ours. The payload is valid until this returns. */
  pong(payload: Uint8Array): void;
  /** All that waited to be sent has left. */
  drained(): void;
  changed(from: ConnectionState, to: ConnectionState, event: ConnectionEvent['type']): void;
  /** Calls the handler that failed once more. */
  retry(): void;

  // ------------------------------------------------------------------ faults and the end

  /** A fault of the peer's, or a limit that was passed. `error` is what the system said, where it did. */
  faulted(fault: Fault, error?: Error): void;
  /** A message was dropped that is larger than `sendLimit`, as all of its size will be. Told once for each server. */
  tooLarge(error: RangeError): void;
  /** The machine or its port broke: a defect of this library. */
  broke(cause: unknown): void;
  /** The connection has ended. `hasMore`: messages follow that came before the end. */
  ended(report: CloseReport, hasMore: boolean): void;
  /** No message follows any more, after `ended` said that some would. */
  exhausted(): void;
}
