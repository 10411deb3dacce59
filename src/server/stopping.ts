/**
 * How a server stops: its connections are asked to close in batches, they and the handlers under way are waited for up
 * to a deadline, those who come meanwhile are refused, and the port is closed behind the last.
 */
import type { Actor } from 'xstate';
import type { Settings } from '../api/options/options.ts';
import type { Session } from '../connection/session.ts';
import { type CloseKeyword, encodeClosePayload, toCloseCode } from '../io/frames/close-payload.ts';
import { Ticker, type Waiting } from '../io/time/ticker.ts';
import type { serverMachine } from '../machines/server-machine.ts';
import type { ServerState } from '../machines/server-ports.ts';
import type { AdmissionControl } from './admission.ts';
import { type Deferred, deferred } from './deferred.ts';
import type { Listening } from './listening.ts';
import { Pacing } from './pacing.ts';

/** How a server stops. */
export interface StopOptions {
  /** Close code for the connections. Default 1001, going away. */
  readonly code?: CloseKeyword | number | undefined;
  /** At most 123 bytes of UTF-8. Default: none. */
  readonly reason?: string | undefined;
  /** Milliseconds for their closing; what is left then is destroyed. Default: the option `closeDeadline`. */
  readonly deadline?: number | undefined;
  /**
   * Connections asked to close every 50 ms, spread by ±50 %, so that their clients do not all come back at once; more
   * where half of the deadline would not suffice. 1 to Infinity, all at once. Default 500.
   */
  readonly batch?: number | undefined;
}

/** What a stop did. */
export interface StopReport {
  /** Connections that were there. */
  readonly connections: number;
  /** Of those, the ones that had to be destroyed at the deadline. */
  readonly terminated: number;
  /** Handshakes that came to nothing meanwhile: answered with 503, or given up by their peers. */
  readonly refused: number;
  /** Handlers that were still under way at the deadline, and are waited for no longer. */
  readonly handlers: number;
}

/** What a stop asks of its server. */
export interface StoppingHost {
  readonly state: ServerState;
  readonly settings: Settings;
  readonly ticker: Ticker;
  /** Hears `server.stop`, `timeout.drain` and `connections.gone`. */
  readonly actor: Actor<typeof serverMachine>;
}

const NOTHING_STOPPED: StopReport = Object.freeze({ connections: 0, terminated: 0, refused: 0, handlers: 0 });
/** Connections that a stop asks to close in a tick. */
const STOP_BATCH = 500;

export class Stopping {
  /** How often `stop` was called. */
  calls = 0;

  readonly #host: StoppingHost;
  readonly #admission: AdmissionControl;
  readonly #listening: Listening;
  #underWay: Deferred<StopReport> | undefined;
  #report = { ...NOTHING_STOPPED };
  #pendingHandlers = 0;
  /** Counts on when handlers are waited for no longer. */
  #life = 0;
  /** How a stop closes, the first connection that is none of its own, and how many of its own are left. */
  #batch = STOP_BATCH;
  #endTick = 0;
  #pacing: Pacing<Session> | undefined;
  #firstLate = 0;
  #leaving = 0;

  constructor(host: StoppingHost, admission: AdmissionControl, listening: Listening) {
    this.#host = host;
    this.#admission = admission;
    this.#listening = listening;
  }

  /** The report of the stop that is under way. */
  get underWay(): Promise<StopReport> | undefined {
    return this.#underWay?.promise;
  }

