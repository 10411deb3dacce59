/**
 * One path of a server: its handlers, its connections, and their streams.
 */
import type { Observable } from 'rxjs';
import type { Message } from '../../connection/recipient.ts';
import { type EncodedMessage, encodeMessage, isEncoded } from '../../io/writing/encoded-message.ts';
import type { ConnectionEvent, ConnectionState } from '../../machines/connection-ports.ts';
import type { Connection } from '../connection/connection.ts';
import { Stream } from '../connection/streams.ts';
import { warn } from '../errors.ts';
import { type Codec, Codecs, type Typing } from '../messages/codec.ts';
import { checkHandlerNames } from '../options/options.ts';
import type { Handlers } from './handlers.ts';
import type { Params } from './router.ts';

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

/** The streams of many connections: of a path, or of a server. */
export class Streams<Data = unknown, P extends Params = Params> {
  readonly connections: Stream<Connection<Data, P>>;
  readonly messages: Stream<Received<Data, P>>;
  readonly lifecycle: Stream<Lifecycle<Data, P>>;
  readonly errors: Stream<Failure<Data, P>>;

  constructor(failed: (error: unknown, connection: Connection | undefined) => void) {
    this.connections = new Stream((error, value) => failed(error, value as Connection | undefined));
    const withConnection = (error: unknown, value: unknown) =>
      failed(error, (value as { connection?: Connection } | undefined)?.connection);
    this.messages = new Stream(withConnection);
    this.lifecycle = new Stream(withConnection);
    // What a subscriber to errors$ throws cannot go to errors$ again: it is a warning.
    this.errors = new Stream(warn);
  }
}

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
  readonly #own: Handlers & Typing = {};
  readonly #defaults: Handlers;
  readonly #open = new Set<Connection<Data, P, In, Out>>();

  /** @internal */
  constructor(pattern: string, defaults: Handlers, streams: Streams) {
    this.pattern = pattern;
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
    Object.assign(this.#own, handlers);
    this.handlers = { ...this.#defaults };
    if (codecs !== undefined) this.handlers.subprotocols = this.codecs?.subprotocols;
    for (const [name, handler] of Object.entries(own)) {
      if (handler !== undefined) (this.handlers as Record<string, unknown>)[name] = handler;
    }
    return this;
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
