/**
 * What a user writes for a path: handlers, and `authorize`. Only types.
 */

import type { IncomingMessage } from 'node:http';
import type { Http2ServerRequest } from 'node:http2';
import type { PeerCertificate } from 'node:tls';
import type { Fragment, Message } from '../../connection/recipient.ts';
import type { HeadersInput } from '../../io/http/header-fields.ts';
import type { HttpResponse } from '../../io/http/http-response.ts';
import type { CloseReport, Decision } from '../../machines/connection-ports.ts';
import type { Connection } from '../connection/connection.ts';
import type { PerMessageDeflateOption } from '../options/deflate.ts';
import type { JoinOptions } from '../topics/join-options.ts';
import type { Params } from './router.ts';

/** A plain HTTP request to the server's port. */
export interface PlainRequest {
  readonly method: string;
  /** The path as sent, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** Lower-case names; repeated fields joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly remoteAddress: string;
}

/** A valid opening handshake that waits for a decision (RFC 6455 4.2.2). */
export interface HandshakeRequest<P extends Params = Params> extends PlainRequest {
  /** Percent-decoded: a value may hold any character, also `/`, NUL and line ends. */
  readonly params: P;
  readonly origin: string | undefined;
  /** Subprotocols the client offers, best first. */
  readonly subprotocols: readonly string[];
  /**
   * The request as the HTTP server has it that this server is attached to, with what its own middleware put there: for
   * cookies and sessions. Undefined at a place of its own. Do not write to its socket.
   */
  readonly incoming: IncomingMessage | Http2ServerRequest | undefined;
  /**
   * The client's certificate, as Node's `getPeerCertificate()` returns it; only where it has shown one (`requestCert`) that
   * was verified against `ca`.
   */
  readonly peerCertificate: PeerCertificate | undefined;
}

/** A topic that a connection joins as it opens, and how. */
export interface TopicToJoin extends JoinOptions {
  readonly topic: string;
}

/** Lets a connection in. */
export interface Acceptance<Data> {
  /** Becomes `connection.data`. */
  readonly data?: Data;
  /** One of those on offer; in place of the one chosen by `subprotocols`. */
  readonly subprotocol?: string | undefined;
  /** More headers for the 101 answer, for instance Set-Cookie; a list of values makes a line of each. */
  readonly headers?: HeadersInput | undefined;
  /**
   * Topics that it joins as it opens, before `onOpen`: names, or `{ topic, since, positions, first }`. Nothing that is published
   * from its opening on is missed. Where one fails, as by what its `first` throws, `onError` is told, those after it are not joined,
   * and `onOpen` is called all the same.
   */
  readonly join?: readonly (string | TopicToJoin)[] | undefined;
}

/** What `authorize` returns: `true` or an `Acceptance` to let in, `false` for 403, or any HTTP response. All else is a 500. */
export type Verdict<Data> = Acceptance<Data> | HttpResponse | boolean;

/**
 * The handlers of a path; where a path leaves one out, that of the server is used. While the promise of a handler is
 * pending, the next message of its connection waits. If a handler throws or rejects, `onError` decides.
 */
export interface Handlers<Data = unknown, P extends Params = Params, In = Message, Out = In> {
  /** Once for each connection, before its first message is read. */
  onOpen?: ((connection: Connection<Data, P, In, Out>) => unknown) | undefined;
  /** Each whole message, in order. */
  onMessage?: ((connection: Connection<Data, P, In, Out>, message: In) => unknown) | undefined;
  /** Each data frame as it arrives. A path with this alone never assembles a message. */
  onFragment?: ((connection: Connection<Data, P, In, Out>, fragment: Fragment) => unknown) | undefined;
  /** Once for each connection that was open, as the last of its handlers; messages that wait may delay it for one second. */
  onClose?: ((connection: Connection<Data, P, In, Out>, report: CloseReport) => unknown) | undefined;
  /**
   * What went wrong. After a handler's own failure the answer decides: `'close'` (1011, also when nothing is
   * returned), `'continue'`, or `'retry'` (the handler again, at most three times in a row). Faults of the peer
   * are told too; there the answer changes nothing.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: nothing returned means 'close'
  onError?: ((connection: Connection<Data, P, In, Out>, error: unknown) => Decision | void) | undefined;
  /** Whom to let in; `signal` aborts when the peer hangs up or the handshake's deadline passes. */
  authorize?:
    | ((request: HandshakeRequest<P>, signal: AbortSignal) => Verdict<Data> | Promise<Verdict<Data>>)
    | undefined;
  /** Subprotocols of this path, best first; in place of the server's. */
  subprotocols?: readonly string[] | undefined;
  /** How messages of this path are compressed; in place of the server's. */
  perMessageDeflate?: PerMessageDeflateOption | undefined;
}
