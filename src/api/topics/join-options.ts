/**
 * How a connection joins a topic. Only types.
 */
import type { Message } from '../../connection/recipient.ts';
import type { EncodedMessage } from '../../io/writing/encoded-message.ts';
import type { Found } from '../../topics/joining.ts';

/** How a connection joins a topic. */
export interface JoinOptions {
  /**
   * The position of the last message that its client has, `epoch.offset`, as the client sent it. What was published after it is
   * sent, in order, before anything newer. Where some of that is gone, where it is more than `sendLimit` has room for, or where the
   * text is no position, none of it is, and `first` is told.
   */
  readonly since?: string | null | undefined;
  /**
   * Without `since`, or where that cannot be recovered: so many of the newest messages that are kept are sent first. A whole number
   * from 0. Default 0.
   */
  readonly last?: number | undefined;
  /** It gets each message with its position, as `stamp` of the topic's history makes it. Default false. */
  readonly positions?: boolean | undefined;
  /**
   * Makes its first message of what was found, sent before all others; undefined sends none. It is called again, with `recovered`
   * false, when its message and what was missed are more than `sendLimit` has room for. The connection is no member yet: `leave` is false.
   */
  readonly first?: ((found: Found) => Message | EncodedMessage | undefined) | undefined;
}
