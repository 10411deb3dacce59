/**
 * XState's own actor of a connection, for those who watch.
 *
 * Most connections are watched by nobody, and an actor costs more than a kilobyte and 10 µs: so they live in an
 * `Interpreter` until somebody asks for `connection.actor`, or inspects. Then an actor of XState's goes on from there,
 * below the server's, with the same machine and the same port; it stays for the rest of the connection's life.
 */
import { type Actor, createActor } from 'xstate';
import { type ConnectionActor, connectionMachine } from '../../machines/connection-machine.ts';
import type { Interpreter } from '../../machines/interpreter.ts';
import type { serverMachine } from '../../machines/server-machine.ts';
import { withShortcut } from '../../machines/shortcut.ts';

const logic = withShortcut(connectionMachine);

/** Makes the actor that goes on from where `interpreter` is, and hands over to it: that starts it. */
export function succeed(interpreter: Interpreter, parent: Actor<typeof serverMachine>): ConnectionActor {
  const { port, report, value, status, fault } = interpreter;
  const snapshot = connectionMachine.resolveState({
    value,
    context: { port, report },
    ...(status === 'done' ? { output: report } : {}),
  });
  // In the final state, too, a broken one is broken.
  if (fault !== undefined) Object.assign(snapshot, { status, error: fault.error });
  const own = Object.create(logic, {
    start: {
      value: () => {
        // It broke between handing over and the end of that event.
        if (interpreter.fault !== undefined) throw interpreter.fault.error;
      },
    },
  }) as typeof logic;
  // One id for all: XState keeps every event type it has seen, and the end of an actor is told by its id.
  const actor = createActor(own, { id: 'connection', parent, input: { port }, snapshot });
  interpreter.handOver(actor);
  return actor;
}
