/**
 * The actor of a connection that nobody watches: a place in the step table, a mailbox, and the context.
 *
 * It does what XState's actor does with the same machine: one event at a time, each run to completion; what actions
 * send waits its turn; the end is told to the parent. What it leaves out is what only a watcher needs: snapshots,
 * observers, a place in the actor system. When somebody wants to watch, an actor of XState's own takes over in the
 * state that the connection is in, and from then on every event goes there.
 */
import { type AnyEventObject, matchesState, type SnapshotStatus, type StateValue } from 'xstate';
import { connectionMachine, LOST } from './connection-machine.ts';
import type { CloseReport, ConnectionEvent, ConnectionPort } from './connection-ports.ts';
import { type Place, type StepContext, stepTable } from './step-table.ts';

const FIRST = stepTable(connectionMachine);

/** Who is told of the end, by the events with which XState tells a parent. */
export interface Parent {
  send(event: AnyEventObject): void;
}

/** The actor that takes over. */
export interface Successor {
  /** Before it has started, it keeps what it is sent. */
  send(event: ConnectionEvent): void;
  start(): unknown;
  getSnapshot(): { readonly value: StateValue; readonly status: SnapshotStatus };
}

export class Interpreter implements StepContext {
  readonly port: ConnectionPort;
  report: CloseReport = LOST;

  readonly #parent: Parent;
  #place: Place;
  #isBusy = false;
  /** What an action threw. */
  #fault: { readonly error: unknown } | undefined;
  #mailbox: ConnectionEvent[] | undefined;
  #successor: Successor | undefined;

  constructor(port: ConnectionPort, parent: Parent, first = FIRST) {
    this.port = port;
    this.#parent = parent;
    this.#place = first;
  }

  /** The state as XState writes it: `{ closing: { local: 'idle' } }`. While an event is handled, where that leads. */
  get value(): StateValue {
    return this.#successor === undefined ? this.#place.value : this.#successor.getSnapshot().value;
  }

  /** `done` in the final state, `error` when an action broke. */
  get status(): SnapshotStatus {
    if (this.#successor !== undefined) return this.#successor.getSnapshot().status;
    if (this.#fault !== undefined) return 'error';
    return this.#place.isFinal ? 'done' : 'active';
  }

  /** What broke it, in a box. */
  get fault(): { readonly error: unknown } | undefined {
    return this.#fault;
  }

  /** Whether it is in that state, or in one inside of it. */
  matches(value: StateValue): boolean {
    return matchesState(value, this.value);
  }

  /** Sends an event; one that comes while another is handled waits until that is done. */
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

  /** From now on all events go to `successor`, those that wait first; it starts when the one in hand is done. */
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
    // A successor tells of its end by itself.
    if (this.#successor !== undefined) this.#successor.start();
    else if (this.#fault !== undefined)
      this.#parent.send({ type: 'xstate.error.actor.connection', error: this.#fault.error });
    else if (this.#place.isFinal)
      this.#parent.send({ type: 'xstate.done.actor.connection', output: this.report });
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
    const branches = this.#place.steps.get(event.type);
    if (branches === undefined) return;
    for (const { guard, effects, target } of branches) {
      if (guard !== undefined && !guard(event)) continue;
      if (target !== undefined) this.#place = target;
      for (let i = 0; i < effects.length; i++) (effects[i] as (typeof effects)[number])(this, event);
      return;
    }
  }
}
