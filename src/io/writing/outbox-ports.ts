/**
 * What an outbox is given and what it gives back: its limits, the result of each send, and the owner that it tells of its
 * state. Only types.
 */
import type { FairTurn } from '../time/fair-turns.ts';
import type { WriterOwner } from './turn-writer.ts';

/** `sent`: on its way; `queued`: waits until the peer reads; `dropped`, `closed`: it will never be sent. */
export type SendResult = 'sent' | 'queued' | 'dropped' | 'closed';
/** What happens to a message that would exceed `sendLimit`. */
export type Overflow = 'close' | 'drop' | 'drop-oldest';

export interface OutboxLimits {
  /** Payload bytes that may wait for one peer, the new message included. */
  readonly sendLimit: number;
  readonly overflow: Overflow;
  /** How many Pongs may wait for a peer that does not read. Above that, only the newest is kept (RFC 6455 5.5.3). */
  readonly maxPendingPongs: number;
}

/** A message that is encoded in slices. */
export interface Sliced {
  readonly isWhole: true;
  /** Encodes the first slice; each other one in its turn, for which it waits. `done`: nothing is left of it. */
  begin(wait: (work: FairTurn) => void, done: () => void): void;
  /** Encodes all that is left: a Close follows. */
  finishNow(): void;
}

/** Who is told of the state of an outbox. */
export interface OutboxOwner extends WriterOwner {
  /** Something was put into the queue. */
  onQueued(): void;
  /** A message would exceed `sendLimit` together with what waits, and the policy is `close`. */
  onOverflow(): void;
  /** A message exceeds `sendLimit` alone, so it can never be sent, and the policy is not `close`. */
  onTooLarge(error: RangeError): void;
  /** A message is encoded in slices, of which others get their turn in between. */
  onSliced(message: Sliced): void;
  /** What is encoded in slices is to be encoded now, as far as it can be: its room is needed. */
  encodeNow(): void;
  /** Nothing waits any more. */
  onDrained(): void;
}
