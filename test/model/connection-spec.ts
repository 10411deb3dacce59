/**
 * What a connection must do, state by state and event by event: the oracle of the model-based tests.
 *
 * Written by hand from RFC 6455 and the design, in other words than the machine's, and never derived from it: a
 * transition that is dropped or changed in the machine disagrees with a line here. An event that a state does not
 * name is refused there: it changes nothing and calls nothing.
 *
 * A line says where the event leads, what the port is asked to do, in order, and what the report will be from then
 * on. There is no report until a line says one. Reaching `closed` always means the same: it is announced, then the
 * report is given, once and last; without a report, it is that of a lost connection.
 */
import type { HttpResponse } from '../../src/io/http/http-response.ts';
import type { ConnectionEvent, ConnectionState } from '../../src/machines/connection-ports.ts';

/** The states without states inside, as dotted paths. */
export const LEAVES = [
  'handshaking.reading',
  'handshaking.authorizing',
  'handshaking.rejecting',
  'open',
  'fragmenting',
  'closing.local.idle',
  'closing.local.fragmenting',
  'closing.remote',
  'closing.failing',
  'closed',
] as const;
export type Leaf = (typeof LEAVES)[number];

/** An event of the model, and the name it has in paths and tables. */
export interface Sample {
  readonly name: string;
  readonly event: ConnectionEvent;
}

// What a real peer is told when it breaks a rule or a limit.
const BAD_BITS = 'reserved bits set with no extension negotiated';
const OVER_CAP = 'message is over the cap of 1000 bytes';
const NOT_FOUND: HttpResponse = { status: 404, body: 'There is nothing here.\n' };

/** One sample of every event there is; the type makes sure that none is forgotten. */
const ONE_OF_EACH: { readonly [Type in ConnectionEvent['type']]: Extract<ConnectionEvent, { type: Type }> } =
  {
    'socket.bytes': { type: 'socket.bytes', chunk: Uint8Array.of(0x61, 0x62), shared: true },
    'socket.end': { type: 'socket.end' },
    'socket.error': { type: 'socket.error', error: new Error('reset') },
    'socket.closed': { type: 'socket.closed' },
    'handshake.pending': { type: 'handshake.pending' },
    'handshake.accepted': { type: 'handshake.accepted' },
    'handshake.refused': { type: 'handshake.refused', response: NOT_FOUND },
    'fragment.begin': { type: 'fragment.begin', byteLength: 3 },
    'fragment.end': { type: 'fragment.end', byteLength: 3 },
    'close.received': { type: 'close.received', code: 3001, reason: 'theirs' },
    'read.continue': { type: 'read.continue' },
    'protocol.failed': { type: 'protocol.failed', code: 1002, reason: BAD_BITS },
    'limit.breached': { type: 'limit.breached', code: 1009, reason: OVER_CAP },
    'callback.failed': { type: 'callback.failed', decision: 'close' },
    'connection.close': { type: 'connection.close', code: 3002, reason: 'ours' },
    'connection.terminate': { type: 'connection.terminate' },
    'connection.pause': { type: 'connection.pause' },
    'connection.resume': { type: 'connection.resume' },
    'timeout.handshake': { type: 'timeout.handshake' },
    'timeout.message': { type: 'timeout.message' },
    'timeout.silence': { type: 'timeout.silence' },
    'timeout.pong': { type: 'timeout.pong' },
    'timeout.write': { type: 'timeout.write' },
    'timeout.close': { type: 'timeout.close' },
  };

/** Every type of event: the closed set. */
export const EVENT_TYPES = Object.keys(ONE_OF_EACH) as ConnectionEvent['type'][];

/** Every event that the model sends: one of each type, and of a failed callback one for each decision. */
export const SAMPLES: readonly Sample[] = [
  ...Object.values(ONE_OF_EACH),
  { type: 'callback.failed', decision: 'continue' } as const,
  { type: 'callback.failed', decision: 'retry' } as const,
].map((event) => ({ name: nameOfEvent(event), event }));

