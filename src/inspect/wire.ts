/**
 * Inspection events in the wire format of `@statelyai/inspect`: JSON text frames `@xstate.actor`, `@xstate.event` and
 * `@xstate.snapshot`.
 *
 * Events of servers and connections come without payloads (`Inspection` takes them out). Below a connection there may
 * be actors of the user's, of any logic: they are shown as they are, as far as JSON can hold them. A message is made
 * of copies, so it does not change later.
 */
import type { AnyActorRef, AnyEventObject, AnyMachineSnapshot, InspectionEvent } from 'xstate';
import { discreetSnapshot, isOwnActor } from '../api/inspection/inspection.ts';
import { connectionName } from '../machines/connection-actor.ts';
import type { ConnectionFacts } from '../machines/connection-ports.ts';

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
  /** Where the actor's logic is a machine. */
  readonly value?: unknown;
  readonly context?: unknown;
  readonly output?: unknown;
  readonly error?: unknown;
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

const definitions = new WeakMap<object, string>();

export function actorMessage(actor: AnyActorRef, rootId: string, epochMs: number): ActorMessage {
  return {
    type: '@xstate.actor',
    name: nameOf(actor),
    ...common(actor, rootId, epochMs),
    parentId: actor._parent?.sessionId,
    definition: definitionOf(actor),
    snapshot: plain(actor, actor.getSnapshot()),
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
    event: plainEvent(actorRef as AnyActorRef, event),
  };
}

export function snapshotMessage(
  { actorRef, rootId, event, snapshot }: InspectionEvent & { type: '@xstate.snapshot' },
  epochMs: number,
): SnapshotMessage {
  return {
    type: '@xstate.snapshot',
    ...common(actorRef as AnyActorRef, rootId, epochMs),
    event: plainEvent(actorRef as AnyActorRef, event),
    snapshot: plain(actorRef as AnyActorRef, snapshot),
  };
}

/** `connection 7 /echo` for a connection, without the path until that is known; the id of any other actor. */
export function nameOf(actor: AnyActorRef): string {
  const facts = isOwnActor(actor) ? factsOf(actor.getSnapshot() as AnyMachineSnapshot) : {};
  if ('remoteAddress' in facts) return connectionName(facts as ConnectionFacts);
  return (actor.id === actor.sessionId ? configOf(actor)?.id : undefined) ?? actor.id;
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

/** What the port of a server or a connection says of itself. */
function factsOf(snapshot: AnyMachineSnapshot): object {
  return (snapshot.context as { port: { toJSON(): object } }).port.toJSON();
}

/** The definition of an actor's machine; undefined where its logic is no machine. */
function configOf(actor: AnyActorRef): { readonly id?: string } | undefined {
  return (actor as unknown as { logic: { config?: { id?: string } } }).logic.config;
}

function definitionOf(actor: AnyActorRef): string | undefined {
  const config = configOf(actor);
  if (typeof config !== 'object') return undefined;
  let definition = definitions.get(config);
  if (definition === undefined) {
    definition = JSON.stringify(asJson(config));
    definitions.set(config, definition);
  }
  return definition;
}

/** A snapshot as JSON; in that of a server or a connection, the port is replaced by its `toJSON`. */
function plain(actor: AnyActorRef, snapshot: unknown): WireSnapshot {
  if (!isOwnActor(actor)) {
    const { status, value, context, output, error } = snapshot as AnyMachineSnapshot;
    return {
      status,
      value,
      context: asJson(context),
      ...(output === undefined ? {} : { output: asJson(output) }),
      ...(error === undefined ? {} : { error: asJson(error) }),
    };
  }
  const { status, value, context, output } = discreetSnapshot(snapshot as AnyMachineSnapshot);
  const { port: _port, error, ...rest } = context as { port: unknown; error?: unknown };
  return {
    status,
    value,
    context: {
      ...factsOf(snapshot as AnyMachineSnapshot),
      ...rest,
      ...(error instanceof Error ? { error: error.message } : {}),
    },
    ...(output === undefined ? {} : { output }),
  };
}

function plainEvent(actor: AnyActorRef, event: AnyEventObject): AnyEventObject {
  const { type } = event;
  // A connection gets an event when an actor of the user's below it has ended, with that actor's output.
  if (isOwnActor(actor) && !type.startsWith('xstate.')) return event;
  return { type, ...(asJson(event) as object) };
}

/** A copy that JSON can hold. Bytes are shown as their count; a value that JSON cannot hold, as the reason why. */
function asJson(value: unknown): unknown {
  if (value === undefined) return undefined;
  try {
    return JSON.parse(JSON.stringify(value, shown) ?? 'null');
  } catch (error) {
    return { unshown: (error as Error).message };
  }
}

function shown(this: Readonly<Record<string, unknown>>, key: string, value: unknown): unknown {
  const own = this[key]; // before its `toJSON`: that of a Buffer writes out every byte
  if (ArrayBuffer.isView(own)) return { byteLength: own.byteLength };
  if (own instanceof Error) return { name: own.name, message: own.message };
  return typeof value === 'bigint' ? String(value) : value;
}
