/**
 * `actor.getPersistedSnapshot()` for the machines of this package: a copy of the snapshot that JSON can hold.
 *
 * The context of both machines holds their port, and through it the whole running server. XState would walk all of
 * that; so the port is replaced by what its `toJSON` says of it. A persisted snapshot is for showing and storing.
 * Nothing can be restored from it, because sockets cannot.
 */
import type { AnyMachineSnapshot, AnyStateMachine, Snapshot } from 'xstate';

/** Gives a machine, and so every actor of it, the `getPersistedSnapshot` that is described above. */
export function persistWithoutPort(machine: AnyStateMachine): void {
  const persist = machine.getPersistedSnapshot;
  machine.getPersistedSnapshot = (snapshot, options) => {
    const { context, error } = snapshot as AnyMachineSnapshot;
    const { port, ...rest } = context as { port: { toJSON(): object } };
    const shown = { ...rest, port: port.toJSON() };
    const persisted = persist({ ...snapshot, context: mapValues(shown, plainError) } as never, options);
    return { ...persisted, error: plainError(error) } as Snapshot<unknown>;
  };
}

function mapValues(values: object, map: (value: unknown) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, map(value)]));
}

/** JSON writes an Error as `{}`. */
function plainError(value: unknown): unknown {
  return value instanceof Error ? { name: value.name, message: value.message } : value;
}
