/**
 * What the link machine does and hears. Only types; `src/topics/link.ts` is the port in production.
 */

/**
 * Where the link to an engine is: `connecting`; `up`; `waiting` to connect again, since it was lost or could not be had;
 * `down`, before it is started, and from the moment that it is stopped.
 */
export type LinkState = 'connecting' | 'up' | 'down' | 'waiting';

/** What the link machine hears. */
export type LinkEvent =
  | { readonly type: 'link.start' }
  | { readonly type: 'link.stop' }
  /** The engine is connected. */
  | { readonly type: 'engine.up' }
  /** It could not be had, or is lost. */
  | { readonly type: 'engine.failed'; readonly error: Error }
  /** It has ended, as `endEngine` asked for. */
  | { readonly type: 'engine.ended' }
  /** The time to wait has passed. */
  | { readonly type: 'timeout.retry' };

/** What the link machine's actions call. */
export interface LinkPort {
  /** Connects; answers `engine.up` or `engine.failed`. */
  connect(): void;
  /** Subscribes to every topic that is wanted here. */
  restore(): void;
  /** Tells topics that messages may be missing, if the engine was away. */
  tellGaps(): void;
  /** Arms what is told by `timeout.retry`. `attempts` counts the failures since the engine was up. */
  wait(attempts: number): void;
  tellFailure(error: Error): void;
  /** Ends the engine, or its attempt to connect; answers `engine.ended`. */
  endEngine(): void;
  /** Resolves the promise of the stop. */
  settleStop(): void;
  announce(state: LinkState): void;
  /** What a snapshot shows in place of this port, where it is written as JSON. */
  toJSON(): object;
}

/** What the link to an engine has done since the server was made. */
export interface LinkStats {
  readonly state: LinkState;
  /** Topics whose messages are wanted here. */
  readonly topics: number;
  /** Messages given to the engine. */
  readonly published: number;
  /** Messages of other processes that the engine has delivered. */
  readonly delivered: number;
  /** Messages for other processes that are lost: the engine was away, or did not take them. */
  readonly dropped: number;
  /** How often the engine was up again after it had been lost. */
  readonly reconnects: number;
}
