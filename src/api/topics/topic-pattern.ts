/**
 * Topics whose names follow a pattern: what their messages mean, what is kept of them, and who shows what.
 */
import type { Message } from '../../connection/recipient.ts';
import type { HistoryRule, Rule } from '../../topics/member.ts';
import type { Connection } from '../connection/connection.ts';
import { OptionError } from '../errors.ts';
import type { AnyCodec, Codec } from '../messages/codec.ts';
import { toCodec } from '../messages/codec.ts';
import { checkNames, isObject } from '../options/checks.ts';
import { readLimit } from '../options/limit.ts';
import { areSegments, type NamesIn, type Params, type ParamsOf } from '../paths/router.ts';
import { stampWith } from './stamp.ts';
import { Topic, type TopicOwner } from './topic.ts';

/** The names of a pattern's parameters. A pattern that begins with `/` is split there, any other at `.`. */
export type TopicParamsOf<Pattern extends string> = Pattern extends `/${string}`
  ? ParamsOf<Pattern>
  : string extends Pattern
    ? Params
    : { readonly [Name in NamesIn<Pattern, '.'>]: string };

/** What is kept of the messages of a topic, in the memory of this process, within `historyBudget` for all topics. */
export interface HistoryOptions {
  /** How many messages: 1 to 1,000,000. */
  readonly size: number;
  /** Milliseconds for which each is kept, coarse by 50: 1 to a day. Default 300,000. */
  readonly ttl?: number | undefined;
  /**
   * Makes the message for members that joined with `positions`. Default: the position, a line feed, and the message; text for text,
   * binary for binary.
   */
  readonly stamp?: ((message: Message, position: string) => Message) | undefined;
}

/** What holds for the topics of a pattern: for those that are not in use yet, so it is given before anybody joins or subscribes. */
export interface TopicOptions<C extends AnyCodec = AnyCodec, Shown = unknown> {
  /**
   * What their messages mean, whatever codec the paths of their members have. It decodes by a value, not by a promise. A name that
   * several patterns match has the codec of the pattern that its `Topic` was made by; `server.topic` takes the closest.
   */
  readonly codec?: C | undefined;
  /** Keeps the last messages, for members that come back. Default: none. */
  readonly history?: HistoryOptions | undefined;
  /**
   * Shows who is there: `true`, or a function for what each member shows, a value and not a promise. It is called when a member joins.
   * Default: nobody.
   */
  // biome-ignore lint/suspicious/noExplicitAny: connections of any path may join
  readonly presence?: boolean | ((connection: Connection<any, any, any, any>) => Shown) | undefined;
}

const DAY_MS = 86_400_000;
const SIZE = { default: 0, min: 1, max: 1_000_000, unit: 'messages', unlimited: false };
const TTL = { default: 300_000, min: 1, max: DAY_MS, unit: 'ms', unlimited: false };

/** The topics of a pattern, as `server.topics` returns it. */
export class TopicPattern<In = Message, Out = In, P extends Params = Params, Shown = unknown> {
  /** As it was given, such as `room.:id`. */
  readonly pattern: string;
  /** @internal */
  readonly rule: Rule<Connection>;
  /** @internal */
  readonly codec: Codec | undefined;
  readonly #segments: readonly string[];
  readonly #owner: TopicOwner;

  /** @internal */
  constructor(pattern: string, options: TopicOptions, owner: TopicOwner) {
    this.#segments = readPattern(pattern);
    this.pattern = pattern;
    this.#owner = owner;
    if (!isObject(options))
      throw new OptionError(`topics ${pattern}`, options, 'an object such as { codec }');
    const names = ['codec', 'history', 'presence'];
    checkNames(options, names, `topics ${pattern}`, `topics have ${names.join(', ')}`);
    const { codec, history, presence } = options;
    this.codec = codec === undefined ? undefined : toCodec(`codec of topics ${pattern}`, codec);
    this.rule = { history: readHistory(pattern, history), show: readPresence(pattern, presence) };
  }

