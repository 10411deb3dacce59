/**
 * The user's side of one connection: its handlers are called, its streams fed, its failures told.
 *
 * No callback of the user's can throw through here: a throw or a rejection goes to `onError` and `errors$`, and the decision
 * becomes `callback.failed` for the statechart. A handler that returns a promise holds back the next message until it
 * settles.
 */

import type { Answer, Fragment, Message, Opening, Recipient, Refused } from '../../connection/recipient.ts';
import type { Session } from '../../connection/session.ts';
import { type Fault, faults } from '../../io/faults.ts';
import type { RequestHead } from '../../io/http/request-head.ts';
import { isThenable } from '../../io/values.ts';
import type {
  CloseReport,
  ConnectionEvent,
  ConnectionState,
  Decision,
} from '../../machines/connection-ports.ts';
import { errorOf, type Facts, InternalError, NoMessageHandlerError } from '../errors.ts';
import { connectionChannels } from '../inspection/channels.ts';
import type { Codec } from '../messages/codec.ts';
import { handshakeRequest, plainRequest, readVerdict } from '../paths/authorization.ts';
import type { PlainRequest } from '../paths/handlers.ts';
import type { Lifecycle, Path, Streams } from '../paths/path.ts';
import type { Params } from '../paths/router.ts';
import { ServedSource, type Serving } from '../paths/serve.ts';
import { Connection, type ConnectionUser } from './connection.ts';
import { ConnectionStreams } from './connection-streams.ts';
import { type DecodingOwner, decode, misfit } from './decoding.ts';
import type { DeliveryHost } from './delivery-host.ts';
import { decide, report, type Scene, stopToDebug } from './failures.ts';
import { callFragment, callMessage, callOpen, type HandlerCaller } from './handler-calls.ts';
import { type HandlerHost, PendingHandlers } from './pending-handlers.ts';
import { beginDelivery } from './streams.ts';

/** A handler that failed is called again at most this often in a row. */
const MAX_RETRIES = 3;

/** Many members: a connection tells it and asks it twenty things (`Recipient`). */
export class Delivery implements Recipient, Scene, ConnectionUser, HandlerCaller, DecodingOwner {
  readonly connection: Connection;
  path: Path | undefined;
  params: Params | undefined;
  data: unknown;
  /** What its messages mean; undefined for plain ones. */
  codec: Codec | undefined;

  readonly #session: Session;
  readonly #host: DeliveryHost;
  #streams: ConnectionStreams | undefined;
  #pending: PendingHandlers | undefined;
  /** What `path.serve` gives for it. */
  #served: ServedSource | undefined;
  /** Failed handlers that `onError` wants to be called again. */
  #retries: (() => void)[] | undefined;

  constructor(session: Session, host: DeliveryHost) {
    this.#session = session;
    this.#host = host;
    this.connection = new Connection(session, this);
  }

  get isOpened(): boolean {
    return this.#session.accepted !== undefined;
  }

  get streams(): Streams {
    return this.#host.streams;
  }

