/**
 * The user's side of a server: its paths, its streams, and who is told of its errors.
 */
import type { Session } from '../../connection/session.ts';
import type { Fault } from '../../io/faults.ts';
import type { Clock } from '../../io/time/clock.ts';
import type { Ticker } from '../../io/time/ticker.ts';
import type { ServerActor } from '../../machines/server-machine.ts';
import type { ServerState } from '../../machines/server-ports.ts';
import type { ServerRecipient } from '../../server/recipient.ts';
import type { Connection } from '../connection/connection.ts';
import { Delivery } from '../connection/delivery.ts';
import type { DeliveryHost } from '../connection/delivery-host.ts';
import { tell } from '../connection/failures.ts';
import type { HandlerHost } from '../connection/pending-handlers.ts';
import { errorOf, InternalError, type SubscriberError } from '../errors.ts';
import { serverChannels } from '../inspection/channels.ts';
import type { Settings } from '../options/options.ts';
import type { Handlers } from '../paths/handlers.ts';
import { Path, Streams, type StreamsOwner } from '../paths/path.ts';
import { type Match, Router } from '../paths/router.ts';
import { ServerBackplane } from '../topics/server-backplane.ts';
import { ServerTopics } from '../topics/server-topics.ts';
import { Unheard } from './unheard.ts';

/** What a dispatcher has when its server is made. */
interface Begun {
  readonly handlers: HandlerHost;
  readonly topics: ServerTopics;
  readonly backplane: ServerBackplane | undefined;
}

/** What a dispatcher needs of the server's core. */
interface CoreOfTopics extends HandlerHost {
  readonly ticker: Ticker;
  readonly actor: ServerActor;
}

/**
 * The user's side of a server.
 *
 * Many members: all that the core and connections tell and ask of it comes through here; nearly all of them are one line.
 */
export class Dispatcher implements ServerRecipient, DeliveryHost, StreamsOwner {
  readonly streams: Streams;
  readonly debugOnError: boolean;
  readonly onRequest: Settings['onRequest'];
  /** The connections that are open now. */
  readonly open = new Set<Connection>();

  /** The server as its user has it. */
  readonly #server: object;
  readonly #settings: Settings;
  readonly #defaults: Handlers;
  readonly #clock: Clock;
  readonly #router = new Router<Path>();
  readonly #paths = new Map<string, Path>();
  readonly #unheard = new Unheard();
  /** Ends of subscribers that were told. */
  readonly #toldEnds = new WeakSet<SubscriberError>();
  /** Set before the server starts. */
  #begun: Begun | undefined;

  constructor(settings: Settings, defaults: Handlers, server: object) {
    this.debugOnError = settings.debugOnError;
    this.onRequest = settings.onRequest;
    this.#clock = settings.clock;
    this.#settings = settings;
    this.#defaults = defaults;
    this.#server = server;
    this.streams = new Streams(this);
  }

  /** Handlers that are pending are counted in the server's core, and its ticker tells when histories expire. */
  begin(core: CoreOfTopics): void {
    const topics = new ServerTopics(this.#settings, core.ticker, this);
    const { backplane: engine } = this.#settings;
    const backplane = engine && new ServerBackplane(engine, topics, core.actor);
    this.#begun = { handlers: core, topics, backplane };
  }

  get topics(): ServerTopics {
    return (this.#begun as Begun).topics;
  }

  get backplane(): ServerBackplane | undefined {
    return this.#begun?.backplane;
  }

  get handlers(): HandlerHost {
    return (this.#begun as Begun).handlers;
  }

  /** The path of a pattern, made at the first call; handlers take the place of those of the same name. */
  path(pattern: string, handlers: Handlers): Path {
    const known = this.#paths.get(pattern);
    if (known !== undefined) return known.handle(handlers);
    const path = new Path(pattern, this.#defaults, new Streams(this, pattern), this.#settings).handle(
      handlers,
    );
    this.#router.add(pattern, path);
    this.#paths.set(pattern, path);
    return path;
  }

  // ------------------------------------------------------------------ what connections ask for

  recipientOf(session: Session): Delivery {
    return new Delivery(session, this);
  }

  serves(path: string): boolean {
    return this.#router.match(path) !== undefined;
  }

  match(path: string): Match<Path> | undefined {
    return this.#router.match(path);
  }

  opened(connection: Connection): void {
    this.open.add(connection);
    this.topics.opened(connection);
  }

  left(connection: Connection): void {
    this.open.delete(connection);
    this.topics.closing(connection);
  }

  epochMs(): number {
    return this.#clock.epochMs();
  }

  // ------------------------------------------------------------------ what the server tells

  changed(from: ServerState, to: ServerState, error: Error | undefined): void {
    if (to === 'listening') this.backplane?.start();
    else if (to === 'stopped' || to === 'failed') this.backplane?.stop();
    if (!serverChannels[to].hasSubscribers) return;
    const change = { server: this.#server, from, to, at: this.#clock.epochMs() };
    serverChannels[to].publish(error === undefined ? change : { ...change, error });
  }

  failed(error: unknown): void {
    if (!tell({ connection: undefined, error }, undefined, this.streams)) this.unheard(error);
  }

  lost(fault: Fault, remoteAddress: string, cause: Error): void {
    this.failed(errorOf(fault, undefined, { path: undefined, remoteAddress, origin: undefined }, cause));
  }

  broke(cause: unknown): void {
    this.failed(new InternalError(cause));
  }

  unheard(error: unknown): void {
    this.#unheard.tell(error);
  }

  subscriberFailed(error: unknown, connection: Connection | undefined): void {
    if (connection?.failed(error) !== true) this.failed(error);
  }

  /** Tells once that a subscriber has ended. */
  subscriberEnded(error: SubscriberError, streams: Streams | undefined): void {
    if (this.#toldEnds.has(error)) return;
    this.#toldEnds.add(error);
    const path = streams === this.streams ? undefined : streams;
    if (!tell({ connection: undefined, error }, path, this.streams)) this.unheard(error);
  }
}
