/**
 * The streams of one connection, each made when somebody asks for it.
 */
import type { Fragment, Message } from '../../connection/recipient.ts';
import type { Session } from '../../connection/session.ts';
import type { CloseReport, ConnectionState } from '../../machines/connection-ports.ts';
import { Answers } from './answers.ts';
import { Stream } from './streams.ts';

interface Streams {
  messages?: Stream<Message>;
  fragments?: Stream<Fragment>;
  pings?: Stream<Uint8Array>;
  pongs?: Stream<Uint8Array>;
  drain?: Stream<void>;
  state?: Stream<ConnectionState>;
  closed?: Stream<CloseReport>;
}
export type StreamName = keyof Streams;

export class ConnectionStreams {
  readonly #session: Session;
  readonly #failed: (error: unknown) => void;
  readonly #path: () => string | undefined;
  readonly #made: Streams = {};
  /** Who awaits an answer in a handler. */
  readonly answers: Answers;

  /** `failed` is told what a subscriber threw. `path` says on which path the connection is. */
  constructor(session: Session, failed: (error: unknown) => void, path: () => string | undefined) {
    this.#session = session;
    this.#failed = failed;
    this.#path = path;
    this.answers = new Answers(session.reading);
  }

  /** The stream of that name, if somebody has asked for it. */
  get made(): Readonly<Streams> {
    return this.#made;
  }

  /** The stream of that name, made at the first call. */
  get<Name extends StreamName>(name: Name): NonNullable<Streams[Name]> {
    const made = this.#made[name];
    if (made !== undefined) return made;
    const stream = new Stream<unknown>(this.#failed, this.#presentOf(name), {
      name: `${name}$`,
      path: this.#path,
      ...((name === 'messages' || name === 'fragments') && { listening: () => this.answers.listening() }),
    }) as NonNullable<Streams[Name]>;
    this.#made[name] = stream;
    if (this.#isOver(name)) stream.complete();
    return stream;
  }

  /** Whether nothing comes any more. Messages may come for a while after the end. */
  #isOver(name: StreamName): boolean {
    const { ending } = this.#session;
    if (ending === undefined) return false;
    return name === 'messages' || name === 'fragments' ? ending.isExhausted : ending.isTold;
  }

  /** What a late subscriber gets at once. */
  #presentOf(name: StreamName): (() => unknown) | undefined {
    if (name === 'state') return () => this.#session.state;
    if (name === 'closed') return () => (this.#made.closed?.completed ? this.#session.report : undefined);
    return undefined;
  }

  /** The connection has ended. `hasMore`: messages follow that came before the end. */
  end(report: CloseReport, hasMore: boolean): void {
    const { pings, pongs, drain, state, closed } = this.#made;
    if (!hasMore) this.exhausted();
    for (const stream of [pings, pongs, drain, state]) stream?.complete();
    closed?.next(report);
    closed?.complete();
  }

  /** No message follows any more. */
  exhausted(): void {
    this.#made.messages?.complete();
    this.#made.fragments?.complete();
  }
}
