/**
 * What a stop does and counts. When it goes on from one step to the next is decided by the server machine
 * (`src/machines/server-machine.ts`): here is who leaves, how many are left, and the report.
 */
import type { Session } from '../connection/session.ts';
import { Ticker, type Waiting } from '../io/time/ticker.ts';
import type { ServerActor } from '../machines/server-machine.ts';
import type { ServerState } from '../machines/server-ports.ts';
import type { AdmissionControl } from './admission.ts';
import { type Deferred, deferred } from './deferred.ts';
import type { Listening } from './listening.ts';
import { Pacing } from './pacing.ts';
import { refuseAll } from './refusing.ts';
import type { ServerSettings } from './settings.ts';

/** How a server stops, after the check of what the user gave. */
export interface StopRequest {
  readonly code: number;
  readonly reason: string;
  readonly deadline: number;
  readonly batch: number;
  readonly closePortFirst: boolean;
}

/** What a stop did. */
export interface StopReport {
  /** Connections that were there. */
  readonly connections: number;
  /** Of those, the ones that had to be destroyed at the deadline. */
  readonly terminated: number;
  /**
   * Handshakes that came to nothing meanwhile: answered with 503, or given up by their peers. Connections that never asked
   * for anything, and plain requests that were answered, are none.
   */
  readonly refused: number;
  /** Handlers that were still pending at the deadline, and are waited for no longer. */
  readonly handlers: number;
}

/** What a stop needs of its server. */
export interface StoppingHost {
  readonly state: ServerState;
  readonly settings: ServerSettings;
  readonly ticker: Ticker;
  /** Hears `server.stop`, `drain.progress` and `timeout.drain`. */
  readonly actor: ServerActor;
}

/** A stop that is under way. */
interface UnderWay {
  readonly done: Deferred<StopReport>;
  readonly request: StopRequest;
  /** Lets the process end again. */
  readonly release: (() => void) | undefined;
}

const GOING_AWAY = 1001;
const NOTHING_STOPPED: StopReport = Object.freeze({ connections: 0, terminated: 0, refused: 0, handlers: 0 });

export class Stopping {
  readonly #host: StoppingHost;
  readonly #admission: AdmissionControl;
  readonly #listening: Listening;
  readonly #drain: Waiting;
  #underWay: UnderWay | undefined;
  #report = { ...NOTHING_STOPPED };
  #pacing: Pacing<Session> | undefined;
  /** Those that were there when the stop began and are not gone yet. */
  readonly #leaving = new Set<Session>();
  #pendingHandlers = 0;
  /** Grows when the pending handlers are given up: those that began before count no more. */
  #life = 0;

  constructor(host: StoppingHost, admission: AdmissionControl, listening: Listening) {
    this.#host = host;
    this.#admission = admission;
    this.#listening = listening;
    this.#drain = { dueTick: -1, onDue: () => host.actor.send({ type: 'timeout.drain' }) };
  }

  /** A stop while another is under way is the same stop. */
  stop(request: StopRequest): Promise<StopReport> {
    if (this.#underWay === undefined) {
      // The deadline's own timer keeps no process alive, and a pending handler does not either.
      const release = this.#host.settings.clock.keepAlive?.();
      this.#underWay = { done: deferred<StopReport>(), request, release };
      this.#report = { ...NOTHING_STOPPED };
    }
    const { promise } = this.#underWay.done;
    this.#host.actor.send({ type: 'server.stop', code: request.code, reason: request.reason });
    return promise;
  }

  // ------------------------------------------------------------------ what the machine asks for

  closeConnections(code: number, reason: string): void {
    const { ticker, settings } = this.#host;
    const {
      batch = Number.POSITIVE_INFINITY,
      deadline = settings.closeDeadline,
      closePortFirst = false,
    } = this.#underWay?.request ?? {};
    if (closePortFirst) this.#listening.closeEarly();
    const sessions = [...this.#admission.sessions];
    for (const session of sessions) this.#leaving.add(session);
    this.#report.connections = sessions.length;
    ticker.wait(this.#drain, ticker.tick + Ticker.ticks(deadline));
    const close = (session: Session): boolean => {
      if (session.report !== undefined) return false;
      session.requestClose(code, reason);
      return true;
    };
    const isOpen = ({ state }: Session) => state !== 'handshaking';
    refuseAll(
      sessions.filter((session) => !isOpen(session)),
      (session) => session.requestClose(GOING_AWAY, ''),
    );
    const endTick = ticker.tick + Math.floor(Ticker.ticks(deadline) / 2);
    const pace = { batch, endTick, items: sessions.filter(isOpen) };
    this.#pacing = new Pacing({ ticker, clock: settings.clock }, pace, close);
    this.#pacing.start();
    this.tellProgress();
  }

  terminateConnections(): void {
    this.#pacing?.stop();
    this.#report.terminated = this.#leaving.size;
    for (const session of [...this.#admission.sessions]) session.requestTerminate();
    // Handlers of `onClose` have begun just now; they are not waited for either.
    this.#report.handlers = this.#pendingHandlers;
    this.#pendingHandlers = 0;
    this.#life++;
  }

  endLatecomers(): void {
    refuseAll(this.#admission.sessions, (session) => {
      session.requestClose(GOING_AWAY, '');
      session.requestTerminate();
    });
  }

  settle(): void {
    this.#pacing?.stop();
    this.#host.ticker.forget(this.#drain);
    const [underWay, report] = [this.#underWay, this.#report];
    this.#underWay = undefined;
    // A port that was lost may still be in the middle of being closed.
    void this.#listening.closed.then(() => {
      underWay?.release?.();
      underWay?.done.settle(report);
    });
  }

  /** Tells the machine what is left; it asks for that only while it drains. */
  tellProgress(): void {
    if (this.#host.state !== 'draining') return;
    this.#host.actor.send({
      type: 'drain.progress',
      leaving: this.#leaving.size,
      handlers: this.#pendingHandlers,
      connections: this.#admission.sessions.size,
    });
  }

  // ------------------------------------------------------------------ what is counted

  /** A connection has ended. */
  left(session: Session): void {
    if (this.#host.state !== 'draining') return;
    this.#leaving.delete(session);
    if (session.accepted === undefined && session.asked === 'something') this.#report.refused++;
  }

  /** A handler's promise is pending; returns what `handlerEnded` is to be told. */
  handlerBegan(): number {
    this.#pendingHandlers++;
    return this.#life;
  }

  /** A handler's promise has settled. One that was given up counts no more. */
  handlerEnded(life: number): void {
    if (life !== this.#life) return;
    this.#pendingHandlers--;
    this.tellProgress();
  }
}
