/**
 * The relay: each watcher that connects gets all inspection events, in the wire format of `@statelyai/inspect`, and first
 * what happened before it came.
 *
 * A new watcher gets every actor in the state that it had before the oldest kept event, then the kept events, so that all
 * it sees is consistent. The last `replay` events are kept, and as many of the newest actors. Inspectors of other processes
 * may send their own events on the same path; these are passed on and kept unchanged.
 */
import type { AnyActorRef, InspectionEvent } from 'xstate';
import type { Connection } from '../api/connection/connection.ts';
import type { Message } from '../connection/recipient.ts';
import {
  type ActorMessage,
  actorMessage,
  eventMessage,
  nameOf,
  snapshotMessage,
  snapshotOf,
  type WireMessage,
} from './wire.ts';

/** An actor as it was before the oldest kept event. */
interface Known {
  base: ActorMessage;
  /** Kept events about it. */
  kept: number;
  /** It has ended: it is forgotten together with its last kept event. */
  ended: boolean;
}

export class Relay {
  readonly #replay: number;
  readonly #epochMs: () => number;
  readonly #watchers = new Set<Connection>();
  readonly #known = new Map<string, Known>();
  /** Actors that other processes' inspectors told of: their ids may equal ours, and their end may never be told. */
  readonly #foreign = new Set<string>();
  readonly #kept: { readonly key: string; readonly message: WireMessage }[] = [];

  constructor(replay: number, epochMs: () => number) {
    this.#replay = replay;
    this.#epochMs = epochMs;
  }

  /** How much is kept for new watchers. */
  get size(): { events: number; actors: number } {
    return { events: this.#kept.length, actors: this.#known.size };
  }

  /** A watcher has come: sends it what happened before. */
  join(watcher: Connection): void {
    this.#watchers.add(watcher);
    const actors = [...this.#known.values()];
    const spare = actors.length - this.#replay;
    // The first is the server itself. Of the others, the oldest that have no kept event are left out.
    actors.forEach(({ base, kept }, index) => {
      if (index === 0 || index >= spare || kept > 0) watcher.send(JSON.stringify(base));
    });
    for (const { message } of this.#kept) watcher.send(JSON.stringify(message));
  }

  leave(watcher: Connection): void {
    this.#watchers.delete(watcher);
  }

  /** Takes an inspection event of this process. */
  hear(event: InspectionEvent): void {
    if (event.type !== '@xstate.actor' && event.type !== '@xstate.event' && event.type !== '@xstate.snapshot')
      return;
    const actor = event.actorRef as AnyActorRef;
    // XState announces an actor before it has a snapshot: then it is announced at its first event.
    if (snapshotOf(actor) === undefined) return;
    const at = this.#epochMs();
    if (!this.#known.has(actor.sessionId)) this.#tell(actorMessage(actor, event.rootId, at));
    else if (event.type === '@xstate.actor') this.#rename(actor, event.rootId, at);
    if (event.type === '@xstate.event') this.#tell(eventMessage(event, at));
    if (event.type === '@xstate.snapshot') this.#tell(snapshotMessage(event, at));
  }

  /** Takes an inspection event of another process; false when it is none. */
  receive(sender: Connection, text: Message): boolean {
    const message = readMessage(text);
    if (message === undefined) return false;
    this.#tell(message, sender);
    return true;
  }

  #tell(message: WireMessage, sender?: Connection): void {
    this.#keep(message, sender);
    if (this.#watchers.size === 0) return;
    const text = JSON.stringify(message);
    for (const watcher of this.#watchers) if (watcher !== sender) watcher.send(text);
  }

  /** A connection is announced again when its path is known, since its name contains the path. */
  #rename(actor: AnyActorRef, rootId: string, at: number): void {
    const known = this.#known.get(actor.sessionId);
    if (known === undefined) return;
    known.base = { ...known.base, name: nameOf(actor) };
    const text = JSON.stringify(actorMessage(actor, rootId, at));
    for (const watcher of this.#watchers) watcher.send(text);
  }

  #keep(message: WireMessage, sender: Connection | undefined): void {
    const key = sender === undefined ? message.sessionId : `${sender.id} ${message.sessionId}`;
    if (message.type === '@xstate.actor') {
      this.#known.set(key, { base: message, kept: 0, ended: hasEnded(message) });
      if (sender !== undefined) this.#keepForeign(key);
      return;
    }
    this.#kept.push({ key, message });
    const known = this.#known.get(key);
    if (known !== undefined) {
      known.kept++;
      if (hasEnded(message)) known.ended = true;
    }
    if (this.#kept.length > this.#replay) this.#forgetOldest();
  }

  #keepForeign(key: string): void {
    this.#foreign.delete(key);
    this.#foreign.add(key);
    if (this.#foreign.size <= this.#replay) return;
    const [oldest = ''] = this.#foreign;
    this.#foreign.delete(oldest);
    this.#known.delete(oldest);
  }

  /** Drops the oldest kept event: its result becomes the kept state of its actor. */
  #forgetOldest(): void {
    const oldest = this.#kept.shift();
    if (oldest === undefined) return;
    const { key, message } = oldest;
    const known = this.#known.get(key);
    if (known === undefined) return;
    known.kept--;
    if (message.type === '@xstate.snapshot') known.base = { ...known.base, snapshot: message.snapshot };
    if (known.ended && known.kept <= 0) this.#known.delete(key);
  }
}

function hasEnded(message: WireMessage): boolean {
  return message.type !== '@xstate.event' && (message.snapshot?.status ?? 'active') !== 'active';
}

const TYPES = ['@xstate.actor', '@xstate.event', '@xstate.snapshot'];

function readMessage(text: Message): WireMessage | undefined {
  if (typeof text !== 'string') return undefined;
  try {
    const message = JSON.parse(text) as WireMessage | null;
    const valid = TYPES.includes(message?.type ?? '') && typeof message?.sessionId === 'string';
    return valid ? (message as WireMessage) : undefined;
  } catch {
    return undefined;
  }
}
