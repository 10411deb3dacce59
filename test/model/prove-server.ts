/**
 * A server machine, the one in production or another, against recording ports and the specification; and its model,
 * by `createTestModel` of `xstate/graph`.
 */
import { createActor, type SnapshotFrom } from 'xstate';
import { createTestModel } from 'xstate/graph';
import type { ServerMachine } from '../../src/machines/server-machine.ts';
import type { ServerEvent } from '../../src/machines/server-ports.ts';
import { RecordingServerPort } from '../support/recording-port.ts';
import { agree, type Life, type Proof, prove, proveAlong, type Subject, waysThrough } from './prove.ts';
import {
  nameOfServerEvent,
  SERVER_EVENT_TYPES,
  SERVER_SAMPLES,
  SERVER_STATES,
  type ServerLeaf,
  ServerOracle,
  serverSpec,
} from './server-spec.ts';
import { leafOf } from './triples.ts';

type Snapshot = SnapshotFrom<ServerMachine>;

function wordsOfSnapshot(snapshot: Snapshot): string {
  return `${leafOf(snapshot)}, ${snapshot.context.error?.message ?? ''}`;
}

function serializeState(state: Snapshot, event?: ServerEvent, previous?: Snapshot): string {
  const from = previous === undefined ? '' : ` from ${wordsOfSnapshot(previous)}`;
  return `${wordsOfSnapshot(state)}${event === undefined ? '' : ` via ${nameOfServerEvent(event)}${from}`}`;
}

/** The paths that walk every transition of `machine`, by the shortest way. */
function serverPaths(machine: ServerMachine) {
  const model = createTestModel(machine, {
    input: { port: new RecordingServerPort() },
    serializeState: serializeState as (state: Snapshot) => string,
    serializeEvent: nameOfServerEvent,
  });
  return model.getShortestPaths({ events: SERVER_SAMPLES.map(({ event }) => event) });
}

class ServerLife implements Life<ServerEvent> {
  readonly told: string[] = [];
  readonly #oracle = new ServerOracle();
  readonly #port = new RecordingServerPort();
  readonly #actor;

  constructor(machine: ServerMachine) {
    this.#actor = createActor(machine, { input: { port: this.#port } });
    this.#actor.subscribe({ error: (error) => this.told.push(`error ${String(error)}`) });
    this.#actor.start();
    this.#expect('the beginning', []);
  }

  get snapshot(): Snapshot {
    return this.#actor.getSnapshot();
  }

  take(event: ServerEvent): void {
    const calls = this.#oracle.take(event);
    this.#actor.send(event);
    this.#expect(nameOfServerEvent(event), calls);
  }

  #expect(event: string, calls: readonly string[]): void {
    const made = this.#port.takeCalls();
    this.told.push(...made);
    agree(`calls at ${event}`, made, calls);
    agree(`state after ${event}`, leafOf(this.snapshot), this.#oracle.state);
    agree(`error after ${event}`, this.snapshot.context.error?.message ?? '', this.#oracle.error);
    agree(`accepting after ${event}`, this.snapshot.hasTag('accepting'), this.#oracle.accepts);
    agree(`status after ${event}`, this.snapshot.status, 'active');
  }
}

function subjectOf(machine: ServerMachine): Subject<ServerEvent> {
  return {
    machine,
    eventTypes: SERVER_EVENT_TYPES,
    paths: () => serverPaths(machine) as unknown as ReturnType<Subject<ServerEvent>['paths']>,
    nameOf: nameOfServerEvent,
    newLife: () => new ServerLife(machine),
  };
}

/** Proves a machine along its own graph. */
export function proveServer(machine: ServerMachine, { hasty = false } = {}): Promise<Proof> {
  return prove(subjectOf(machine), hasty);
}

const WAYS = waysThrough(
  SERVER_STATES[0],
  SERVER_SAMPLES,
  (state, name) => serverSpec[state as ServerLeaf][name]?.to,
);

/** Proves a machine along the specification's graph. */
export function proveServerAlongSpec(machine: ServerMachine, { hasty = false } = {}): string[] {
  return proveAlong(WAYS, subjectOf(machine), hasty);
}
