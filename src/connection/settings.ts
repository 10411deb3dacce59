/**
 * What a connection is run with: its limits, and the rules of its handshake. Only types; `src/api/options` checks what a
 * user gives and fills in the defaults.
 */
import type { Proxies } from '../io/http/forwarded.ts';
import type { OriginRules } from '../io/http/origin-rules.ts';
import type { Clock } from '../io/time/clock.ts';
import type { Overflow } from '../io/writing/outbox-ports.ts';

/** Every limit of a server. Bytes are bytes of payload unless said otherwise; times are milliseconds, coarse by 50. */
export interface Limits {
  /** Bytes of one message, whole or fragmented; over it 1009. What is not read by fragments alone ends at 512 MiB. Default 1 MiB. */
  readonly cap: number;
  /**
   * How many times its size a compressed message may become, where that is more than 1 MiB; over it 1009. Only with
   * `perMessageDeflate`. Default 100.
   */
  readonly maxInflation: number;
  /** Frames of one fragmented message, empty ones included; over it 1008. Default 16,384. */
  readonly maxFragments: number;
  /** Time from the first byte of a message to its last, time in which we do not read left out; over it 1008. Default 30 s. */
  readonly messageDeadline: number;
  /** Bytes of a request head; over it 431. Default 16 KiB. */
  readonly maxHeadBytes: number;
  /** Header fields of a request; over it 431. Default 128. */
  readonly maxHeaders: number;
  /** Time for the whole handshake, `authorize` included; over it 408. Default 10 s. */
  readonly handshakeDeadline: number;
  /** Silence of the peer after which it is pinged, spread by ±20 %; Infinity never pings. Default 25 s. */
  readonly heartbeatInterval: number;
  /** Time for a sign of life after that ping; over it the connection is dropped, 1006. Default 20 s. */
  readonly pongDeadline: number;
  /** Time for the closing handshake, from when our Close has left; over it the socket is destroyed. Default 5 s. */
  readonly closeDeadline: number;
  /** Time in which a peer must accept something of what waits for it, also before a Close; over it 1006. Default 60 s. */
  readonly writeDeadline: number;
  /** Bytes that may wait for one peer, a new message included. Default 1 MiB, or `cap` where that is larger. */
  readonly sendLimit: number;
  /** Pongs that wait for a peer that does not read; beyond, only the newest is kept. Default 64. */
  readonly maxPendingPongs: number;
  /**
   * Bytes of memory that all connections together may make this server hold: unfinished messages and request heads, messages
   * and chunks that wait, send queues; what several share is counted once. Over it, those that have held longest without
   * progress close with 1013. As an option also a `MemoryBudget`, which several servers share. Default 128 MiB.
   */
  readonly memoryBudget: number;
  /**
   * Bytes of messages that may wait while a handler's promise is pending or an iterator has not asked for more; from
   * there on nothing is read, and TCP holds the peer back. Default 64 KiB.
   */
  readonly readAhead: number;
  /**
   * Time after which a handler whose promise is still pending is told, as a warning of the process that names the path,
   * once for each path; Infinity never. Default 30 s.
   */
  readonly handlerWarning: number;
  /** Connections at a time; over it 503. Default 65,536. */
  readonly maxConnections: number;
  /**
   * Connections at a time from one address, see `trustProxy`; over it 503. IPv6 addresses count by their network, see
   * `ipv6Prefix`. Default Infinity.
   */
  readonly maxConnectionsPerAddress: number;
  /** Bits of an IPv6 address by which `maxConnectionsPerAddress` counts: 128 counts each address by itself. Default 64. */
  readonly ipv6Prefix: number;
  /**
   * Handshakes under way at a time, `authorize` included; over it 503 to the one that has been sending its head for
   * the longest time. Default 8,192.
   */
  readonly maxHandshakes: number;
  /** Messages, Pings and Pongs of one peer per second; over it 1008. Default Infinity. */
  readonly maxMessagesPerSecond: number;
  /** Bytes of one peer per second, frame headers included; over it 1008. Default Infinity. */
  readonly maxBytesPerSecond: number;
  /** What the two rates bring in this time may come at once, after a silence. Default 1 s. */
  readonly rateBurst: number;
  /** Topics that one connection may be in; one more is a RangeError of `connection.join`. Default 1,000. */
  readonly maxTopics: number;
  /** Characters of the name of a topic; a longer one is a RangeError. Default 255. */
  readonly maxTopicLength: number;
  /**
   * Bytes of memory that the histories of all topics may keep; over it, those that have been silent longest forget their oldest
   * messages. Default 64 MiB.
   */
  readonly historyBudget: number;
  /** Time that a connection may be open, spread by ±10 %; then it is closed with 1001. Default Infinity. */
  readonly maxAge: number;
}

/** Options of a server that its connections need, after the check. */
export interface ConnectionSettings extends Limits {
  /** A rule that is a function gets the request as callbacks do. */
  readonly origins: OriginRules<never>;
  readonly subprotocols: readonly string[];
  /** Undefined when no proxy is named. */
  readonly trustProxy: Proxies | undefined;
  readonly overflow: Overflow;
  readonly clock: Clock;
}
