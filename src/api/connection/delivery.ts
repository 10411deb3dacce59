/**
 * What the user of one connection is told: its handlers are called, its streams fed, its failures reported.
 *
 * No callback of the user's can throw through here. A throw or a rejection is put to `onError` and `errors$`, and the
 * decision becomes `callback.failed` for the machine. A handler that returns a promise holds reading back until then.
 */

import { isThenable } from '../../connection/handshaking.ts';
import type { Host } from '../../connection/host.ts';
import type { Session } from '../../connection/session.ts';
import type { FrameDecoder } from '../../io/frames/frame-decoder.ts';
import type { CloseReport, ConnectionState, Decision } from '../../machines/connection-ports.ts';
import { InvalidMessageError, LimitError, NoMessageHandlerError } from '../errors.ts';
import type { Codec } from '../messages/codec.ts';
import type { Fragment, Message } from '../paths/handlers.ts';
import type { Path } from '../paths/path.ts';
import { Stream } from './streams.ts';

/** A handler that failed is called again at most this often in a row. */
const MAX_RETRIES = 3;

/** The streams of a connection, each made when somebody asks for it. */
export interface ConnectionStreams {
  messages?: Stream<Message>;
  fragments?: Stream<Fragment>;
  pings?: Stream<Uint8Array>;
  pongs?: Stream<Uint8Array>;
  drain?: Stream<void>;
  state?: Stream<ConnectionState>;
  closed?: Stream<CloseReport>;
}

export class Delivery {
  /** What its messages mean; undefined for plain ones. */
  codec: Codec | undefined;

  readonly #session: Session;
  readonly #host: Host;
  #streams: ConnectionStreams | undefined;
  /** Failed handlers that `onError` wants to be called again. */
  #retries: (() => void)[] | undefined;

  constructor(session: Session, host: Host) {
    this.#session = session;
    this.#host = host;
  }

  // ------------------------------------------------------------------ what came

  /** The connection is open. */
  open(path: Path): void {
    const { connection } = this.#session;
    path.streams.connections.next(connection);
    this.#host.streams.connections.next(connection);
    if (path.handlers.onOpen !== undefined) this.#callOpen();
  }

  /** A message that came in one frame: to those who want fragments, it is one, first and final. */
  whole(message: Message): void {
    if (this.#wantsFragments()) {
      const opcode = typeof message === 'string' ? 'text' : 'binary';
      this.#giveFragment({ data: message, opcode, first: true, final: true });
      if (!this.#wantsMessages()) return;
    }
    this.message(message);
  }

  /** A frame of a fragmented message; the first one settles whether that is assembled. */
  fragment(decoder: FrameDecoder): void {
    if (decoder.first) decoder.assemble = this.#wantsMessages() || !this.#wantsFragments();
    if (!this.#wantsFragments()) return;
    this.#giveFragment({
      data: decoder.takeFragment(),
      opcode: decoder.text ? 'text' : 'binary',
      first: decoder.first,
      final: decoder.final,
    });
  }

  message(message: Message): void {
    if (this.codec === undefined) this.#giveMessage(message);
    else this.#decode(this.codec, message);
  }