/** The type, and for a failed callback the decision: `callback.failed (retry)`. */
export function nameOfEvent(event: ConnectionEvent): string {
  return event.type === 'callback.failed' ? `${event.type} (${event.decision})` : event.type;
}

/** What one state does with one event. */
export interface Line {
  /** Where it leads; left out, the state stays. */
  readonly to?: Leaf;
  /** The port's calls in order, without those of reaching `closed`. */
  readonly does?: readonly string[];
  /** The report from here on. */
  readonly report?: string;
}

/** The report of a connection whose end no event has explained: no Close came (RFC 6455 7.1.5), the peer is to blame. */
const LOST_REPORT = '1006 "" lost, peer';

const CHUNK = 'ab (lent)';
const LOST_BY_PEER: Line = { to: 'closed' };
/** We drop it: no Close went both ways (7.1.5). */
const DROPPED: Line = { to: 'closed', report: '1006 "" lost, server' };

// Entering a state: it is announced, then what led there is delivered, then reading goes on.
const entering = (state: ConnectionState, event: string, ...deliveries: string[]): string[] => [
  `announce ${state} by ${event}`,
  ...deliveries,
  'readOn',
];

/** What `handshaking` does before it has an answer (4.2). */
const UNANSWERED: Record<string, Line> = {
  'handshake.accepted': {
    to: 'open',
    does: ['acceptHandshake', ...entering('open', 'handshake.accepted', 'deliverOpening')],
  },
  'handshake.refused': { to: 'handshaking.rejecting', does: ['refuseHandshake 404'] },
  'timeout.handshake': {
    to: 'handshaking.rejecting',
    does: ['reportFault handshakeDeadline', 'refuseFor handshakeDeadline'],
  },
  // A server that stops has no Close to send yet: it says so in HTTP.
  'connection.close': { to: 'handshaking.rejecting', does: ['refuseFor stopping'] },
  'connection.terminate': DROPPED,
  'socket.end': LOST_BY_PEER,
  'socket.error': LOST_BY_PEER,
  'socket.closed': LOST_BY_PEER,
};

/** 7.1.7: the connection is failed: a Close with the code, then nothing is read any more. */
function fails(code: number, reason: string, event: string, ...before: string[]): Line {
  return {
    to: 'closing.failing',
    does: [...before, `failConnection ${code} "${reason}"`, `announce closing by ${event}`],
    report: `${code} "${reason}" lost, server`,
  };
}

/** `open` and `fragmenting` differ in fragments, and in where our Close leads. */
const RUNNING: Record<string, Line> = {
  'socket.bytes': { does: ['read ab'] },
  'read.continue': { does: ['continueReading', 'readOn'] },
  // 5.5.1: a Close is answered with its code; both have passed, so the end is clean.
  'close.received': {
    to: 'closing.remote',
    does: ['answerClose 3001', 'announce closing by close.received'],
    report: '3001 "theirs" clean, peer',
  },
  'protocol.failed': fails(1002, BAD_BITS, 'protocol.failed'),
  'limit.breached': fails(1009, OVER_CAP, 'limit.breached'),
  // The peer never sees why a handler failed (7.4.1: 1011).
  'callback.failed (close)': fails(1011, 'internal error', 'callback.failed', 'dropMessages'),
  'callback.failed (continue)': {},
  'callback.failed (retry)': { does: ['retryCallback'] },
  'connection.terminate': DROPPED,
  'connection.pause': { does: ['pauseReading'] },
  'connection.resume': { does: ['resumeReading', 'readOn'] },
  'timeout.silence': { does: ['sendHeartbeat'] },
  'timeout.message': fails(1008, 'message took too long', 'timeout.message', 'reportFault messageDeadline'),
  'timeout.pong': {
    to: 'closed',
    does: ['reportFault pongDeadline'],
    report: '1006 "pong deadline passed" lost, server',
  },
  'timeout.write': {
    to: 'closed',
    does: ['reportFault writeDeadline'],
    report: '1006 "write deadline passed" lost, server',
  },
  'socket.end': LOST_BY_PEER,
  'socket.error': { to: 'closed', does: ['reportLoss reset'] },
  'socket.closed': LOST_BY_PEER,
};

