/**
 * What a server must do, state by state and event by event: the oracle of its model-based tests, written by hand
 * from the design. An event that a state does not name is refused there; the ends of connections are told in every
 * state and change none.
 */
import type { ServerEvent } from '../../src/machines/server-ports.ts';

export const SERVER_STATES = ['stopped', 'starting', 'listening', 'draining', 'failed'] as const;
export type ServerLeaf = (typeof SERVER_STATES)[number];

const ONE_OF_EACH: { readonly [Type in ServerEvent['type']]: Extract<ServerEvent, { type: Type }> } = {
  'server.start': { type: 'server.start' },
  'server.stop': { type: 'server.stop', code: 1001, reason: 'bye' },
  'listener.ready': { type: 'listener.ready' },
  'listener.failed': { type: 'listener.failed', error: new Error('port taken') },
  'connections.gone': { type: 'connections.gone' },
  'timeout.drain': { type: 'timeout.drain' },
  'xstate.done.actor.connection': { type: 'xstate.done.actor.connection' },
  'xstate.error.actor.connection': { type: 'xstate.error.actor.connection', error: new Error('broke') },
};

/** Every type of event: the closed set. */
export const SERVER_EVENT_TYPES = Object.keys(ONE_OF_EACH) as ServerEvent['type'][];
export const SERVER_SAMPLES = Object.values(ONE_OF_EACH).map((event: ServerEvent) => ({
  name: event.type,
  event,
}));

interface Line {
  readonly to?: ServerLeaf;
  readonly does?: readonly string[];
  /** The reason of failure from here on; an empty one is none. */
  readonly error?: string;
}

const ANYWHERE: Record<string, Line> = {
  'xstate.done.actor.connection': { does: ['connectionEnded'] },
  'xstate.error.actor.connection': { does: ['connectionBroke Error: broke'] },
};

const STARTS: Line = { to: 'starting', does: ['announce starting', 'listen'], error: '' };
const DRAINS: Line = {
  to: 'draining',
  does: ['closeListener', 'closeConnections 1001 "bye"', 'announce draining'],
};

export const serverSpec: { readonly [Name in ServerLeaf]: Readonly<Record<string, Line>> } = {
  stopped: { ...ANYWHERE, 'server.start': STARTS },
  starting: {
    ...ANYWHERE,
    'listener.ready': { to: 'listening', does: ['announce listening'] },
    'listener.failed': { to: 'failed', does: ['announce failed for port taken'], error: 'port taken' },
    'server.stop': DRAINS,
  },
  listening: {
    ...ANYWHERE,
    'listener.failed': {
      to: 'failed',
      does: ['closeListener', 'terminateConnections', 'announce failed for port taken'],
      error: 'port taken',
    },
    'server.stop': DRAINS,
  },
  draining: {
    ...ANYWHERE,
    'connections.gone': { to: 'stopped', does: ['announce stopped'] },
    'timeout.drain': { does: ['terminateConnections'] },
  },
  failed: {
    ...ANYWHERE,
    'server.start': STARTS,
    'server.stop': { to: 'stopped', does: ['announce stopped for port taken'] },
  },
};

/** Where the specification stands in one path. */
export class ServerOracle {
  state: ServerLeaf = 'stopped';
  error = '';

  take(event: ServerEvent): readonly string[] {
    const line = serverSpec[this.state][event.type] ?? {};
    this.state = line.to ?? this.state;
    this.error = line.error ?? this.error;
    return line.does ?? [];
  }
}
