/**
 * The life of one connection, as a statechart.
 *
 * A connection is born **handshaking**: the request head is read, perhaps an `authorize` is awaited, and the answer is
 * 101 or an HTTP error. From then on it is **open**, between messages, or **fragmenting**, inside a message that comes
 * in more than one frame (RFC 6455 5.4). It ends by **closing**, in one of three ways:
 *
 *   local     our Close is out. We read on, and deliver, until theirs comes or the deadline passes; `fragmenting`
 *             inside it finishes the message that was on its way when we closed.
 *   remote    both Close frames have passed. We end TCP first (RFC 6455 7.1.1) and wait for the peer to do so too.
 *   failing   we failed the connection (7.1.7): Close sent where one may be, input discarded.
 *
 * and it is **closed** exactly once, with one report.
 *
 * How to read it. A socket chunk is one event, `socket.bytes`. Its action decodes the frames that the chunk holds and
 * delivers those that change no state. A frame that changes the state comes back as an event of its own. The actions of
 * such an event announce the new state first, then deliver the frame, then read on: so a handler finds the connection in
 * the state that its message made. What a handler commands (`connection.*`) waits in the mailbox until the handler has
 * returned, and is processed before the next frame.
 *
 * A state also says what it refuses: an event that is listed without target and actions is expected there and changes
 * nothing. An event that is not listed changes nothing either. Deadlines are events like the others and come from a
 * ticker that all connections share. The machine has no timer, no socket and no clock. It is plain data; the tests and
 * the diagrams are made from it.
 *
 * One fact is kept outside the chart: who holds back the delivery of messages. It is the object `Holding` of
 * `src/connection/holding.ts`.
 */
import { type Actor, assign, setup } from 'xstate';
import { type FaultName, faults } from '../io/faults.ts';
import type { CloseReport, ConnectionEvent, ConnectionPort, ConnectionState } from './connection-ports.ts';
import { persistWithoutPort } from './persisted-snapshot.ts';

export interface ConnectionContext {
  readonly port: ConnectionPort;
  /** How the connection ends; undefined until an event begins the end. */
  readonly report: CloseReport | undefined;
}

/** The connection was lost without a Close frame (RFC 6455 7.1.5), and the server did not end it. */
export const LOST: CloseReport = { code: 1006, reason: '', wasClean: false, initiator: 'peer' };

/** How the connection ended: what an event noted, or that it was lost. */
export function finalReport({ report }: Pick<ConnectionContext, 'report'>): CloseReport {
  return report ?? LOST;
}

/** The event as the one this action is written for; the literal names it only on arcs of that event. */
function as<T extends ConnectionEvent['type']>(event: ConnectionEvent, _type: T) {
  return event as Extract<ConnectionEvent, { type: T }>;
}

/** We end it without a closing handshake: by a fault, or because the user says so. */
function endedByUs({ code, reason }: { code: number; reason: string }): CloseReport {
  return { code, reason, wasClean: false, initiator: 'server' };
}

const DROPPED = { code: LOST.code, reason: '' };

/** The report that each `note…` of the machine assigns. */
export const reports = {
  noteTheirClose: (event: ConnectionEvent): CloseReport => {
    const { code, reason } = as(event, 'close.received');
    return { code, reason, wasClean: true, initiator: 'peer' };
  },
  noteTheirAnswer: (event: ConnectionEvent): CloseReport => {
    const { code, reason } = as(event, 'close.received');
    return { code, reason, wasClean: true, initiator: 'server' };
  },
  noteOurClose: (): CloseReport => endedByUs(DROPPED),
  noteTermination: (): CloseReport => endedByUs(DROPPED),
  noteFault: (event: ConnectionEvent): CloseReport => endedByUs(as(event, 'protocol.failed')),
  noteLateMessage: (): CloseReport => endedByUs(faults.messageDeadline),
  noteCallbackFailure: (): CloseReport => endedByUs(faults.callbackFailed),
  noteSilence: (): CloseReport => endedByUs(faults.pongDeadline),
  noteStuckWrite: (): CloseReport => endedByUs(faults.writeDeadline),
  noteLateClose: (): CloseReport => endedByUs(faults.closeDeadline),
};

