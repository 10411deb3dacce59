/**
 * What topics need of those who are in them, and what those who look on are told. Only types.
 */
import type { EncodedMessage } from '../io/writing/encoded-message.ts';
import type { SendResult } from '../io/writing/outbox-ports.ts';
import type { Gap } from './backplane.ts';

/** Somebody who gets messages of topics: a connection. */
export interface Member {
  /** A number that no other member of this process has. */
  readonly id: number;
  /** It takes messages: it is open, and was not asked to close. */
  readonly isOpen: boolean;
  /** Bytes that wait for it. */
  readonly bufferedAmount: number;
  /** May throw a RangeError for a message that is larger than `sendLimit` alone. */
  deliver(message: EncodedMessage, key: string | undefined): SendResult;
}

/** What became of a message, counted over the members here that it was for. */
export interface PublishReport {
  /** On its way. */
  readonly sent: number;
  /** They wait until the peer has read what was sent before. */
  readonly queued: number;
  /** Not sent: `sendLimit` was reached, or the connection takes no more messages. */
  readonly dropped: number;
}

/** Who has come to a topic and who has left it in one turn of the event loop, by `connection.uid`. */
export interface PresenceChange<Shown = unknown> {
  /** Who has come, or shows something else now, and what they show. */
  readonly joined: ReadonlyMap<string, Shown>;
  /** Who has gone, and what they showed. */
  readonly left: ReadonlyMap<string, Shown>;
}

/**
 * Somebody who looks on, but is no member. Nothing that it is told may throw. `delivery` numbers what happens: it stands for the
 * moment at which that began.
 */
export interface Watcher<M> {
  joined?(member: M, delivery: number): void;
  left?(member: M, delivery: number): void;
  published?(message: EncodedMessage, delivery: number): void;
  changed?(change: PresenceChange, delivery: number): void;
  gap?(gap: Gap, delivery: number): void;
}

/** What holds for topics of some names. */
export interface Rule<M> {
  /** How much of the past is kept; undefined: nothing. */
  readonly history?: HistoryRule | undefined;
  /** What a member shows to others; undefined: nobody is shown. What it throws, `join` throws. */
  readonly show?: ((member: M) => unknown) | undefined;
}

export interface HistoryRule {
  /** Messages that are kept. */
  readonly size: number;
  /** Milliseconds for which each is kept. */
  readonly ttl: number;
  /** A message with its position, for those who ask for positions. */
  readonly stamp: (message: EncodedMessage, position: string) => EncodedMessage;
}
