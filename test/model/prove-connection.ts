/**
 * A connection machine, the one in production or another, against recording ports and the specification.
 */
import { createActor } from 'xstate';
import type { ConnectionMachine } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { RecordingConnectionPort, wordsOfReport } from '../support/recording-port.ts';
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
  /** What the actors run, if not the machine alone: the machine with the shortcut. */
  readonly logic?: ConnectionMachine;
  /** The ports say that somebody inspects. */
  readonly inspected?: boolean;
  /** Stop at the first path that disagrees. */
  readonly hasty?: boolean;
}

class ConnectionLife implements Life<ConnectionEvent> {
  readonly told: string[] = [];
  readonly #oracle = new ConnectionOracle();
  readonly #port: RecordingConnectionPort;
  readonly #actor;

  constructor(machine: ConnectionMachine, { logic = machine, inspected = false }: ConnectionOptions) {
    this.#port = new RecordingConnectionPort({ inspected });
    this.#actor = createActor(logic, { input: { port: this.#port } });
    this.#actor.subscribe({ error: (error) => this.told.push(`error ${String(error)}`) });
    this.#actor.start();
    this.#expect('the beginning', []);
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
    const { leaf, report } = this.#oracle;
    const { status, output, context } = this.snapshot;
    const made = this.#port.takeCalls();
    this.told.push(...made);
    agree(`calls at ${event}`, made, calls);
    agree(`state after ${event}`, leafOf(this.snapshot), leaf);
    agree(`report after ${event}`, wordsOfReport(context.report), report);
    agree(`status after ${event}`, status, leaf === 'closed' ? 'done' : 'active');
    agree(`output after ${event}`, output && wordsOfReport(output), leaf === 'closed' ? report : undefined);
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
