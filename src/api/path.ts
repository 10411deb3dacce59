/**
 * One path of a server: its handlers, its connections, and their streams.
 */
import type { Observable } from 'rxjs';
import { type EncodedMessage, encodeMessage, isEncoded } from '../io/outbox.ts';
import type { ConnectionEvent, ConnectionState } from '../machines/connection-ports.ts';
import type { Connection } from './connection.ts';
import { warn } from './errors.ts';
import type { Handlers, Message } from './handlers.ts';
import { checkHandlerNames } from './options.ts';
import type { Params } from './router.ts';
import { Stream } from './streams.ts';

/** A message and the connection it came on. */
export interface Received<Data = unknown, P extends Params = Params> {
  readonly connection: Connection<Data, P>;
  readonly message: Message;
}

/** A change of state of one connection. */
export interface Lifecycle<Data = unknown, P extends Params = Params> {
  readonly connection: Connection<Data, P>;
  readonly from: ConnectionState;
  readonly to: ConnectionState;
  /** The event that led there. */
  readonly event: ConnectionEvent['type'];
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Something that went wrong; without a connection when it happened before there was one. */
export interface Failure<Data = unknown, P extends Params = Params> {
  readonly connection: Connection<Data, P> | undefined;
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
    // A subscriber to errors that throws would be told of itself: its error is told to nobody twice.
    this.errors = new Stream(warn);
  }
}

/** A path of a server, as `server.path` returns it. */
export class Path<Data = unknown, P extends Params = Params> {
  readonly pattern: string;
  /** What serves this path: its own handlers, and the server's for those it leaves out. @internal */
  handlers: Handlers;
  /** @internal */
  readonly streams: Streams;
  readonly #own: Handlers = {};
  readonly #defaults: Handlers;
  readonly #open = new Set<Connection<Data, P>>();

  /** @internal */
  constructor(pattern: string, defaults: Handlers, streams: Streams) {
    this.pattern = pattern;
    this.#defaults = defaults;
    this.handlers = defaults;
    this.streams = streams;
  }

  /** Sets handlers, in place of those of the same name; open connections use them from their next event on. */
  handle(handlers: Handlers<Data, P>): this {
    checkHandlerNames(this.pattern, handlers as Handlers);
    Object.assign(this.#own, handlers);
    this.handlers = { ...this.#defaults };
    for (const [name, handler] of Object.entries(this.#own)) {
      if (handler !== undefined) (this.handlers as Record<string, unknown>)[name] = handler;
    }
    return this;
  }

  /** The connections that are open now. */
  get connections(): ReadonlySet<Connection<Data, P>> {
    return this.#open;
  }

  /** Each connection as it opens, before its first message is read. Hot. */
  get connections$(): Observable<Connection<Data, P>> {
    return this.streams.connections.observable as Observable<Connection<Data, P>>;
  }

  /** Each message of each connection. Hot. */
  get messages$(): Observable<Received<Data, P>> {
    return this.streams.messages.observable as Observable<Received<Data, P>>;
  }

  /** Each change of state of each connection. Hot. */
  get lifecycle$(): Observable<Lifecycle<Data, P>> {
    return this.streams.lifecycle.observable as Observable<Lifecycle<Data, P>>;
  }

  /** All that goes wrong on this path. Hot, and never an error itself. */
  get errors$(): Observable<Failure<Data, P>> {
    return this.streams.errors.observable as Observable<Failure<Data, P>>;
  }

  /** Sends a message to every open connection of this path, encoded once. Returns to how many it went. */
  broadcast(message: Message | EncodedMessage): number {
    const encoded = isEncoded(message) ? message : encodeMessage(message);
    let sent = 0;
    for (const connection of this.#open) {
      const result = connection.send(encoded);
      if (result === 'sent' || result === 'queued') sent++;
    }
    return sent;
  }

  /** @internal */
  opened(connection: Connection): void {
    this.#open.add(connection as Connection<Data, P>);
  }

  /** @internal */
  left(connection: Connection): void {
    this.#open.delete(connection as Connection<Data, P>);
  }
}