  stop({
    code = 1001,
    reason = '',
    deadline = this.#host.settings.closeDeadline,
    batch = STOP_BATCH,
  }: StopOptions): Promise<StopReport> {
    const { state, actor, ticker } = this.#host;
    const number = toCloseCode(code);
    encodeClosePayload(number, reason);
    if (!(deadline >= 0))
      throw new RangeError(`deadline is ${String(deadline)}; allowed are 0 or more milliseconds`);
    if (!(batch >= 1)) throw new RangeError(`batch is ${String(batch)}; allowed are 1 or more connections`);
    this.calls++;
    if (this.#underWay !== undefined) return this.#underWay.promise;
    if (state === 'stopped') return Promise.resolve(NOTHING_STOPPED);
    if (state === 'failed') {
      actor.send({ type: 'server.stop', code: number, reason });
      return this.#listening.closed.then(() => NOTHING_STOPPED);
    }
    const stopping = deferred<StopReport>();
    this.#underWay = stopping;
    this.#leaving = this.#admission.sessions.size;
    this.#firstLate = this.#admission.nextId;
    this.#report = { ...NOTHING_STOPPED, connections: this.#leaving };
    this.#batch = batch;
    this.#endTick = ticker.tick + Math.floor(Ticker.ticks(deadline) / 2);
    this.#armDrain(deadline);
    actor.send({ type: 'server.stop', code: number, reason });
    return stopping.promise;
  }

  // ------------------------------------------------------------------ what the machine asks for

  closeListener(): void {
    // While connections leave, those who come are told so with a 503; a port that is lost tells nobody anything.
    if (this.#underWay === undefined || this.#leaving === 0) this.#listening.close();
  }

  closeConnections(code: number, reason: string): void {
    const close = (session: Session): boolean => {
      if (session.report !== undefined) return false;
      session.requestClose(code, reason);
      return true;
    };
    const isOpen = ({ state }: Session) => state !== 'handshaking';
    const sessions = [...this.#admission.sessions];
    for (const session of sessions) if (!isOpen(session)) close(session);
    const { ticker, settings } = this.#host;
    const pace = { batch: this.#batch, endTick: this.#endTick, items: sessions.filter(isOpen) };
    this.#pacing = new Pacing({ ticker, clock: settings.clock }, pace, close);
    this.#pacing.start();
  }

  terminateConnections(): void {
    this.#pacing?.stop();
    this.#listening.close();
    this.#report.terminated = this.#leaving;
    this.#report.handlers = this.#pendingHandlers;
    this.#life++;
    this.#pendingHandlers = 0;
    for (const session of [...this.#admission.sessions]) session.requestTerminate();
    this.checkGone();
  }

  /** The server has stopped, or failed. */
  settle(): void {
    const underWay = this.#underWay;
    this.#underWay = undefined;
    underWay?.settle(this.#report);
  }

  // ------------------------------------------------------------------ what is waited for

  /** A connection has ended. */
  left(session: Session): void {
    if (this.#underWay === undefined) return;
    if (session.id < this.#firstLate) this.#leaving--;
    if (session.accepted === undefined) this.#report.refused++;
  }

  /** A handler has begun; returns in which of the server's lives. */
  handlerBegan(): number {
    this.#pendingHandlers++;
    return this.#life;
  }

  /** A handler is done. One that a stop has given up on counts no more. */
  handlerEnded(life: number): void {
    if (life !== this.#life) return;
    this.#pendingHandlers--;
    this.checkGone();
  }

  /** Ends the stop when nothing is left to wait for. */
  checkGone(): void {
    if (this.#host.state !== 'draining' || this.#leaving > 0 || this.#pendingHandlers > 0) return;
    this.#listening.close();
    // Who came meanwhile is told so, and not waited for.
    for (const session of [...this.#admission.sessions]) {
      session.requestClose(1001, '');
      session.requestTerminate();
    }
    if (!this.#listening.isFree || this.#admission.sessions.size > 0) return;
    this.#host.actor.send({ type: 'connections.gone' });
  }

  #armDrain(deadline: number): void {
    const { ticker, actor } = this.#host;
    const drain: Waiting = { dueTick: -1, onDue: () => actor.send({ type: 'timeout.drain' }) };
    ticker.wait(drain, ticker.tick + Ticker.ticks(deadline));
    this.#underWay?.promise.then(() => ticker.forget(drain));
  }
}
