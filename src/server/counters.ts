/**
 * What a server counts: its connections by state, what those that ended did, and the limits that were passed.
 */

import type { ServerStats } from '../api/inspection/inspection.ts';
import type { Session } from '../connection/session.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import type { ServerState } from '../machines/server-ports.ts';

export class Counters {
  /** Connections by state. */
  readonly states: Record<ConnectionState, number> = {
    handshaking: 0,
    open: 0,
    fragmenting: 0,
    closing: 0,
    closed: 0,
  };
  /** Of the connections that have ended; `opened` of all. */
  readonly #totals = {
    opened: 0,
    closed: 0,
    refused: 0,
    messagesIn: 0,
    messagesOut: 0,
    dropped: 0,
    bytesIn: 0,
    bytesOut: 0,
  };
  readonly #limits: Record<string, number> = {};

  moved(from: ConnectionState, to: ConnectionState): void {
    this.states[from]--;
    this.states[to]++;
  }

  /** A limit or a deadline was passed. */
  breached(limit: string): void {
    this.#limits[limit] = (this.#limits[limit] ?? 0) + 1;
  }

  opened(): void {
    this.#totals.opened++;
  }

  /** A connection has ended, from being open or from its handshake. */
  ended({ reading, outbox }: Session, wasOpen: boolean): void {
    if (wasOpen) this.#totals.closed++;
    else this.#totals.refused++;
    this.#totals.messagesIn += reading.messages;
    this.#totals.messagesOut += outbox.messages;
    this.#totals.dropped += outbox.dropped;
    this.#totals.bytesIn += reading.bytes;
    this.#totals.bytesOut += outbox.bytes;
  }

  /** All of it, with what those that live have done so far. */
  stats(state: ServerState, sessions: Iterable<Session>): ServerStats {
    const { handshaking, open, fragmenting, closing } = this.states;
    const stats = { ...this.#totals, buffered: 0 };
    for (const { reading, outbox } of sessions) {
      stats.dropped += outbox.dropped;
      stats.messagesIn += reading.messages;
      stats.messagesOut += outbox.messages;
      stats.bytesIn += reading.bytes;
      stats.bytesOut += outbox.bytes;
      stats.buffered += outbox.bufferedAmount;
    }
    return {
      state,
      connections: { handshaking, open, fragmenting, closing },
      ...stats,
      limits: { ...this.#limits },
    };
  }
}
