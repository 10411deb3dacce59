/**
 * The proof of a machine against recording ports, as one function, so that it can be asked of the machine in
 * production, whatever runs it, and of every mutant.
 *
 * It goes along the paths that the machine's own graph has. After each step of a path the life that runs it compares
 * calls, state and report with the specification; at the end every triple must have been walked.
 */
import type { AnyMachineSnapshot, AnyStateMachine, EventObject } from 'xstate';
import { eventsNamedBy, leafOf, triplesOf, tripleTaken } from './triples.ts';

export interface Proof {
  /** What disagrees with the specification, one line each. */
  readonly problems: readonly string[];
  readonly paths: number;
  readonly steps: number;
  /** Triples of state, event and branch: all that there are, and those that were walked. */
  readonly triples: readonly string[];
  readonly walked: ReadonlySet<string>;
  /** Each path with what the port was told along it. */
  readonly log: readonly string[];
}

/** One actor from its beginning, with its port and the specification beside it. */
export interface Life<Event extends EventObject> {
  readonly snapshot: AnyMachineSnapshot;
  /** What the port was told so far. */
  readonly told: readonly string[];
  /** Sends the event; throws when what follows is not what is specified. */
  take(event: Event): void;
}

/** A path of `xstate/graph`, as far as it matters here. */
interface Path<Event extends EventObject> {
  readonly steps: readonly { readonly event: Event }[];
  test(params: {
    events: Record<string, (step: { event: Event }) => void>;
    states: Record<string, (state: AnyMachineSnapshot) => void>;
  }): Promise<unknown>;
}

export interface Subject<Event extends EventObject> {
  readonly machine: AnyStateMachine;
  readonly eventTypes: readonly Event['type'][];
  readonly paths: () => readonly Path<Event>[];
  readonly nameOf: (event: Event) => string;
  readonly newLife: () => Life<Event>;
}

export async function prove<Event extends EventObject>(
  subject: Subject<Event>,
  hasty = false,
): Promise<Proof> {
  const { machine, eventTypes, nameOf } = subject;
  const paths = subject.paths();
  const triples = triplesOf(machine, eventTypes);
  const walked = new Set<string>();
  const problems = [...eventsNamedBy(machine)]
    .filter((type) => !eventTypes.includes(type))
    .map((type) => `${type} is no event of the closed set`);
  const log: string[] = [];
  for (const path of paths) {
    if (hasty && problems.length > 0) break;
    const name = path.steps.map(({ event }) => nameOf(event)).join(', ');
    try {
      log.push(`${name}: ${(await walk(subject, path, walked)).join('; ')}`);
    } catch (error) {
      problems.push(`${name}: ${firstLine(error)}`);
    }
  }
  problems.push(...triples.filter((triple) => !walked.has(triple)).map((triple) => `not walked: ${triple}`));
  const steps = paths.reduce((sum, path) => sum + path.steps.length - 1, 0);
  return { problems, paths: paths.length, steps, triples, walked, log };
}

/** Runs one path; `xstate/graph` executes its steps and says where the model is after each. */
async function walk<Event extends EventObject>(
  { machine, eventTypes, newLife }: Subject<Event>,
  path: Path<Event>,
  walked: Set<string>,
): Promise<readonly string[]> {
  const life = newLife();
  const execute = ({ event }: { event: Event }): void => {
    walked.add(tripleTaken(machine, life.snapshot, event));
    life.take(event);
  };
  await path.test({
    events: Object.fromEntries(eventTypes.map((type) => [type, execute])),
    states: { '*': (state) => agree('the model', leafOf(life.snapshot), leafOf(state)) },
  });
  return life.told;
}

/**
 * Proves along the specification's graph instead: each event in each of its states, by the shortest way there. What
 * the machine's own graph has lost is found here.
 */
export function proveAlong<Event extends EventObject>(
  ways: readonly (readonly Event[])[],
  { nameOf, newLife }: Pick<Subject<Event>, 'nameOf' | 'newLife'>,
  hasty = false,
): string[] {
  const problems: string[] = [];
  for (const events of ways) {
    if (hasty && problems.length > 0) break;
    try {
      const life = newLife();
      for (const event of events) life.take(event);
    } catch (error) {
      problems.push(`${events.map(nameOf).join(', ')}: ${firstLine(error)}`);
    }
  }
  return problems;
}

/** For each state of a specification the shortest path to it, once followed by each event. */
export function waysThrough<Event>(
  first: string,
  samples: readonly { readonly name: string; readonly event: Event }[],
  leadsTo: (state: string, name: string) => string | undefined,
): Event[][] {
  const ways = new Map<string, Event[]>([[first, []]]);
  for (const [state, way] of ways) {
    for (const { name, event } of samples) {
      const to = leadsTo(state, name);
      if (to !== undefined && !ways.has(to)) ways.set(to, [...way, event]);
    }
  }
  return [...ways.values()].flatMap((way) => samples.map(({ event }) => [...way, event]));
}

/** @throws Error when two values are not the same in JSON. */
export function agree(what: string, found: unknown, specified: unknown): void {
  const [is, should] = [JSON.stringify(found), JSON.stringify(specified)];
  if (is !== should) throw new Error(`${what}: ${is}, specified is ${should}`);
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0] as string;
}
