/**
 * Who holds a connection's messages back, by name.
 *
 * Two things can be held. *Delivery*: frames are still read, control frames are handled at once, but messages wait until
 * they may be given to the user. *The wire*: nothing is read any more, and TCP holds the peer back.
 *
 *   paused      the user's `pause()`                                   delivery and wire
 *   handlers    promises of handlers that are pending, unless one      delivery
 *               asks for an answer (subscribed to messages$ in it)
 *   iterators   `for await` loops, unless each has asked for more      delivery; they decide alone, not the handlers
 *   decoding    the path's codec has not yet said what a message is    delivery
 *   full        messages of `readAhead` bytes wait                     wire
 *   behind      the frames of this turn were too many; more next turn  delivery and wire, until its turn comes
 *
 * All but `behind` come from the user's side; `behind` ends by itself, soon.
 */
export class Holding {
  paused = false;
  handlers = 0;
  iterators = 0;
  /** Iterators that wait for a message. */
  pulls = 0;
  /** Subscriptions to messages that were made in a handler which is pending. */
  asking: Set<object> | undefined;
  decoding = false;
  full = false;
  behind = false;

  /** Whether nobody holds anything back. */
  get isFree(): boolean {
    return !this.paused && !this.decoding && !this.behind && this.iterators === 0 && this.handlers === 0;
  }

  /** Whether messages must wait. */
  get delivery(): boolean {
    if (this.paused || this.decoding) return true;
    if (this.iterators > 0) return this.pulls < this.iterators;
    return this.handlers > 0 && !this.asking?.size;
  }

  /** Whether a handler is pending. What the codec decides counts as one meanwhile. */
  get isHandling(): boolean {
    return this.handlers > (this.decoding ? 1 : 0);
  }

  /** Whether the user's side does not take what comes: the peer cannot be blamed for being late. */
  get stopped(): boolean {
    return this.paused || this.full;
  }

  /** Whether nothing may be read from the transport. */
  get wire(): boolean {
    return this.stopped || this.behind;
  }
}
