/**
 * What a connection asks of its server. Only types; `src/server/core.ts` is the host in production.
 */

import type { DeflateSettings, DeflateTerms } from '../io/extensions/deflate.ts';
import type { Extension } from '../io/extensions/extension.ts';
import type { Fault } from '../io/faults.ts';
import type { FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { FairTurns } from '../io/time/fair-turns.ts';
import type { Ticker } from '../io/time/ticker.ts';
import type { WriteTurn } from '../io/writing/write-turn.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import type { Parent } from '../machines/interpreter.ts';
import type { ServerActor } from '../machines/server-machine.ts';
import type { Budget } from './memory-budget.ts';
import type { Recipient } from './recipient.ts';
import type { ConnectionSettings } from './settings.ts';

/** What the connections of one server share. */
export interface Shared {
  readonly settings: ConnectionSettings;
  readonly ticker: Ticker;
  /** What connections may make this server hold, or this one and others together. */
  readonly budget: Budget;
  /** Frames that leave together. */
  readonly turn: WriteTurn;
  /** Connections whose frames were too many for one turn of the event loop. */
  readonly turns: FairTurns;
  lendDecoder(): FrameDecoder;
  takeBack(decoder: FrameDecoder): void;
}

/** The server of connections of the type `Session`. */
export interface Host<Session> extends Shared {
  /** Somebody observes the statecharts. */
  readonly inspected: boolean;
  readonly actor: ServerActor;
  /** Who is told of the end of a connection that has no actor. */
  readonly parent: Parent;

  /** What compresses for a connection with these settings that has agreed on these terms. */
  compress(settings: DeflateSettings, terms: DeflateTerms): Extension;
  /** Makes the user's side of a connection. */
  recipientOf(session: Session): Recipient;
  /** The fault that says that there is no room for this opening handshake; undefined where there is. */
  full(session: Session): Fault | undefined;
  /** The head of this one is read; `authorize` decides. */
  deciding(session: Session): void;
  /** The handshake was answered, or is over. */
  handshaken(session: Session): void;
  opened(session: Session): void;
  closed(session: Session): void;
  moved(from: ConnectionState, to: ConnectionState): void;
  /** A limit or a deadline was passed. */
  breached(limit: string): void;
}
