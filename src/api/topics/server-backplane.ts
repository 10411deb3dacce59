/**
 * The link of a server to the engine of its option `backplane`, as its user sees it, and what the link needs of the server.
 */
import type { Observable } from 'rxjs';
import type { Clock } from '../../io/time/clock.ts';
import type { Ticker } from '../../io/time/ticker.ts';
import type { LinkActor } from '../../machines/link-machine.ts';
import type { LinkState, LinkStats } from '../../machines/link-ports.ts';
import type { ServerActor } from '../../machines/server-machine.ts';
import type { Backplane, Envelope, Gap } from '../../topics/backplane.ts';
import { Link, type LinkHost } from '../../topics/link.ts';
import { Stream } from '../connection/streams.ts';
import { BackplaneError } from '../errors.ts';
import type { ServerTopics } from './server-topics.ts';

/** The link to the engine that joins processes, as `server.backplane` returns it. */
export class ServerBackplane implements LinkHost {
  /** @internal */
  readonly clock: Clock;
  /** @internal */
  readonly ticker: Ticker;
  /** @internal */
  readonly origin: string;
  /** @internal */
  readonly parent: ServerActor;
  readonly #topics: ServerTopics;
  readonly #backplane: Backplane;
  readonly #link: Link;
  readonly #states: Stream<LinkState>;
  #ending: { readonly of: Promise<unknown>; readonly promise: Promise<unknown> } | undefined;

  /** @internal */
  constructor(backplane: Backplane, topics: ServerTopics, parent: ServerActor) {
    this.clock = topics.clock;
    this.ticker = topics.ticker;
    this.origin = topics.hub.origin;
    this.parent = parent;
    this.#topics = topics;
    this.#backplane = backplane;
    this.#states = new Stream<LinkState>(
      (error) => topics.subscriberFailed(error),
      () => this.state,
      {
        name: 'backplane.state$',
        ended: (error) => topics.subscriberEnded(error),
      },
    );
    this.#link = new Link(backplane, this);
    topics.hub.remote = this.#link;
  }

  /** What the engine is called, such as `nats`. */
  get name(): string {
    return this.#backplane.name;
  }

  /** `connecting`, `up`, `waiting` to connect again, or `down`: not started, or stopped. */
  get state(): LinkState {
    return this.#link?.state ?? 'down';
  }

  /** The present state, and each that follows. Hot. */
  get state$(): Observable<LinkState> {
    return this.#states.observable;
  }

  /** The XState actor that runs the link. */
  get actor(): LinkActor {
    return this.#link.actor;
  }

  /** @internal */
  get stats(): LinkStats {
    return this.#link.stats;
  }

  /** @internal */
  start(): void {
    this.#link.start();
  }

  /** @internal */
  stop(): void {
    this.#link.stop();
  }

  /** What `stopped` resolves to, when the link has ended, too. The same promise for the same stop. @internal */
  endedAfter<T>(stopped: Promise<T>): Promise<T> {
    if (this.#ending?.of !== stopped) {
      const promise = stopped.then(async (report) => {
        await this.#link.stopped;
        return report;
      });
      this.#ending = { of: stopped, promise };
    }
    return this.#ending.promise as Promise<T>;
  }

  /** @internal */
  received(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    this.#topics.hub.received(topic, bytes, envelope);
  }

  /** @internal */
  gap(topic: string, gap: Gap): void {
    this.#topics.hub.gap(topic, gap);
  }

  /** @internal */
  failed(error: Error): void {
    this.#topics.failed(new BackplaneError(this.name, error));
  }

  /** @internal */
  moved(state: LinkState): void {
    this.#states.next(state);
  }
}
