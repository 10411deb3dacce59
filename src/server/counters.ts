/**
 * What a server counts: its connections by state, what those that ended did, and the limits that were passed.
 */

import type { Session } from '../connection/session.ts';
import type { ConnectionState } from '../machines/connection-ports.ts';
import type { LinkStats } from '../machines/link-ports.ts';
import type { ServerState } from '../machines/server-ports.ts';

/** What a server has done and has: `server.stats()`. */
export interface ServerStats {
  readonly state: ServerState;
  /** Connections by state, now. */
  readonly connections: Readonly<Record<Exclude<ConnectionState, 'closed'>, number>>;
  /** Connections that came to `open`, since the server was made. */
  readonly opened: number;
  /** Of those, the ones that have ended. */
  readonly closed: number;
  /** Peers that asked to connect and were refused, or left before they were open. */
  readonly refused: number;
  /** Plain HTTP requests that `onRequest` answered. */
  readonly requests: number;
  /** Whole messages received. */
  readonly messagesIn: number;
  /** Messages taken to be sent. */
  readonly messagesOut: number;
  /** Messages that `send` or the policy `drop-oldest` dropped at `sendLimit`. */
  readonly dropped: number;
  /** Bytes from the sockets, headers and handshakes included. */
  readonly bytesIn: number;
  /** Bytes given to the sockets, headers and handshakes included. */
  readonly bytesOut: number;
  /** Bytes that wait to be sent. */
  readonly buffered: number;
  /** How often each limit or deadline was passed, by the name of its option; those that never were are left out. */
  readonly limits: Readonly<Record<string, number>>;
  /**
   * Errors of accepting, such as EMFILE, by their code, since the server was made; `errors$` tells of the first of each.
   * Empty where there was none.
   */
  readonly acceptErrors: Readonly<Record<string, number>>;
  /** The link to the engine that joins processes; only with the option `backplane`. */
  readonly backplane?: LinkStats;
}

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
    requests: 0,
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

  /** A peer left, or was dropped for a limit, before it was a connection. */
  lost(limit: string | undefined): void {
    this.#totals.refused++;
    if (limit !== undefined) this.breached(limit);
  }

  opened(): void {
    this.#totals.opened++;
  }

  /** A connection has ended, from being open or from its handshake. Who asked for nothing was not refused. */
  ended({ reading, sending: { outbox }, asked }: Session, wasOpen: boolean): void {
    if (wasOpen) this.#totals.closed++;
    else if (asked === 'page') this.#totals.requests++;
    else if (asked === 'something') this.#totals.refused++;
    this.#totals.messagesIn += reading.messages;
    this.#totals.messagesOut += outbox.messages;
    this.#totals.dropped += outbox.dropped;
    this.#totals.bytesIn += reading.bytes;
    this.#totals.bytesOut += outbox.bytes;
  }

  /** All of it, with what those that live have done so far. */
  stats(
    state: ServerState,
    sessions: Iterable<Session>,
    acceptErrors: ReadonlyMap<string, number>,
  ): ServerStats {
    const { handshaking, open, fragmenting, closing } = this.states;
    const stats = { ...this.#totals, buffered: 0 };
    for (const { reading, sending } of sessions) {
      const { outbox } = sending;
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
      acceptErrors: Object.fromEntries(acceptErrors),
    };
  }
}
