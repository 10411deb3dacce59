/**
 * Sending of one connection: whether a message may go, who waits for the queue to drain, and what the outbox tells.
 */
import { type Fault, fault } from '../io/faults.ts';
import { PING, PONG } from '../io/frames/frame-encoder.ts';
import type { Transport } from '../io/transports/transport.ts';
import { Outbox, type OutboxOwner } from '../io/writing/outbox.ts';
import type { CloseReport, ConnectionState } from '../machines/connection-ports.ts';
import type { Shared } from './host.ts';
import type { Recipient } from './recipient.ts';

/** What sending needs of its connection. */
export interface SendingOwner {
  readonly recipient: Recipient;
  readonly state: ConnectionState;
  readonly report: CloseReport | undefined;
  readonly deadlines: { writing(waiting: boolean): void };
  countMemory(): void;
  /** A limit was passed by what we send. */
  fail(breach: Fault): void;
  onError(error: Error): void;
}

export class Sending implements OutboxOwner {
  readonly outbox: Outbox;
  /** Settles when the last message begun by `sendFragments` is out. */
  fragmentsTurn: Promise<void> | undefined;

  readonly #session: SendingOwner;
  readonly #host: Shared;
  #isSealed = false;
  #drainWaiters: (() => void)[] | undefined;
  #closedWaiters: Set<() => void> | undefined;

  constructor(session: SendingOwner, host: Shared, transport: Transport) {
    this.#session = session;
    this.#host = host;
    this.outbox = new Outbox(transport, host.settings, host.turn, this);
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
    this.#session.countMemory();
  }

  onWaiting(): void {
    this.#session.deadlines.writing(true);
    this.#session.countMemory();
  }

  onQueued(): void {
    this.#session.countMemory();
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
