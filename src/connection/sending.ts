/**
 * Sending of one connection: whether a message may go, who waits for the queue to drain, and what the outbox tells.
 */
import { type Fault, fault } from '../io/faults.ts';
import { PING, PONG } from '../io/frames/frame-encoder.ts';
import type { Transport } from '../io/transports/transport.ts';
import { Outbox } from '../io/writing/outbox.ts';
import type { OutboxOwner, Sliced } from '../io/writing/outbox-ports.ts';
import type { CloseReport, ConnectionState } from '../machines/connection-ports.ts';
import type { Shared } from './host.ts';
import type { Side } from './memory-budget.ts';
import type { Recipient } from './recipient.ts';

/** What sending needs of its connection. */
export interface SendingOwner {
  readonly recipient: Recipient;
  readonly state: ConnectionState;
  readonly report: CloseReport | undefined;
  readonly deadlines: { writing(waiting: boolean): void };
  /** Counts what waits for the peer. */
  countSending(): void;
  shed(): void;
  /** A limit was passed by what we send. */
  fail(breach: Fault): void;
  onError(error: Error): void;
}

/** Servers, by their settings, that were told of a message that can never be sent. */
const toldOf = new WeakSet<object>();

/** A message that is sent in fragments and is not complete. */
export interface Unfinished {
  /** All of it is here, and only has to be encoded. */
  readonly isWhole: boolean;
  /** Takes the pieces that are there, if that completes it. */
  finishNow(): void;
}

/** Many members: what the outbox, the budget, the machine and the user each ask of the sending side. */
export class Sending implements OutboxOwner, Side {
  readonly outbox: Outbox;

  readonly #session: SendingOwner;
  readonly #host: Shared;
  #isSealed = false;
  #drainWaiters: (() => void)[] | undefined;
  #acceptWaiters: (() => void)[] | undefined;
  #closedWaiters: Set<() => void> | undefined;
  /** Messages of `sendFragments` whose pieces have not all come, in order. */
  #unfinished: Set<Unfinished> | undefined;
  /** The transport stopped accepting within the running callback: the peer has not had time to read. */
  #isBurst = false;

  constructor(session: SendingOwner, host: Shared, transport: Transport) {
    this.#session = session;
    this.#host = host;
    this.outbox = new Outbox(transport, host.settings, host.turn, this);
  }

  get sendLimit(): number {
    return this.#host.settings.sendLimit;
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

  /** Our Close follows what was sent until now; nothing more is accepted. */
  sealForClose(): void {
    if (!this.#isSealed) for (const message of this.#unfinished ?? []) message.finishNow();
    this.seal();
  }

  encodeNow(): void {
    for (const message of this.#unfinished ?? []) if (message.isWhole) message.finishNow();
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

  /** A message in fragments has begun, and may have to be finished at once; returns what forgets it. */
  begin(message: Unfinished): () => void {
    const messages = this.#unfinished ?? new Set();
    this.#unfinished = messages;
    messages.add(message);
    return () => void messages.delete(message);
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
    if (!this.outbox.waiting && this.outbox.queuedBytes === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drainWaiters ??= [];
      this.#drainWaiters.push(resolve);
    });
  }

  /** Resolves when the transport accepts bytes again. */
  accepting(): Promise<void> {
    return new Promise((resolve) => {
      this.#acceptWaiters ??= [];
      this.#acceptWaiters.push(resolve);
    });
  }

  /** Does a piece of work in a later turn of the event loop; resolves when it is done. */
  inTurn(work: () => void): Promise<void> {
    return new Promise((resolve) => {
      const onTurn = (): void => {
        work();
        resolve();
      };
      this.#host.turns.wait({ onTurn });
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
    const { waiting } = this.outbox;
    this.#session.deadlines.writing(waiting);
    this.#session.countSending();
    if (waiting) return;
    const waiters = this.#acceptWaiters;
    this.#acceptWaiters = undefined;
    for (const tell of waiters ?? []) tell();
  }

  onWaiting(): void {
    if (!this.#isBurst) {
      this.#isBurst = true;
      queueMicrotask(() => {
        this.#isBurst = false;
      });
    }
    this.#session.deadlines.writing(true);
    this.#session.countSending();
  }

  onQueued(): void {
    this.#session.countSending();
  }

  onSliced(message: Sliced): void {
    message.begin((work) => this.#host.turns.wait(work), this.begin(message));
  }

  onDrained(): void {
    this.#settleDrained();
    this.#session.recipient.drained();
  }

  /** Says who is to blame: the peer only if it has had time to read. */
  onOverflow(): void {
    const { waiting, unfinished } = this.outbox;
    const bytes = this.sendLimit;
    if (unfinished !== undefined && !waiting) this.#session.fail(fault('unfinishedMessage', { bytes }));
    else this.#session.fail(fault(this.#isBurst ? 'sendBurst' : 'sendLimit', { bytes }));
  }

  onTooLarge(error: RangeError): void {
    const { settings } = this.#host;
    if (toldOf.has(settings)) return;
    toldOf.add(settings);
    this.#session.recipient.tooLarge(error);
  }

  onBroken(error: unknown): void {
    this.#session.onError(error instanceof Error ? error : new Error(String(error)));
  }
}
