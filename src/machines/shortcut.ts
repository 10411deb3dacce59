/**
 * The shortcut past a macrostep that would change nothing.
 *
 * Most chunks hold whole messages, and reading them is a targetless transition with one action. This logic runs
 * around the machine: where the machine's own definition says that `socket.bytes` is answered so, it calls that action
 * and returns the snapshot as it is. Which states those are is read off the definition when the module loads; a state
 * that gains a guard, a target or a second action leaves the list by itself. The event still came through the
 * actor's mailbox, and while somebody inspects, every event takes the long way.
 */
import type { AnyStateMachine } from 'xstate';
import type { ConnectionMachine } from './connection-machine.ts';
import type { ConnectionEvent } from './connection-ports.ts';

/** Top-level states in which `socket.bytes` does `read` and nothing else. */
export function plainReadStates(machine: AnyStateMachine): ReadonlySet<string> {
  const states = new Set<string>();
  for (const [name, node] of Object.entries(machine.root.states)) {
    if (node.type !== 'atomic') continue;
    const candidates = node.transitions.get('socket.bytes') ?? [];
    const [only] = candidates;
    if (candidates.length !== 1 || only === undefined || only.guard !== undefined) continue;
    if (only.target !== undefined || only.actions.length !== 1 || only.actions[0] !== 'read') continue;
    if (node.always !== undefined && node.always.length > 0) continue;
    states.add(name);
  }
  return states;
}

/** The machine with the shortcut: the same states, events and results, sooner. */
export function withShortcut(machine: ConnectionMachine): ConnectionMachine {
  const states = plainReadStates(machine);
  const transition: ConnectionMachine['transition'] = (snapshot, event, scope) => {
    const { port } = snapshot.context;
    try {
      if (event.type === 'socket.bytes' && !port.inspected && states.has(snapshot.value as string)) {
        const { chunk, shared } = event as Extract<ConnectionEvent, { type: 'socket.bytes' }>;
        port.read(chunk, shared);
        return snapshot;
      }
      return machine.transition(snapshot, event, scope);
    } catch (error) {
      // XState ends the actor; the port ends the connection.
      port.broke(error);
      throw error;
    }
  };
  // A snapshot that an actor begins with is whole: XState would look for actors in all that its context leads to.
  const restoreSnapshot: ConnectionMachine['restoreSnapshot'] = (snapshot) => snapshot as never;
  return Object.create(machine, {
    transition: { value: transition },
    restoreSnapshot: { value: restoreSnapshot },
  }) as ConnectionMachine;
}
