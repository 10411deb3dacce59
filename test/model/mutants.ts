/**
 * Mutants of a statechart: its literal with one thing changed, every such thing once, and the question whether the
 * recording suites notice.
 *
 * Changed are transitions (dropped, listed without a doing, led to each other state, led nowhere, made to enter their
 * own state again), their guards (dropped, exchanged), the order of their branches, their actions and those of
 * entering a state (dropped, exchanged for another, in another order), and where a state begins.
 */
import { type AnyStateMachine, StateMachine } from 'xstate';
import { type ConnectionMachine, connectionMachine } from '../../src/machines/connection-machine.ts';
import { type LinkMachine, linkMachine } from '../../src/machines/link-machine.ts';
import { type ServerMachine, serverMachine } from '../../src/machines/server-machine.ts';
import { proveConnection, proveConnectionAlongSpec } from './prove-connection.ts';
import { proveLink, proveLinkAlongSpec } from './prove-link.ts';
import { proveServer, proveServerAlongSpec } from './prove-server.ts';
import { leavesUnder } from './triples.ts';

type Action = string | { type: string; params?: Record<string, unknown> };
interface Transition {
  target?: string;
  guard?: string;
  reenter?: boolean;
  actions?: Action | Action[];
}
interface StateConfig {
  id?: string;
  type?: string;
  initial?: string;
  tags?: string;
  entry?: Action | Action[];
  on?: Record<string, Transition | Transition[]>;
  states?: Record<string, StateConfig>;
}

/** One change. */
export interface Mutant {
  /** Which machine, where in it, and what was changed: the name that a reason is written under. */
  readonly name: string;
  /** The changed machine; undefined when what came of the change is no statechart. */
  readonly machine: () => AnyStateMachine | undefined;
  /** True when the suites notice. */
  readonly dies: () => Promise<boolean>;
}

/** Changes a literal in place. */
interface Change {
  readonly name: string;
  readonly apply: (root: StateConfig) => void;
}

/** Every mutant of all machines. */
export function allMutants(): Mutant[] {
  return [
    ...mutantsOf(connectionMachine, noticesConnection, changesOf(connectionMachine)),
    ...mutantsOf(serverMachine, noticesServer, changesOf(serverMachine)),
    ...mutantsOf(linkMachine, noticesLink, changesOf(linkMachine)),
  ];
}

/** The machines copied and not changed: what a mutant is compared with. They must live. */
export function controls(): Mutant[] {
  const unchanged = [{ name: 'unchanged', apply: () => undefined }];
  return [
    ...mutantsOf(connectionMachine, noticesConnection, unchanged),
    ...mutantsOf(serverMachine, noticesServer, unchanged),
    ...mutantsOf(linkMachine, noticesLink, unchanged),
  ];
}

async function noticesConnection(mutant: AnyStateMachine): Promise<boolean> {
  const machine = mutant as unknown as ConnectionMachine;
  if (proveConnectionAlongSpec(machine, { hasty: true }).length > 0) return true;
  return (await proveConnection(machine, { hasty: true })).problems.length > 0;
}

async function noticesServer(mutant: AnyStateMachine): Promise<boolean> {
  const machine = mutant as unknown as ServerMachine;
  if (proveServerAlongSpec(machine, { hasty: true }).length > 0) return true;
  return (await proveServer(machine, { hasty: true })).problems.length > 0;
}

async function noticesLink(mutant: AnyStateMachine): Promise<boolean> {
  const machine = mutant as unknown as LinkMachine;
  if (proveLinkAlongSpec(machine, { hasty: true }).length > 0) return true;
  return (await proveLink(machine, { hasty: true })).problems.length > 0;
}

function mutantsOf(
  machine: AnyStateMachine,
  isNoticed: (mutant: AnyStateMachine) => Promise<boolean>,
  changes: readonly Change[],
): Mutant[] {
  return changes.map(({ name, apply }) => {
    const mutate = (): AnyStateMachine | undefined => {
      const config = copy(machine.config) as StateConfig;
      apply(config);
      try {
        return new StateMachine(config as never, machine.implementations) as unknown as AnyStateMachine;
      } catch {
        return undefined;
      }
    };
    const dies = async (): Promise<boolean> => {
      const mutant = mutate();
      return mutant === undefined || (await isNoticed(mutant).catch(() => true));
    };
    return { name: `${machine.id}: ${name}`, machine: mutate, dies };
  });
}

/** A literal again, with its functions. */
function copy<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copy) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, copy(inner)])) as T;
}

function changesOf(machine: AnyStateMachine): Change[] {
  const config = machine.config as StateConfig;
  const targets = leavesUnder(machine.root).map((leaf) => `#${leaf.id}`);
  const actions = Object.keys(machine.implementations.actions).filter((name) => name !== 'announce');
  const guards = Object.keys(machine.implementations.guards);
  return statesUnder(config, []).flatMap((path) => [
    ...stateChanges(config, path, actions),
    ...Object.keys(at(config, path).on ?? {}).flatMap((event) =>
      candidatesOf(at(config, path), event).flatMap((_, index) =>
        transitionChanges(machine, { path, event, index }, { targets, actions, guards }),
      ),
    ),
  ]);
}

interface Place {
  readonly path: readonly string[];
  readonly event: string;
  readonly index: number;
}

