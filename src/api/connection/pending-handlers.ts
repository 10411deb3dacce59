/**
 * The promises of one connection's handlers that are pending. While there is one, no message is delivered, and a stop of
 * the server waits. One that is pending for long is likely a mistake, so it is told: once for each path.
 *
 * A handler that reads by `for await` is pending for as long as it reads; it holds nothing back and is not told.
 */
import type { Reading } from '../../connection/reading.ts';
import { Ticker, type Waiting } from '../../io/time/ticker.ts';
import type { Path } from '../paths/path.ts';

/** Handlers that a stop waits for, and the time by which they are watched. */
export interface HandlerHost {
  readonly ticker: Ticker;
  /** Milliseconds after which a pending handler is told. */
  readonly handlerWarning: number;
  /** A handler's promise is pending; returns what `handlerEnded` is to be told. */
  handlerBegan(): number;
  handlerEnded(began: number): void;
}

export class PendingHandlers implements Waiting {
  /** Set once; then it stays in the ticker until it falls due, whatever begins and ends meanwhile. */
  dueTick = -1;
  readonly #host: HandlerHost;
  readonly #path: Path;
  /** Set while a handler is pending: the ticker must not keep the connection of one that has settled. */
  #busy: Reading | undefined;
  #count = 0;
  #sinceTick = 0;

  constructor(host: HandlerHost, path: Path) {
    this.#host = host;
    this.#path = path;
  }

  /** Waits for a handler's promise; `failed` is told of its rejection. A thenable of the user's may settle twice. */
  wait(reading: Reading, result: PromiseLike<unknown>, failed: (error: unknown) => void): void {
    const began = this.#began(reading);
    Promise.resolve(result).then(
      () => this.#ended(began),
      (error: unknown) => {
        this.#ended(began);
        failed(error);
      },
    );
  }

  /** The same, and the next message waits, too. */
  waitHolding(reading: Reading, result: PromiseLike<unknown>, failed: (error: unknown) => void): void {
    reading.hold().handling(1);
    const began = this.#began(reading);
    const settled = (): void => {
      reading.hold().handling(-1);
      this.#ended(began);
    };
    Promise.resolve(result).then(
      () => {
        settled();
        reading.readAgain();
      },
      (error: unknown) => {
        settled();
        failed(error);
        reading.readAgain();
      },
    );
  }

  /** A handler's promise is pending; returns what `#ended` is to be told. */
  #began(reading: Reading): number {
    this.#busy = reading;
    const { ticker, handlerWarning } = this.#host;
    if (this.#count++ === 0) this.#sinceTick = ticker.present;
    if (this.dueTick < 0 && !this.#path.isSlowTold) {
      ticker.wait(this, this.#sinceTick + Ticker.ticks(handlerWarning));
    }
    return this.#host.handlerBegan();
  }

  #ended(began: number): void {
    if (--this.#count === 0) this.#busy = undefined;
    this.#host.handlerEnded(began);
  }

  onDue(tick: number): void {
    if (this.#busy === undefined || this.#path.isSlowTold) return;
    const dueTick = this.#sinceTick + Ticker.ticks(this.#host.handlerWarning);
    if (dueTick > tick) this.#host.ticker.wait(this, dueTick);
    else if (!this.#busy.isIterated) this.#tell();
  }

  #tell(): void {
    this.#path.isSlowTold = true;
    const seconds = this.#host.handlerWarning / 1000;
    const text =
      `a handler of ${this.#path.pattern} has been pending for ${seconds} s; until its promise settles, its connection ` +
      'gets no further message. Await with a time limit and with connection.signal, or raise the option handlerWarning. ' +
      '(Said once for each path.)';
    process.emitWarning(text, 'PortalWarning');
  }
}
