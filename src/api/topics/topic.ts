/**
 * A topic as its user has it: a name, and a way to the topics of the server. It may be kept or forgotten; it costs the server
 * something only while a stream of it is subscribed to.
 */
import type { Observable } from 'rxjs';
import type { Message } from '../../connection/recipient.ts';
import { isUnwantedPromise } from '../../io/values.ts';
import { type EncodedMessage, encodeMessage, isEncoded } from '../../io/writing/encoded-message.ts';
import type { Gap } from '../../topics/backplane.ts';
import type { PresenceChange, PublishReport, Watcher } from '../../topics/member.ts';
import type { Topics } from '../../topics/topics.ts';
import { Connection } from '../connection/connection.ts';
import { Stream } from '../connection/streams.ts';
import { OptionError, type SubscriberError } from '../errors.ts';
import type { Codec } from '../messages/codec.ts';
import { checkNames, isObject } from '../options/checks.ts';
import type { Params } from '../paths/router.ts';
import { messageOf } from './stamp.ts';

/** How a message is published. */
export interface PublishOptions {
  /**
   * The connection that does not get it, such as the one that it came from; or its `uid`, which works in every process.
   */
  // biome-ignore lint/suspicious/noExplicitAny: a connection of any path
  readonly except?: Connection<any, any, any, any> | string | undefined;
  /** It takes the place of a message of the same key that waits for a slow member. */
  readonly key?: string | undefined;
}

/** What a topic needs of its server. */
export interface TopicOwner {
  readonly hub: Topics<Connection>;
  subscriberFailed(error: unknown): void;
  subscriberEnded(error: SubscriberError): void;
}

/** What the name of a topic says about it. */
export interface TopicKind {
  readonly params: Params;
  readonly codec: Codec | undefined;
}

type StreamName = 'joined' | 'left' | 'messages' | 'presence' | 'gap';

/** Gives a value to the subscribers of a stream, as a part of a delivery. */
type Next<T> = (value: T, delivery?: number) => void;

/** A topic of a server, as `server.topic` and `pattern.topic` return it. */
export class Topic<In = Message, Out = In, P extends Params = Params, Shown = unknown> {
  readonly name: string;
  /** What stands for `:name` in the pattern that the topic was typed by. */
  readonly params: P;
  readonly #owner: TopicOwner;
  readonly #codec: Codec | undefined;
  readonly #streams: Partial<Record<StreamName, Stream<unknown>>> = {};

  /** @internal */
  constructor(name: string, owner: TopicOwner, kind: TopicKind | undefined) {
    if (owner.hub.room(name) === undefined) owner.hub.checkName(name);
    this.name = name;
    this.params = (kind?.params ?? {}) as P;
    this.#owner = owner;
    this.#codec = kind?.codec;
  }

  /**
   * Sends a message to every member, encoded once. Says what became of it for the members in this process. Members get the
   * messages of a topic in the order of the calls.
   * @throws TypeError for what is no message; what the codec throws; RangeError for a message that is larger than `sendLimit`, with
   *   its position where a member asked for that (dropped where `overflow` is not `'close'`); OptionError for a wrong option.
   */
  publish(message: Out | EncodedMessage, options?: PublishOptions): PublishReport {
    if (options !== undefined) checkPublishOptions(options);
    return this.#owner.hub.publish(this.name, this.#encode(message), options);
  }

  #encode(message: unknown): EncodedMessage {
    if (isEncoded(message)) return message;
    return encodeMessage(this.#codec === undefined ? (message as Message) : this.#codec.encode(message));
  }

  /** How many members it has. */
  get size(): number {
    return this.#owner.hub.room(this.name)?.members.size ?? 0;
  }

  /** Its members in this process. */
  get members(): ReadonlySet<Connection> {
    return this.#owner.hub.room(this.name)?.members ?? new Set();
  }

  /** Who is there, and what each shows, by `connection.uid`, now; empty without the option `presence`. */
  get presence(): ReadonlyMap<string, Shown> {
    return new Map(this.#owner.hub.room(this.name)?.presence?.present) as ReadonlyMap<string, Shown>;
  }

  /** The position of its newest message, `epoch.offset`; undefined while no history is kept. */
  get position(): string | undefined {
    return this.#owner.hub.positionOf(this.name);
  }

  /** Each connection that joins. Hot. */
  get joined$(): Observable<Connection> {
    return this.#stream<Connection>('joined', (next) => ({ joined: next }));
  }

  /** Each connection that leaves, also by closing. Hot. */
  get left$(): Observable<Connection> {
    return this.#stream<Connection>('left', (next) => ({ left: next }));
  }

  /** Each message that is published here, after the members have got it; by a codec, what that makes of it. Hot. */
  get messages$(): Observable<In> {
    return this.#stream<In>('messages', (next) => ({
      published: (message, delivery) => this.#decode(message, delivery, next as Next<unknown>),
    }));
  }

  /** Who has come and who has gone, once for each turn of the event loop in which somebody did. Hot. */
  get presence$(): Observable<PresenceChange<Shown>> {
    return this.#stream<PresenceChange<Shown>>('presence', (next) => ({
      changed: next as Next<PresenceChange>,
    }));
  }

  /**
   * The engine was away, and messages of other processes may be missing: of those that were published meanwhile, and of those
   * that another process could not publish. Hot; nothing without the option `backplane`.
   */
  get gap$(): Observable<Gap> {
    return this.#stream<Gap>('gap', (next) => ({ gap: next }));
  }

  #stream<T>(name: StreamName, watcherOf: (next: Next<T>) => Watcher<Connection>): Observable<T> {
    const known = this.#streams[name] as Stream<T> | undefined;
    if (known !== undefined) return known.observable;
    const owner = this.#owner;
    const stream: Stream<T> = new Stream<T>((error) => owner.subscriberFailed(error), undefined, {
      name: `${name}$`,
      path: () => this.name,
      ended: (error) => owner.subscriberEnded(error),
      listening: () => owner.hub.watch(this.name, watcher),
    });
    const watcher = watcherOf((value, delivery) => stream.next(value, delivery));
    this.#streams[name] = stream as Stream<unknown>;
    return stream.observable;
  }

  #decode(message: EncodedMessage, delivery: number, next: Next<unknown>): void {
    let value: unknown;
    try {
      const content = messageOf(message);
      value = this.#codec === undefined ? content : this.#codec.decode(content);
      if (isUnwantedPromise(value))
        throw new TypeError(`the codec of topic ${this.name} decodes by a promise; allowed is a value`);
    } catch (error) {
      this.#owner.subscriberFailed(error);
      return;
    }
    next(value, delivery);
  }
}

const PUBLISH_NAMES = ['except', 'key'];

/** @throws OptionError for what is no option of publishing. */
function checkPublishOptions(options: PublishOptions): void {
  if (!isObject(options) || options instanceof Connection)
    throw new OptionError('options of publish', options, 'an object such as { except: connection }');
  checkNames(options, PUBLISH_NAMES, 'publish', `publish has ${PUBLISH_NAMES.join(', ')}`);
  const { except, key } = options;
  if (except !== undefined && typeof except !== 'string' && !(except instanceof Connection))
    throw new OptionError('publish.except', except, 'a connection, or its uid');
  if (key !== undefined && typeof key !== 'string') throw new OptionError('publish.key', key, 'a string');
}
