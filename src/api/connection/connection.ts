/**
 * One connection as its user sees it. A thin face: what it says and does is the session's.
 */
import type { Observable } from 'rxjs';
import type { Fragment, Message } from '../../connection/recipient.ts';
import { type Pieces, sendFragments } from '../../connection/send-fragments.ts';
import type { Session } from '../../connection/session.ts';
import type { ConnectionStats } from '../../connection/stats.ts';
import { type CloseKeyword, encodeClosePayload, toCloseCode } from '../../io/frames/close-payload.ts';
import { MAX_CONTROL_BYTES } from '../../io/frames/frame-encoder.ts';
import type { TransportName } from '../../io/transports/transport.ts';
import { isUnwantedPromise } from '../../io/values.ts';
import { bytesAdvice, toBytes } from '../../io/writing/bytes.ts';
import { type EncodedMessage, isEncoded, kindOf, notSendable } from '../../io/writing/encoded-message.ts';
import type { SendResult } from '../../io/writing/outbox-ports.ts';
import type { ConnectionActor } from '../../machines/connection-machine.ts';
import type { CloseReport, ConnectionState } from '../../machines/connection-ports.ts';
import type { Codec } from '../messages/codec.ts';
import type { Params } from '../paths/router.ts';
import type { JoinOptions } from '../topics/join-options.ts';
import type { ConnectionStreams } from './connection-streams.ts';
import { MessageIterator } from './message-iterator.ts';

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze(Object.create(null));
const NO_PARAMS: Params = Object.freeze({});

/** How one message is sent. */
export interface SendOptions {
  /** It takes the place of a waiting message of the same key. */
  readonly key?: string | undefined;
  /** Whether it is compressed, where that was agreed on; left out: from a size on, see `perMessageDeflate`. */
  readonly compress?: boolean | undefined;
}

/** What connections ask of the topics of their server. @internal */
export interface ConnectionTopics {
  join(connection: Connection, topic: string, options: JoinOptions | undefined): boolean;
  leave(connection: Connection, topic: string): boolean;
  namesOf(connection: Connection): string[];
  uidOf(connection: Connection): string;
  /** Keeps what `authorize` wants it to join. */
  joinWhenOpen(connection: Connection, topics: unknown): void;
}

/** What the user's side knows of a connection. @internal */
export interface ConnectionUser {
  readonly topics: ConnectionTopics;
  readonly params: Params | undefined;
  readonly data: unknown;
  readonly codec: Codec | undefined;
  readonly own: ConnectionStreams;
  failed(error: unknown): void;
}

/**
 * A connection, as its user has it.
 *
 * Many members: they are all that a user asks of a connection and tells it; each is a line.
 */