  /**
   * The topic of these parameters, such as `{ id: '42' }`, or of this name.
   * @throws OptionError for parameters that are missing, empty, or have the separator in them; RangeError for a wrong name.
   */
  topic(params: P | string): Topic<In, Out, P, Shown> {
    const name = typeof params === 'string' ? params : this.#nameOf(params);
    const match = matchOf(name, this.pattern);
    if (match === undefined) throw new OptionError('topic', name, `a name that ${this.pattern} matches`);
    return new Topic(name, this.#owner, { params: match, codec: this.codec });
  }

  #nameOf(params: Params): string {
    const separator = separatorOf(this.pattern);
    const textOf = (segment: string): string => {
      const name = segment === '*' ? '*' : segment.slice(1);
      const value: unknown = params?.[name];
      const fits =
        typeof value === 'string' && value !== '' && (segment === '*' || !value.includes(separator));
      if (fits) return value;
      const allowed = `a string with something in it, and without ${JSON.stringify(separator)}`;
      throw new OptionError(`${name} of topics ${this.pattern}`, value, allowed);
    };
    const parts = this.#segments.map((segment) => (/^[:*]/.test(segment) ? textOf(segment) : segment));
    return (separator === '/' ? '/' : '') + parts.join(separator);
  }
}

/** The separator of the segments of a pattern or a name. */
export function separatorOf(name: string): '/' | '.' {
  return name.startsWith('/') ? '/' : '.';
}

/** A name or a pattern, cut into its segments. */
export function segmentsOf(name: string): string[] {
  return name.startsWith('/') ? name.slice(1).split('/') : name.split('.');
}

/** @throws OptionError for what is no pattern. */
export function readPattern(pattern: string): readonly string[] {
  const allowed =
    'segments each led by "/", or separated by ".": plain text, ":name", or a last "*"; such as "room.:id"';
  if (typeof pattern !== 'string' || pattern === '') throw new OptionError('topics', pattern, allowed);
  const segments = segmentsOf(pattern);
  if (!areSegments(segments)) throw new OptionError('topics', pattern, allowed);
  const mixed = /[/.]:/.exec(segments.join('\0'))?.[0];
  if (mixed !== undefined) {
    const rule = 'a pattern that begins with "/" is split at "/", any other at "."';
    const message = `the topics ${pattern} have ${mixed} within a segment, so what follows is no parameter: ${rule}`;
    throw new OptionError('topics', pattern, allowed, message);
  }
  return segments;
}

/** The parameters of a name by a pattern; undefined when it does not match. */
function matchOf(name: string, pattern: string): Params | undefined {
  if (separatorOf(name) !== separatorOf(pattern)) return undefined;
  const params = new Map<string, string>();
  const segments = segmentsOf(name);
  const parts = segmentsOf(pattern);
  for (const [at, part] of parts.entries()) {
    const segment = segments[at];
    if (segment === undefined) return undefined;
    if (part === '*') {
      params.set('*', segments.slice(at).join(separatorOf(name)));
      return Object.fromEntries(params);
    }
    if (part.startsWith(':') && segment !== '') params.set(part.slice(1), segment);
    else if (part !== segment) return undefined;
  }
  return segments.length === parts.length ? Object.fromEntries(params) : undefined;
}

function readHistory(pattern: string, history: HistoryOptions | undefined): HistoryRule | undefined {
  if (history === undefined) return undefined;
  const where = `history of topics ${pattern}`;
  if (!isObject(history))
    throw new OptionError(where, history, 'an object such as { size: 50, ttl: 300_000 }');
  checkNames(history, ['size', 'ttl', 'stamp'], where, 'a history has size, ttl, stamp');
  if (history.size === undefined) {
    throw new OptionError(`size of ${where}`, undefined, 'a whole number from 1 to 1000000 messages');
  }
  const { stamp } = history;
  if (stamp !== undefined && typeof stamp !== 'function') {
    throw new OptionError(`stamp of ${where}`, stamp, 'a function of a message and its position');
  }
  return {
    size: readLimit(`size of ${where}`, history.size, SIZE),
    ttl: readLimit(`ttl of ${where}`, history.ttl, TTL),
    stamp: stampWith(stamp),
  };
}

function readPresence(pattern: string, presence: TopicOptions['presence']): Rule<Connection>['show'] {
  if (presence === undefined || presence === false) return undefined;
  if (presence === true) return () => undefined;
  if (typeof presence === 'function') return presence;
  throw new OptionError(
    `presence of topics ${pattern}`,
    presence,
    'true, false, or a function of a connection',
  );
}
