/**
 * The deadlines of one connection, as one entry in the server's ticker.
 *
 * The handshake has a deadline. An open connection has the heartbeat, a deadline for the message that is coming in, and
 * the greatest age. While bytes wait for a peer that does not read, `Progress` watches whether they become fewer. Our Close,
 * or the answer to a refused handshake, may have to wait for such bytes: `closeDeadline` counts from when all has left.
 *
 * Traffic only notes the present tick. Whether a silence was long enough is asked when the entry falls due; then it waits
 * for the earliest moment that is left.
 */
import type { Ticker, Waiting } from '../io/time/ticker.ts';
import type { ConnectionEvent, ConnectionState } from '../machines/connection-ports.ts';
import { Progress } from './progress.ts';
import type { ConnectionSettings } from './settings.ts';
import { earliest, isDue, later, NEVER } from './ticks.ts';

type Timeout = Extract<ConnectionEvent, { type: `timeout.${string}` }>;
/** Our own event loop stood still for this long: what the peer sent lies unread, so nobody is blamed yet. */
const STALL_MS = 100;
/** What falls due in a stall gets as much time more, but not more than this. */
const LONGEST_GRACE_MS = 1000;
/** The heartbeat's silence is spread by this much either way, so that pings do not come in waves. */
const JITTER = 0.2;
/** The greatest age is spread by this much either way, so that those who came together do not go together. */
const AGE_JITTER = 0.1;

/** What a deadline needs to know of its connection. */
export interface Timed {
  onTimeout(timeout: Timeout): void;
  /** It has been open for `maxAge`. */
  onAged(): void;
  /** Nothing is read from the transport: silence is our own doing. */
  readonly held: boolean;
  /** Bytes that the transport has and could not write. They become fewer as the peer reads. */
  readonly unsentBytes: number;
}

/**
 * All deadlines of one connection.
 *
 * Many members: each deadline has its moment, and what begins and ends it.
 */
export class Deadlines implements Waiting {
  dueTick = -1;
  /** The tick of the peer's last byte. */
  lastByteTick: number;

  readonly #ticker: Ticker;
  readonly #settings: ConnectionSettings;
  readonly #timed: Timed;
  #isOpen = false;
  #stateTick = NEVER;
  #stateTimeout: Timeout['type'] = 'timeout.handshake';
  /** When the message that is coming in must be whole. */
  #messageTick = NEVER;
  /** How many messages came before that one. */
  #messageNumber = 0;
  /** When we stopped reading; NEVER while we read. */
  #stoppedTick = NEVER;
  #silenceTicks = NEVER;
  #pingTick = NEVER;
  /** Made when bytes wait for the peer. */
  #progress: Progress | undefined;
  #isFailing = false;
  #isClosing = false;
  #ageTick = NEVER;
  /** Time that short stalls have added since a deadline was set. A loop that is never in time must not suspend them all. */
  #graceMs = 0;

  constructor(ticker: Ticker, settings: ConnectionSettings, timed: Timed) {
    this.#ticker = ticker;
    this.#settings = settings;
    this.#timed = timed;
    this.lastByteTick = ticker.tick;
    this.#arm('timeout.handshake', settings.handshakeDeadline);
  }

