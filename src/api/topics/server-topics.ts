/**
 * The topics of a server on the user's side: their patterns, the options of joining, and what connections join as they open.
 */
import { nextTurn } from '../../io/time/clock.ts';
import type { Ticker } from '../../io/time/ticker.ts';
import { isThenable } from '../../io/values.ts';
import { encodeMessage, isEncoded } from '../../io/writing/encoded-message.ts';
import type { JoinRequest } from '../../topics/joining.ts';
import type { Rule } from '../../topics/member.ts';
import { Topics, type TopicsHost } from '../../topics/topics.ts';
import type { Connection, ConnectionTopics } from '../connection/connection.ts';
import { beginDelivery } from '../connection/streams.ts';
import { OptionError, type SubscriberError } from '../errors.ts';
import { checkNames, isObject, readBoolean } from '../options/checks.ts';
import { readLimit } from '../options/limit.ts';
import type { Settings } from '../options/options.ts';
import type { TopicToJoin } from '../paths/handlers.ts';
import { type Match, Router } from '../paths/router.ts';
import type { JoinOptions } from './join-options.ts';
import { Topic, type TopicOwner } from './topic.ts';
import { readPattern, segmentsOf, separatorOf, type TopicOptions, TopicPattern } from './topic-pattern.ts';

/** Who is told of errors. */
export interface TopicErrors {
  failed(error: unknown): void;
  subscriberEnded(error: SubscriberError, streams: undefined): void;
}

const JOIN_NAMES = ['since', 'last', 'positions', 'first'];
const LAST = { default: 0, min: 0, max: 1_000_000, unit: 'messages', unlimited: false };
const JOIN_LIST = 'a list of names of topics, or of objects such as { topic, since }';

export class ServerTopics implements TopicsHost<Connection>, TopicOwner, ConnectionTopics {
  readonly hub: Topics<Connection>;
  readonly limits: Settings;
  readonly clock: Settings['clock'];
  readonly ticker: Ticker;
  readonly nextTurn = nextTurn;
  readonly beginDelivery = beginDelivery;
  readonly #errors: TopicErrors;
  readonly #patterns = new Map<string, TopicPattern>();
  /** Patterns by their segments: of those that begin with `/`, and of the others. */
  readonly #routers = { '/': new Router<TopicPattern>(), '.': new Router<TopicPattern>() };
  /** What connections join when they open. */
  readonly #waiting = new Map<Connection, readonly TopicToJoin[]>();

  constructor(settings: Settings, ticker: Ticker, errors: TopicErrors) {
    this.limits = settings;
    this.clock = settings.clock;
    this.ticker = ticker;
    this.#errors = errors;
    this.hub = new Topics(this);
  }

  // ------------------------------------------------------------------ topics and patterns

  topic(name: string): Topic {
    const match = this.#match(name);
    return new Topic(name, this, match && { params: match.params, codec: match.route.codec });
  }

  /** The topics of a pattern; the first call makes it. @throws OptionError for what is wrong, and for options given twice. */
  pattern(pattern: string, options: TopicOptions | undefined): TopicPattern {
    const known = this.#patterns.get(pattern);
    if (known !== undefined) {
      if (options === undefined) return known;
      const message = `the topics ${pattern} have their options already; give them once`;
      throw new OptionError(`topics ${pattern}`, options, 'no options', message);
    }
    const made = new TopicPattern(pattern, options ?? {}, this);
    this.#routers[separatorOf(pattern)].addSegments(pattern, readPattern(pattern), made, 'topics');
    this.#patterns.set(pattern, made);
    return made;
  }

  #match(name: string): Match<TopicPattern> | undefined {
    if (this.#patterns.size === 0 || typeof name !== 'string') return undefined;
    const separator = separatorOf(name);
    return this.#routers[separator].matchSegments(segmentsOf(name), separator);
  }

  ruleOf(name: string): Rule<Connection> | undefined {
    return this.#match(name)?.route.rule;
  }

  // ------------------------------------------------------------------ what connections do

  join(connection: Connection, topic: string, options: JoinOptions | undefined): boolean {
    return this.hub.join(connection, topic, options === undefined ? undefined : readJoin(options));
  }

  leave(connection: Connection, topic: string): boolean {
    return this.hub.leave(connection, topic);
  }

  namesOf(connection: Connection): string[] {
    return Array.from(this.hub.roomsOf(connection), ({ name }) => name);
  }

  uidOf(connection: Connection): string {
    return this.hub.uidOf(connection);
  }

  joinWhenOpen(connection: Connection, topics: unknown): void {
    if (topics === undefined) return;
    if (!Array.isArray(topics)) throw new OptionError('join of authorize', topics, JOIN_LIST);
    const list = topics.map((entry: string | TopicToJoin) => this.#readEntry(entry));
    const { maxTopics } = this.limits;
    const count = new Set(list.map(({ topic }) => topic)).size;
    if (count > maxTopics) {
      const message = `join of authorize has ${count} topics; the option maxTopics is ${maxTopics}`;
      throw new OptionError('join of authorize', topics, `up to ${maxTopics} topics`, message);
    }
    // While `authorize` was pending, its peer may have gone.
    if (connection.state === 'handshaking') this.#waiting.set(connection, list);
  }

  #readEntry(entry: string | TopicToJoin): TopicToJoin {
    if ((typeof entry !== 'string' && !isObject(entry)) || isThenable(entry))
      throw new OptionError('join of authorize', entry, JOIN_LIST);
    const { topic, ...options } = typeof entry === 'string' ? { topic: entry } : entry;
    this.hub.checkName(topic);
    readJoin(options);
    return { topic, ...options };
  }

  /** A connection has opened. */
  opened(connection: Connection): void {
    const list = this.#waiting.get(connection);
    if (list === undefined) return;
    this.#waiting.delete(connection);
    try {
      for (const { topic, ...options } of list) this.join(connection, topic, options);
    } catch (error) {
      connection.failed(error);
    }
  }

  /** A connection takes no more messages. */
  closing(connection: Connection): void {
    this.#waiting.delete(connection);
    this.hub.leaveAll(connection);
  }

  // ------------------------------------------------------------------ errors

  failed(error: unknown): void {
    this.#errors.failed(error);
  }

  subscriberFailed(error: unknown): void {
    this.#errors.failed(error);
  }

  subscriberEnded(error: SubscriberError): void {
    this.#errors.subscriberEnded(error, undefined);
  }
}

/** @throws OptionError for what is no option of joining. */
function readJoin(options: JoinOptions): JoinRequest {
  if (!isObject(options)) throw new OptionError('options of join', options, 'an object such as { since }');
  checkNames(options, JOIN_NAMES, 'join', `join has ${JOIN_NAMES.join(', ')}`);
  const { since, first } = options;
  const last = readLimit('join.last', options.last, LAST);
  if (since !== undefined && since !== null && typeof since !== 'string')
    throw new OptionError('join.since', since, 'a string such as "epoch.offset"');
  const positions = readBoolean('join.positions', options.positions, false);
  const request = { since: since ?? undefined, last, positions };
  if (first === undefined) return request;
  if (typeof first !== 'function') throw new OptionError('join.first', first, 'a function');
  return {
    ...request,
    first: (found) => {
      const message = first(found);
      return message === undefined || isEncoded(message) ? message : encodeMessage(message);
    },
  };
}