  /** The streams of this connection, made at the first call. */
  get own(): ConnectionStreams {
    this.#streams ??= new ConnectionStreams(
      this.#session,
      (error) => this.failed(error),
      () => this.path?.pattern,
    );
    return this.#streams;
  }

  get topics(): DeliveryHost['topics'] {
    return this.#host.topics;
  }

  unheard(error: unknown): void {
    this.#host.unheard(error);
  }

  // ------------------------------------------------------------------ the opening handshake

  answerRequest(head: RequestHead, remoteAddress: string) {
    return this.#host.onRequest?.(plainRequest(head, remoteAddress));
  }

  findPath(path: string): boolean {
    const match = this.#host.match(path);
    this.path = match?.route;
    this.params = match?.params;
    return match !== undefined;
  }

  plainRequest(head: RequestHead, remoteAddress: string): PlainRequest {
    return plainRequest(head, remoteAddress);
  }

  decide(opening: Opening): Answer | Promise<Answer> {
    const path = this.path as Path; // found before
    const { authorize } = path.handlers;
    const read = (verdict: Parameters<typeof readVerdict>[0]): Answer => {
      const { answer, ...accepted } = readVerdict(verdict, path, opening);
      if (accepted.kind === 'accepted') {
        this.data = accepted.data;
        this.topics.joinWhenOpen(this.connection, accepted.join);
      }
      if (answer.kind === 'accepted') this.codec = path.codecs?.for(answer.subprotocol ?? '');
      return answer;
    };
    if (authorize === undefined) return read(true);
    const verdict = authorize(handshakeRequest(opening, this.params ?? {}), opening.signal());
    return isThenable(verdict) ? Promise.resolve(verdict).then(read) : read(verdict);
  }

  refused({ response, fault, cause }: Refused, head: RequestHead | undefined): void {
    if (cause !== undefined) {
      if (this.#host.debugOnError) stopToDebug(cause);
      report(cause, this);
    } else if (response.status >= 400) {
      const facts = { ...this.#facts, origin: head?.header('origin') };
      const { connection, isOpened, streams } = this;
      const unheard = (error: unknown) => this.unheard(error);
      report(errorOf(fault, response, facts), { connection, path: undefined, isOpened, streams, unheard });
    }
  }

  /** What a log needs to know of an error. */
  get #facts(): Facts {
    const { accepted, remoteAddress } = this.#session;
    return { path: this.path?.pattern, remoteAddress, origin: accepted?.head.header('origin') };
  }

  // ------------------------------------------------------------------ what came

  opened(): void {
    const path = this.path as Path; // found before the handshake was accepted
    path.opened(this.connection);
    this.#host.opened(this.connection);
    const delivery = beginDelivery();
    path.streams.connections.next(this.connection, delivery);
    this.#host.streams.connections.next(this.connection, delivery);
    if (path.handlers.onOpen !== undefined) callOpen(this);
    if (path.serving !== undefined) this.#serve(path.serving);
  }

  get wantsFragments(): boolean {
    return this.path?.handlers.onFragment !== undefined || this.#streams?.made.fragments?.observed === true;
  }

  get wantsMessages(): boolean {
    const { path } = this;
    return (
      path?.handlers.onMessage !== undefined ||
      this.#streams?.made.messages?.observed === true ||
      path?.streams.messages.observed === true ||
      this.#host.streams.messages.observed
    );
  }

  /** To those who want fragments, a message that came in one frame is one, first and final. */
  whole(message: Message): void {
    // Without a call: every message comes here.
    const wantsNone = this.#streams === undefined && this.path?.handlers.onFragment === undefined;
    if (wantsNone || !this.wantsFragments) {
      this.#take(message);
      return;
    }
    const opcode = typeof message === 'string' ? 'text' : 'binary';
    const fragment: Fragment = { data: message, opcode, first: true, final: true };
    this.last(fragment, this.wantsMessages ? message : undefined);
  }

  fragment(fragment: Fragment, delivery = beginDelivery()): void {
    const own = this.#streams?.made.fragments;
    const isObserved = own?.observed === true;
    callFragment(this, fragment);
    if (isObserved) own.next(fragment, delivery);
  }

  /** Who subscribes while the last fragment is handled does not get its message either. */
  last(fragment: Fragment | undefined, message: Message | undefined): void {
    const delivery = beginDelivery();
    if (fragment !== undefined) this.fragment(fragment, delivery);
    if (message !== undefined) this.#take(message, delivery);
  }

  #take(message: Message, delivery?: number): void {
    if (this.codec === undefined) this.#giveMessage(message, delivery);
    else this.#decode(this.codec, message, delivery);
  }

  /** Apart from `#take`, where the closure would cost memory for each plain message, too. The value is as the codec says. */
  #decode(codec: Codec, message: Message, delivery?: number): void {
    decode(codec, message, (value) => this.#giveMessage(value as Message, delivery), this);
  }

  get reading(): Session['reading'] {
    return this.#session.reading;
  }

  get handlerHost(): HandlerHost {
    return this.#host.handlers;
  }

  /** RFC 6455 7.4.1: 1007 is for "data within a message that was not consistent with the type of the message". */
  doesNotFit(cause: unknown, raw: Message): void {
    const decision = report(Object.assign(misfit(cause), this.#facts, { raw }), this);
    const goesOn = this.path?.codecs?.asks === true && decision !== 'close';
    if (goesOn || !this.#session.sending.isOpen) return;
    const { code, reason } = faults.invalidMessage;
    this.#session.command({ type: 'protocol.failed', code, reason });
  }

  ping(payload: Uint8Array): void {
    const pings = this.#streams?.made.pings;
    if (pings?.observed) pings.next(payload.slice());
  }

  pong(payload: Uint8Array): void {
    const pongs = this.#streams?.made.pongs;
    if (pongs?.observed) pongs.next(payload.slice());
  }

  drained(): void {
    this.#streams?.made.drain?.next();
  }

  changed(from: ConnectionState, to: ConnectionState, event: ConnectionEvent['type']): void {
    if (to === 'closing' || to === 'closed') {
      this.path?.left(this.connection);
      this.#host.left(this.connection);
    }
    this.#streams?.made.state?.next(to);
    const change = () => ({ connection: this.connection, from, to, event, at: this.#host.epochMs() });
    this.#tellLifecycle(change);
    if (to !== 'handshaking' && connectionChannels[to].hasSubscribers)
      connectionChannels[to].publish(change());
  }

  #tellLifecycle(change: () => Lifecycle): void {
    const ofPath = this.path?.streams.lifecycle;
    const ofServer = this.#host.streams.lifecycle;
    if (!ofPath?.observed && !ofServer.observed) return;
    const delivery = beginDelivery();
    ofPath?.next(change(), delivery);
    ofServer.next(change(), delivery);
  }

  /** The connection has ended: `onClose` is called and every stream completes. */
  ended(report: CloseReport, hasMore: boolean): void {
    if (this.isOpened && this.path !== undefined) this.#callClose(report, this.path);
    this.#streams?.end(report, hasMore);
    if (!hasMore) this.#served?.stop();
  }

  exhausted(): void {
    this.#streams?.exhausted();
    this.#served?.stop();
  }

  /**
   * First the handler, then the streams. They are hot: who subscribes meanwhile gets what comes after this message, so it
   * is settled before who gets it.
   */
  #giveMessage(message: Message, delivery?: number): void {
    const path = this.path as Path; // set before the connection opened
    const hasHandler = path.handlers.onMessage !== undefined;
    const isObserved =
      this.#streams?.made.messages?.observed === true ||
      path.streams.messages.observed ||
      this.#host.streams.messages.observed;
    if (isObserved) this.#giveToAll(message, path, delivery ?? beginDelivery());
    else if (hasHandler) callMessage(this, message);
    // While it closes, and after the end, a message that nobody is there for any more is nobody's fault.
    else if (this.#session.sending.isOpen) this.#nobodyTook(path);
  }

  #giveToAll(message: Message, path: Path, delivery: number): void {
    const { connection } = this;
    const own = this.#streams?.made.messages;
    const { messages: ofPath } = path.streams;
    const { messages: ofServer } = this.#host.streams;
    if (path.handlers.onMessage !== undefined) callMessage(this, message);
    own?.next(message, delivery);
    if (ofPath.observed) ofPath.next({ connection, message }, delivery);
    if (ofServer.observed) ofServer.next({ connection, message }, delivery);
  }

  /** A message that no handler and no subscriber is there for. Where an error ended the subscriber, that says so. */
  #nobodyTook(path: Path): void {
    const own = this.#streams?.made;
    const ended = own?.messages?.endedBy ?? path.streams.endedBy ?? this.#host.streams.endedBy;
    if (ended === undefined) {
      this.failed(new NoMessageHandlerError(path.pattern));
      return;
    }
    this.#host.subscriberEnded(ended, path.streams);
    this.#session.command({ type: 'callback.failed', decision: decide(ended, this, true) });
  }

  // ------------------------------------------------------------------ handlers and failures

  /** Subscriptions so far to messages and fragments of this connection: a handler may make more. */
  get subscribed(): number {
    return this.#streams?.answers.count ?? 0;
  }

  #callClose(report: CloseReport, path: Path): void {
    try {
      const result = path.handlers.onClose?.(this.connection, report);
      if (isThenable(result)) this.#handlers.wait(this.reading, result, (error) => this.failed(error));
    } catch (error) {
      this.failed(error);
    }
  }

  /** Those whose promises are pending, made with the first. */
  get #handlers(): PendingHandlers {
    const path = this.path as Path; // set before the connection opened
    this.#pending ??= new PendingHandlers(this.#host.handlers, path);
    return this.#pending;
  }

  /** Begins what the function of the path gives for this connection. */
  #serve(serving: Serving, attempts = 0): void {
    const subscribed = this.subscribed;
    const failed = (error: unknown) => this.failed(error, () => this.#serve(serving, attempts + 1), attempts);
    this.#served = new ServedSource(serving, this.connection, failed, this.reading);
    this.#served.start(this.wantsMessages);
    this.#streams?.answers.handlerPending(subscribed);
  }

  /** A handler may answer with a promise: the next message waits for it. */
  settle(result: unknown, retry: () => void, attempts: number, subscribed: number): void {
    if (!isThenable(result)) return;
    this.#handlers.waitHolding(this.reading, result, (error) => this.failed(error, retry, attempts));
    this.#streams?.answers.handlerPending(subscribed);
  }

  /**
   * A handler or a subscriber failed. `retry` calls the handler once more; it has been called again `attempts` times
   * already. What gave up because the connection's signal aborted did not fail.
   */
  failed(error: unknown, retry?: () => void, attempts = 0): void {
    if (this.#session.ending?.isAbort(error)) return;
    if (this.#host.debugOnError) stopToDebug(error);
    let decision: Decision = report(error, this);
    if (decision === 'retry') {
      if (retry === undefined) decision = 'continue';
      else if (attempts >= MAX_RETRIES) decision = 'close';
      else {
        this.#retries ??= [];
        this.#retries.push(retry);
      }
    }
    this.#session.command({ type: 'callback.failed', decision });
  }

  retry(): void {
    this.#retries?.shift()?.();
  }

  faulted(fault: Fault, cause?: Error): void {
    report(errorOf(fault, undefined, this.#facts, cause), this);
  }

  tooLarge(error: RangeError): void {
    report(error, this);
  }

  broke(cause: unknown): void {
    if (this.#host.debugOnError) stopToDebug(cause);
    report(new InternalError(cause), this);
  }
}
