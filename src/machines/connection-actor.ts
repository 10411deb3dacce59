/**
 * XState's own actor of a connection, for those who watch.
 *
 * Most connections are watched by nobody, and an actor costs more than a kilobyte and 10 µs. So they run in an
 * `Interpreter` until somebody asks for `connection.actor`, or inspects. Then an actor goes on from there, below the
 * server's actor, with the same port; it stays until the connection ends.
 *
 * The actor takes its steps from the same table as the interpreter. Its logic is the machine with another `transition`:
 * that runs the step's actions at once, as XState does, and returns the next snapshot, or the same one where nothing
 * has changed. So subscribers, `waitFor` and inspectors see what XState's own transition would show them; only the
 * inspection events `@xstate.microstep` and `@xstate.action` are missing.
 */
import { type Actor, createActor, matchesState, type SnapshotFrom, type SnapshotStatus } from 'xstate';
import {
  type ConnectionActor,
  type ConnectionContext,
  type ConnectionMachine,
  connectionMachine,
  finalReport,
} from './connection-machine.ts';
import type { ConnectionFacts } from './connection-ports.ts';
import type { Interpreter } from './interpreter.ts';
import type { serverMachine } from './server-machine.ts';
import { FIRST_STATE, runEffects, stepFor, stepTable, type TableState } from './step-table.ts';

type ConnectionSnapshot = SnapshotFrom<ConnectionMachine>;

/** What `takeOver` and `restoreSnapshot` begin with; the rest of a snapshot follows from it. */
interface Beginning {
  readonly status: SnapshotStatus;
  readonly value: ConnectionSnapshot['value'];
  readonly context: ConnectionContext;
  readonly error?: unknown;
}

/** The one id of all connection actors: XState keeps every event type it has seen, and tells an actor's end by its id. */
const ID = 'connection';

/** The logic of an actor that runs `machine` along its step table. */
export function tableLogic(machine: ConnectionMachine, first: TableState = stepTable(machine)) {
  const snapshots = new Snapshots(machine, first);

  const getInitialSnapshot: ConnectionMachine['getInitialSnapshot'] = (_scope, input) => {
    if (input === undefined) throw new TypeError('the actor of a connection needs its port as input');
    return snapshots.at(first, { port: input.port, report: undefined });
  };

  const restoreSnapshot: ConnectionMachine['restoreSnapshot'] = (snapshot) => {
    const { status, value, context, error } = snapshot as unknown as Beginning;
    if (typeof context.port.finish !== 'function') {
      throw new TypeError('a connection cannot be restored: its socket is gone');
    }
    const whole = snapshots.at(snapshots.stateAt(value), context);
    return status === 'error' ? ({ ...whole, status, error } as unknown as ConnectionSnapshot) : whole;
  };

  const transition: ConnectionMachine['transition'] = (snapshot, event) => {
    if ((event.type as string) === 'xstate.stop')
      return { ...snapshot, status: 'stopped' } as unknown as ConnectionSnapshot;
    const { context } = snapshot;
    const state = snapshots.stateOf(snapshot);
    const next = { port: context.port, report: context.report };
    try {
      const step = stepFor(state, event);
      if (step === undefined) return snapshot;
      runEffects(step, next, event);
      const target = step.target ?? state;
      return target === state && next.report === context.report ? snapshot : snapshots.at(target, next);
    } catch (error) {
      // XState ends the actor; the port ends the connection.
      context.port.broke(error);
      throw error;
    }
  };

  return Object.create(machine, {
    getInitialSnapshot: { value: getInitialSnapshot },
    restoreSnapshot: { value: restoreSnapshot },
    transition: { value: transition },
  }) as ConnectionMachine;
}

/** Machine snapshots for the states of a table. */
class Snapshots {
  /** A snapshot for each state, made once; what a context adds is put on a copy. */
  readonly #templates = new Map<TableState, ConnectionSnapshot>();
  /** The state for the `value` that its snapshots have. */
  readonly #states = new Map<unknown, TableState>();

  constructor(machine: ConnectionMachine, first: TableState) {
    const states = new Set([first]);
    for (const state of states) {
      const template = machine.resolveState({ value: state.value, context: {} as ConnectionContext });
      this.#templates.set(state, { ...template, value: state.value } as ConnectionSnapshot);
      this.#states.set(state.value, state);
      for (const steps of state.steps.values())
        for (const { target } of steps) if (target !== undefined) states.add(target);
    }
  }

  at(state: TableState, context: ConnectionContext): ConnectionSnapshot {
    const template = this.#templates.get(state);
    const output = state.isFinal ? finalReport(context) : undefined;
    return { ...template, context, output } as ConnectionSnapshot;
  }

  /** The state of a snapshot that was made here. */
  stateOf({ value }: ConnectionSnapshot): TableState {
    return this.#states.get(value) as TableState; // every snapshot of these actors is made here
  }

  /** @throws TypeError when the machine has no such leaf state. */
  stateAt(value: ConnectionSnapshot['value']): TableState {
    for (const state of this.#states.values()) if (matchesState(value, state.value)) return state;
    throw new TypeError(`the machine has no state ${JSON.stringify(value)}`);
  }
}

/** The logic of every connection's actor. */
export const connectionLogic = tableLogic(connectionMachine, FIRST_STATE);

/**
 * Makes the actor that goes on from where `interpreter` is, and hands over to it. Called in the middle of an event, the
 * actor starts when that event is done.
 */
export function takeOver(interpreter: Interpreter, parent: Actor<typeof serverMachine>): ConnectionActor {
  const { port, report, value, status, fault } = interpreter;
  const snapshot = { status, value, context: { port, report }, error: fault?.error };
  const logic = Object.create(connectionLogic, {
    start: {
      value: () => {
        // An action threw after the actor was made and before its event was done: the actor starts in `error`.
        if (interpreter.fault !== undefined) throw interpreter.fault.error;
      },
    },
  }) as ConnectionMachine;
  const actor = createActor(logic, {
    id: ID,
    parent,
    input: { port },
    snapshot: snapshot as unknown as ConnectionSnapshot,
  });
  // Inspectors show the id as the actor's name. XState reads it when the connection has ended, to name that event.
  Object.defineProperty(actor, 'id', {
    get: () => (actor.getSnapshot().status === 'active' ? connectionName(port.toJSON()) : ID),
  });
  interpreter.handOver(actor);
  return actor;
}

/** What inspectors call a connection: `connection 7 /echo`; without the path until it is known. */
export function connectionName({ id, path }: ConnectionFacts): string {
  return path === '' ? `connection ${id}` : `connection ${id} ${path}`;
}
