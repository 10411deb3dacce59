/**
 * A link machine, the one in production or another, against recording ports and the specification; and its model,
 * by `createTestModel` of `xstate/graph`.
 */
import { createActor, type SnapshotFrom } from 'xstate';
import { createTestModel } from 'xstate/graph';
import type { LinkMachine } from '../../src/machines/link-machine.ts';
import type { LinkEvent } from '../../src/machines/link-ports.ts';
import { RecordingLinkPort } from '../support/recording-port.ts';
import {
  LINK_EVENT_TYPES,
  LINK_SAMPLES,
  LINK_STATES,
  type LinkLeaf,
  LinkOracle,
  linkSpec,
} from './link-spec.ts';
import { agree, type Life, type Proof, prove, proveAlong, type Subject, waysThrough } from './prove.ts';
import { leafOf } from './triples.ts';

type Snapshot = SnapshotFrom<LinkMachine>;

/** Failures in a row that the paths of the model count to. */
const MANY = 3;
const wordsOf = (snapshot: Snapshot) => `${leafOf(snapshot)}, ${Math.min(snapshot.context.attempts, MANY)}`;

function serializeState(state: Snapshot, event?: LinkEvent, previous?: Snapshot): string {
  const from = previous === undefined ? '' : ` from ${wordsOf(previous)}`;
  return `${wordsOf(state)}${event === undefined ? '' : ` via ${event.type}${from}`}`;
}

/** The paths that walk every transition of `machine`, by the shortest way. */
function linkPaths(machine: LinkMachine) {
  const model = createTestModel(machine, {
    input: { port: new RecordingLinkPort() },
    serializeState: serializeState as (state: Snapshot) => string,
    serializeEvent: ({ type }) => type,
  });
  return model.getShortestPaths({
    events: LINK_SAMPLES.map(({ event }) => event),
    stopWhen: ({ context }) => context.attempts > MANY,
  });
}

class LinkLife implements Life<LinkEvent> {
  readonly told: string[] = [];
  readonly #oracle = new LinkOracle();
  readonly #port = new RecordingLinkPort();
  readonly #actor;

  constructor(machine: LinkMachine) {
    this.#actor = createActor(machine, { input: { port: this.#port } });
    this.#actor.subscribe({ error: (error) => this.told.push(`error ${String(error)}`) });
    this.#actor.start();
    this.#expect('the beginning', ['announce down']);
  }

  get snapshot(): Snapshot {
    return this.#actor.getSnapshot();
  }

  take(event: LinkEvent): void {
    const calls = this.#oracle.take(event);
    this.#actor.send(event);
    this.#expect(event.type, calls);
  }

  #expect(event: string, calls: readonly string[]): void {
    const made = this.#port.takeCalls();
    this.told.push(...made);
    agree(`calls at ${event}`, made, calls);
    agree(`state after ${event}`, leafOf(this.snapshot), this.#oracle.state);
    agree(`attempts after ${event}`, this.snapshot.context.attempts, this.#oracle.attempts);
    agree(`status after ${event}`, this.snapshot.status, 'active');
  }
}

function subjectOf(machine: LinkMachine): Subject<LinkEvent> {
  return {
    machine,
    eventTypes: LINK_EVENT_TYPES,
    paths: () => linkPaths(machine) as unknown as ReturnType<Subject<LinkEvent>['paths']>,
    nameOf: ({ type }) => type,
    newLife: () => new LinkLife(machine),
  };
}

/** Proves a machine along its own graph. */
export function proveLink(machine: LinkMachine, { hasty = false } = {}): Promise<Proof> {
  return prove(subjectOf(machine), hasty);
}

const WAYS = waysThrough(
  LINK_STATES[0],
  LINK_SAMPLES,
  (state, name) => linkSpec[state as LinkLeaf][name]?.to,
);

/** Proves a machine along the specification's graph. */
export function proveLinkAlongSpec(machine: LinkMachine, { hasty = false } = {}): string[] {
  return proveAlong(WAYS, subjectOf(machine), hasty);
}
