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
import {
  type AnyActorRef,
  type AnyEventObject,
  type AnyMachineSnapshot,
  type InspectionEvent,
  type Observer,
  toObserver,
} from 'xstate';
import { connectionMachine } from '../../machines/connection-machine.ts';
import type { CloseReport } from '../../machines/connection-ports.ts';
import { serverMachine } from '../../machines/server-machine.ts';
import type { Core } from '../../server/core.ts';

/** An XState inspection observer, or its `next` alone. */
export type InspectionObserver = Observer<InspectionEvent> | ((event: InspectionEvent) => void);

/** What `portal-ws/inspect` sees of a server beyond its public face. @internal */
export interface Watchable {
  readonly core: Core;
  readonly inspection: Inspection;
}

/** The inside of each server. @internal */
export const watchables = new WeakMap<object, Watchable>();

export class Inspection {
  readonly #user: { unheard(error: unknown): void };
  readonly #observers = new Set<(event: InspectionEvent) => void>();
  #core: Core | undefined;
  /** That of the link to an engine, where there is one. It is shown as it is, like users' own actors. */
  #link: AnyActorRef | undefined;
  #stopListening: (() => void) | undefined;

  /** `user` is told what observers throw. */
  constructor(user: { unheard(error: unknown): void }) {
    this.#user = user;
  }

  /** The first observer, which misses nothing: give what this returns to XState as `inspect`. */
  begin(observer: InspectionObserver): (event: InspectionEvent) => void {
    this.#stopListening = () => {};
    this.#add(observer);
    return this.hear;
  }

  /** The server whose statecharts are observed. */
  watch(core: Core, link?: AnyActorRef): void {
    this.#core = core;
    this.#link = link;
  }

  /** Adds an observer: first it is told of the actors that exist. Returns what removes it. */
  attach(observer: InspectionObserver): () => void {
    const core = this.#core as Core; // set as soon as the server is made
    const next = this.#add(observer);
    core.inspected = true;
    for (const event of actorsOf(core, this.#link)) this.#tell(next, event);
    this.#stopListening ??= listen(core, this.hear);
    return () => {
      this.#observers.delete(next);
      if (this.#observers.size > 0) return;
      core.inspected = false;
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
    return tell;
  }

  #tell(next: (event: InspectionEvent) => void, event: InspectionEvent): void {
    try {
      next(event);
    } catch (error) {
      this.#user.unheard(error);
    }
  }
}

/** One `@xstate.actor` event for the server, its link, and each connection, which gets an actor by that. */
function* actorsOf({ actor, sessions }: Core, link: AnyActorRef | undefined): Iterable<InspectionEvent> {
  const rootId = actor.sessionId;
  yield { type: '@xstate.actor', actorRef: actor, rootId };
  if (link !== undefined) yield { type: '@xstate.actor', actorRef: link, rootId };
  for (const session of sessions) yield { type: '@xstate.actor', actorRef: session.actor, rootId };
}

/** Observes the actor system from now on; the returned function ends that. */
function listen({ actor }: Core, hear: (event: InspectionEvent) => void): () => void {
  const subscription = actor.system.inspect(hear);
  return () => subscription.unsubscribe();
}

const ownConfigs: ReadonlySet<unknown> = new Set([connectionMachine.config, serverMachine.config]);

/** Whether an actor is a server's or a connection's; any other one is the user's. */
export function isOwnActor(actor: AnyActorRef): boolean {
  return ownConfigs.has((actor as unknown as { logic?: { config?: unknown } }).logic?.config);
}

/** The event as it may be seen: a copy where there was something to take out. */
function withoutPayload(inspected: InspectionEvent): InspectionEvent {
  if (inspected.type === '@xstate.event') {
    return { ...inspected, event: discreetEvent(inspected.event) };
  }
  if (inspected.type === '@xstate.snapshot' || inspected.type === '@xstate.microstep') {
    const snapshot = discreetSnapshot(inspected.snapshot as AnyMachineSnapshot);
    return { ...inspected, event: discreetEvent(inspected.event), snapshot };
  }
  return inspected;
}

/** An event of the server's or a connection's machine, without the payloads and reasons of peers and users. */
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

/** The reason of a clean close comes from the peer; any other reason is a text of this server. */
export function discreetReport(report: CloseReport): CloseReport {
  return report.wasClean ? { ...report, reason: '' } : report;
}
