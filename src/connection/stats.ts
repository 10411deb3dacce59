/**
 * The counters of one connection.
 */
import { TICK_MS, type Ticker } from '../io/time/ticker.ts';

/** What one connection has done: `connection.stats()`. */
export interface ConnectionStats {
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Messages that `send` or the policy `drop-oldest` dropped at `sendLimit`. */
  readonly dropped: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes that wait to be sent. */
  readonly buffered: number;
  /** Milliseconds since its socket came, coarse by 50. */
  readonly age: number;
  /** Round-trip time of the last heartbeat in milliseconds; undefined before the first. */
  readonly rtt: number | undefined;
}

/** What is counted of a connection. */
export interface Counted {
  readonly reading: { readonly messages: number; readonly bytes: number };
  readonly sending: {
    readonly outbox: {
      readonly messages: number;
      readonly dropped: number;
      readonly bytes: number;
      readonly bufferedAmount: number;
    };
  };
  readonly bornTick: number;
  readonly rtt: number | undefined;
}

export function statsOf({ reading, sending, bornTick, rtt }: Counted, ticker: Ticker): ConnectionStats {
  const { outbox } = sending;
  return {
    messagesIn: reading.messages,
    messagesOut: outbox.messages,
    dropped: outbox.dropped,
    bytesIn: reading.bytes,
    bytesOut: outbox.bytes,
    buffered: outbox.bufferedAmount,
    age: (ticker.tick - bornTick) * TICK_MS,
    rtt,
  };
}
