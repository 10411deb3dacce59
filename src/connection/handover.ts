/**
 * An opening handshake whose head somebody else has read: the HTTP server that a Portal server is attached to. Only types.
 */
import type { Fault } from '../io/faults.ts';
import type { RequestHead } from '../io/http/request-head.ts';
import type { HandshakeVerdict } from '../io/http/verdict.ts';

export interface Handover {
  /** The head, or what is wrong with it. */
  readonly head: RequestHead | { readonly fault: Fault };
  /** About how many bytes the head had, for the counters. */
  readonly headBytes: number;
  /** What came after the head: frames of a client that did not wait for the answer. */
  readonly early: Uint8Array;
  /** The request as the HTTP server has it. Called when the user asks for it. */
  incoming(): unknown;
  /**
   * Sends the answer, on a stream of HTTP/2 (RFC 8441 5). Without it the answer is written to the transport, as
   * HTTP/1.1. Throws where the user's own headers cannot be sent.
   */
  readonly answer?: ((verdict: HandshakeVerdict) => void) | undefined;
}
