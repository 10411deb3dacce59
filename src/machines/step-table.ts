/**
 * The connection machine as a table of steps: for each state without states inside, what each event does there.
 *
 * XState finds a transition anew for every event: it walks the active states outwards, computes what is left and
 * entered, and builds a snapshot, some 3 µs and a kilobyte for what is always the same. Here all that is asked once,
 * of the machine's own definition, when the module loads: the branches of an event in their order, up to the first
 * without a guard, each with its actions and those of the states that it enters, and where it leads.
 *
 * The rules are SCXML's, as XState has them, for the few things that the machine uses: compound and final states,
 * guards, actions on transitions and on entry. What it does not use is refused: a machine that gains it must not be
 * run by half. `test/machines/step-table.test.ts` compares every step with XState's own, for the machine and for all
 * its mutants.
 */
import type { AnyStateMachine, AnyStateNode, StateValue } from 'xstate';
import { type ConnectionContext, type ConnectionMachine, reports } from './connection-machine.ts';
import type { CloseReport, ConnectionEvent } from './connection-ports.ts';

/** The context of a connection that runs along the table; `assign` writes to it. */
export interface StepContext extends ConnectionContext {
  report: CloseReport;
}

/** One action, with its parameters bound. */
export type Effect = (context: StepContext, event: ConnectionEvent) => void;

/** One branch of one state's answer to one event. */
export interface Step {
  /** Whether it is this branch; undefined when it is in any case. */
  readonly guard: ((event: ConnectionEvent) => boolean) | undefined;
  /** In the order in which they run. */
  readonly effects: readonly Effect[];
  /** Where it leads; undefined where the state stays as it is. */
  readonly target: Place | undefined;
}

/** A state without states inside. */
export interface Place {
  /** `{ closing: { local: 'idle' } }` */
  readonly value: StateValue;
  readonly isFinal: boolean;
  /** The branches of each event that it answers. Read-only once the table is made. */
  readonly steps: Map<ConnectionEvent['type'], readonly Step[]>;
}

type Implementation = (
  args: { context: ConnectionContext; event: ConnectionEvent },
  params: unknown,
) => unknown;
type Transition = AnyStateNode['transitions'] extends Map<string, (infer T)[]> ? T : never;
type Action = string | { readonly type: string; readonly params?: unknown };

/**
 * The table of a machine; its first state.
 * @throws TypeError for what a table cannot hold: anything that is not named above.
 */
export function stepTable(machine: ConnectionMachine): Place {
  const places = new Map<AnyStateNode, Place>();
  for (const leaf of leavesUnder(machine.root)) {
    places.set(leaf, {
      value: stateValueOf(leaf.path),
      isFinal: leaf.type === 'final' && leaf.parent === machine.root,
      steps: new Map(),
    });
  }
  const { effectOf, guardOf } = bindings(machine);
  for (const [leaf, { steps }] of places) {
    for (const type of new Set(ancestors(leaf).flatMap((node) => [...node.transitions.keys()]))) {
      const branches = branchesOf(leaf, type).map((branch): Step => {
        const { entered, end } = way(branch);
        return {
          guard: branch.guard === undefined ? undefined : guardOf(branch.guard as Action),
          effects: [...(branch.actions as Action[]), ...entered.flatMap(entryOf)].map(effectOf),
          target: end === undefined ? undefined : placeOf(places, end),
        };
      });
      steps.set(type as ConnectionEvent['type'], branches);
    }
  }
  const first = [machine.root, ...descend(machine.root)];
  if (first.flatMap(entryOf).length > 0) throw unknown(machine.root, 'actions on entry of where it begins');
  return placeOf(places, first.at(-1) as AnyStateNode);
}

/** Every state without states inside, once all states were found to be of the kinds that a table can hold. */
function leavesUnder(node: AnyStateNode): AnyStateNode[] {
  if (!['atomic', 'compound', 'final'].includes(node.type)) throw unknown(node, `type ${node.type}`);
  if (node.invoke.length > 0) throw unknown(node, 'invoke');
  if ((node.always ?? []).length > 0) throw unknown(node, 'always');
  if (node.type === 'final' && node.parent?.parent !== undefined) throw unknown(node, 'a final state inside');
  if (node.type === 'compound' && node.initial.actions.length > 0) throw unknown(node, 'actions on initial');
  for (const type of node.transitions.keys()) {
    if (type.includes('*') || /^xstate\.(done|after|error|init)/.test(type)) throw unknown(node, type);
  }
  if (node.exit.length > 0) throw unknown(node, 'actions on exit');
  const children = Object.values(node.states);
  return children.length === 0 ? [node] : children.flatMap(leavesUnder);
}

