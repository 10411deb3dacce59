/**
 * The table of steps: the function that runs every connection, watched or not.
 *
 * XState finds a transition anew for every event: it walks the active states outwards, computes which states are left
 * and entered, and builds a snapshot. That takes about 3 µs and one kilobyte, and the answer is always the same. This
 * table asks the machine's own definition once, when the module loads. For each leaf state (one without states inside)
 * and each event it holds the possible steps, in their order, up to the first without a guard. A step holds the
 * actions of the transition, then those of the states that it enters, and the state it leads to.
 *
 * The rules are those of SCXML as XState applies them, for the features that the machine uses: compound and final
 * states, guards, actions on transitions and on entry. A machine that uses anything else is refused when the module
 * loads. `test/machines/step-table.test.ts` compares every step with XState's own `machine.transition`, for the machine
 * and for all its mutants.
 *
 * Two hosts take these steps: `Interpreter` for a connection that nobody watches, and XState's actor
 * (`connection-actor.ts`) for one that somebody watches.
 */
import type { AnyStateMachine, AnyStateNode, StateValue } from 'xstate';
import {
  type ConnectionContext,
  type ConnectionMachine,
  connectionMachine,
  reports,
} from './connection-machine.ts';
import type { CloseReport, ConnectionEvent } from './connection-ports.ts';

/** The machine's context while a step runs: an `assign` of the machine writes to it. */
export interface StepContext extends ConnectionContext {
  report: CloseReport | undefined;
}

/** One action of the machine, with its parameters bound. */
export type Effect = (context: StepContext, event: ConnectionEvent) => void;

/** One of the answers of a state to an event. */
export interface Step {
  /** Whether this step is taken; undefined when it always is. */
  readonly guard: ((event: ConnectionEvent) => boolean) | undefined;
  /** In the order in which they run. */
  readonly effects: readonly Effect[];
  /** The state it leads to; undefined where the state does not change. */
  readonly target: TableState | undefined;
}

/** A leaf state of the machine. */
export interface TableState {
  /** As XState writes it: `{ closing: { local: 'idle' } }`. */
  readonly value: StateValue;
  readonly isFinal: boolean;
  /** The steps for each event that the state answers. Not changed after the table is made. */
  readonly steps: Map<ConnectionEvent['type'], readonly Step[]>;
}

type Implementation = (
  args: { context: ConnectionContext; event: ConnectionEvent },
  params: unknown,
) => unknown;
type Transition = AnyStateNode['transitions'] extends Map<string, (infer T)[]> ? T : never;
type Action = string | { readonly type: string; readonly params?: unknown };

/** The step that `state` takes at `event`; undefined where it refuses the event. */
export function stepFor(state: TableState, event: ConnectionEvent): Step | undefined {
  const steps = state.steps.get(event.type);
  if (steps === undefined) return undefined;
  for (let i = 0; i < steps.length; i++) {
    const step = steps[i] as Step;
    if (step.guard === undefined || step.guard(event)) return step;
  }
  return undefined;
}

/** Runs the actions of a step, in their order. What an action throws is thrown. */
export function runEffects({ effects }: Step, context: StepContext, event: ConnectionEvent): void {
  for (let i = 0; i < effects.length; i++) (effects[i] as Effect)(context, event);
}

/**
 * Makes the table of a machine and returns its first state; the others are reached through the steps.
 * @throws TypeError for a machine that uses a feature which the table does not have.
 */
export function stepTable(machine: ConnectionMachine): TableState {
  const states = new Map<AnyStateNode, TableState>();
  for (const leaf of leavesUnder(machine.root)) {
    states.set(leaf, {
      value: stateValueOf(leaf.path),
      isFinal: leaf.type === 'final' && leaf.parent === machine.root,
      steps: new Map(),
    });
  }
  const { effectOf, guardOf } = bindings(machine);
  for (const [leaf, { steps }] of states) {
    for (const type of new Set(ancestors(leaf).flatMap((node) => [...node.transitions.keys()]))) {
      const found = transitionsOf(leaf, type).map((transition): Step => {
        const { entered, end } = statesEntered(transition);
        return {
          guard: transition.guard === undefined ? undefined : guardOf(transition.guard as Action),
          effects: [...(transition.actions as Action[]), ...entered.flatMap(entryActionsOf)].map(effectOf),
          target: end === undefined ? undefined : tableStateOf(states, end),
        };
      });
      steps.set(type as ConnectionEvent['type'], found);
    }
  }
  const initial = [machine.root, ...initialStatesOf(machine.root)];
  if (initial.flatMap(entryActionsOf).length > 0) {
    throw unsupported(machine.root, 'entry actions in its initial state');
  }
  return tableStateOf(states, initial.at(-1) as AnyStateNode);
}

