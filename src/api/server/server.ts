/**
 * A server as its user has it; what it does is done by its core.
 */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Observable } from 'rxjs';
import type { ServerTlsOptions } from '../../io/transports/tls-identity.ts';
import type { Address } from '../../io/transports/transport.ts';
import { workerProcess } from '../../io/worker-process.ts';
import type { ServerActor } from '../../machines/server-machine.ts';
import type { ServerState } from '../../machines/server-ports.ts';
import { Core } from '../../server/core.ts';
import type { ServerStats } from '../../server/counters.ts';
import { attach, detach } from '../../server/http-servers.ts';
import type { StopReport } from '../../server/stopping.ts';
import type { Connection } from '../connection/connection.ts';
import { OptionError } from '../errors.ts';
import { Inspection, type InspectionObserver, watchables } from '../inspection/inspection.ts';
import type { AnyCodec, Incoming, Outgoing, Typing } from '../messages/codec.ts';
import { readOptions, type ServerOptions } from '../options/options.ts';
import { readStopOptions, type StopOptions } from '../options/stop-options.ts';
import { guardTls, readTlsChanges } from '../options/tls.ts';
import type { Handlers } from '../paths/handlers.ts';
import type { Failure, Lifecycle, Path, Received } from '../paths/path.ts';
import type { ParamsOf } from '../paths/router.ts';
import type { ServerBackplane } from '../topics/server-backplane.ts';
import type { Topic } from '../topics/topic.ts';
import type { TopicOptions, TopicParamsOf, TopicPattern } from '../topics/topic-pattern.ts';
import { Dispatcher } from './dispatcher.ts';
import { type AnyHttpServer, type Attachment, checkHttpServer, checkUpgrade } from './http-server.ts';

/**
 * A WebSocket server on a port of its own, on the HTTP servers that it is attached to, or both. `createServer` and
 * `newServer` make it.
 */
export class Server {
  readonly #core: Core;
  readonly #dispatcher: Dispatcher;
  readonly #inspection: Inspection;
  /** `stop` was called, and `start` was not since. */
  #isStopAsked = false;

