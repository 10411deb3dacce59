/**
 * Runs a connection that nobody watches: a state of the step table, a mailbox, and the machine's context.
 *
 * It does what XState's actor does with the same machine: one event at a time, each run to completion; an event that an
 * action sends waits for its turn; the parent is told of the end. It leaves out what only a watcher needs: snapshots,
 * observers, a place in the actor system. When somebody wants to watch, XState's own actor takes over in the state that
 * the connection is in (`connection-actor.ts`). It takes its steps from the same table, and from then on it gets every
 * event.
 */
import { type AnyEventObject, matchesState, type SnapshotStatus, type StateValue } from 'xstate';
import { finalReport } from './connection-machine.ts';
import type { CloseReport, ConnectionEvent, ConnectionPort } from './connection-ports.ts';
import { FIRST_STATE, runEffects, type StepContext, stepFor, type TableState } from './step-table.ts';

/** Who is told of the end, by the events with which XState tells a parent. */
export interface Parent {
  send(event: AnyEventObject): void;
}

/** The actor that takes over. */
export interface Successor {
  /** Keeps the event until the actor has started. */
  send(event: ConnectionEvent): void;
  start(): unknown;
  getSnapshot(): { readonly value: StateValue; readonly status: SnapshotStatus };
}

export class Interpreter implements StepContext {
  readonly port: ConnectionPort;
  report: CloseReport | undefined = undefined;

  readonly #parent: Parent;
  #state: TableState;
  #isBusy = false;
  /** What an action threw. */
  #fault: { readonly error: unknown } | undefined;
  #mailbox: ConnectionEvent[] | undefined;
  #successor: Successor | undefined;

  constructor(port: ConnectionPort, parent: Parent, first = FIRST_STATE) {
    this.port = port;
    this.#parent = parent;
    this.#state = first;
  }

  /** The state as XState writes it: `{ closing: { local: 'idle' } }`. During a step it is the state that this leads to. */
  get value(): StateValue {
    return this.#successor === undefined ? this.#state.value : this.#successor.getSnapshot().value;
  }

  /** `done` in the final state, `error` after an action threw. */
  get status(): SnapshotStatus {
    if (this.#successor !== undefined) return this.#successor.getSnapshot().status;
    if (this.#fault !== undefined) return 'error';
    return this.#state.isFinal ? 'done' : 'active';
  }

  /** What an action threw; an object around it, since anything can be thrown. */
  get fault(): { readonly error: unknown } | undefined {
    return this.#fault;
  }

  /** Whether it is in this state, or in one inside it. */
  matches(value: StateValue): boolean {
    return matchesState(value, this.value);
  }

  /** Sends an event. One that comes while another is handled waits until that is done. */
  send(event: ConnectionEvent): void {
    if (this.#successor !== undefined) {
      this.#successor.send(event);
    } else if (this.#isBusy) {
      this.#mailbox ??= [];
      this.#mailbox.push(event);
    } else if (this.status === 'active') {
      this.#run(event);
    }
  }

  /**
   * From now on `successor` gets every event, first those that wait here. It starts at once, or, if this is called in
   * the middle of an event, when that event is done.
   */
  handOver(successor: Successor): void {
    this.#successor = successor;
    for (const event of this.#mailbox ?? []) successor.send(event);
    this.#mailbox = undefined;
    if (!this.#isBusy) successor.start();
  }

  #run(first: ConnectionEvent): void {
    this.#isBusy = true;
    try {
      for (let event: ConnectionEvent | undefined = first; event !== undefined; event = this.#next()) {
        this.#step(event);
      }
    } catch (error) {
      this.#break(error);
    }
    this.#isBusy = false;
    // The successor, if there is one, tells the parent of its end by itself.
    if (this.#successor !== undefined) this.#successor.start();
    else if (this.#fault !== undefined)
      this.#parent.send({ type: 'xstate.error.actor.connection', error: this.#fault.error });
    else if (this.#state.isFinal)
      this.#parent.send({ type: 'xstate.done.actor.connection', output: finalReport(this) });
  }

  #break(error: unknown): void {
    this.#fault = { error };
    try {
      this.port.broke(error);
    } catch (second) {
      this.#fault = { error: second };
    }
    this.#mailbox = undefined;
  }

  #next(): ConnectionEvent | undefined {
    const next = this.#mailbox?.shift();
    if (this.#mailbox?.length === 0) this.#mailbox = undefined;
    return next;
  }

  #step(event: ConnectionEvent): void {
    const step = stepFor(this.#state, event);
    if (step === undefined) return;
    if (step.target !== undefined) this.#state = step.target;
    runEffects(step, this, event);
  }
}
