/**
 * What is seen from outside while a server runs: inspection events, diagnostics channels, counters.
 *
 * Every XState inspection event reaches observers through `Inspection`. It listens to XState only while there are
 * observers. It takes payloads out at once, before their buffer is used again: `socket.bytes` shows its `byteLength`, a
 * Close frame its code, an HTTP answer its status. What users and peers said stays in the process. Events of the user's
 * own actors, which may live below a connection's, are passed on as they are.
 *
 * `node:diagnostics_channel` carries each change of state on `portal-ws.connection.<state>` and
 * `portal-ws.server.<state>`, in the form of `lifecycle$`. A channel without subscribers costs nothing.
 */
import { type Channel, channel } from 'node:diagnostics_channel';
import {
  type Actor,
  type AnyActorRef,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type InspectionEvent,
  type Observer,
  toObserver,
} from 'xstate';
import type { Session } from '../../connection/session.ts';
import { connectionMachine } from '../../machines/connection-machine.ts';
import type { CloseReport, ConnectionState } from '../../machines/connection-ports.ts';
import { serverMachine } from '../../machines/server-machine.ts';
import type { ServerState } from '../../machines/server-ports.ts';

/** An XState inspection observer, or its `next` alone. */
export type InspectionObserver = Observer<InspectionEvent> | ((event: InspectionEvent) => void);

/** How `Inspection` reaches XState: the system of the server's actor, and the actors alive in it. */
export interface Inspectable {
  /** Tells `hear` of every inspection event of the system from now on; returns what ends that. */
  listenIn(hear: (event: InspectionEvent) => void): () => void;
  /** One `@xstate.actor` event for the server and one for each connection; a connection without an actor gets one. */
  actors(): Iterable<InspectionEvent>;
  /** An observer threw. */
  observerFailed(error: unknown): void;
}

/** What `portal-ws/inspect` sees of a server beyond its public face. @internal */
export interface Watchable extends Inspectable {
  readonly inspection: Inspection;
  readonly actor: Actor<typeof serverMachine>;
  readonly sessions: ReadonlySet<Session>;
  stats(): ServerStats;
}

/** The inside of each server. @internal */
export const watchables = new WeakMap<object, Watchable>();

export class Inspection {
  /** True while there are observers: then every frame is an event of the machine. */
  active = false;

  readonly #inspectable: Inspectable;
  readonly #observers = new Set<(event: InspectionEvent) => void>();
  /** Ends listening to XState; undefined while it does not listen. */
  #stopListening: (() => void) | undefined;

  constructor(inspectable: Inspectable) {
    this.#inspectable = inspectable;
  }

  /** Adds an observer before the server's actor exists; the caller makes XState call `hear`. */
  begin(observer: InspectionObserver): void {
    this.#stopListening = () => {};
    this.#add(observer);
  }

  /** Adds an observer, and tells it of the actors that live. Returns what removes it. */
  attach(observer: InspectionObserver): () => void {
    const next = this.#add(observer);
    for (const event of this.#inspectable.actors()) this.#tell(next, event);
    this.#stopListening ??= this.#inspectable.listenIn(this.hear);
    return () => {
      this.#observers.delete(next);
      if (this.#observers.size > 0) return;
      this.active = false;
      this.#stopListening?.();
      this.#stopListening = undefined;
    };
  }

  /** Passes an inspection event of XState's on to the observers. */
  readonly hear = (event: InspectionEvent): void => {
    const { actorRef, rootId } = event;
    if (!isOwnActor(actorRef as AnyActorRef)) {
      this.#tellAll(event);
      return;
    }
    this.#tellAll(withoutPayload(event));
    // Now the path is known, and the actor's id contains it: observers that show it as a name get the actor again.
    if (event.type === '@xstate.snapshot' && event.event.type === 'handshake.accepted') {
      this.#tellAll({ type: '@xstate.actor', actorRef, rootId });
    }
  };

  #tellAll(event: InspectionEvent): void {
    for (const next of this.#observers) this.#tell(next, event);
  }

  #add(observer: InspectionObserver): (event: InspectionEvent) => void {
    const { next } = toObserver(observer);
    const tell = (event: InspectionEvent) => next?.(event);
    this.#observers.add(tell);
    this.active = true;
    return tell;
  }

  #tell(next: (event: InspectionEvent) => void, event: InspectionEvent): void {
    try {
      next(event);
    } catch (error) {
      this.#inspectable.observerFailed(error);
    }
  }
}

const ownConfigs: ReadonlySet<unknown> = new Set([connectionMachine.config, serverMachine.config]);

/** Whether an actor is a server's or a connection's; any other one is the user's. */
export function isOwnActor(actor: AnyActorRef): boolean {
  return ownConfigs.has((actor as unknown as { logic?: { config?: unknown } }).logic?.config);
}