export class Connection<Data = unknown, P extends Params = Params, In = Message, Out = In>
  implements AsyncIterable<In>
{
  readonly #session: Session;
  readonly #user: ConnectionUser;

  /** @internal Connections are made by their server. */
  constructor(session: Session, user: ConnectionUser) {
    this.#session = session;
    this.#user = user;
  }

  /** A number that no other connection of this process has. */
  get id(): number {
    return this.#session.id;
  }

  /** A name that no other connection has, of any server and process: it stands for this one in `except` and in presence. */
  get uid(): string {
    return this.#user.topics.uidOf(this as never);
  }

  /** `handshaking`, `open`, `fragmenting`, `closing` or `closed`. */
  get state(): ConnectionState {
    return this.#session.state;
  }

  /** The path that the peer asked for, as sent, without the query. */
  get path(): string {
    return this.#session.accepted?.head.path ?? '';
  }

  /**
   * What stands for `:name` in the path's pattern, percent-decoded: a value may hold any character, also `/` (sent as
   * `%2f`), NUL and line ends. Check it before it becomes part of a file's name, a query or a line of a log.
   */
  get params(): P {
    return (this.#user.params ?? NO_PARAMS) as P;
  }

  /** The query of the request's address, after `?`; a new object each time. */
  get query(): URLSearchParams {
    return new URLSearchParams(this.#session.accepted?.head.query ?? '');
  }

  /** The request's headers: names in lower case, repeated fields joined with a comma. */
  get headers(): Readonly<Record<string, string>> {
    return this.#session.accepted?.head.headers ?? NO_HEADERS;
  }

  /** The Origin header, which browsers send (RFC 6455 10.2). */
  get origin(): string | undefined {
    return this.#session.accepted?.head.header('origin');
  }

  /** The subprotocol agreed on, or an empty string (RFC 6455 1.9). */
  get subprotocol(): string {
    return this.#session.accepted?.subprotocol ?? '';
  }

  /** The extensions agreed on, as the handshake was answered, or an empty string (RFC 6455 9.1). */
  get extensions(): string {
    return this.#session.sending.outbox.extension?.answer ?? '';
  }

  /**
   * The peer's address; with `trustProxy`, that of the client behind the proxy. Empty on a Unix socket;
   * `unknown` for a peer that had gone before it could be asked for.
   */
  get remoteAddress(): string {
    return this.#session.remoteAddress;
  }

  /** What carries it: `tcp`, `tls`, `unix`, `http1` or `http2` where it came through an HTTP server, or `memory`. */
  get transport(): TransportName {
    return this.#session.transport.name;
  }

  /** What `authorize` attached. */
  get data(): Data {
    return this.#user.data as Data;
  }

  /** What its messages mean; undefined for plain ones. @internal */
  get codec(): Codec | undefined {
    return this.#user.codec;
  }

  /**
   * A subscriber to a stream of its path or server failed with something of this connection; false when that has ended.
   * @internal
   */
  failed(error: unknown): boolean {
    if (this.#session.report !== undefined) return false;
    this.#user.failed(error);
    return true;
  }

  /**
   * The XState actor of this connection, for `subscribe` and inspection. It is made at the first call and runs the
   * connection from then on, which costs more than a kilobyte, and some 0.2 µs for each event.
   */
  get actor(): ConnectionActor {
    return this.#session.actor;
  }

  /**
   * Aborts when the connection has ended, and at once when its end is certain: the peer has sent Close or FIN, has reset
   * the connection or is silent, or the connection was failed. The reason is the report that `closed$` gives. Pass it to
   * what a handler waits for: `fetch(url, { signal: connection.signal })`. A handler that rejects with this reason, or with
   * an AbortError once it has aborted, has not failed: `onError` is not called.
   */
  get signal(): AbortSignal {
    return this.#session.signal;
  }

  /** Bytes accepted by `send` that have not left this process. */
  get bufferedAmount(): number {
    return this.#session.sending.outbox.bufferedAmount;
  }

  /** Round-trip time of the last heartbeat in milliseconds; undefined before the first. */
  get rtt(): number | undefined {
    return this.#session.rtt;
  }

  /**
   * Sends one message: a string as text, bytes as binary, or what `prepare` made; on a path with a codec, a value for it
   * to encode. The bytes are copied: they are yours again when it returns. With `key`, it takes the place of a waiting
   * message of the same key. Where compression was agreed on, `compress: false` sends it as it is, and `true` compresses it
   * however short it is.
   *
   * `sent`: on its way. `queued`: it waits until the peer has read what was sent before. `dropped`: `sendLimit` was
   * reached. `closed`: the connection takes no more messages. Never throws for a closed connection.
   * @throws TypeError for anything but a string, a Uint8Array or a prepared message; what the codec throws; RangeError
   *   for a message that is larger than `sendLimit` alone (`'dropped'` where `overflow` is not `'close'`).
   */
  send(value: Out | EncodedMessage, options?: SendOptions): SendResult {
    const { sending } = this.#session;
    const key = options?.key;
    const compress = options?.compress;
    const message = this.#user.codec === undefined ? value : encode(this.#user.codec, sending.isOpen, value);
    if (typeof message === 'string')
      return sending.isOpen ? sending.outbox.text(message, key, compress) : 'closed';
    const bytes = toBytes(message);
    if (bytes !== undefined) return sending.isOpen ? sending.outbox.binary(bytes, key, compress) : 'closed';
    if (!isEncoded(message)) throw notSendable(message);
    return sending.isOpen ? sending.outbox.encoded(message, key, compress) : 'closed';
  }

  /** It takes messages. @internal */
  get isOpen(): boolean {
    return this.#session.sending.isOpen;
  }

  /** Sends a message of a topic. @internal */
  deliver(message: EncodedMessage, key: string | undefined): SendResult {
    const { sending } = this.#session;
    return sending.isOpen ? sending.outbox.encoded(message, key) : 'closed';
  }

  /**
   * Joins a topic: from now on it gets what is published there, until it leaves or closes. Returns false, and does nothing,
   * when it is in it already, or takes no more messages.
   *
   * With `since`, it first gets what was published after that position (the topic needs a history); `first` makes its first message
   * of what was found.
   * @throws RangeError for a name that is empty or longer than `maxTopicLength`, and when it is in `maxTopics` topics already;
   *   OptionError for a wrong option; what `first`, or the function that shows it to others, throws. Nothing is joined then.
   */
  join(topic: string, options?: JoinOptions): boolean {
    return this.#user.topics.join(this as never, topic, options);
  }

  /** Leaves a topic; false when it was not in it. A connection that closes leaves all. */
  leave(topic: string): boolean {
    return this.#user.topics.leave(this as never, topic);
  }

  /** The names of the topics that it is in, in the order in which it joined; a new list each time. */
  get topics(): string[] {
    return this.#user.topics.namesOf(this as never);
  }

  /**
   * Sends one message in fragments, as its pieces come (RFC 6455 5.4): all strings, or all bytes. Messages that are sent
   * later wait until it is complete, within `sendLimit`; control frames do not. It waits for the peer to read before it takes
   * the next piece. A piece that is larger than `sendLimit` goes in several fragments.
   *
   * Resolves as `send` returns. `close()` gives up a message whose pieces are still to come. When the pieces fail, the
   * message cannot be finished: the connection is closed with 1011 and the promise rejects.
   *
   * Where compression was agreed on, a piece may refer to those before it, and each is compressed however short it is, unless
   * `compress` is false. One of more than 64 KiB then goes in several fragments, with a turn for other connections between.
   * @throws TypeError (rejects) for a piece that is neither a string nor bytes, or of another kind than the first.
   */
  sendFragments(pieces: Pieces, options?: Pick<SendOptions, 'compress'>): Promise<SendResult> {
    return sendFragments(this.#session, pieces, options?.compress);
  }

  /**
   * Sends a Ping (RFC 6455 5.5.2); false when the connection takes no more, or many wait that the peer has not read.
   * @throws RangeError when the payload is longer than 125 bytes.
   */
  sendPing(payload: Message = ''): boolean {
    return this.#session.sending.ping(controlPayload(payload));
  }

  /**
   * Sends a Pong nobody asked for (RFC 6455 5.5.3). Pings are answered without it.
   * @throws RangeError when the payload is longer than 125 bytes.
   */
  sendPong(payload: Message = ''): boolean {
    return this.#session.sending.pong(controlPayload(payload));
  }

  /**
   * Begins the closing handshake (RFC 6455 7.1.2); messages that wait go first, later ones are refused. What the peer
   * sent before it saw our Close is still delivered. Closing twice changes nothing. A handler may await `closed$` after it:
   * the peer's Close is read while the handler is pending.
   * @throws RangeError for a code that may not be sent, or a reason over 123 bytes of UTF-8.
   */
  close(code: CloseKeyword | number = 1000, reason = ''): void {
    const number = toCloseCode(code);
    encodeClosePayload(number, reason);
    this.#session.requestClose(number, reason);
  }

  /** Drops the connection at once, without a closing handshake; reported as 1006. */
  terminate(): void {
    this.#session.requestTerminate();
  }

  /** Stops reading; the peer is held back by TCP. Messages that were read already wait, also after the end. */
  pause(): void {
    this.#session.requestPause();
  }

  /** Reads again after `pause`. */
  resume(): void {
    this.#session.requestResume();
  }

  /** Its counters, now: messages, bytes, age, round-trip time. */
  stats(): ConnectionStats {
    return this.#session.stats();
  }

  /** Resolves when nothing waits to be sent, or the connection has ended. */
  drained(): Promise<void> {
    return this.#session.sending.drained();
  }

  /** Each message, or what the path's codec made of it. Hot; completes when the connection has ended, and never errors. */
  get messages$(): Observable<In> {
    return this.#user.own.get('messages').observable as Observable<unknown> as Observable<In>;
  }

  /** Each data frame as it arrives. */
  get fragments$(): Observable<Fragment> {
    return this.#user.own.get('fragments').observable;
  }

  /** The payload of each Ping; it has been answered already. */
  get pings$(): Observable<Uint8Array> {
    return this.#user.own.get('pings').observable;
  }

  /** The payload of each Pong that does not answer the heartbeat. */
  get pongs$(): Observable<Uint8Array> {
    return this.#user.own.get('pongs').observable;
  }

  /** Each time that all that waited has left. */
  get drain$(): Observable<void> {
    return this.#user.own.get('drain').observable;
  }

  /** The present state, and each one that follows. */
  get state$(): Observable<ConnectionState> {
    return this.#user.own.get('state').observable;
  }

  /** How it ended: one report, also to late subscribers; then completes. */
  get closed$(): Observable<CloseReport> {
    return this.#user.own.get('closed').observable;
  }

  /** Messages one at a time: the next one is read when the loop asks for it. Ends with the connection. */
  [Symbol.asyncIterator](): AsyncIterator<In, undefined> {
    return new MessageIterator(this.#session.reading, this.#user.own) as AsyncIterator<
      unknown,
      undefined
    > as AsyncIterator<In, undefined>;
  }
}

/** A value as its path's codec writes it. A connection that takes no more has no need of that. */
function encode(codec: Codec, isOpen: boolean, value: unknown): Message | EncodedMessage {
  if (isEncoded(value)) return value;
  if (!isOpen) return '';
  const message: unknown = codec.encode(value);
  if (typeof message === 'string') return message;
  const bytes = toBytes(message);
  if (bytes !== undefined) return bytes;
  isUnwantedPromise(message); // it is refused; its rejection is nobody's concern
  throw new TypeError(
    `the codec encoded a value as ${kindOf(message)}; allowed are a string or a Uint8Array${bytesAdvice(message)}`,
  );
}

function controlPayload(payload: Message): Uint8Array {
  const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : toBytes(payload);
  if (bytes === undefined) {
    isUnwantedPromise(payload);
    throw new TypeError(
      `a control frame's payload is a string or a Uint8Array, not ${kindOf(payload)}${bytesAdvice(payload)}`,
    );
  }
  if (bytes.length > MAX_CONTROL_BYTES) {
    throw new RangeError(`control payload is ${bytes.length} bytes; allowed are 0-${MAX_CONTROL_BYTES}`);
  }
  return bytes;
}
