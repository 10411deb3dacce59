/**
 * A WebSocket extension that changes payloads and owns the bit RSV1 (RFC 6455 5.2 and 9), such as permessage-deflate
 * (RFC 7692). One object for each connection that has negotiated it.
 *
 *   in    FrameDecoder -> push, read -> the message. Only for messages whose first frame has RSV1 set.
 *   out   Outbox -> encode, encodeFragment -> the frames. A result means: send this instead, with RSV1 set.
 *
 * All calls are synchronous, and none may throw.
 */
import type { Fault } from '../faults.ts';

export interface Extension {
  /** Sec-WebSocket-Extensions of the answer to the handshake: what was agreed on (RFC 6455 9.1). */
  readonly answer: string;

  /**
   * Names the bytes that `encode` makes when `standsAlone` is true: connections with the same form can be sent the same
   * bytes, so a message that goes to many is encoded once for each form.
   */
  readonly form: string;

  /**
   * Takes the next piece of a message's payload, unmasked; `final` with the last one, which may be empty. `left`: bytes of
   * its frame that come after it, as the frame's header says. The piece is only lent: its memory is used again after the `read` that answers 'more'.
   */
  push(piece: Uint8Array, final: boolean, left: number): void;

  /**
   * The next bytes that come out of what was pushed. 'more': nothing is left, the next piece may be pushed.
   * The bytes are only lent: they are valid until the next call. The decoder counts each result against `cap` before it
   * keeps it and before it asks for the next one, so an extension should give its output in slices.
   */
  read(): Uint8Array | 'more' | Fault;

  /** Bytes of payload from which it is worth the time to encode a message; fragments are encoded whatever their size. */
  readonly threshold: number;

  /** Bytes of memory held for a message that is not complete. */
  readonly heldBytes: number;

  /** The message that was being read is given up. */
  discard(): void;

  /**
   * Encodes a message that goes out in one frame. Undefined: send it as it is, without RSV1. The result is only lent: it is
   * valid until the next call, and longer than the payload by less than 8 bytes. `always`: also where it is so short that
   * this is hardly worth the time.
   *
   * With `standsAlone`, the message may be dropped or sent later than messages that are encoded after it. Then the result
   * must not depend on what was encoded before, and nothing encoded later may depend on the result.
   */
  encode(payload: Uint8Array, standsAlone: boolean, always?: boolean): Uint8Array | undefined;

  /**
   * Encodes the next fragment of a message that goes out in fragments; these are never dropped. Undefined: send it as it
   * is. All fragments of one message get a result, or none of them does: only the `first` has RSV1. The result is only lent.
   */
  encodeFragment(payload: Uint8Array, first: boolean, final: boolean): Uint8Array | undefined;

  /** A message goes out that another connection has encoded: nothing encoded from here on may depend on what was before. */
  forget(): void;

  /** The connection is over: lets go of all memory. */
  release(): void;
}