const machineSetup = setup({
  types: {
    context: {} as ConnectionContext,
    events: {} as ConnectionEvent,
    input: {} as { port: ConnectionPort },
    output: {} as CloseReport,
  },
  actions: {
    readHead: ({ context, event }) => {
      const { chunk, shared } = as(event, 'socket.bytes');
      context.port.readHead(chunk, shared);
    },
    holdBytes: ({ context, event }) => {
      const { chunk, shared } = as(event, 'socket.bytes');
      context.port.holdBytes(chunk, shared);
    },
    acceptHandshake: ({ context }) => context.port.acceptHandshake(),
    refuse: ({ context, event }) => context.port.refuseHandshake(as(event, 'handshake.refused').response),
    refuseFor: ({ context }, params: { fault: FaultName }) => context.port.refuseFor(params.fault),

    read: ({ context, event }) => context.port.read(as(event, 'socket.bytes').chunk),
    readOn: ({ context }) => context.port.readOn(),
    continueReading: ({ context }) => context.port.continueReading(),
    deliverOpening: ({ context }) => context.port.deliverOpening(),
    deliverFragment: ({ context }) => context.port.deliverFragment(),
    deliverMessage: ({ context }) => context.port.deliverMessage(),
    dropMessages: ({ context }) => context.port.dropMessages(),
    retryCallback: ({ context }) => context.port.retryCallback(),
    pauseReading: ({ context }) => context.port.pauseReading(),
    resumeReading: ({ context }) => context.port.resumeReading(),
    sendHeartbeat: ({ context }) => context.port.sendHeartbeat(),

    sendClose: ({ context, event }) => {
      const { code, reason } = as(event, 'connection.close');
      context.port.sendClose(code, reason);
    },
    answerClose: ({ context, event }) => context.port.answerClose(as(event, 'close.received').code),
    failConnection: ({ context }) => {
      const { code, reason } = finalReport(context);
      context.port.failConnection(code, reason);
    },
    endSocket: ({ context }) => context.port.endSocket(),

    reportFault: ({ context }, params: { fault: FaultName }) => context.port.reportFault(params.fault),
    reportLoss: ({ context, event }) => context.port.reportLoss(as(event, 'socket.error').error),
    announce: ({ context, event }, params: { state: ConnectionState }) =>
      context.port.announce(params.state, event.type),
    finish: ({ context }) => context.port.finish(finalReport(context)),

    noteTheirClose: assign({ report: ({ event }) => reports.noteTheirClose(event) }),
    noteTheirAnswer: assign({ report: ({ event }) => reports.noteTheirAnswer(event) }),
    noteOurClose: assign({ report: () => reports.noteOurClose() }),
    noteTermination: assign({ report: () => reports.noteTermination() }),
    noteFault: assign({ report: ({ event }) => reports.noteFault(event) }),
    noteLateMessage: assign({ report: () => reports.noteLateMessage() }),
    noteCallbackFailure: assign({ report: () => reports.noteCallbackFailure() }),
    noteSilence: assign({ report: () => reports.noteSilence() }),
    noteStuckWrite: assign({ report: () => reports.noteStuckWrite() }),
    noteLateClose: assign({ report: () => reports.noteLateClose() }),
  },
  guards: {
    decidedContinue: ({ event }) => as(event, 'callback.failed').decision === 'continue',
    decidedRetry: ({ event }) => as(event, 'callback.failed').decision === 'retry',
  },
});

const announce = (state: ConnectionState) => ({ type: 'announce', params: { state } }) as const;
const reportFault = (fault: FaultName) => ({ type: 'reportFault', params: { fault } }) as const;
const refuseFor = (fault: FaultName) => ({ type: 'refuseFor', params: { fault } }) as const;

/** What `handshaking` does in both of its states that wait for a decision (RFC 6455 4.2). */
const untilDecided = {
  'handshake.accepted': {
    target: '#connection.open',
    actions: ['acceptHandshake', announce('open'), 'deliverOpening', 'readOn'],
  },
  'handshake.refused': { target: 'rejecting', actions: 'refuse' },
  'timeout.handshake': {
    target: 'rejecting',
    actions: [reportFault('handshakeDeadline'), refuseFor('handshakeDeadline')],
  },
  // Only a server that stops closes a connection that is not open yet.
  'connection.close': { target: 'rejecting', actions: refuseFor('stopping') },
  'socket.end': { target: '#connection.closed' },
} as const;

/** What `open` and `fragmenting` have in common. They differ in fragments, and in where our Close leads. */
const whileRunning = {
  'socket.bytes': { actions: 'read' },
  'read.continue': { actions: ['continueReading', 'readOn'] },
  'close.received': { target: 'closing.remote', actions: ['noteTheirClose', 'answerClose'] },
  'protocol.failed': { target: 'closing.failing', actions: ['noteFault', 'failConnection'] },
  'limit.breached': { target: 'closing.failing', actions: ['noteFault', 'failConnection'] },
  'callback.failed': [
    { guard: 'decidedContinue' },
    { guard: 'decidedRetry', actions: 'retryCallback' },
    { target: 'closing.failing', actions: ['noteCallbackFailure', 'dropMessages', 'failConnection'] },
  ],
  'connection.terminate': { target: 'closed', actions: 'noteTermination' },
  'connection.pause': { actions: 'pauseReading' },
  'connection.resume': { actions: ['resumeReading', 'readOn'] },
  'timeout.silence': { actions: 'sendHeartbeat' },
  'timeout.message': {
    target: 'closing.failing',
    actions: ['noteLateMessage', reportFault('messageDeadline'), 'failConnection'],
  },
  'timeout.pong': { target: 'closed', actions: ['noteSilence', reportFault('pongDeadline')] },
  'timeout.write': { target: 'closed', actions: ['noteStuckWrite', reportFault('writeDeadline')] },
  'socket.end': { target: 'closed' },
  'socket.error': { target: 'closed', actions: 'reportLoss' },
  'socket.closed': { target: 'closed' },
} as const;

