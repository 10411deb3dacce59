/**
 * The link of a server to an engine that joins it with other processes, as a statechart.
 *
 * It is **down** until it is started. Then it is **connecting**, and **up** when the engine is there: interest is restored, and
 * topics are told of the gap if the engine was away. When the engine cannot be had, or is lost, the link is **waiting**, longer
 * after each failure in a row, and connects again. It never gives up: members here are served without it.
 *
 * A stop ends the engine from wherever the link is. While that takes its time (`ending`), a start is kept for afterwards
 * (`restarting`), and another stop calls it off.
 */
import { type Actor, assign, setup } from 'xstate';
import type { LinkEvent, LinkPort, LinkState } from './link-ports.ts';
import { persistWithoutPort } from './persisted-snapshot.ts';

export interface LinkContext {
  readonly port: LinkPort;
  /** Failures since the engine was up, or since the start. */
  readonly attempts: number;
}

function errorOf(event: LinkEvent): Error {
  return (event as Extract<LinkEvent, { type: 'engine.failed' }>).error;
}

const machineSetup = setup({
  types: {
    context: {} as LinkContext,
    events: {} as LinkEvent,
    input: {} as { port: LinkPort },
  },
  actions: {
    connect: ({ context }) => context.port.connect(),
    restore: ({ context }) => context.port.restore(),
    tellGaps: ({ context }) => context.port.tellGaps(),
    wait: ({ context }) => context.port.wait(context.attempts),
    tellFailure: ({ context, event }) => context.port.tellFailure(errorOf(event)),
    endEngine: ({ context }) => context.port.endEngine(),
    settleStop: ({ context }) => context.port.settleStop(),
    countAttempt: assign({ attempts: ({ context }) => context.attempts + 1 }),
    forgetAttempts: assign({ attempts: 0 }),
    announce: ({ context }, params: { state: LinkState }) => context.port.announce(params.state),
  },
});

export const linkMachine = machineSetup.createMachine({
  id: 'link',
  description: 'The link of a server to the engine that joins it with other processes.',
  context: ({ input }) => ({ port: input.port, attempts: 0 }),
  initial: 'down',
  states: {
    down: {
      description: 'There is no engine, and none is wanted.',
      entry: { type: 'announce', params: { state: 'down' } },
      initial: 'idle',
      states: {
        idle: {
          description: 'Not started, or stopped.',
          on: {
            'link.start': { target: '#link.connecting' },
            'link.stop': { actions: 'settleStop' },
          },
        },
        ending: {
          description: 'The engine is being ended.',
          on: {
            'engine.ended': { target: 'idle', actions: 'settleStop' },
            'link.start': { target: 'restarting' },
          },
        },
        restarting: {
          description: 'The engine is being ended; after that it is started again.',
          on: {
            'engine.ended': { target: '#link.connecting', actions: 'settleStop' },
            'link.stop': { target: 'ending' },
          },
        },
      },
    },
    connecting: {
      description: 'The engine is being connected to.',
      entry: [{ type: 'announce', params: { state: 'connecting' } }, 'connect'],
      on: {
        'engine.up': { target: 'up' },
        'engine.failed': { target: 'waiting', actions: 'tellFailure' },
        'link.stop': { target: '#link.down.ending', actions: ['forgetAttempts', 'endEngine'] },
      },
    },
    up: {
      description: 'Messages go to other processes and come from them.',
      entry: ['forgetAttempts', 'restore', { type: 'announce', params: { state: 'up' } }, 'tellGaps'],
      on: {
        'engine.failed': { target: 'waiting', actions: 'tellFailure' },
        'link.stop': { target: '#link.down.ending', actions: 'endEngine' },
      },
    },
    waiting: {
      description: 'The engine was lost, or could not be had. It is tried again after a while.',
      entry: ['countAttempt', { type: 'announce', params: { state: 'waiting' } }, 'wait'],
      on: {
        'timeout.retry': { target: 'connecting' },
        'link.stop': { target: '#link.down.ending', actions: ['forgetAttempts', 'endEngine'] },
      },
    },
  },
});

persistWithoutPort(linkMachine);

export type LinkMachine = typeof linkMachine;
/** The running statechart of the link to an engine: an actor of XState. */
export type LinkActor = Actor<LinkMachine>;
