/**
 * Typed messages: what the messages of a path mean.
 *
 * A codec is any Standard Schema (zod, valibot, ArkType and others are one as they are), which then describes JSON in
 * text messages, or a pair of functions of your own. Handlers and streams get what it returns for a message. If it throws or
 * rejects, the message does not fit.
 */

import type { Message } from '../../connection/recipient.ts';
import { isThenable, isUnwantedPromise } from '../../io/values.ts';
import { kindOf } from '../../io/writing/encoded-message.ts';
import { InvalidMessageError, OptionError } from '../errors.ts';
import type { SchemaIssue, SchemaResult, StandardSchema } from './schema.ts';

/** A codec of your own. */
export interface Codec<In = unknown, Out = In> {
  /** The value of a message. Throws when the message does not fit. If it returns a promise, the next message waits for it. */
  decode(message: Message): In | PromiseLike<In>;
  /** The message for a value. What it throws, `connection.send` throws. */
  encode(value: Out): Message;
}

/** What the option `codec` takes. */
export type AnyCodec = StandardSchema<unknown, unknown> | Codec<unknown, never>;

/** What a path receives by a codec; a plain message without one. */
export type Incoming<C> = [C] extends [never] ? Message : IncomingOf<C>;
/** What a path sends by a codec; a plain message without one. */
export type Outgoing<C> = [C] extends [never] ? Message : OutgoingOf<C>;

// A schema may have methods named decode and encode too, so it is asked first, here and in `toCodec`.
type IncomingOf<C> =
  C extends StandardSchema<unknown, infer Output>
    ? Output
    : C extends { decode(message: Message): infer In }
      ? Awaited<In>
      : never;
type OutgoingOf<C> =
  C extends StandardSchema<unknown, unknown>
    ? NonNullable<C['~standard']['types']>['input']
    : C extends { encode(value: infer Out): Message }
      ? Out
      : never;

/** How the messages of a path are typed, beside its handlers. */
export interface Typing<One extends AnyCodec = AnyCodec, Many extends AnyCodec = AnyCodec> {
  /** The codec of its messages; with `codecs`, for connections on which none of those subprotocols was chosen. */
  readonly codec?: One | undefined;
  /** Codecs by subprotocol, best first; without `codec`, a peer that offers none of them is refused with 400. */
  readonly codecs?: Readonly<Record<string, Many>> | undefined;
  /**
   * A message that does not fit closes the connection with 1007 (`'close'`, the default), or its `InvalidMessageError`
   * is put to `onError`, which may answer `'continue'` (`'error'`). `onError` and `errors$` are told either way.
   */
  readonly onInvalid?: 'close' | 'error' | undefined;
}

/**
 * JSON in text messages, where what is received and what is sent have a schema each. What is sent is checked, too, when
 * it has one.
 * @throws TypeError when one of them is no Standard Schema.
 */
export function json<In, Out = In>(
  received: StandardSchema<unknown, In>,
  sent?: StandardSchema<Out, unknown>,
): Codec<In, Out> {
  for (const schema of sent === undefined ? [received] : [received, sent]) {
    if (!isSchema(schema)) throw new TypeError(`json() takes Standard Schemas, not ${kindOf(schema)}`);
  }
  return {
    decode(message) {
      const result = received['~standard'].validate(parse(message));
      return isThenable(result) ? result.then(fitting) : fitting(result);
    },
    encode(value) {
      const text = JSON.stringify(
        sent === undefined ? value : checked(sent as StandardSchema<unknown, unknown>, value),
      );
      if (text === undefined) throw new TypeError(`cannot send ${kindOf(value)} as JSON`);
      return text;
    },
  };
}

function parse(message: Message): unknown {
  if (typeof message !== 'string')
    throw new InvalidMessageError('JSON comes as text; this message is binary');
  try {
    return JSON.parse(message);
  } catch (cause) {
    throw new InvalidMessageError(`it is not JSON: ${(cause as Error).message}`, { cause });
  }
}

function fitting<Output>(result: SchemaResult<Output>): Output {
  if (result.issues !== undefined) throw new InvalidMessageError(listed(result.issues), result);
  return result.value;
}

function checked(schema: StandardSchema<unknown, unknown>, value: unknown): unknown {
  const result = schema['~standard'].validate(value);
  if (isUnwantedPromise(result)) throw new TypeError('a schema of what is sent cannot be asynchronous');
  if (result.issues !== undefined)
    throw new TypeError(`cannot send what does not fit: ${listed(result.issues)}`);
  return result.value;
}

function listed(issues: readonly SchemaIssue[]): string {
  const keyOf = (step: PropertyKey | { readonly key: PropertyKey }) =>
    String(typeof step === 'object' ? step.key : step);
  return issues
    .map(({ message, path = [] }) =>
      path.length === 0 ? message : `${path.map(keyOf).join('.')}: ${message}`,
    )
    .join('; ');
}

function isSchema(value: unknown): value is StandardSchema<unknown, unknown> {
  const isObject = (typeof value === 'object' && value !== null) || typeof value === 'function';
  return isObject && typeof (value as StandardSchema)['~standard']?.validate === 'function';
}

const ALLOWED = 'a Standard Schema (zod, valibot…), or { decode(message), encode(value) }';

/** A codec as sessions use it. @throws OptionError when it is none. */
export function toCodec(option: string, codec: AnyCodec): Codec {
  if (isSchema(codec)) return json(codec);
  const { decode, encode } = (codec ?? {}) as Partial<Codec>;
  if (typeof decode !== 'function' || typeof encode !== 'function') {
    throw new OptionError(option, codec, ALLOWED);
  }
  return codec as Codec;
}

/** The codecs of a path, as its handshakes and sessions use them. */
export class Codecs {
  readonly #one: Codec | undefined;
  readonly #many = new Map<string, Codec>();
  /** `onError` decides about a message that does not fit. */
  readonly asks: boolean;

  /** @throws OptionError for what is no codec, and for a subprotocol without one. */
  constructor(
    path: string,
    { codec, codecs, onInvalid = 'close' }: Typing,
    subprotocols?: readonly string[],
  ) {
    if (onInvalid !== 'close' && onInvalid !== 'error') {
      throw new OptionError(`onInvalid of ${path}`, onInvalid, "'close' or 'error'");
    }
    this.asks = onInvalid === 'error';
    if (codec !== undefined) this.#one = toCodec(`codec of ${path}`, codec);
    if (codecs === undefined) return;
    const entries = typeof codecs === 'object' && codecs !== null ? Object.entries(codecs) : [];
    if (entries.length === 0) {
      throw new OptionError(`codecs of ${path}`, codecs, 'an object with a codec for each subprotocol');
    }
    for (const [name, each] of entries)
      this.#many.set(name, toCodec(`codecs[${JSON.stringify(name)}] of ${path}`, each));
    const without = subprotocols?.find((name) => this.#one === undefined && !this.#many.has(name));
    if (without === undefined) return;
    const allowed = 'a list of subprotocols that are in codecs, or a codec for the others';
    throw new OptionError(`subprotocols of ${path}`, subprotocols, allowed);
  }

  /** The names of `codecs`, best first. */
  get subprotocols(): readonly string[] {
    return [...this.#many.keys()];
  }

  /** The codec for a subprotocol, or without one (`''`). */
  for(subprotocol: string): Codec | undefined {
    return this.#many.get(subprotocol) ?? this.#one;
  }

  /** Whether there is no codec for messages of this subprotocol. */
  refuses(subprotocol: string): boolean {
    return this.#many.size > 0 && this.for(subprotocol) === undefined;
  }
}
