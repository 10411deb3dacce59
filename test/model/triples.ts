/**
 * Coverage of a statechart, counted in triples: a state without states inside, an event of the closed set, and the
 * branch that answers it there.
 *
 * The triples are read off the machine's own definition. The branches of an event in a state are its candidates, from
 * the innermost state outwards, up to the first that has no guard; where none of them is unguarded, refusing the
 * event is one more. So an event that a state does not list is one triple too: its refusal.
 */
import type { AnyMachineSnapshot, AnyStateMachine, AnyStateNode, EventObject } from 'xstate';

type Branch = AnyStateNode['transitions'] extends Map<string, (infer T)[]> ? T : never;

const REFUSED = 'refused';

/** The dotted path of the one innermost state that a snapshot is in; the machines here have no parallel states. */
export function leafOf({ value }: { readonly value: unknown }): string {
  if (typeof value === 'string') return value;
  const [[name, inner] = ['', '']] = Object.entries(value as object);
  return `${name}.${leafOf({ value: inner })}`;
}

/** Every triple of the machine's definition, as `state | event | branch`. */
export function triplesOf(machine: AnyStateMachine, eventTypes: readonly string[]): string[] {
  return leavesUnder(machine.root).flatMap((leaf) =>
    eventTypes.flatMap((type) =>
      branchesOf(leaf, type).map((branch) => tripleName(leaf.path.join('.'), type, branch)),
    ),
  );
}

/** The triple by which a machine answers an event in a snapshot. */
export function tripleTaken(
  machine: AnyStateMachine,
  snapshot: AnyMachineSnapshot,
  event: EventObject,
): string {
  const [taken] = machine.getTransitionData(snapshot, event);
  return tripleName(leafOf(snapshot), event.type, taken as Branch | undefined);
}

/** Events that the definition names anywhere. */
export function eventsNamedBy(machine: AnyStateMachine): Set<string> {
  const nodes = [machine.root, ...leavesUnder(machine.root).flatMap(ancestors)];
  return new Set(nodes.flatMap((node) => [...node.transitions.keys()]));
}

/** The states without states inside. */
export function leavesUnder(node: AnyStateNode): AnyStateNode[] {
  const children = Object.values(node.states);
  return children.length === 0 ? [node] : children.flatMap(leavesUnder);
}

function branchesOf(leaf: AnyStateNode, type: string): (Branch | undefined)[] {
  const candidates = ancestors(leaf).flatMap((node) => (node.transitions.get(type) ?? []) as Branch[]);
  const unguarded = candidates.findIndex(({ guard }) => guard === undefined);
  return unguarded === -1 ? [...candidates, undefined] : candidates.slice(0, unguarded + 1);
}

function ancestors(node: AnyStateNode): AnyStateNode[] {
  return node.parent === undefined ? [node] : [node, ...ancestors(node.parent)];
}

/** A branch is known by its place in its state's list; one that does nothing is a refusal, listed or not. */
function tripleName(leaf: string, type: string, branch: Branch | undefined): string {
  return `${leaf} | ${type} | ${branch === undefined ? REFUSED : branchName(branch, type)}`;
}

function branchName(branch: Branch, type: string): string {
  const { source, guard, target, actions } = branch;
  const isInert = target === undefined && actions.length === 0;
  if (guard === undefined) return isInert ? REFUSED : `in ${source.path.join('.') || 'the root'}`;
  const index = (source.transitions.get(type) ?? []).indexOf(branch);
  return `[${typeof guard === 'string' ? guard : `guard ${index}`}] in ${source.path.join('.')}`;
}
