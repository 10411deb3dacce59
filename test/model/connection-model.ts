/**
 * The model of a connection: `createTestModel` of `xstate/graph` on the machine that runs in production, or on one
 * that was changed to see whether that is noticed.
 *
 * Paths are the shortest to every triple of state, event and source, so that every transition is walked, those that
 * change nothing included: a state of the walk is known by where the machine is, what it would report, and by which
 * event from which state it came. Left to itself the library would keep one self-transition for each state.
 */
import type { SnapshotFrom } from 'xstate';
import { createTestModel } from 'xstate/graph';
import type { ConnectionMachine } from '../../src/machines/connection-machine.ts';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import { RecordingConnectionPort, wordsOfReport } from '../support/recording-port.ts';
import { nameOfEvent, SAMPLES } from './connection-spec.ts';
import { leafOf } from './triples.ts';

export type Snapshot = SnapshotFrom<ConnectionMachine>;

/** The state of a snapshot, as text. */
function wordsOfSnapshot(snapshot: Snapshot): string {
  return `${leafOf(snapshot)}, ${wordsOfReport(snapshot.context.report)}`;
}

function serializeState(state: Snapshot, event?: ConnectionEvent, previous?: Snapshot): string {
  const via = event === undefined ? '' : ` via ${nameOfEvent(event)}`;
  if (previous === undefined) return `${wordsOfSnapshot(state)}${via}`;
  // What a closed connection refuses is walked twice: after a clean end, and after one without an opening.
  if (previous.status !== 'active')
    return `${leafOf(state)}${via} from closed, ${previous.output?.wasClean ? 'clean' : 'lost'}`;
  return `${wordsOfSnapshot(state)}${via} from ${wordsOfSnapshot(previous)}`;
}

/** The paths that walk every transition of `machine`. */
export function connectionPaths(machine: ConnectionMachine) {
  const model = createTestModel(machine, {
    input: { port: new RecordingConnectionPort() },
    serializeState: serializeState as (state: Snapshot) => string,
    serializeEvent: nameOfEvent,
  });
  // Every event in every state: what a state refuses is walked too. The library itself asks only for what is listed.
  return model.getShortestPaths({ events: SAMPLES.map(({ event }) => event) });
}

export type ConnectionPath = ReturnType<typeof connectionPaths>[number];

/** A path in words, the initial state first. */
export function wordsOfPath(path: ConnectionPath): string {
  const events = path.steps.slice(1).map(({ event }) => nameOfEvent(event));
  return events.length === 0 ? '(nothing)' : events.join(', ');
}
