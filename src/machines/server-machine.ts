/**
 * The life of a server, as a statechart.
 *
 * A server is **stopped** until it is told to start; **starting** while its port is being opened; **listening** once
 * connections can come. When the port cannot be opened, or is lost, it has **failed** and keeps the reason; starting it
 * again tries again.
 *
 * Told to stop it is **draining**, in up to three steps:
 *
 * - `leaving`: connections are asked to close, and handlers that are pending may finish. The port stays open, and
 *   newcomers are answered with 503: a load balancer is told so, where a closed port would tell it nothing. This ends when
 *   nothing is left to wait for, or at the deadline, when all that is left is destroyed.
 * - `releasing`: the port is being closed. Nobody is accepted any more.
 * - `dismissing`: handshakes that came during the stop and are still there get their 503 and are ended.
 *
 * Then it is stopped again. A start during a stop begins after it, and a stop after that start calls it off.
 *
 * The tag `accepting` says in which states connections are taken from the port, be it to answer them with 503.
 *
 * Connections that somebody watches are actors below this one, made with `createActor` and `parent` and not spawned: a
 * spawn costs work for each connection that is already open.
 */
import { type Actor, assign, setup } from 'xstate';
import { persistWithoutPort } from './persisted-snapshot.ts';
import type { ServerEvent, ServerPort, ServerState } from './server-ports.ts';

export interface ServerContext {
  readonly port: ServerPort;
  /** Why the server failed. */
  readonly error: Error | undefined;
}

function as<T extends ServerEvent['type']>(event: ServerEvent, ..._types: T[]) {
  return event as Extract<ServerEvent, { type: T }>;
}

const machineSetup = setup({
  types: {
    context: {} as ServerContext,
    events: {} as ServerEvent,
    input: {} as { port: ServerPort },
    tags: {} as 'accepting',
  },
  guards: {
    nothingToWaitFor: ({ event }) => {
      const { leaving, handlers } = as(event, 'drain.progress');
      return leaving === 0 && handlers === 0;
    },
    nobodyIsLeft: ({ event }) => as(event, 'drain.progress', 'listener.closed').connections === 0,
  },
  actions: {
    listen: ({ context }) => context.port.listen(),
    closeListener: ({ context }) => context.port.closeListener(),
    closeConnections: ({ context, event }) => {
      const { code, reason } = as(event, 'server.stop');
      context.port.closeConnections(code, reason);
    },
    terminateConnections: ({ context }) => context.port.terminateConnections(),
    endLatecomers: ({ context }) => context.port.endLatecomers(),
    connectionEnded: ({ context }) => context.port.connectionEnded(),
    connectionBroke: ({ context, event }) =>
      context.port.connectionBroke(as(event, 'xstate.error.actor.connection').error),
    settleStart: ({ context }) => context.port.settleStart(),
    rejectStart: ({ context }) => context.port.rejectStart(context.error),
    startAfterStop: ({ context }) => context.port.startAfterStop(),
    settleStop: ({ context }) => context.port.settleStop(),
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
      description: 'No port is open, and there is no connection.',
      on: {
        'server.start': { target: 'starting' },
        'server.stop': { actions: 'settleStop' },
      },
    },
    starting: {
      description: 'The port is being opened.',
      entry: ['forgetFailure', { type: 'announce', params: { state: 'starting' } }, 'listen'],
      on: {
        'listener.ready': { target: 'listening' },
        'listener.failed': { target: 'failed', actions: 'noteFailure' },
        'server.stop': { target: '#server.draining.releasing' },
        'server.start': {},
      },
    },
    listening: {
      description: 'Connections can come.',
      tags: 'accepting',
      entry: [{ type: 'announce', params: { state: 'listening' } }, 'settleStart'],
      on: {
        'listener.failed': {
          target: 'failed',
          actions: ['noteFailure', 'closeListener', 'terminateConnections'],
        },
        'server.stop': { target: 'draining' },
        'server.start': {},
      },
    },
    draining: {
      description: 'The server is being stopped.',
      entry: ['rejectStart', { type: 'announce', params: { state: 'draining' } }],
      initial: 'leaving',
      on: {
        'server.start': { actions: 'startAfterStop' },
        'server.stop': { actions: 'rejectStart' },
      },
      states: {
        leaving: {
          description: 'Connections are closing and handlers finish. The port is open: newcomers get a 503.',
          tags: 'accepting',
          entry: 'closeConnections',
          on: {
            'drain.progress': { guard: 'nothingToWaitFor', target: 'releasing' },
            'timeout.drain': { target: 'releasing', actions: 'terminateConnections' },
          },
        },
        releasing: {
          description: 'The port is being closed.',
          entry: 'closeListener',
          on: {
            'listener.closed': [
              {
                guard: 'nobodyIsLeft',
                target: '#server.stopped',
                actions: [{ type: 'announce', params: { state: 'stopped' } }, 'settleStop'],
              },
              { target: 'dismissing' },
            ],
          },
        },
        dismissing: {
          description: 'The port is closed. Handshakes that came during the stop are refused and ended.',
          entry: 'endLatecomers',
          on: {
            'drain.progress': {
              guard: 'nobodyIsLeft',
              target: '#server.stopped',
              actions: [{ type: 'announce', params: { state: 'stopped' } }, 'settleStop'],
            },
          },
        },
      },
    },
    failed: {
      description: 'The port could not be opened or was lost; `error` says why.',
      entry: ['rejectStart', { type: 'announce', params: { state: 'failed' } }],
      on: {
        'server.start': { target: 'starting' },
        'server.stop': {
          target: 'stopped',
          actions: [{ type: 'announce', params: { state: 'stopped' } }, 'settleStop'],
        },
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
/** The running statechart of a server: an actor of XState. */
export type ServerActor = Actor<ServerMachine>;
