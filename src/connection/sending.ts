/**
 * Sending of one connection: whether a message may go, who waits for the queue to drain, and what the outbox tells.
 */
import { fault } from '../io/faults.ts';
import { PING, PONG } from '../io/frames/frame-encoder.ts';
import type { Transport } from '../io/transports/transport.ts';
import { Outbox, type OutboxOwner } from '../io/writing/outbox.ts';
import type { Host } from './host.ts';
import type { Side } from './memory-budget.ts';
import type { Session } from './session.ts';

export class Sending implements OutboxOwner, Side {
  readonly outbox: Outbox;
  /** Settles when the last message begun by `sendFragments` is out. */
  fragmentsTurn: Promise<void> | undefined;

  readonly #session: Session;
  readonly #host: Host;
  #isSealed = false;
  #drainWaiters: (() => void)[] | undefined;
  #closedWaiters: Set<() => void> | undefined;

  constructor(session: Session, host: Host, transport: Transport) {
    this.#session = session;
    this.#host = host;
    this.outbox = new Outbox(transport, host.settings, host.turn, this);
  }

  /** Bytes that wait for the peer. */
  get heldBytes(): number {
    const { waiting, bufferedAmount, queuedBytes } = this.outbox;
    return waiting ? bufferedAmount : queuedBytes;
  }

  get completed(): number {
    return 0;
  }

  /** Bytes that the system has taken. */
  get movedBytes(): number {
    return this.outbox.takenBytes;
  }

  /** The server is short of memory. */
  shed(): void {
    this.#session.shed();
  }

  /** Whether a message may still be sent. */
  get isOpen(): boolean {
    const { state } = this.#session;
    return !this.#isSealed && (state === 'open' || state === 'fragmenting');
  }

  /** Nothing more is sent: the connection is about to close or to fail. */
  seal(): void {
    this.#isSealed = true;
    for (const tell of this.#closedWaiters ?? []) tell();
  }

  /** Calls once nothing more may be sent; returns what forgets that. */
  whenClosed(tell: () => void): () => void {
    const waiters = this.#closedWaiters ?? new Set();
    this.#closedWaiters = waiters;
    waiters.add(tell);
    return () => void waiters.delete(tell);
  }

  /** False when the connection takes nothing more, or too many Pings wait. */
  ping(payload: Uint8Array): boolean {
    return this.isOpen && this.outbox.control(PING, payload);
  }

  pong(payload: Uint8Array): boolean {
    return this.isOpen && this.outbox.control(PONG, payload);
  }

  /** Resolves when nothing waits for the peer, or the connection has ended. */
  drained(): Promise<void> {
    if (this.#session.report !== undefined || this.outbox.bufferedAmount === 0) return Promise.resolve();
    // What this turn has not written yet may leave at once.
    this.outbox.flush();
    if (!this.outbox.waiting) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  /** The connection has ended. */
  release(): void {
    this.outbox.release();
    this.#settleDrained();
  }

  #settleDrained(): void {
    const waiters = this.#drainWaiters;
    this.#drainWaiters = undefined;
    for (const resolve of waiters ?? []) resolve();
  }

  // ------------------------------------------------------------------ what the transport and the outbox tell

  /** All that was given to the transport has left. */
  transportDrained(): void {
    this.outbox.onDrain();
    this.#session.deadlines.writing(this.outbox.waiting);
    this.#session.countSending();
  }

  onWaiting(): void {
    this.#session.deadlines.writing(true);
    this.#session.countSending();
  }

  onQueued(): void {
    this.#session.countSending();
  }

  onDrained(): void {
    this.#settleDrained();
    this.#session.recipient.drained();
  }

  onOverflow(): void {
    this.#session.fail(fault('sendLimit', { bytes: this.#host.settings.sendLimit }));
  }

  onBroken(error: unknown): void {
    this.#session.onError(error instanceof Error ? error : new Error(String(error)));
  }
}
