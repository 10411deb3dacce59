/**
 * A connection machine, the one in production or another, against recording ports and the specification.
 */
import { type AnyEventObject, createActor } from 'xstate';
import { tableLogic } from '../../src/machines/connection-actor.ts';
import type { ConnectionMachine } from '../../src/machines/connection-machine.ts';
import { finalReport } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { Interpreter } from '../../src/machines/interpreter.ts';
import { stepTable } from '../../src/machines/step-table.ts';
import { NO_REPORT, RecordingConnectionPort, wordsOfReport } from '../support/recording-port.ts';
import { connectionPaths, type Snapshot } from './connection-model.ts';
import {
  ConnectionOracle,
  connectionSpec,
  EVENT_TYPES,
  LEAVES,
  nameOfEvent,
  SAMPLES,
} from './connection-spec.ts';
import { agree, type Life, type Proof, prove, proveAlong, type Subject, waysThrough } from './prove.ts';
import { leafOf } from './triples.ts';

export interface ConnectionOptions {
  /**
   * What runs the connections: XState's own transition (the default), the actor that takes its steps from the machine's
   * table, or the interpreter, which does so too.
   */
  readonly host?: 'XState' | 'actor' | 'interpreter';
  /** Stop at the first path that disagrees. */
  readonly hasty?: boolean;
}

/** What runs a connection, seen from outside. */
interface Running {
  send(event: ConnectionEvent): void;
  getSnapshot(): Snapshot;
}

class ConnectionLife implements Life<ConnectionEvent> {
  readonly told: string[] = [];
  readonly #oracle = new ConnectionOracle();
  readonly #port: RecordingConnectionPort;
  readonly #actor: Running;
  /** What a parent was told by the interpreter. */
  readonly ends: AnyEventObject[] = [];

  constructor(machine: ConnectionMachine, { host = 'XState' }: ConnectionOptions) {
    this.#port = new RecordingConnectionPort();
    if (host === 'interpreter') this.#actor = this.#interpret(machine);
    else this.#actor = this.#act(host === 'actor' ? tableLogic(machine) : machine);
    this.#expect('the beginning', []);
  }

  #act(logic: ConnectionMachine): Running {
    const actor = createActor(logic, { input: { port: this.#port } });
    actor.subscribe({ error: (error) => this.told.push(`error ${String(error)}`) });
    return actor.start();
  }

  #interpret(machine: ConnectionMachine): Running {
    const parent = { send: (event: AnyEventObject) => this.ends.push(event) };
    const interpreter = new Interpreter(this.#port, parent, stepTable(machine));
    return {
      send: (event) => interpreter.send(event),
      getSnapshot: () => {
        const { value, report, port, status } = interpreter;
        const output = status === 'done' ? finalReport(interpreter) : undefined;
        return machine.resolveState({
          value,
          status,
          context: { port, report },
          output,
        } as never) as Snapshot;
      },
    };
  }

  get snapshot(): Snapshot {
    return this.#actor.getSnapshot();
  }

  take(event: ConnectionEvent): void {
    const calls = this.#oracle.take(event);
    this.#actor.send(event);
    this.#expect(nameOfEvent(event), calls);
  }

  #expect(event: string, calls: readonly string[]): void {
    const { leaf, report = NO_REPORT, finalReport: final } = this.#oracle;
    const { status, output, context } = this.snapshot;
    const made = this.#port.takeCalls();
    this.told.push(...made);
    agree(`calls at ${event}`, made, calls);
    agree(`state after ${event}`, leafOf(this.snapshot), leaf);
    agree(`report after ${event}`, wordsOfReport(context.report), report);
    agree(`status after ${event}`, status, leaf === 'closed' ? 'done' : 'active');
    agree(`output after ${event}`, output && wordsOfReport(output), leaf === 'closed' ? final : undefined);
  }
}

function subjectOf(machine: ConnectionMachine, options: ConnectionOptions): Subject<ConnectionEvent> {
  return {
    machine,
    eventTypes: EVENT_TYPES,
    paths: () => connectionPaths(machine) as unknown as ReturnType<Subject<ConnectionEvent>['paths']>,
    nameOf: nameOfEvent,
    newLife: () => new ConnectionLife(machine, options),
  };
}

/** Proves a machine along its own graph. */
export function proveConnection(machine: ConnectionMachine, options: ConnectionOptions = {}): Promise<Proof> {
  return prove(subjectOf(machine, options), options.hasty);
}

const WAYS = waysThrough(LEAVES[0], SAMPLES, (leaf, name) => connectionSpec[leaf as 'open'][name]?.to);

/** Proves a machine along the specification's graph. */
export function proveConnectionAlongSpec(
  machine: ConnectionMachine,
  options: ConnectionOptions = {},
): string[] {
  return proveAlong(WAYS, subjectOf(machine, options), options.hasty);
}