function unknown(node: AnyStateNode, what: string): TypeError {
  return new TypeError(`${node.id} has ${what}, which a table of steps cannot hold`);
}

function stateValueOf([name = '', ...inner]: readonly string[]): StateValue {
  return inner.length === 0 ? name : { [name]: stateValueOf(inner) };
}

/** The node itself first, the root last. */
function ancestors(node: AnyStateNode): AnyStateNode[] {
  return node.parent === undefined ? [node] : [node, ...ancestors(node.parent)];
}

/** The candidates of an event from the innermost state outwards, up to the first that has no guard. */
function branchesOf(leaf: AnyStateNode, type: string): Transition[] {
  const candidates = ancestors(leaf).flatMap((node) => (node.transitions.get(type) ?? []) as Transition[]);
  const unguarded = candidates.findIndex(({ guard }) => guard === undefined);
  return unguarded === -1 ? candidates : candidates.slice(0, unguarded + 1);
}

/** The states that a transition enters, outermost first, and the innermost one that it ends in. */
function way({ source, target, reenter }: Transition): {
  entered: AnyStateNode[];
  end: AnyStateNode | undefined;
} {
  if (target === undefined || target.length === 0) return { entered: [], end: undefined };
  const [to] = target as [AnyStateNode];
  if (target.length > 1) throw unknown(source, 'a transition to several states');
  if (to.type === 'history') throw unknown(to, 'history');
  const domain = domainOf(source, to, reenter);
  const above = ancestors(to);
  const until = above.indexOf(domain);
  const entered = above.slice(0, until === -1 ? above.length : until).reverse();
  const inside = descend(to);
  return { entered: [...entered, ...inside], end: inside.at(-1) ?? to };
}

/** What a transition stays inside of: its source, if it leads into that and does not enter it again; else their ancestor. */
function domainOf(source: AnyStateNode, to: AnyStateNode, reenter: boolean): AnyStateNode {
  const above = ancestors(to);
  if (!reenter && above.includes(source)) return source;
  const [, ...common] = ancestors(source);
  return common.find((node) => node !== to && above.includes(node)) ?? source.machine.root;
}

/** The states that entering `node` leads into by their initial states. */
function descend(node: AnyStateNode): AnyStateNode[] {
  if (node.type !== 'compound') return [];
  const [first] = node.initial.target as [AnyStateNode];
  return [first, ...descend(first)];
}

function entryOf(node: AnyStateNode): Action[] {
  return node.entry as Action[];
}

function placeOf(places: ReadonlyMap<AnyStateNode, Place>, node: AnyStateNode): Place {
  const place = places.get(node);
  if (place === undefined) throw unknown(node, 'no state to end in');
  return place;
}

/** Names to what they stand for in `machine`. */
function bindings(machine: AnyStateMachine) {
  const { actions, guards } = machine.implementations as unknown as {
    actions: Record<string, Implementation>;
    guards: Record<string, Implementation>;
  };
  const effectOf = (action: Action): Effect => {
    const [name, params] = typeof action === 'string' ? [action, undefined] : [action.type, action.params];
    const report = (reports as Record<string, (event: ConnectionEvent) => CloseReport>)[name];
    if (report !== undefined) {
      return (context, event) => {
        context.report = report(event);
      };
    }
    const run = actions[name];
    if (typeof run !== 'function' || 'resolve' in run) throw unknown(machine.root, `the action ${name}`);
    return (context, event) => void run({ context, event }, params);
  };
  const guardOf = (guard: Action): ((event: ConnectionEvent) => boolean) => {
    const holds = guards[guard as string];
    if (typeof holds !== 'function') throw unknown(machine.root, `the guard ${JSON.stringify(guard)}`);
    return (event) =>
      holds({ event } as { context: ConnectionContext; event: ConnectionEvent }, undefined) === true;
  };
  return { effectOf, guardOf };
}