  /** @internal */
  constructor(options: ServerOptions) {
    const settings = readOptions(options);
    const { inspect } = settings;
    this.#dispatcher = new Dispatcher(settings, defaultHandlers(options, settings.subprotocols), this);
    this.#inspection = new Inspection(this.#dispatcher);
    this.#core = new Core(
      settings,
      this.#dispatcher,
      inspect === undefined ? undefined : this.#inspection.begin(inspect),
    );
    this.#dispatcher.begin(this.#core);
    this.#inspection.watch(this.#core, this.#dispatcher.backplane?.actor);
    watchables.set(this, { core: this.#core, inspection: this.#inspection });
    for (const [pattern, handlers] of Object.entries(options.paths ?? {}))
      this.path(pattern, handlers as Handlers);
  }

  /** `stopped`, `starting`, `listening`, `draining` or `failed`. */
  get state(): ServerState {
    return this.#core.state;
  }

  /**
   * The path of a pattern: `/echo`, `/prices/:symbol`, `/files/*`, or `*`. Exact segments come before parameters, and
   * those before `*`. The first call makes it; handlers given later take the place of those of the same name.
   * With a `codec`, or `codecs` by subprotocol, messages are typed: keep what that call returns.
   * @throws OptionError for a malformed pattern, handler or codec.
   */
  path<
    Data = undefined,
    Pattern extends string = string,
    One extends AnyCodec = never,
    Many extends AnyCodec = never,
  >(
    pattern: Pattern,
    handlers: Typing<One, Many> &
      Handlers<Data, ParamsOf<Pattern>, Incoming<One | Many>, Outgoing<One | Many>> = {},
  ): Path<Data, ParamsOf<Pattern>, Incoming<One | Many>, Outgoing<One | Many>> {
    const path: unknown = this.#dispatcher.path(pattern, handlers as unknown as Handlers);
    return path as Path<Data, ParamsOf<Pattern>, Incoming<One | Many>, Outgoing<One | Many>>;
  }

  /**
   * A topic, whether or not anybody is in it: `connection.join(name)` joins it, `topic.publish(message)` sends to all who
   * did. Its messages are plain, or what the `codec` of the first pattern says that matches its name; for types, take it from
   * what `server.topics` returns.
   * @throws RangeError for a name that is empty or longer than `maxTopicLength`.
   */
  topic(name: string): Topic {
    return this.#dispatcher.topics.topic(name);
  }

  /**
   * The topics whose names match a pattern, such as `room.:id` or `/rooms/:id`, with what holds for them: the codec of their
   * messages, the history that is kept, who shows what. Declare it before the first of them is joined. Exact segments come
   * before parameters, and those before a last `*`. Without options, it is the pattern that was declared before.
   * @throws OptionError for a malformed pattern or option, and for options of a pattern that has some already.
   */
  topics<Pattern extends string, C extends AnyCodec = never, Shown = undefined>(
    pattern: Pattern,
    options?: TopicOptions<C, Shown>,
  ): TopicPattern<Incoming<C>, Outgoing<C>, TopicParamsOf<Pattern>, Shown> {
    const topics: unknown = this.#dispatcher.topics.pattern(pattern, options as TopicOptions | undefined);
    return topics as TopicPattern<Incoming<C>, Outgoing<C>, TopicParamsOf<Pattern>, Shown>;
  }

  /** The link to the engine of the option `backplane`; undefined without it. */
  get backplane(): ServerBackplane | undefined {
    return this.#dispatcher.backplane;
  }

  /**
   * Opens the port and all other places, or none of them; resolves when it listens. While it starts or listens, it is the
   * same promise again.
   * Rejects with the reason when the port cannot be opened; the server has `failed` then and may be started again, unless a
   * `fd` was closed by that or by a stop.
   */
  start(): Promise<this> {
    this.#isStopAsked = false;
    return this.#core.start().then(() => {
      workerProcess()?.started(this);
      return this;
    });
  }

  /**
   * Answers new handshakes with 503, closes all connections with `code`, in batches, waits for them and for handlers
   * under way up to `deadline`, and destroys what is left. The port is closed when the last of them has gone.
   * Then the engine of the option `backplane` is ended, after what was published has left.
   * A second call while it stops is the same promise; a server that is stopped resolves at once. Until it has settled,
   * it keeps the process alive.
   * @throws OptionError for an option that there is not, RangeError or TypeError for a wrong value; nothing is stopped.
   */
  stop(options: StopOptions = {}): Promise<StopReport> {
    const request = readStopOptions(options, this.#core.settings.closeDeadline);
    this.#isStopAsked = true;
    const stopped = this.#core.stop(request);
    const worker = workerProcess();
    if (worker !== undefined) void stopped.then(() => worker.stopped(this));
    return this.#dispatcher.backplane?.endedAfter(stopped) ?? stopped;
  }

  /** It was stopped, or has failed: another may take its name. @internal */
  get isOver(): boolean {
    return this.state === 'failed' || (this.state === 'stopped' && this.#isStopAsked);
  }

  /**
   * Takes the WebSocket handshakes for its paths from a server of `node:http`, `node:https` or `node:http2`; from the latter
   * those of HTTP/2 (RFC 8441) and, with `allowHTTP1`, those of HTTP/1.1. Other listeners of 'upgrade' do not see those. All
   * else stays the HTTP server's own: plain requests, those that ask for another protocol, and handshakes for other paths,
   * which are answered with 404 only where nobody else listens. `onRequest` is not called for them. It may be attached to
   * several HTTP servers, and listen on its own port beside.
   *
   * `start` and `stop` mean the same as ever: before and after, handshakes for its paths are answered with 503, unless another
   * Portal server that is attached there runs and has the path. A `stop` leaves the HTTP server running; the HTTP server's own `close` does not wait for connections over HTTP/1.1, and closes none.
   *
   * For HTTP/2 the setting `enableConnectProtocol` is switched on, which sessions learn of that begin after that.
   * @throws OptionError for what is no HTTP server, for one that was closed, and for one that it is attached to already.
   */
  attach(httpServer: AnyHttpServer): Attachment {
    const server = checkHttpServer(httpServer);
    const taker = this.#core.attaching;
    if (!attach(server, taker)) {
      const message =
        'this server is attached to that HTTP server already; call detach() of what attach returned first';
      throw new OptionError('httpServer', httpServer, 'another HTTP server', message);
    }
    return { detach: () => detach(server, taker) };
  }

  /**
   * Takes one request that the event 'upgrade' of an HTTP server has given, for those who dispatch by hand. False, and
   * nothing is touched, where it is no WebSocket handshake or for none of its paths. True: everything else happens here,
   * refusals included; do nothing with the socket any more.
   * @throws OptionError naming an argument that is not what 'upgrade' gives, or a socket that was handed over already.
   */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): boolean {
    checkUpgrade(request, socket, head);
    if (this.#core.attaching.isTaken(socket)) {
      const message = 'this socket was handed over already: handleUpgrade was called twice for one upgrade';
      throw new OptionError('socket', socket, 'the socket of a new upgrade', message);
    }
    return this.#core.attaching.takeUpgrade(request, socket, head, 'own paths');
  }

  /**
   * Address and port, of the first place if it listens at several; null while the server is not listening, or listens
   * nowhere itself. A Unix socket is `{ address: '/run/app.sock', family: 'unix', port: 0 }`.
   */
  address(): Address | null {
    return this.#core.addresses()[0] ?? null;
  }

  /** All places where it listens: that of the options themselves, then those of `listeners`. */
  addresses(): Address[] {
    return this.#core.addresses();
  }

  /**
   * Renews keys and certificates of all places that have `tls`: handshakes from here on get the new ones, open connections
   * live on. What is left out stays as it is, hosts that `contexts` does not name too. Sessions of clients are resumed as before, unless `ticketKeys` are given or
   * what says whom to trust changes: `ca`, `crl`, `requestCert`, `rejectUnauthorized`.
   * @throws OptionError for what cannot be read or does not match; nothing is changed then.
   */
  renewTls(tls: ServerTlsOptions): void {
    const changes = readTlsChanges(tls);
    const hasTls = guardTls(() => this.#core.renewTls(changes));
    if (!hasTls) {
      throw new OptionError(
        'tls',
        undefined,
        'tls of a listener',
        'no listener of this server has tls; there is nothing to renew',
      );
    }
  }

  /** The connections that are open now. */
  get connections(): ReadonlySet<Connection> {
    return this.#dispatcher.open;
  }

  /** Each connection of each path as it opens, before its first message is read. Hot. */
  get connections$(): Observable<Connection> {
    return this.#dispatcher.streams.connections.observable;
  }

  /** Each message of each connection; on a path with a codec, what that made of it. Hot. */
  get messages$(): Observable<Received> {
    return this.#dispatcher.streams.messages.observable;
  }

  /** Each change of state of each connection. Hot. */
  get lifecycle$(): Observable<Lifecycle> {
    return this.#dispatcher.streams.lifecycle.observable;
  }

  /** All that goes wrong. Hot, and never an error itself. */
  get errors$(): Observable<Failure> {
    return this.#dispatcher.streams.errors.observable;
  }

  /** Counters since the server was made, and how many connections are in which state. Costs a look at each. */
  stats(): ServerStats {
    const stats = this.#core.stats();
    const { backplane } = this.#dispatcher;
    return backplane === undefined ? stats : { ...stats, backplane: backplane.stats };
  }

  /**
   * Adds an XState inspection observer while the server runs, as the option `inspect` does from its beginning: it is
   * told of the actors that live, then of every event. Payloads are shown as their `byteLength`. Inspected servers
   * are slow: each frame is an event of its own, and each connection gets an XState actor.
   * Returns what removes it; with the last one gone frames are read as fast as before, and connections that come
   * then have no actor again.
   */
  inspect(observer: InspectionObserver): { unsubscribe(): void } {
    return { unsubscribe: this.#inspection.attach(observer) };
  }

  /** The XState actor that runs this server. As with any actor, subscribers hear of each event, also where the state stays. */
  get actor(): ServerActor {
    return this.#core.actor;
  }
}

/** Handlers of the server itself serve the paths that leave one out. */
function defaultHandlers(options: ServerOptions, subprotocols: readonly string[]): Handlers {
  const { onOpen, onMessage, onClose, onError, onFragment, authorize } = options;
  return { onOpen, onMessage, onClose, onError, onFragment, authorize, subprotocols };
}