  /** 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST send a Pong frame in response". */
  ping(payload: Uint8Array): void {
    this.#session.answerPing(payload);
    if (this.#streams?.pings?.observed) this.#streams.pings.next(payload.slice());
  }

  /** A Pong that answers our heartbeat is not told. */
  pong(payload: Uint8Array): void {
    if (this.#session.isHeartbeat(payload)) return;
    if (this.#streams?.pongs?.observed) this.#streams.pongs.next(payload.slice());
  }

  state(state: ConnectionState): void {
    this.#streams?.state?.next(state);
  }

  drained(): void {
    this.#streams?.drain?.next();
  }

  /** The connection has ended: `onClose` is called and every stream completes. */
  end(report: CloseReport, path: Path | undefined): void {
    if (path !== undefined) this.#callClose(report, path);
    const streams = this.#streams;
    if (streams === undefined) return;
    for (const name of ['messages', 'fragments', 'pings', 'pongs', 'drain', 'state'] as const) {
      streams[name]?.complete();
    }
    streams.closed?.next(report);
    streams.closed?.complete();
  }

  /** The stream of that name, made at the first call. */
  stream<Name extends keyof ConnectionStreams>(name: Name): NonNullable<ConnectionStreams[Name]> {
    this.#streams ??= {};
    let stream = this.#streams[name];
    if (stream === undefined) {
      const report = () => (this.#streams?.closed?.completed ? this.#session.report : undefined);
      const present = { state: () => this.#session.state, closed: report }[name as string];
      const guard = (error: unknown) => this.failed(error);
      stream = new Stream(guard, present as () => undefined) as unknown as NonNullable<
        ConnectionStreams[Name]
      >;
      this.#streams[name] = stream;
      if (this.#session.report !== undefined) stream.complete();
    }
    return stream as NonNullable<ConnectionStreams[Name]>;
  }

  #wantsFragments(): boolean {
    return (
      this.#session.path?.handlers.onFragment !== undefined || this.#streams?.fragments?.observed === true
    );
  }

  #wantsMessages(): boolean {
    const { path } = this.#session;
    return (
      path?.handlers.onMessage !== undefined ||
      this.#streams?.messages?.observed === true ||
      path?.streams.messages.observed === true ||
      this.#host.streams.messages.observed
    );
  }

  #giveFragment(fragment: Fragment): void {
    this.#callFragment(fragment);
    this.#streams?.fragments?.next(fragment);
  }

  #giveMessage(message: Message): void {
    const { connection } = this.#session;
    const path = this.#session.path as Path; // set before the connection opened
    let taken = path.handlers.onMessage !== undefined;
    if (taken) this.#callMessage(message);
    const own = this.#streams?.messages;
    if (own?.observed) {
      taken = true;
      own.next(message);
    }
    if (path.streams.messages.observed) {
      taken = true;
      path.streams.messages.next({ connection, message });
    }
    if (this.#host.streams.messages.observed) {
      taken = true;
      this.#host.streams.messages.next({ connection, message });
    }
    if (!taken) this.failed(new NoMessageHandlerError(path.pattern));
  }

  // ------------------------------------------------------------------ codecs

  /** A codec says what a message means; while it thinks, reading waits as for a handler. */
  #decode(codec: Codec, message: Message): void {
    const give = (value: unknown): void => this.#giveMessage(value as Message); // of the type that the codec says
    try {
      const value = codec.decode(message);
      if (isThenable(value)) this.#awaitDecoded(value, give);
      else give(value);
    } catch (error) {
      this.#doesNotFit(error);
    }
  }

  #awaitDecoded(decoded: PromiseLike<unknown>, give: (value: unknown) => void): void {
    const { reading } = this.#session;
    reading.decoding(true);
    const began = this.#host.handlerBegan();
    const settled =
      (act: (value: unknown) => void) =>
      (value: unknown): void => {
        reading.decoding(false);
        if (this.#session.listens) act(value);
        this.#host.handlerEnded(began);
        reading.readAgain();
      };
    Promise.resolve(decoded).then(
      settled(give),
      settled((error) => this.#doesNotFit(error)),
    );
  }

  /** 7.4.1: 1007 is for "data within a message that was not consistent with the type of the message". */
  #doesNotFit(cause: unknown): void {
    const why = cause instanceof Error ? cause.message : String(cause);
    const error = cause instanceof InvalidMessageError ? cause : new InvalidMessageError(why, { cause });
    const decision = this.report(error);
    const goesOn = this.#session.path?.codecs?.asks === true && decision !== 'close';
    if (goesOn || !this.#session.sendable) return;
    this.#session.command({ type: 'protocol.failed', code: 1007, reason: 'message does not fit' });
  }

  // ------------------------------------------------------------------ handlers

  #callOpen(attempts = 0): void {
    try {
      const result = this.#session.path?.handlers.onOpen?.(this.#session.connection);
      if (result !== undefined) this.#settle(result, () => this.#callOpen(attempts + 1), attempts);
    } catch (error) {
      this.failed(error, () => this.#callOpen(attempts + 1), attempts);
    }
  }

  #callMessage(message: Message, attempts = 0): void {
    try {
      const result = this.#session.path?.handlers.onMessage?.(this.#session.connection, message);
      if (result === undefined) return;
      this.#settle(result, () => this.#callMessage(message, attempts + 1), attempts);
    } catch (error) {
      this.failed(error, () => this.#callMessage(message, attempts + 1), attempts);
    }
  }

  #callFragment(fragment: Fragment, attempts = 0): void {
    try {
      const result = this.#session.path?.handlers.onFragment?.(this.#session.connection, fragment);
      if (result === undefined) return;
      this.#settle(result, () => this.#callFragment(fragment, attempts + 1), attempts);
    } catch (error) {
      this.failed(error, () => this.#callFragment(fragment, attempts + 1), attempts);
    }
  }

  #callClose(report: CloseReport, path: Path): void {
    try {
      const result = path.handlers.onClose?.(this.#session.connection, report);
      if (!isThenable(result)) return;
      const began = this.#host.handlerBegan();
      Promise.resolve(result).then(
        () => this.#host.handlerEnded(began),
        (error: unknown) => {
          this.#host.handlerEnded(began);
          this.failed(error);
        },
      );
    } catch (error) {
      this.failed(error);
    }
  }

  /** A handler may answer with a promise: reading waits for it. */
  #settle(result: unknown, retry: () => void, attempts: number): void {
    if (!isThenable(result)) return;
    const { reading } = this.#session;
    reading.handling(1);
    const began = this.#host.handlerBegan();
    const settled = (): void => {
      reading.handling(-1);
      this.#host.handlerEnded(began);
    };
    // A thenable may throw, or settle twice; a promise made of it does neither.
    Promise.resolve(result).then(
      () => {
        settled();
        reading.readAgain();
      },
      (error: unknown) => {
        settled();
        this.failed(error, retry, attempts);
        reading.readAgain();
      },
    );
  }

  // ------------------------------------------------------------------ failures

  /**
   * A handler or a subscriber failed. `retry` calls the handler once more; it has been called again `attempts` times
   * already.
   */
  failed(error: unknown, retry?: () => void, attempts = 0): void {
    this.stopToDebug(error);
    let decision = this.report(error);
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

  /** With `debugOnError`, a debugger stops here, and without one the process ends with the handler's own stack. */
  stopToDebug(error: unknown): void {
    if (!this.#host.settings.debugOnError) return;
    // biome-ignore lint/suspicious/noDebugger: this is what debugOnError is for
    debugger;
    queueMicrotask(() => {
      throw error;
    });
  }

  /** Tells an error to `onError` and to `errors$`; the answer is `onError`'s, or `'close'`. */
  report(error: unknown, path = this.#session.path): Decision {
    if (error instanceof LimitError) this.#host.breached(error.limit);
    const heard = this.publish(error, path);
    const onError = this.#session.path?.handlers.onError;
    if (onError === undefined) {
      if (!heard) this.#host.unheard(error);
      return 'close';
    }
    const onErrorFailed = (second: unknown): void => {
      if (!this.publish(second, path)) this.#host.unheard(second);
    };
    try {
      const decision: unknown = onError(this.#session.connection, error);
      if (isThenable(decision)) Promise.resolve(decision).then(undefined, onErrorFailed);
      return decision === 'continue' || decision === 'retry' ? decision : 'close';
    } catch (second) {
      onErrorFailed(second);
      return 'close';
    }
  }

  /** Tells an error to `errors$`; false when nobody is subscribed. */
  publish(error: unknown, path: Path | undefined): boolean {
    const { connection } = this.#session;
    const failure = { connection: this.#session.path === undefined ? undefined : connection, error };
    let heard = false;
    for (const errors of [path?.streams.errors, this.#host.streams.errors]) {
      if (!errors?.observed) continue;
      heard = true;
      errors.next(failure);
    }
    return heard;
  }
}
