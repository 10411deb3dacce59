/**
 * The end of one connection, as its user gets to know it: by the abort signal as soon as the end is certain, and by the news
 * that it has ended. Messages that came before the end are delivered before that news, or for a second at most.
 */
import type { Ticker } from '../io/time/ticker.ts';
import type { CloseReport } from '../machines/connection-ports.ts';
import { LateEnd } from './late-end.ts';

/** Whom the end is told. */
export interface EndingOwner {
  readonly recipient: { exhausted(): void };
  /** How the connection has ended; undefined before. */
  readonly report: CloseReport | undefined;
  /** The connection has ended. `hasMore`: messages follow that came before the end. */
  tellEnd(report: CloseReport, hasMore: boolean): void;
}

export class Ending {
  readonly #owner: EndingOwner;
  readonly #ticker: Ticker;
  /** How it will end, known before it has ended: the peer sent a Close, or we failed the connection. */
  #fate: CloseReport | undefined;
  /** Made when somebody asks for its signal. */
  #abort: AbortController | undefined;
  /** While messages that came before the end wait. */
  #late: LateEnd | undefined;

  constructor(owner: EndingOwner, ticker: Ticker) {
    this.#owner = owner;
    this.#ticker = ticker;
  }

  /**
   * Aborts when the connection has ended, or as soon as its end is certain: the peer sent a Close, or the connection
   * failed. The reason is the report.
   */
  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      const report = this.#owner.report ?? this.#fate;
      if (report !== undefined) this.#abort.abort(report);
    }
    return this.#abort.signal;
  }

  /** Whether an error comes from the signal: it is the signal's reason, or an AbortError after the abort. */
  isAbort(error: unknown): boolean {
    if (this.#abort?.signal.aborted !== true) return false;
    return error === this.#abort.signal.reason || (error instanceof Error && error.name === 'AbortError');
  }

  /** It is certain how the connection will end: work for the peer may stop. The first report counts. */
  foresee(report: CloseReport): void {
    this.#fate ??= report;
    this.#abort?.abort(this.#fate);
  }

  /** The report of the end: the one that was foreseen, where it says the same. */
  sameAs(report: CloseReport): CloseReport {
    const fate = this.#fate;
    if (fate === undefined) return report;
    const isSame =
      fate.code === report.code &&
      fate.reason === report.reason &&
      fate.wasClean === report.wasClean &&
      fate.initiator === report.initiator;
    return isSame ? fate : report;
  }

  /** The connection has ended. `hasWaiting`: messages that came before still wait, so the news of the end waits, too. */
  finish(report: CloseReport, hasWaiting: boolean): void {
    this.foresee(report);
    if (hasWaiting) this.#late = new LateEnd(this.#ticker, () => this.#owner.tellEnd(report, true));
    else this.#owner.tellEnd(report, false);
  }

  /** Whether the user was told of the end. */
  get isTold(): boolean {
    return this.#owner.report !== undefined && this.#late?.isTold !== false;
  }

  /** Whether the connection has ended and no message follows. */
  get isExhausted(): boolean {
    return this.#owner.report !== undefined && this.#late === undefined;
  }

  /** No message that came before the end waits any more. */
  exhausted(): void {
    const late = this.#late;
    const { report } = this.#owner;
    if (late === undefined || report === undefined) return;
    this.#late = undefined;
    if (late.cancel()) this.#owner.tellEnd(report, false);
    else this.#owner.recipient.exhausted();
  }
}
