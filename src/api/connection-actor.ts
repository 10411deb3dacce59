/**
 * The actor of a connection: XState's own, without what an unwatched one does not need.
 *
 * An actor keeps a set of observers, a map of listeners and its options from its start on, some 800 bytes a
 * connection. Few connections are ever subscribed to, and a started actor does not look at its options again. So these
 * are shared, empty, until the first `subscribe` or `on`. Should a later XState name them otherwise, nothing is lost
 * but the saving.
 */
import { Actor } from 'xstate';
import {
  type ConnectionActor,
  type ConnectionMachine,
  connectionMachine,
} from '../machines/connection-machine.ts';
import type { ConnectionPort } from '../machines/connection-ports.ts';
import type { serverMachine } from '../machines/server-machine.ts';
import { withShortcut } from '../machines/shortcut.ts';

const logic = withShortcut(connectionMachine);
const NO_OBSERVERS: ReadonlySet<unknown> = new Set();
const NO_LISTENERS: ReadonlyMap<unknown, unknown> = new Map();
const STARTED: ConnectionActor['options'] = Object.freeze({});

/** The fields that XState keeps to itself. */
interface Watchers {
  observers: ReadonlySet<unknown>;
  eventListeners: ReadonlyMap<unknown, unknown>;
}

class UnwatchedActor extends Actor<ConnectionMachine> {
  override start(): this {
    super.start();
    this.options = STARTED;
    const watchers = this as unknown as Watchers;
    if (watchers.observers.size === 0) watchers.observers = NO_OBSERVERS;
    if (watchers.eventListeners.size === 0) watchers.eventListeners = NO_LISTENERS;
    return this;
  }
}

/** `subscribe` and `on` give the actor a set and a map of its own before they put something in. */
for (const name of ['subscribe', 'on'] as const) {
  const inherited = Actor.prototype[name] as (this: unknown, ...args: unknown[]) => unknown;
  Object.defineProperty(UnwatchedActor.prototype, name, {
    value(this: Watchers, ...args: unknown[]) {
      if (this.observers === NO_OBSERVERS) this.observers = new Set();
      if (this.eventListeners === NO_LISTENERS) this.eventListeners = new Map();
      return inherited.apply(this, args);
    },
  });
}

/** Makes and starts the actor of a connection below its server's. */
export function startConnectionActor(
  port: ConnectionPort,
  parent: Actor<typeof serverMachine>,
): ConnectionActor {
  // One id for all: XState keeps every event type it has seen, and the end of an actor is told by its id.
  return new UnwatchedActor(logic, { id: 'connection', parent, input: { port } }).start();
}