/** The inspection event without payloads, for an actor of this package; a copy where there was something to take out. */
export function withoutPayload(inspected: InspectionEvent): InspectionEvent {
  if (inspected.type === '@xstate.event') {
    return { ...inspected, event: discreetEvent(inspected.event) };
  }
  if (inspected.type === '@xstate.snapshot' || inspected.type === '@xstate.microstep') {
    const snapshot = discreetSnapshot(inspected.snapshot as AnyMachineSnapshot);
    return { ...inspected, event: discreetEvent(inspected.event), snapshot };
  }
  return inspected;
}

/** An event of the server's or a connection's machine without what a peer or a user said in it. */
export function discreetEvent(event: AnyEventObject): AnyEventObject {
  const { type } = event;
  switch (type) {
    case 'socket.bytes':
      return { type, byteLength: (event.chunk as Uint8Array).length };
    case 'close.received':
      return { type, code: event.code, byteLength: Buffer.byteLength(event.reason as string) };
    case 'handshake.refused': {
      const { status, body = '' } = event.response as { status: number; body?: string | Uint8Array };
      return { type, status, byteLength: Buffer.byteLength(body) };
    }
    case 'socket.error':
    case 'listener.failed':
    case 'xstate.error.actor.connection':
      return { type, message: event.error instanceof Error ? event.error.message : String(event.error) };
    case 'xstate.done.actor.connection':
      return { type, output: discreetReport(event.output as CloseReport) };
    case 'xstate.init':
      return { type };
    default:
      return event;
  }
}

/** A connection's snapshot without the peer's close reason; the same snapshot where it has none. */
export function discreetSnapshot(snapshot: AnyMachineSnapshot): AnyMachineSnapshot {
  const report = (snapshot.context as { report?: CloseReport }).report;
  if (report === undefined || !report.wasClean || report.reason === '') return snapshot;
  const discreet = discreetReport(report);
  return {
    ...snapshot,
    context: { ...snapshot.context, report: discreet },
    ...(snapshot.output === undefined ? {} : { output: discreet }),
  } as AnyMachineSnapshot;
}

/** The reason of a clean close is the peer's own; those of the other ends are this server's words. */
export function discreetReport(report: CloseReport): CloseReport {
  return report.wasClean ? { ...report, reason: '' } : report;
}

/** What a server has done and has: `server.stats()`. */
export interface ServerStats {
  readonly state: ServerState;
  /** Connections by state, now. */
  readonly connections: Readonly<Record<Exclude<ConnectionState, 'closed'>, number>>;
  /** Connections that came to `open`, since the server was made. */
  readonly opened: number;
  /** Of those, the ones that have ended. */
  readonly closed: number;
  /** Peers that got an HTTP answer, or left, before they were open. */
  readonly refused: number;
  /** Whole messages received. */
  readonly messagesIn: number;
  /** Messages taken to be sent. */
  readonly messagesOut: number;
  /** Messages that `send` or the policy `drop-oldest` dropped at `sendLimit`. */
  readonly dropped: number;
  /** Bytes from the sockets, headers and handshakes included. */
  readonly bytesIn: number;
  /** Bytes given to the sockets, headers and handshakes included. */
  readonly bytesOut: number;
  /** Bytes that wait to be sent. */
  readonly buffered: number;
  /** How often each limit or deadline was passed, by the name of its option; those that never were are left out. */
  readonly limits: Readonly<Record<string, number>>;
}

/** What one connection has done: `connection.stats()`. */
export interface ConnectionStats {
  readonly messagesIn: number;
  readonly messagesOut: number;
  /** Messages that `send` or the policy `drop-oldest` dropped at `sendLimit`. */
  readonly dropped: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Bytes that wait to be sent. */
  readonly buffered: number;
  /** Milliseconds since its socket came, coarse by 50. */
  readonly age: number;
  /** Round-trip time of the last heartbeat in milliseconds; undefined before the first. */
  readonly rtt: number | undefined;
}

const connectionStates = ['open', 'fragmenting', 'closing', 'closed'] as const;
const serverStates = ['stopped', 'starting', 'listening', 'draining', 'failed'] as const;

function channelsOf<Name extends string>(
  prefix: string,
  names: readonly Name[],
): Readonly<Record<Name, Channel>> {
  return Object.fromEntries(names.map((name) => [name, channel(`${prefix}.${name}`)])) as Record<
    Name,
    Channel
  >;
}

/** `portal-ws.connection.open` and the others: messages are those of `lifecycle$`. */
export const connectionChannels = channelsOf('portal-ws.connection', connectionStates);
/** `portal-ws.server.listening` and the others: messages are `{ server, from, to, at, error? }`. */
export const serverChannels = channelsOf('portal-ws.server', serverStates);
