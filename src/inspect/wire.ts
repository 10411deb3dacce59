/**
 * Inspection events in the wire format of `@statelyai/inspect`: JSON text frames `@xstate.actor`, `@xstate.event` and
 * `@xstate.snapshot`.
 *
 * They come here through the adapter, so payloads are gone. What is left is made plain at once: a message holds
 * nothing that lives on.
 */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot, InspectionEvent } from 'xstate';
import { discreetSnapshot } from '../api/inspection/inspection.ts';

/** The version of `@statelyai/inspect` whose format this is. */
export const WIRE_VERSION = '0.7.2';

interface Common {
  readonly sessionId: string;
  readonly rootId: string | undefined;
  /** Milliseconds since 1970, as a string. */
  readonly createdAt: string;
  readonly id: null;
  readonly _version: string;
}

/** A snapshot as JSON. */
interface WireSnapshot {
  readonly status: string;
  readonly value: unknown;
  readonly context: Readonly<Record<string, unknown>>;
  readonly output?: unknown;
}

export interface ActorMessage extends Common {
  readonly type: '@xstate.actor';
  readonly name: string;
  readonly parentId: string | undefined;
  /** The machine's definition as JSON. */
  readonly definition: string | undefined;
  readonly snapshot: WireSnapshot;
}

export interface EventMessage extends Common {
  readonly type: '@xstate.event';
  readonly sourceId: string | undefined;
  readonly event: AnyEventObject;
}

export interface SnapshotMessage extends Common {
  readonly type: '@xstate.snapshot';
  readonly event: AnyEventObject;
  readonly snapshot: WireSnapshot;
}

export type WireMessage = ActorMessage | EventMessage | SnapshotMessage;

/** What an actor's port says of itself: `id`, `path` and `remoteAddress` of a connection. */
interface Named {
  readonly id?: number;
  readonly path?: string;
  readonly remoteAddress?: string;
}

const definitions = new WeakMap<object, string>();

export function actorMessage(actor: AnyActorRef, rootId: string, epochMs: number): ActorMessage {
  return {
    type: '@xstate.actor',
    name: nameOf(actor),
    ...common(actor, rootId, epochMs),
    parentId: actor.sessionId === rootId ? undefined : rootId,
    definition: definitionOf(actor),
    snapshot: plain(actor.getSnapshot() as AnyMachineSnapshot),
  };
}

export function eventMessage(
  { actorRef, rootId, sourceRef, event }: InspectionEvent & { type: '@xstate.event' },
  epochMs: number,
): EventMessage {
  return {
    type: '@xstate.event',
    ...common(actorRef as AnyActorRef, rootId, epochMs),
    sourceId: sourceRef?.sessionId,
    event,
  };
}

export function snapshotMessage(
  { actorRef, rootId, event, snapshot }: InspectionEvent & { type: '@xstate.snapshot' },
  epochMs: number,
): SnapshotMessage {
  return {
    type: '@xstate.snapshot',
    ...common(actorRef as AnyActorRef, rootId, epochMs),
    event,
    snapshot: plain(snapshot as AnyMachineSnapshot),
  };
}

/** `connection 7 · /echo · 127.0.0.1`; without the path until the request has been read. */
export function nameOf(actor: AnyActorRef): string {
  const { id, path, remoteAddress } = portOf(actor.getSnapshot() as AnyMachineSnapshot);
  if (id === undefined) return actor.id;
  return [`connection ${id}`, path, remoteAddress]
    .filter((part) => part !== undefined && part !== '')
    .join(' · ');
}

/** An actor's snapshot; undefined while it has none, which XState's development build says by an error. */
export function snapshotOf(actor: AnyActorRef): AnyMachineSnapshot | undefined {
  try {
    return actor.getSnapshot() as AnyMachineSnapshot | undefined;
  } catch {
    return undefined;
  }
}

/** A state value as a path: `closing.local.idle`. */
export function pathOf(value: unknown): string {
  if (typeof value === 'string') return value;
  const [[parent, child] = ['', '']] = Object.entries(value as Record<string, unknown>);
  return `${parent}.${pathOf(child)}`;
}

function common({ sessionId }: AnyActorRef, rootId: string, epochMs: number): Common {
  return { sessionId, rootId, createdAt: String(epochMs), id: null, _version: WIRE_VERSION };
}

function portOf(snapshot: AnyMachineSnapshot | undefined): Named {
  return (snapshot?.context as { port?: { toJSON(): Named } } | undefined)?.port?.toJSON() ?? {};
}

function definitionOf(actor: AnyActorRef): string | undefined {
  const logic = (actor as unknown as { logic: { config?: object } }).logic;
  if (logic.config === undefined) return undefined;
  let definition = definitions.get(logic.config);
  if (definition === undefined) {
    definition = JSON.stringify(logic.config);
    definitions.set(logic.config, definition);
  }
  return definition;
}

/** The snapshot without its machine and its port; what it knows of the connection stands in their place. */
function plain(snapshot: AnyMachineSnapshot): WireSnapshot {
  const { status, value, context, output } = discreetSnapshot(snapshot);
  const { port: _port, error, ...rest } = context as { port: unknown; error?: unknown };
  return {
    status,
    value,
    context: {
      ...portOf(snapshot),
      ...rest,
      ...(error instanceof Error ? { error: error.message } : {}),
    },
    ...(output === undefined ? {} : { output }),
  };
}
