/**
 * What a server must do, state by state and event by event: the oracle of its model-based tests, written by hand
 * from the design. An event that a state does not name is refused there: it changes nothing and calls nothing. The
 * ends of connections are told in every state and change none.
 */
import type { Remaining, ServerEvent } from '../../src/machines/server-ports.ts';

/** The states without states inside, as dotted paths. */
export const SERVER_STATES = [
  'stopped',
  'starting',
  'listening',
  'draining.leaving',
  'draining.releasing',
  'draining.dismissing',
  'failed',
] as const;
export type ServerLeaf = (typeof SERVER_STATES)[number];

/** The states in which connections are taken from the port, be it to be refused. */
export const ACCEPTING: readonly ServerLeaf[] = ['listening', 'draining.leaving'];

const progress = (remaining: Remaining) => ({ type: 'drain.progress', ...remaining }) as const;

/**
 * Samples of every event there is. Where the answer depends on what the event counts, there is one for each case, and one
 * for each count that alone must not suffice.
 */
const SAMPLES_OF: {
  readonly [Type in ServerEvent['type']]: Readonly<Record<string, Extract<ServerEvent, { type: Type }>>>;
} = {
  'server.start': { '': { type: 'server.start' } },
  'server.stop': { '': { type: 'server.stop', code: 1001, reason: 'bye' } },
  'listener.ready': { '': { type: 'listener.ready' } },
  'listener.failed': { '': { type: 'listener.failed', error: new Error('port taken') } },
  'listener.closed': {
    'all gone': { type: 'listener.closed', connections: 0 },
    'one left': { type: 'listener.closed', connections: 1 },
  },
  'drain.progress': {
    'all gone': progress({ leaving: 0, handlers: 0, connections: 0 }),
    'a latecomer left': progress({ leaving: 0, handlers: 0, connections: 1 }),
    'a handler left': progress({ leaving: 0, handlers: 1, connections: 0 }),
    'one leaving': progress({ leaving: 1, handlers: 0, connections: 1 }),
  },
  'timeout.drain': { '': { type: 'timeout.drain' } },
  'xstate.done.actor.connection': { '': { type: 'xstate.done.actor.connection' } },
  'xstate.error.actor.connection': {
    '': { type: 'xstate.error.actor.connection', error: new Error('broke') },
  },
};

/** Every type of event: the closed set. */
export const SERVER_EVENT_TYPES = Object.keys(SAMPLES_OF) as ServerEvent['type'][];
export const SERVER_SAMPLES = Object.entries(SAMPLES_OF).flatMap(([type, samples]) =>
  Object.entries(samples).map(([what, event]: [string, ServerEvent]) => ({
    name: what === '' ? type : `${type}: ${what}`,
    event,
  })),
);
const NAMES = new Map(SERVER_SAMPLES.map(({ name, event }) => [event, name]));

/** The name of one of the samples. */
export function nameOfServerEvent(event: ServerEvent): string {
  return NAMES.get(event) ?? event.type;
}

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
const STOPS: Line = { to: 'stopped', does: ['announce stopped', 'settleStop'] };
/** While it drains, a start is kept for afterwards, and a stop calls that off. */
const DRAINING: Record<string, Line> = {
  ...ANYWHERE,
  'server.start': { does: ['startAfterStop'] },
  'server.stop': { does: ['rejectStart'] },
};

export const serverSpec: { readonly [Name in ServerLeaf]: Readonly<Record<string, Line>> } = {
  stopped: { ...ANYWHERE, 'server.start': STARTS, 'server.stop': { does: ['settleStop'] } },
  starting: {
    ...ANYWHERE,
    'listener.ready': { to: 'listening', does: ['announce listening', 'settleStart'] },
    'listener.failed': {
      to: 'failed',
      does: ['rejectStart for port taken', 'announce failed for port taken'],
      error: 'port taken',
    },
    // Nobody has come yet: there is only the port.
    'server.stop': {
      to: 'draining.releasing',
      does: ['rejectStart', 'announce draining', 'closeListener'],
    },
  },
  listening: {
    ...ANYWHERE,
    'listener.failed': {
      to: 'failed',
      does: [
        'closeListener',
        'terminateConnections',
        'rejectStart for port taken',
        'announce failed for port taken',
      ],
      error: 'port taken',
    },
    'server.stop': {
      to: 'draining.leaving',
      does: ['rejectStart', 'announce draining', 'closeConnections 1001 "bye"'],
    },
  },
  'draining.leaving': {
    ...DRAINING,
    // Who came during the stop is not waited for.
    'drain.progress: all gone': { to: 'draining.releasing', does: ['closeListener'] },
    'drain.progress: a latecomer left': { to: 'draining.releasing', does: ['closeListener'] },
    'timeout.drain': { to: 'draining.releasing', does: ['terminateConnections', 'closeListener'] },
  },
  'draining.releasing': {
    ...DRAINING,
    'listener.closed: all gone': STOPS,
    'listener.closed: one left': { to: 'draining.dismissing', does: ['endLatecomers'] },
  },
  'draining.dismissing': {
    ...DRAINING,
    'drain.progress: all gone': STOPS,
    // A handler that has begun since the deadline is not waited for.
    'drain.progress: a handler left': STOPS,
  },
  failed: {
    ...ANYWHERE,
    'server.start': STARTS,
    'server.stop': { to: 'stopped', does: ['announce stopped for port taken', 'settleStop'] },
  },
};

/** The state of the specification along one path. */
export class ServerOracle {
  state: ServerLeaf = 'stopped';
  error = '';

  get accepts(): boolean {
    return ACCEPTING.includes(this.state);
  }

  take(event: ServerEvent): readonly string[] {
    const line = serverSpec[this.state][nameOfServerEvent(event)] ?? {};
    this.state = line.to ?? this.state;
    this.error = line.error ?? this.error;
    return line.does ?? [];
  }
}
