/**
 * One path of a server: its handlers, its connections, and their streams.
 */
import type { Observable } from 'rxjs';
import type { Message } from '../../connection/recipient.ts';
import type { DeflateSettings } from '../../io/extensions/deflate.ts';
import { type EncodedMessage, encodeMessage, isEncoded } from '../../io/writing/encoded-message.ts';
import type { ConnectionEvent, ConnectionState } from '../../machines/connection-ports.ts';
import type { Connection } from '../connection/connection.ts';
import { Stream } from '../connection/streams.ts';
import { type SubscriberError, warn } from '../errors.ts';
import { type Codec, Codecs, type Typing } from '../messages/codec.ts';
import { readDeflate } from '../options/deflate.ts';
import { checkHandlerNames, type Settings } from '../options/options.ts';
import type { Handlers } from './handlers.ts';
import type { Params } from './router.ts';
import { readServing, type Served, type ServeOptions, type Serving } from './serve.ts';

/** A message, or what the path's codec made of it, and the connection it came on. */
export interface Received<Data = unknown, P extends Params = Params, In = Message, Out = In> {
  readonly connection: Connection<Data, P, In, Out>;
  readonly message: In;
}

/** A change of state of one connection. */
export interface Lifecycle<Data = unknown, P extends Params = Params, In = Message, Out = In> {
  readonly connection: Connection<Data, P, In, Out>;
  readonly from: ConnectionState;
  readonly to: ConnectionState;
  /** The event that led there. */
  readonly event: ConnectionEvent['type'];
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Something that went wrong; without a connection when it happened before there was one. */
export interface Failure<Data = unknown, P extends Params = Params, In = Message, Out = In> {
  readonly connection: Connection<Data, P, In, Out> | undefined;
  readonly error: unknown;
}

/** Who is told what became of subscribers. */
export interface StreamsOwner {
  /** One failed, while it was given something of this connection. */
  subscriberFailed(error: unknown, connection: Connection | undefined): void;
  /** One was ended by an error. */
  subscriberEnded(error: SubscriberError, streams: Streams): void;
}

/** The streams of many connections: of a path, or of a server. */
export class Streams {
  readonly connections: Stream<Connection>;
  readonly messages: Stream<Received>;
  readonly lifecycle: Stream<Lifecycle>;
  readonly errors: Stream<Failure>;

  /** `path` is undefined for those of a server. */
  constructor(owner: StreamsOwner, path?: string) {
    const failed = owner.subscriberFailed.bind(owner);
    const traits = (name: string) => ({
      name,
      path: () => path,
      ended: (error: SubscriberError) => owner.subscriberEnded(error, this),
    });
    const withConnection = (error: unknown, value: unknown) =>
      failed(error, (value as { connection?: Connection } | undefined)?.connection);
    this.connections = new Stream(
      (error, value) => failed(error, value as Connection | undefined),
      undefined,
      traits('connections$'),
    );
    this.messages = new Stream(withConnection, undefined, traits('messages$'));
    this.lifecycle = new Stream(withConnection, undefined, traits('lifecycle$'));
    // What a subscriber to errors$ throws cannot go to errors$ again: it is a warning.
    this.errors = new Stream(warn, undefined, traits('errors$'));
  }

  /** The error that ended who took messages here, where nobody does any more. */
  get endedBy(): SubscriberError | undefined {
    return this.messages.endedBy ?? this.connections.endedBy;
  }
}

/** What a path takes over from its server. */
type ServerSide = Pick<Settings, 'perMessageDeflate' | 'overflow'>;

/** A path of a server, as `server.path` returns it. */
export class Path<Data = unknown, P extends Params = Params, In = Message, Out = In> {
  /** As it was given, such as `/prices/:symbol`. */
  readonly pattern: string;
  /** The handlers that are called: its own, and the server's for those that it leaves out. @internal */
  handlers: Handlers;
  /** @internal */
  readonly streams: Streams;
  /** What its messages mean; undefined for plain ones. @internal */
  codecs: Codecs | undefined;
  /** It was told that a handler has been pending for long. @internal */
  isSlowTold = false;
  /** What `serve` was given. @internal */
  serving: Serving | undefined;
  /** How its messages are compressed; undefined: not at all. @internal */
  deflate: DeflateSettings | undefined;
  readonly #server: ServerSide;
  readonly #own: Handlers & Typing = {};
  readonly #defaults: Handlers;
  readonly #open = new Set<Connection<Data, P, In, Out>>();

  /** @internal */
  constructor(pattern: string, defaults: Handlers, streams: Streams, server: ServerSide) {
    this.pattern = pattern;
    this.#server = server;
    this.deflate = server.perMessageDeflate;
    this.#defaults = defaults;
    this.handlers = defaults;
    this.streams = streams;
  }

