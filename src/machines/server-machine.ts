/**
 * The life of a server, as a statechart.
 *
 * A server is **stopped** until it is told to start; **starting** while its port is being opened; **listening** once
 * connections can come. Told to stop it is **draining**: it takes no new connections, asks those it has to close, and
 * at the deadline destroys what is left; then it is **stopped** again, and may be started again. When the port cannot
 * be opened, or is lost, it has **failed**, and keeps the reason; starting it again tries again.
 *
 * Connections that somebody watches are actors below this one, made with `createActor` and `parent`, not spawned: a
 * spawn costs work for each connection already open. All bear the id `connection`, so that the two events by which
 * XState tells of their end have two types and not one for each connection; the others tell of it by the same two.
 */
import { type Actor, assign, setup } from 'xstate';
import { persistWithoutPort } from './persisted-snapshot.ts';
import type { ServerEvent, ServerPort, ServerState } from './server-ports.ts';

export interface ServerContext {
  readonly port: ServerPort;
  /** Why the server failed. */
  readonly error: Error | undefined;
}

function as<T extends ServerEvent['type']>(event: ServerEvent, _type: T) {
  return event as Extract<ServerEvent, { type: T }>;
}

const machineSetup = setup({
  types: {
    context: {} as ServerContext,
    events: {} as ServerEvent,
    input: {} as { port: ServerPort },
  },
  actions: {
    listen: ({ context }) => context.port.listen(),
    closeListener: ({ context }) => context.port.closeListener(),
    closeConnections: ({ context, event }) => {
      const { code, reason } = as(event, 'server.stop');
      context.port.closeConnections(code, reason);
    },
    terminateConnections: ({ context }) => context.port.terminateConnections(),
    connectionEnded: ({ context }) => context.port.connectionEnded(),
    connectionBroke: ({ context, event }) =>
      context.port.connectionBroke(as(event, 'xstate.error.actor.connection').error),
    noteFailure: assign({ error: ({ event }) => as(event, 'listener.failed').error }),
    forgetFailure: assign({ error: undefined }),
    announce: ({ context }, params: { state: ServerState }) =>
      context.port.announce(params.state, context.error),
  },
});

export const serverMachine = machineSetup.createMachine({
  id: 'server',
  description: 'One server: a listening port and the connections that came through it.',
  context: ({ input }) => ({ port: input.port, error: undefined }),
  initial: 'stopped',
  states: {
    stopped: {
      description: 'No port is open and no connection lives.',
      on: {
        'server.start': { target: 'starting' },
        'server.stop': {},
      },
    },
    starting: {
      description: 'The port is being opened.',
      entry: ['forgetFailure', { type: 'announce', params: { state: 'starting' } }, 'listen'],
      on: {
        'listener.ready': { target: 'listening' },
        'listener.failed': { target: 'failed', actions: 'noteFailure' },
        'server.stop': { target: 'draining', actions: ['closeListener', 'closeConnections'] },
        'server.start': {},
      },
    },
    listening: {
      description: 'Connections can come.',
      entry: [{ type: 'announce', params: { state: 'listening' } }],
      on: {
        'listener.failed': {
          target: 'failed',
          actions: ['noteFailure', 'closeListener', 'terminateConnections'],
        },
        'server.stop': { target: 'draining', actions: ['closeListener', 'closeConnections'] },
        'server.start': {},
      },
    },
    draining: {
      description: 'No new connections; those that live are closing, until the deadline.',
      entry: [{ type: 'announce', params: { state: 'draining' } }],
      on: {
        'connections.gone': {
          target: 'stopped',
          actions: { type: 'announce', params: { state: 'stopped' } },
        },
        'timeout.drain': { actions: 'terminateConnections' },
        'server.stop': {},
        'server.start': {},
      },
    },
    failed: {
      description: 'The port could not be opened or was lost; `error` says why.',
      entry: [{ type: 'announce', params: { state: 'failed' } }],
      on: {
        'server.start': { target: 'starting' },
        'server.stop': { target: 'stopped', actions: { type: 'announce', params: { state: 'stopped' } } },
      },
    },
  },
  on: {
    'xstate.done.actor.connection': { actions: 'connectionEnded' },
    'xstate.error.actor.connection': { actions: 'connectionBroke' },
  },
});

persistWithoutPort(serverMachine);

export type ServerMachine = typeof serverMachine;
export type ServerActor = Actor<ServerMachine>;