/** Our side has ended: what still comes in is discarded, and the peer has `closeDeadline` to end its own. */
const afterOurEnd = {
  'socket.bytes': {},
  'socket.end': {},
  'timeout.close': { target: '#connection.closed', actions: reportFault('closeDeadline') },
} as const;

export const connectionMachine = machineSetup.createMachine({
  id: 'connection',
  description: 'One WebSocket connection, from its first byte to its report (RFC 6455).',
  context: ({ input }) => ({ port: input.port, report: undefined }),
  output: ({ context }) => finalReport(context),
  initial: 'handshaking',
  states: {
    handshaking: {
      description: 'The opening handshake, server side (RFC 6455 4.2).',
      initial: 'reading',
      states: {
        reading: {
          description: 'The request head is coming in (4.2.1).',
          on: {
            ...untilDecided,
            'socket.bytes': { actions: 'readHead' },
            'handshake.pending': { target: 'authorizing' },
          },
        },
        authorizing: {
          description: 'The head is valid; `authorize` has not decided. A peer that hangs up aborts it.',
          on: {
            ...untilDecided,
            'socket.bytes': { actions: 'holdBytes' },
          },
        },
        rejecting: {
          description: 'An HTTP error is going out; what still comes in is discarded.',
          on: { ...afterOurEnd },
        },
      },
      on: {
        'socket.error': { target: 'closed' },
        'socket.closed': { target: 'closed' },
        'connection.terminate': { target: 'closed', actions: 'noteTermination' },
      },
    },
    open: {
      description: 'Between messages.',
      on: {
        ...whileRunning,
        'fragment.begin': {
          target: 'fragmenting',
          actions: [announce('fragmenting'), 'deliverFragment', 'readOn'],
        },
        'connection.close': { target: 'closing.local.idle', actions: ['noteOurClose', 'sendClose'] },
      },
    },
    fragmenting: {
      description: 'Inside a fragmented message; control frames may come between its frames (RFC 6455 5.4).',
      on: {
        ...whileRunning,
        'fragment.end': {
          target: 'open',
          actions: [announce('open'), 'deliverMessage', 'readOn'],
        },
        'connection.close': { target: 'closing.local.fragmenting', actions: ['noteOurClose', 'sendClose'] },
      },
    },
    closing: {
      description: 'The closing handshake, or what is left of it (RFC 6455 7).',
      entry: [announce('closing')],
      initial: 'local',
      states: {
        local: {
          description: 'Our Close is out; we read on until theirs (7.1.2, 7.1.3).',
          entry: ['readOn'],
          initial: 'idle',
          states: {
            idle: {
              description: 'Between messages.',
              on: { 'fragment.begin': { target: 'fragmenting', actions: ['deliverFragment', 'readOn'] } },
            },
            fragmenting: {
              description: 'The rest of a fragmented message is read and delivered.',
              on: { 'fragment.end': { target: 'idle', actions: ['deliverMessage', 'readOn'] } },
            },
          },
          on: {
            'socket.bytes': { actions: 'read' },
            'read.continue': { actions: ['continueReading', 'readOn'] },
            'close.received': { target: 'remote', actions: ['noteTheirAnswer', 'endSocket'] },
            'protocol.failed': { target: 'failing', actions: ['noteFault', 'endSocket'] },
            'limit.breached': { target: 'failing', actions: ['noteFault', 'endSocket'] },
            'callback.failed': [{ guard: 'decidedRetry', actions: 'retryCallback' }, {}],
            'connection.pause': { actions: 'pauseReading' },
            'connection.resume': { actions: ['resumeReading', 'readOn'] },
            'timeout.close': {
              target: '#connection.closed',
              actions: ['noteLateClose', reportFault('closeDeadline')],
            },
            'socket.end': { target: '#connection.closed' },
          },
        },
        remote: {
          description: 'Both Close frames have passed; what still comes in is discarded (1.4, 5.5.1).',
          on: { ...afterOurEnd },
        },
        failing: {
          description: 'We failed the connection; what still comes in is discarded (7.1.7).',
          on: { ...afterOurEnd },
        },
      },
      on: {
        'connection.terminate': { target: 'closed' },
        'socket.error': { target: 'closed' },
        'socket.closed': { target: 'closed' },
      },
    },
    closed: {
      type: 'final',
      description: 'Everything is released; the report is out.',
      entry: [announce('closed'), 'finish'],
    },
  },
});

persistWithoutPort(connectionMachine);

export type ConnectionMachine = typeof connectionMachine;
/** The running statechart of one connection: an actor of XState. */
export type ConnectionActor = Actor<ConnectionMachine>;