  /** Sets handlers, in place of those of the same name; open connections use them from their next event on. */
  handle(handlers: Handlers<Data, P, In, Out>): this {
    checkHandlerNames(this.pattern, handlers as unknown as Handlers);
    const { codec, codecs, onInvalid, ...own } = { ...this.#own, ...handlers } as Handlers & Typing;
    const typed = [codec, codecs, onInvalid].some((option) => option !== undefined);
    this.codecs = typed
      ? new Codecs(this.pattern, { codec, codecs, onInvalid }, own.subprotocols)
      : undefined;
    this.#readDeflate(handlers.perMessageDeflate);
    Object.assign(this.#own, handlers);
    this.handlers = { ...this.#defaults };
    if (codecs !== undefined) this.handlers.subprotocols = this.codecs?.subprotocols;
    for (const [name, handler] of Object.entries(own)) {
      if (handler !== undefined) (this.handlers as Record<string, unknown>)[name] = handler;
    }
    return this;
  }

  /** Connections that are open keep what they have agreed on. */
  #readDeflate(option: Handlers['perMessageDeflate']): void {
    if (option === undefined) return;
    this.deflate = readDeflate(`perMessageDeflate of ${this.pattern}`, option, this.#server.overflow);
  }

  /** Subprotocols spoken here, best first (RFC 6455 1.9). @internal */
  get subprotocols(): readonly string[] {
    return this.handlers.subprotocols ?? [];
  }

  /** The connections that are open now. */
  get connections(): ReadonlySet<Connection<Data, P, In, Out>> {
    return this.#open;
  }

  /** Each connection as it opens, before its first message is read. Hot. */
  get connections$(): Observable<Connection<Data, P, In, Out>> {
    return this.streams.connections.observable as unknown as Observable<Connection<Data, P, In, Out>>;
  }

  /** Each message of each connection. Hot. */
  get messages$(): Observable<Received<Data, P, In, Out>> {
    return this.streams.messages.observable as unknown as Observable<Received<Data, P, In, Out>>;
  }

  /** Each change of state of each connection. Hot. */
  get lifecycle$(): Observable<Lifecycle<Data, P, In, Out>> {
    return this.streams.lifecycle.observable as unknown as Observable<Lifecycle<Data, P, In, Out>>;
  }

  /** All that goes wrong on this path. Hot, and never an error itself. */
  get errors$(): Observable<Failure<Data, P, In, Out>> {
    return this.streams.errors.observable as unknown as Observable<Failure<Data, P, In, Out>>;
  }

  /**
   * Serves each connection that opens by a function: what the observable or the async iterable that it returns gives, or
   * the value of its promise, is sent, as by `connection.send`. When that completes, the connection is closed with 1000;
   * an error closes that connection alone, with 1011, unless `onError` decides otherwise. When the connection ends, the
   * observable is unsubscribed from, and the iterable's `return` is called.
   *
   * An observable pushes: a peer that reads too slowly meets `sendLimit`, or with `key` gets the newest message of each key.
   * From an iterable without `key`, the next value is taken when the peer has read the last.
   *
   * The function is called after `onOpen`, before the first message is read. A later call takes its place, for
   * connections that open then.
   * @throws OptionError for what is no function, and for a wrong `key`.
   */
  serve(
    serve: (connection: Connection<Data, P, In, Out>) => Served<Out>,
    options: ServeOptions<Out> = {},
  ): this {
    this.serving = readServing(this.pattern, serve as unknown as Serving['serve'], options as ServeOptions);
    return this;
  }

  /** Sends a message to every open connection of this path, encoded once. Returns to how many it went. */
  broadcast(message: Out | EncodedMessage): number {
    const encode = this.codecs === undefined || isEncoded(message) ? plainly(message) : byCodec(message);
    let sent = 0;
    for (const connection of this.#open) {
      const result = connection.send(encode(connection));
      if (result === 'sent' || result === 'queued') sent++;
    }
    return sent;
  }

  /** @internal */
  opened(connection: Connection): void {
    this.#open.add(connection as unknown as Connection<Data, P, In, Out>);
  }

  /** @internal */
  left(connection: Connection): void {
    this.#open.delete(connection as unknown as Connection<Data, P, In, Out>);
  }
}

type Encode = (connection: { readonly codec: Codec | undefined }) => EncodedMessage;

/** One frame for all. */
function plainly(message: unknown): Encode {
  const encoded = isEncoded(message) ? message : encodeMessage(message as Message);
  return () => encoded;
}

/** One frame for all of a codec. */
function byCodec(value: unknown): Encode {
  const encoded = new Map<Codec | undefined, EncodedMessage>();
  return ({ codec }) => {
    let frame = encoded.get(codec);
    if (frame === undefined) {
      frame = encodeMessage(codec === undefined ? (value as Message) : codec.encode(value));
      encoded.set(codec, frame);
    }
    return frame;
  };
}
