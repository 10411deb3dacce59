/**
 * The deadlines of one connection, as one entry in the server's ticker.
 *
 * A state has at most one deadline of its own; open connections also have the heartbeat and, while bytes wait for a
 * peer that does not take them, the write deadline. Traffic only notes the present tick: whether the silence was long
 * enough is asked when the entry falls due, and then it is put back for the earliest moment that is left.
 */

import type { Settings } from '../api/options/options.ts';
import { Ticker, type Waiting } from '../io/time/ticker.ts';
import type { ConnectionEvent, ConnectionState } from '../machines/connection-ports.ts';

type Timeout = Extract<ConnectionEvent, { type: `timeout.${string}` }>;
/** A tick that nothing waits for. Small whole numbers cost no memory, where Infinity costs a heap number a field. */
const NEVER = -1;
/** Our own event loop stood still for this long: what the peer sent lies unread, so nobody is blamed yet. */
const STALL_MS = 1000;
/** The heartbeat's silence is spread by this much either way, so that pings do not come in waves. */
const JITTER = 0.2;
/** The greatest age is spread by this much either way, so that those who came together do not go together. */
const AGE_JITTER = 0.1;

/** What a deadline needs to know of its connection. */
export interface Timed {
  onTimeout(timeout: Timeout): void;
  /** It has been open for `maxAge`. */
  onAged(): void;
  /** Reading is held back by us: silence is our own doing. */
  readonly held: boolean;
}

export class Deadlines implements Waiting {
  dueTick = -1;
  /** The tick of the peer's last byte. */
  lastByteTick: number;

  readonly #ticker: Ticker;
  readonly #settings: Settings;
  readonly #timed: Timed;
  #stateTick = NEVER;
  #stateTimeout: Timeout['type'] = 'timeout.handshake';
  #silenceTicks = NEVER;
  #pingTick = NEVER;
  #writeTick = NEVER;
  #ageTick = NEVER;

  constructor(ticker: Ticker, settings: Settings, timed: Timed) {
    this.#ticker = ticker;
    this.#settings = settings;
    this.#timed = timed;
    this.lastByteTick = ticker.tick;
    this.#arm('timeout.handshake', settings.handshakeDeadline);
  }

