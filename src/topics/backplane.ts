/**
 * What topics need of an engine that joins several processes: NATS, Redis, processes of one machine. Only types.
 *
 * An engine is dumb: it connects once when it is told to, carries bytes, and says when it is lost. Everything else is done
 * above it, the same for all engines: waiting and connecting again, restoring interest, leaving out what this process
 * published itself, telling of gaps, counters. That is the link (`link.ts`); `Topics` in `topics.ts` uses it by `Remote`.
 *
 * What holds for every engine:
 * - At most once, and in the order of the calls of `publish` for each process and topic. No order between processes.
 * - A process is delivered a topic only between `subscribe` and `unsubscribe`.
 * - The payload travels as it is: no JSON or base64 around it. The envelope goes in headers of the engine, or in a few bytes before
 *   the payload (`encodeEnvelope` of `envelope.ts`).
 * - The loss of the engine is never thrown: `start` rejects, and `failed` tells of it later. What `publish` throws concerns that
 *   message alone, such as one that is too large for the engine: it is dropped, and `errors$` of the server tells.
 */

/** What goes with the payload of a message from process to process. */
export interface Envelope {
  /** Who published it: the `origin` of a server's topics. Its own messages come back from some engines; they are left out. */
  readonly origin: string;
  /** The payload is binary; otherwise it is text, in UTF-8. */
  readonly binary: boolean;
  /** The member that does not get it: `connection.uid`, which no other connection of any process has. */
  readonly except?: string | undefined;
  /** It takes the place of a message of the same key that waits for a slow member. */
  readonly key?: string | undefined;
  /** It is none of users' messages: counts, presence and the like, between the processes. Default false. */
  readonly control?: boolean | undefined;
  /** Where it stands in the history of its topic, where the engine keeps that. */
  readonly position?: Position | undefined;
}

/** A place in the history of a topic. */
export interface Position {
  /** Which history: a new one begins when the old one was lost or has expired. Without `.`. */
  readonly epoch: string;
  /** Messages of this epoch up to this one, itself included; 0 is before the first. */
  readonly offset: number;
}

/** Takes what others published. Nothing that it is given throws. The bytes are the receiver's from then on. */
export type Deliver = (topic: string, bytes: Uint8Array, envelope: Envelope) => void;

/** An engine between processes. Implement it to use one that Portal does not know. */
export interface Backplane {
  /** For messages to people, such as `nats`. */
  readonly name: string;
  /**
   * Connects. `troubled` tells of what is wrong, but leaves the engine as it is, such as a topic that it forbids. Resolves when `publish` and `subscribe` work; rejects when they will not. Called again after `failed`, and after a
   * rejection; then no subscription is left from before. An engine whose client connects again by itself calls `failed` when that
   * loses its connection, and rejects `start` until it has it back. It settles within a time of its own.
   */
  start(deliver: Deliver, failed: (error: Error) => void, troubled: (error: Error) => void): Promise<void>;
  /**
   * Ends it, after what was published has left; nothing is delivered any more. Called in any state, also while `start` is pending,
   * and after `failed`. It may be started again when this has resolved.
   */
  stop(): Promise<void>;
  /** From now on messages of this topic are delivered. Called once for each topic while it is not subscribed. */
  subscribe(topic: string): void;
  unsubscribe(topic: string): void;
  /**
   * The bytes are lent: they may be used again when this returns.
   * @throws Error for a message that the engine does not take.
   */
  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void;
  /** Keeps the last messages of topics, where the engine can. */
  readonly history?: BackplaneHistory | undefined;
  /** Keeps who is there, where the engine can. Without it, processes tell each other by messages with `control`. */
  readonly presence?: BackplanePresence | undefined;
}

/** What every engine has among its options. */
export interface BackplaneOptions {
  /** What separates programs that share one engine: it leads every subject, channel or key. Default `portal`. */
  readonly namespace?: string | undefined;
}

/** How much of the past of a topic is kept. */
export interface Retention {
  /** Messages. */
  readonly size: number;
  /** Milliseconds for which each is kept; and the whole history after the last of them. */
  readonly ttl: number;
}

/** A message of the past. */
export interface Kept {
  readonly bytes: Uint8Array;
  readonly envelope: Envelope;
  readonly offset: number;
}

/** What a history has after a position. */
export interface Missed {
  /** Of the newest message. */
  readonly position: Position;
  /** In order; undefined when some of them are gone, or `since` is of another epoch. */
  readonly messages: readonly Kept[] | undefined;
}

/** History that an engine keeps. */
export interface BackplaneHistory {
  /**
   * Keeps a message and publishes it, in one step: every process, this one included, is then delivered it with its `position`.
   * Rejects when it was not kept.
   */
  append(topic: string, bytes: Uint8Array, envelope: Envelope, retention: Retention): Promise<Position>;
  /** What came after `since`; without it, only the present position. */
  after(topic: string, since: Position | undefined): Promise<Missed>;
}

/** Presence that an engine keeps. `uid` is that of a connection, `value` what it shows, as JSON. */
export interface BackplanePresence {
  /** Adds or renews; gone after `leaseMs` unless it is renewed. */
  show(topic: string, uid: string, value: string, leaseMs: number): void;
  hide(topic: string, uid: string): void;
  list(topic: string): Promise<ReadonlyMap<string, string>>;
}

/** When messages of other processes may be missing from a topic, in milliseconds since 1970: `topic.gap$`. */
export interface Gap {
  /** The engine was lost, or the topic was wanted, whichever was later. */
  readonly from: number;
  /** It was back. */
  readonly to: number;
}

/** The way to the other processes, as the topics of one server use it. The link implements it. Nothing here throws. */
export interface Remote {
  /** Somebody here is a member of this topic or listens to it, or its history is kept here. Called once, until `unwanted`. */
  wanted(topic: string): void;
  /** Nobody is, and nothing is kept any more. The link may wait a moment before it unsubscribes. */
  unwanted(topic: string): void;
  /** Members here have got it already. */
  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void;
}