  /** The connection is in a new state. */
  enter(state: ConnectionState): void {
    if (state === 'open' || state === 'fragmenting') {
      if (this.#isOpen) return;
      this.#isOpen = true;
      this.#stateTick = NEVER;
      this.#start();
      return;
    }
    this.#isOpen = false;
    this.#stateTick = NEVER;
    this.#messageTick = NEVER;
    this.#silenceTicks = NEVER;
    this.#pingTick = NEVER;
    this.#ageTick = NEVER;
    if (state === 'closing') this.enterClosing();
    if (state !== 'closed') return;
    this.#progress?.stop();
    this.#ticker.forget(this);
  }

  /** We are about to fail the connection: nobody needs what still waits, so `closeDeadline` bounds a silence too. */
  failing(): void {
    this.#isFailing = true;
  }

  /** Our Close, or the answer to a refused handshake, is all that we still send; `closeDeadline` counts from when it has left. */
  enterClosing(): void {
    this.#isOpen = false;
    this.#stateTick = NEVER;
    this.#isClosing = true;
    if (this.#progress?.isWatching) this.#progress.setPatience(this.#ticker.tick, this.#patience);
    else this.#arm('timeout.close', this.#settings.closeDeadline);
    this.#schedule();
  }

  /**
   * All that we send has been given to the system, which may still hold megabytes for a slow peer and does not say so. So
   * the peer gets the time again that the bytes before have waited, and then `closeDeadline`.
   */
  #allHasLeft(waitedMs: number): void {
    const { writeDeadline, closeDeadline } = this.#settings;
    this.#arm('timeout.close', closeDeadline + (this.#isFailing ? 0 : Math.min(waitedMs, writeDeadline)));
  }

  /** How long bytes may wait with none of them leaving. */
  get #patience(): number {
    const { writeDeadline, closeDeadline } = this.#settings;
    if (this.#isOpen) return writeDeadline;
    return this.#isFailing ? closeDeadline : Math.max(writeDeadline, closeDeadline);
  }

  /**
   * Whether a part of a message has come and its end has not, after `messages` whole ones. The deadline counts from the
   * message's first byte; no later byte moves it.
   */
  insideMessage(isInside: boolean, messages: number): void {
    if (!isInside) {
      // The entry may fall due for nothing, once; that is cheaper than to move it for every message.
      this.#messageTick = NEVER;
      return;
    }
    if (!this.#isOpen) return;
    if (this.#messageTick !== NEVER && this.#messageNumber === messages) return;
    this.#messageNumber = messages;
    this.#graceMs = 0;
    this.#messageTick = later(this.#ticker.present, this.#settings.messageDeadline);
    this.#schedule();
  }

  /** We read no more: the peer cannot be late from here on. */
  readingStopped(): void {
    this.#stoppedTick = this.#ticker.tick;
  }

  /** We read again: silence counts from here, and the time in which we did not read is not the peer's. */
  readingResumed(): void {
    const { tick } = this.#ticker;
    this.lastByteTick = tick;
    const stopped = this.#stoppedTick;
    this.#stoppedTick = NEVER;
    if (this.#messageTick === NEVER || stopped === NEVER) return;
    this.#messageTick += tick - stopped;
    this.#schedule();
  }

  /** A heartbeat's Ping went out. */
  pinged(): void {
    this.#graceMs = 0;
    this.#pingTick = this.#ticker.tick;
  }

  /** Whether bytes wait for the peer. Told when that changes, and each time when some have left. */
  writing(waiting: boolean): void {
    if (!waiting) {
      if (!this.#progress?.isWatching) return;
      const waitedMs = this.#progress.waitedMs(this.#ticker.tick);
      this.#progress.stop();
      if (this.#isClosing) this.#allHasLeft(waitedMs);
      return;
    }
    this.#progress ??= new Progress();
    this.#progress.start(this.#ticker.tick, this.#patience, this.#timed.unsentBytes);
    this.#schedule();
  }

  onDue(tick: number): void {
    const { stalledMs } = this.#ticker;
    if (stalledMs >= STALL_MS) this.#forgiveStall(tick, stalledMs);
    if (isDue(this.#stateTick, tick)) {
      this.#stateTick = NEVER;
      this.#timed.onTimeout({ type: this.#stateTimeout });
    }
    if (isDue(this.#messageDueTick, tick)) {
      this.#messageTick = NEVER;
      this.#timed.onTimeout({ type: 'timeout.message' });
    }
    if (this.#progress?.isOver(tick, this.#timed.unsentBytes)) {
      this.#timed.onTimeout({ type: this.#isOpen ? 'timeout.write' : 'timeout.close' });
    }
    if (this.#silenceTicks !== NEVER) this.#checkHeartbeat(tick);
    if (isDue(this.#ageTick, tick)) {
      this.#ageTick = NEVER;
      this.#timed.onAged();
    }
    this.#schedule();
  }

  /** What fell due while we stood still gets as long a time more, in which we read what came. */
  #forgiveStall(tick: number, stalledMs: number): void {
    const isShort = stalledMs < LONGEST_GRACE_MS;
    if (isShort && this.#graceMs >= LONGEST_GRACE_MS) return;
    const { present } = this.#ticker;
    const grace = later(present, Math.min(stalledMs, LONGEST_GRACE_MS));
    const isLate = (due: number) => isDue(due, tick);
    const isPongLate = this.#pingTick !== NEVER && isLate(this.#pongTick);
    const late = [this.#stateTick, this.#messageTick, this.#progress?.lookTick ?? NEVER];
    if (isShort && (isPongLate || late.some(isLate))) this.#graceMs += stalledMs;
    if (isLate(this.#stateTick)) this.#stateTick = grace;
    if (isLate(this.#messageTick)) this.#messageTick = grace;
    this.#progress?.forgive(tick, grace);
    // The time for a Pong begins anew.
    if (isPongLate || (!isShort && this.#pingTick !== NEVER)) this.#pingTick = present;
  }

  /** The connection has opened. */
  #start(): void {
    const { heartbeatInterval, maxAge, clock } = this.#settings;
    const spread = (jitter: number) => 1 - jitter + 2 * jitter * clock.random();
    this.#silenceTicks = later(0, heartbeatInterval * spread(JITTER));
    this.#ageTick = later(this.#ticker.present, maxAge * spread(AGE_JITTER));
    if (this.#progress?.isWatching) this.#progress.setPatience(this.#ticker.tick, this.#patience);
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
    this.#graceMs = 0;
    this.#stateTimeout = timeout;
    this.#stateTick = later(this.#ticker.present, ms);
    this.#schedule();
  }

  /** The message's deadline; NEVER while we do not read. */
  get #messageDueTick(): number {
    return this.#stoppedTick === NEVER ? this.#messageTick : NEVER;
  }

  /** Waits for the earliest moment that is left; an entry that is due earlier anyway stays where it is. */
  #schedule(): void {
    const next = earliest(
      earliest(earliest(this.#stateTick, this.#messageDueTick), this.#progress?.lookTick ?? NEVER),
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