  /** The connection is in a new state. */
  enter(state: ConnectionState): void {
    if (state === 'open' || state === 'fragmenting') {
      if (this.#silenceTicks === NEVER) this.#start();
      if (state === 'fragmenting') this.#arm('timeout.message', this.#settings.messageDeadline);
      else this.#disarm();
      return;
    }
    this.#stateTick = NEVER;
    this.#silenceTicks = NEVER;
    this.#pingTick = NEVER;
    this.#writeTick = NEVER;
    this.#ageTick = NEVER;
    if (state === 'closing') this.enterClosing();
    else if (state === 'closed') this.#ticker.forget(this);
  }

  /** The closing handshake, or the answer to a refused one, has begun. */
  enterClosing(): void {
    this.#arm('timeout.close', this.#settings.closeDeadline);
  }

  /** We read again: silence, and the time for a message under way, count from here. */
  readAgain(): void {
    this.lastByteTick = this.#ticker.tick;
    if (this.#stateTick !== NEVER && this.#stateTimeout === 'timeout.message') {
      this.#arm('timeout.message', this.#settings.messageDeadline);
    }
  }

  /** A heartbeat's Ping went out. */
  pinged(): void {
    this.#pingTick = this.#ticker.tick;
  }

  /** Whether bytes wait for the peer, and none of them has left since the last call. */
  writing(waiting: boolean): void {
    this.#writeTick = waiting ? later(this.#ticker.tick, this.#settings.writeDeadline) : NEVER;
    if (waiting) this.#schedule();
  }

  onDue(tick: number): void {
    if (this.#ticker.stalledMs >= STALL_MS) this.#forgiveStall(tick);
    if (isDue(this.#stateTick, tick) && this.#stateTimeout === 'timeout.message' && this.#timed.held) {
      // We do not read: the peer cannot be late.
      this.#stateTick = later(tick, this.#settings.messageDeadline);
    }
    if (isDue(this.#stateTick, tick)) {
      this.#stateTick = NEVER;
      this.#timed.onTimeout({ type: this.#stateTimeout });
    }
    if (isDue(this.#writeTick, tick)) {
      this.#writeTick = NEVER;
      this.#timed.onTimeout({ type: 'timeout.write' });
    }
    if (this.#silenceTicks !== NEVER) this.#checkHeartbeat(tick);
    if (isDue(this.#ageTick, tick)) {
      this.#ageTick = NEVER;
      this.#timed.onAged();
    }
    this.#schedule();
  }

  /** What fell due while we stood still gets a moment more, in which we read what came. */
  #forgiveStall(tick: number): void {
    const grace = later(this.#ticker.present, STALL_MS);
    if (isDue(this.#stateTick, tick)) this.#stateTick = grace;
    if (isDue(this.#writeTick, tick)) this.#writeTick = grace;
    if (this.#pingTick !== NEVER) this.#pingTick = this.#ticker.present;
  }

  /** The connection has opened. */
  #start(): void {
    const { heartbeatInterval, maxAge, clock } = this.#settings;
    const spread = (jitter: number) => 1 - jitter + 2 * jitter * clock.random();
    this.#silenceTicks = later(0, heartbeatInterval * spread(JITTER));
    // Without a heartbeat this is asked again with every message of several frames.
    if (this.#ageTick === NEVER) this.#ageTick = later(this.#ticker.present, maxAge * spread(AGE_JITTER));
    this.#schedule();
  }

  #checkHeartbeat(tick: number): void {
    if (this.#timed.held) {
      this.lastByteTick = tick;
      this.#pingTick = NEVER;
      return;
    }
    if (this.#pingTick !== NEVER) {
      if (this.lastByteTick >= this.#pingTick) this.#pingTick = NEVER;
      else if (isDue(this.#pongTick, tick)) this.#timed.onTimeout({ type: 'timeout.pong' });
    }
    // The end, if it was that, has switched the heartbeat off.
    if (this.#silenceTicks === NEVER || this.#pingTick !== NEVER) return;
    if (tick >= this.lastByteTick + this.#silenceTicks) {
      this.#timed.onTimeout({ type: 'timeout.silence' });
    }
  }

  get #pongTick(): number {
    return later(this.#pingTick, this.#settings.pongDeadline);
  }

  /** When to look after the heartbeat next. */
  get #heartbeatTick(): number {
    if (this.#silenceTicks === NEVER) return NEVER;
    // After a ping, the answer may have come long before its deadline: then the next silence counts from there.
    if (this.#pingTick === NEVER) return this.lastByteTick + this.#silenceTicks;
    return earliest(this.#pongTick, this.#pingTick + this.#silenceTicks);
  }

  #arm(timeout: Timeout['type'], ms: number): void {
    this.#stateTimeout = timeout;
    this.#stateTick = later(this.#ticker.present, ms);
    this.#schedule();
  }

  #disarm(): void {
    // The entry may fall due for nothing, once; that is cheaper than to move it for every message.
    this.#stateTick = NEVER;
  }

  /** Waits for the earliest moment that is left; an entry that is due earlier anyway stays where it is. */
  #schedule(): void {
    const next = earliest(
      earliest(this.#stateTick, this.#writeTick),
      earliest(this.#heartbeatTick, this.#ageTick),
    );
    if (next === NEVER) {
      this.#ticker.forget(this);
      return;
    }
    if (this.dueTick >= 0 && this.dueTick <= next) return;
    this.#ticker.wait(this, next);
  }
}

/** The tick that is `ms` milliseconds behind another; NEVER for Infinity. */
function later(tick: number, ms: number): number {
  return ms === Number.POSITIVE_INFINITY ? NEVER : tick + Ticker.ticks(ms);
}

function isDue(due: number, tick: number): boolean {
  return due !== NEVER && due <= tick;
}

function earliest(one: number, other: number): number {
  if (one === NEVER || other === NEVER) return Math.max(one, other);
  return Math.min(one, other);
}