/** 7.1.2: our Close is out, and the report names us. */
function closesFrom(to: Leaf): Line {
  return {
    to,
    does: ['sendClose 3002 "ours"', 'announce closing by connection.close', 'readOn'],
    report: '1006 "" lost, server',
  };
}

/** What comes in between our Close and theirs is read and delivered; a fault then ends it without a second Close. */
const CLOSING_LOCAL: Record<string, Line> = {
  'socket.bytes': { does: ['read ab'] },
  'read.continue': { does: ['continueReading', 'readOn'] },
  'close.received': { to: 'closing.remote', does: ['endSocket'], report: '3001 "theirs" clean, server' },
  'protocol.failed': {
    to: 'closing.failing',
    does: ['endSocket'],
    report: `1002 "${BAD_BITS}" lost, server`,
  },
  'limit.breached': { to: 'closing.failing', does: ['endSocket'], report: `1009 "${OVER_CAP}" lost, server` },
  'callback.failed (retry)': { does: ['retryCallback'] },
  'connection.pause': { does: ['pauseReading'] },
  'connection.resume': { does: ['resumeReading', 'readOn'] },
  'timeout.close': {
    to: 'closed',
    does: ['reportFault closeDeadline'],
    report: '1006 "close deadline passed" lost, server',
  },
  'connection.terminate': { to: 'closed' },
  'socket.end': { to: 'closed' },
  'socket.error': { to: 'closed' },
  'socket.closed': { to: 'closed' },
};

/** Our side is ended: the peer's end, a break, the deadline or the user end the rest. Input means nothing. */
const ENDED: Record<string, Line> = {
  'timeout.close': { to: 'closed', does: ['reportFault closeDeadline'] },
  'connection.terminate': { to: 'closed' },
  'socket.error': { to: 'closed' },
  'socket.closed': { to: 'closed' },
};

export const connectionSpec: { readonly [Name in Leaf]: Readonly<Record<string, Line>> } = {
  'handshaking.reading': {
    ...UNANSWERED,
    'socket.bytes': { does: [`readHead ${CHUNK}`] },
    'handshake.pending': { to: 'handshaking.authorizing' },
  },
  'handshaking.authorizing': {
    ...UNANSWERED,
    'socket.bytes': { does: [`holdBytes ${CHUNK}`] },
  },
  'handshaking.rejecting': {
    ...ENDED,
    'connection.terminate': DROPPED,
  },
  open: {
    ...RUNNING,
    'fragment.begin': {
      to: 'fragmenting',
      does: entering('fragmenting', 'fragment.begin', 'deliverFragment'),
    },
    'connection.close': closesFrom('closing.local.idle'),
  },
  fragmenting: {
    ...RUNNING,
    'fragment.end': { to: 'open', does: entering('open', 'fragment.end', 'deliverMessage') },
    'connection.close': closesFrom('closing.local.fragmenting'),
  },
  'closing.local.idle': {
    ...CLOSING_LOCAL,
    'fragment.begin': {
      to: 'closing.local.fragmenting',
      does: ['deliverFragment', 'readOn'],
    },
  },
  'closing.local.fragmenting': {
    ...CLOSING_LOCAL,
    'fragment.end': { to: 'closing.local.idle', does: ['deliverMessage', 'readOn'] },
  },
  'closing.remote': ENDED,
  'closing.failing': ENDED,
  closed: {},
};

/** The state of the specification along one path. */
export class ConnectionOracle {
  leaf: Leaf = 'handshaking.reading';
  /** What is known of the end so far. */
  report: string | undefined;

  /** The next event: the calls that it must make. */
  take(event: ConnectionEvent): readonly string[] {
    const line = connectionSpec[this.leaf][nameOfEvent(event)] ?? {};
    this.report = line.report ?? this.report;
    this.leaf = line.to ?? this.leaf;
    if (line.to !== 'closed') return line.does ?? [];
    return [...(line.does ?? []), `announce closed by ${event.type}`, `finish ${this.finalReport}`];
  }

  /** What is reported when the connection is closed. */
  get finalReport(): string {
    return this.report ?? LOST_REPORT;
  }
}