/** The leaf states inside `node`. Checks on the way that each state uses only what a table supports. */
function leavesUnder(node: AnyStateNode): AnyStateNode[] {
  if (!['atomic', 'compound', 'final'].includes(node.type)) throw unsupported(node, `type ${node.type}`);
  if (node.invoke.length > 0) throw unsupported(node, 'invoke');
  if ((node.always ?? []).length > 0) throw unsupported(node, 'always');
  if (node.type === 'final' && node.parent?.parent !== undefined) {
    throw unsupported(node, 'a final state inside another state');
  }
  if (node.type === 'compound' && node.initial.actions.length > 0)
    throw unsupported(node, 'actions on initial');
  for (const type of node.transitions.keys()) {
    if (type.includes('*') || /^xstate\.(done|after|error|init)/.test(type)) throw unsupported(node, type);
  }
  if (node.exit.length > 0) throw unsupported(node, 'actions on exit');
  const children = Object.values(node.states);
  return children.length === 0 ? [node] : children.flatMap(leavesUnder);
}

function unsupported(node: AnyStateNode, what: string): TypeError {
  return new TypeError(`${node.id} has ${what}, which the step table does not support`);
}

function stateValueOf([name = '', ...inner]: readonly string[]): StateValue {
  return inner.length === 0 ? name : { [name]: stateValueOf(inner) };
}

/** `node` itself, its parent, and so on; the root is last. */
function ancestors(node: AnyStateNode): AnyStateNode[] {
  return node.parent === undefined ? [node] : [node, ...ancestors(node.parent)];
}

/** The transitions that may answer an event: those of the leaf first, then its parent's, up to the first without a guard. */
function transitionsOf(leaf: AnyStateNode, type: string): Transition[] {
  const candidates = ancestors(leaf).flatMap((node) => (node.transitions.get(type) ?? []) as Transition[]);
  const unguarded = candidates.findIndex(({ guard }) => guard === undefined);
  return unguarded === -1 ? candidates : candidates.slice(0, unguarded + 1);
}

/** The states that a transition enters, the outermost first, and the leaf state that it ends in. */
function statesEntered({ source, target, reenter }: Transition): {
  entered: AnyStateNode[];
  end: AnyStateNode | undefined;
} {
  if (target === undefined || target.length === 0) return { entered: [], end: undefined };
  const [to] = target as [AnyStateNode];
  if (target.length > 1) throw unsupported(source, 'a transition to several states');
  if (to.type === 'history') throw unsupported(to, 'history');
  const domain = domainOf(source, to, reenter);
  const above = ancestors(to);
  const depth = above.indexOf(domain);
  const entered = above.slice(0, depth === -1 ? above.length : depth).reverse();
  const inside = initialStatesOf(to);
  return { entered: [...entered, ...inside], end: inside.at(-1) ?? to };
}

/**
 * The domain of a transition (SCXML 3.13): the innermost state that is neither left nor entered. That is the source
 * where it contains the target and is not entered again; else the closest ancestor that source and target share.
 */
function domainOf(source: AnyStateNode, to: AnyStateNode, reenter: boolean): AnyStateNode {
  const above = ancestors(to);
  if (!reenter && above.includes(source)) return source;
  const [, ...common] = ancestors(source);
  return common.find((node) => node !== to && above.includes(node)) ?? source.machine.root;
}

/** The initial state of `node`, the initial state of that, and so on down to a leaf. */
function initialStatesOf(node: AnyStateNode): AnyStateNode[] {
  if (node.type !== 'compound') return [];
  const [first] = node.initial.target as [AnyStateNode];
  return [first, ...initialStatesOf(first)];
}

function entryActionsOf(node: AnyStateNode): Action[] {
  return node.entry as Action[];
}

function tableStateOf(states: ReadonlyMap<AnyStateNode, TableState>, node: AnyStateNode): TableState {
  const state = states.get(node);
  if (state === undefined) throw unsupported(node, 'no leaf state to end in');
  return state;
}

/** Turns the names of actions and guards into what they stand for in `machine`. */
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
    if (typeof run !== 'function' || 'resolve' in run) throw unsupported(machine.root, `the action ${name}`);
    return (context, event) => void run({ context, event }, params);
  };
  const guardOf = (guard: Action): ((event: ConnectionEvent) => boolean) => {
    const holds = guards[guard as string];
    if (typeof holds !== 'function') {
      throw unsupported(machine.root, `the guard ${JSON.stringify(guard)}`);
    }
    return (event) =>
      holds({ event } as { context: ConnectionContext; event: ConnectionEvent }, undefined) === true;
  };
  return { effectOf, guardOf };
}

/** The first state of the connection machine's table: what every connection runs along. */
export const FIRST_STATE = stepTable(connectionMachine);