function transitionChanges(
  machine: AnyStateMachine,
  place: Place,
  choice: { targets: string[]; actions: string[]; guards: string[] },
): Change[] {
  const { path, event, index } = place;
  const config = machine.config as StateConfig;
  const candidates = candidatesOf(at(config, path), event);
  const { target, guard, actions } = candidates[index] as Transition;
  const where = `${path.join('.') || '(root)'} on ${event}${candidates.length > 1 ? ` [${index}]` : ''}`;
  const change = (what: string, edit: (list: Transition[], own: Transition) => void): Change => ({
    name: `${where}: ${what}`,
    apply: (root) => {
      const state = at(root, path);
      const list = candidatesOf(state, event);
      edit(list, list[index] as Transition);
      (state.on as Record<string, Transition[]>)[event] = list;
    },
  });
  const isInert = target === undefined && actions === undefined;
  const changes = [change('dropped', (list) => void list.splice(index, 1))];
  if (!isInert || guard !== undefined)
    changes.push(change('refused', (list) => void list.splice(index, 1, {})));
  if (target !== undefined) changes.push(change('leads nowhere', (_, own) => void delete own.target));
  // A state that is led to itself, and not entered again, stays: that is the machine as it is.
  const present = targetOf(machine, place) ?? [config.id, ...path].join('.');
  for (const other of choice.targets.filter((id) => id !== `#${present}`)) {
    changes.push(change(`leads to ${other}`, (_, own) => void Object.assign(own, { target: other })));
  }
  if (target === undefined) {
    const self = `#${[config.id, ...path].join('.')}`;
    const reenter = { target: self, reenter: true };
    if (path.length > 0)
      changes.push(change('enters its state again', (_, own) => void Object.assign(own, reenter)));
  }
  if (guard !== undefined) {
    changes.push(change('without its guard', (_, own) => void delete own.guard));
    for (const other of choice.guards.filter((name) => name !== guard)) {
      changes.push(change(`guarded by ${other}`, (_, own) => void Object.assign(own, { guard: other })));
    }
  } else {
    // The branch that remains when the guards above it have said no.
    for (const other of choice.guards.filter(() => index > 0)) {
      changes.push(change(`guarded by ${other}`, (_, own) => void Object.assign(own, { guard: other })));
    }
  }
  if (index > 0) {
    const swap = (list: Transition[]): void =>
      void list.splice(index - 1, 2, list[index] as Transition, list[index - 1] as Transition);
    changes.push(change('before the branch above it', swap));
  }
  for (const { what, list } of actionLists(actions, choice.actions)) {
    changes.push(change(what, (_, own) => void Object.assign(own, { actions: list })));
  }
  return changes;
}

function stateChanges(config: StateConfig, path: readonly string[], actions: string[]): Change[] {
  const { entry, initial, tags, type, states } = at(config, path);
  const where = path.join('.') || '(root)';
  const change = (what: string, edit: (state: StateConfig) => void): Change => ({
    name: `${where}: ${what}`,
    apply: (root) => edit(at(root, path)),
  });
  const changes = actionLists(entry, actions).map(({ what, list }) =>
    change(`on entry ${what}`, (state) => void Object.assign(state, { entry: list })),
  );
  for (const other of Object.keys(states ?? {}).filter((name) => name !== initial)) {
    changes.push(change(`begins in ${other}`, (state) => void Object.assign(state, { initial: other })));
  }
  if (tags !== undefined) changes.push(change('without its tag', (state) => void delete state.tags));
  if (type === 'final') changes.push(change('is not final', (state) => void delete state.type));
  return changes;
}

/** What no action of the machines says: another state to announce, another fault to tell. */
const OTHER: Record<string, string> = { state: 'handshaking', fault: 'denied' };

/** Every list that differs in one action from the one there is. */
function actionLists(
  actions: Action | Action[] | undefined,
  others: string[],
): { what: string; list: Action[] }[] {
  const own = actions === undefined ? [] : [actions].flat();
  const nameOf = (action: Action): string => (typeof action === 'string' ? action : action.type);
  const changed: { what: string; list: Action[] }[] = [];
  own.forEach((action, index) => {
    const name = nameOf(action);
    changed.push({ what: `without ${name}`, list: own.toSpliced(index, 1) });
    if (index > 0) {
      const list = own.toSpliced(index - 1, 2, action, own[index - 1] as Action);
      changed.push({ what: `${name} one earlier`, list });
    }
    // The next in the list of all actions represents the others.
    const other = others[(others.indexOf(name) + 1) % others.length] as string;
    changed.push({ what: `${other} for ${name}`, list: own.toSpliced(index, 1, other) });
    if (typeof action !== 'string' && action.params !== undefined) {
      const [key = ''] = Object.keys(action.params);
      changed.push({
        what: `${name} of another ${key}`,
        list: own.toSpliced(index, 1, { type: name, params: { [key]: OTHER[key] } }),
      });
    }
  });
  changed.push({ what: `also ${others[0]}`, list: [...own, others[0] as string] });
  return changed;
}

/** The id of the innermost state that a transition of the unchanged machine leads to. */
function targetOf(machine: AnyStateMachine, { path, event, index }: Place): string | undefined {
  const state = machine.getStateNodeById([machine.id, ...path].join('.'));
  let target = (state.transitions.get(event) ?? [])[index]?.target?.[0];
  while (target?.config.initial !== undefined) target = target.states[target.config.initial as string];
  return target?.id;
}

function statesUnder(config: StateConfig, path: readonly string[]): (readonly string[])[] {
  const inner = Object.keys(at(config, path).states ?? {});
  return [path, ...inner.flatMap((name) => statesUnder(config, [...path, name]))];
}

function at(config: StateConfig, path: readonly string[]): StateConfig {
  return path.reduce(
    (state, name) => (state.states as Record<string, StateConfig>)[name] as StateConfig,
    config,
  );
}

function candidatesOf(state: StateConfig, event: string): Transition[] {
  return [state.on?.[event] ?? []].flat();
}
