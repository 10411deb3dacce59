/**
 * What the parts of one connection ask of their server. Only types; `core.ts` is the host in production.
 */
import type { Actor } from 'xstate';
import type { Connection } from '../api/connection/connection.ts';
import type { Settings } from '../api/options/options.ts';
import type { Path, Streams } from '../api/paths/path.ts';
import type { Match } from '../api/paths/router.ts';
import type { FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { HttpResponse } from '../io/http/http-response.ts';
import type { Ticker } from '../io/time/ticker.ts';
import type { WriteTurn } from '../io/writing/write-turn.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import type { serverMachine } from '../machines/server-machine.ts';
import type { Session } from './session.ts';

/** What a session needs of its server. @internal */
export interface Host {
  readonly settings: Settings;
  readonly ticker: Ticker;
  readonly turn: WriteTurn;
  readonly streams: Streams;
  readonly inspected: boolean;
  readonly match: (path: string) => Match<Path> | undefined;
  readonly actor: Actor<typeof serverMachine>;
  lendDecoder(): FrameDecoder;
  takeBack(decoder: FrameDecoder): void;
  full(session: Session): HttpResponse | undefined;
  /** The head of this one is read; `authorize` decides. */
  deciding(session: Session): void;
  /** The handshake was answered, or is over. */
  handshaken(session: Session): void;
  /** The client of this one is at another address than its socket. */
  moveTo(session: Session, remoteAddress: string): void;
  /** A limit or a deadline was passed. */
  breached(limit: string): void;
  opened(connection: Connection): void;
  closed(session: Session): void;
  moved(from: ConnectionState, to: ConnectionState): void;
  /** A handler's promise is pending; returns what `handlerEnded` is to be told. */
  handlerBegan(): number;
  handlerEnded(began: number): void;
  unheard(error: unknown): void;
}
