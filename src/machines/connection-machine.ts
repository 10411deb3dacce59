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
 * How to read it. A socket chunk is one event, `socket.bytes`; its action reads as many frames as the chunk holds and
 * delivers those that change no state. A frame that does change it comes back as an event of its own, and reading
 * goes on by the `readOn` of the state it leads to. Entering a state announces it first, then delivers what led
 * there, then reads on: so a handler always finds the connection in the state that its message made. Commands of a
 * handler wait in the mailbox until it has returned and come before the next frame.
 *
 * Each state also says what it refuses: an event that is listed with no target and no action is expected there and
 * means nothing, and so does every event that is not listed. Deadlines are events like the others, from one shared
 * ticker: the machine has no timer, no socket and no clock. The literal below is all there is; it is plain data,
 * and the tests and the diagrams are made from it.
 */
import { type Actor, assign, setup } from 'xstate';
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

function dropped(reason: string): CloseReport {
  return { ...LOST, reason, initiator: 'server' };
}

function failed(code: number, reason: string): CloseReport {
  return { code, reason, wasClean: false, initiator: 'server' };
}

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
  noteOurClose: (): CloseReport => dropped(''),
  noteFault: (event: ConnectionEvent): CloseReport => {
    const { code, reason } = as(event, 'protocol.failed');
    return failed(code, reason);
  },
  noteLateMessage: (): CloseReport => failed(1008, 'message took too long'),
  noteCallbackFailure: (): CloseReport => failed(1011, 'internal error'),
  noteTermination: (): CloseReport => dropped(''),
  noteSilence: (): CloseReport => dropped('pong deadline passed'),
  noteStuckWrite: (): CloseReport => dropped('write deadline passed'),
  noteLateClose: (): CloseReport => dropped('close deadline passed'),
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
    refuseLate: ({ context }) =>
      context.port.refuseHandshake({ status: 408, body: 'The handshake took too long.\n' }),
    refuseStopping: ({ context }) =>
      context.port.refuseHandshake({
        status: 503,
        headers: { 'Retry-After': '5' },
        body: 'The server is stopping.\n',
      }),

    read: ({ context, event }) => {
      const { chunk, shared } = as(event, 'socket.bytes');
      context.port.read(chunk, shared);
    },
    readOn: ({ context, event }) => context.port.readOn(event.type),
    deliver: ({ context, event }) => context.port.deliver(event),
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

    announce: ({ context, event }, params: { state: ConnectionState }) =>
      context.port.announce(params.state, event.type),
    finish: ({ context }) => context.port.finish(finalReport(context)),

    noteTheirClose: assign({ report: ({ event }) => reports.noteTheirClose(event) }),
    noteTheirAnswer: assign({ report: ({ event }) => reports.noteTheirAnswer(event) }),
    noteOurClose: assign({ report: () => reports.noteOurClose() }),
    noteFault: assign({ report: ({ event }) => reports.noteFault(event) }),
    noteLateMessage: assign({ report: () => reports.noteLateMessage() }),
    noteCallbackFailure: assign({ report: () => reports.noteCallbackFailure() }),
    noteTermination: assign({ report: () => reports.noteTermination() }),
    noteSilence: assign({ report: () => reports.noteSilence() }),
    noteStuckWrite: assign({ report: () => reports.noteStuckWrite() }),
    noteLateClose: assign({ report: () => reports.noteLateClose() }),
  },
  guards: {
    decidedContinue: ({ event }) => as(event, 'callback.failed').decision === 'continue',
    decidedRetry: ({ event }) => as(event, 'callback.failed').decision === 'retry',
  },
});

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
            'socket.bytes': { actions: 'readHead' },
            'handshake.pending': { target: 'authorizing' },
            'handshake.accepted': { target: '#connection.open', actions: 'acceptHandshake' },
            'handshake.refused': { target: 'rejecting', actions: 'refuse' },
            'timeout.handshake': { target: 'rejecting', actions: 'refuseLate' },
            'connection.close': { target: 'rejecting', actions: 'refuseStopping' },
            'socket.end': { target: '#connection.closed' },
          },
        },
        authorizing: {
          description: 'The head is valid; `authorize` has not decided. A peer that hangs up aborts it.',
          on: {
            'socket.bytes': { actions: 'holdBytes' },
            'handshake.accepted': { target: '#connection.open', actions: 'acceptHandshake' },
            'handshake.refused': { target: 'rejecting', actions: 'refuse' },
            'timeout.handshake': { target: 'rejecting', actions: 'refuseLate' },
            'connection.close': { target: 'rejecting', actions: 'refuseStopping' },
            'socket.end': { target: '#connection.closed' },
          },
        },
        rejecting: {
          description: 'An HTTP error is going out; what still comes in is discarded.',
          on: {
            'socket.bytes': {},
            'socket.end': {},
            'timeout.close': { target: '#connection.closed' },
          },
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
      entry: [{ type: 'announce', params: { state: 'open' } }, { type: 'deliver' }, { type: 'readOn' }],
      on: {
        'socket.bytes': { actions: 'read' },
        'read.continue': { actions: 'readOn' },
        'fragment.begin': { target: 'fragmenting' },
        'close.received': { target: 'closing.remote', actions: ['noteTheirClose', 'answerClose'] },
        'protocol.failed': { target: 'closing.failing', actions: ['noteFault', 'failConnection'] },
        'limit.breached': { target: 'closing.failing', actions: ['noteFault', 'failConnection'] },
        'callback.failed': [
          { guard: 'decidedContinue' },
          { guard: 'decidedRetry', actions: 'retryCallback' },
          { target: 'closing.failing', actions: ['noteCallbackFailure', 'failConnection'] },
        ],
        'connection.close': { target: 'closing.local.idle', actions: ['noteOurClose', 'sendClose'] },
        'connection.terminate': { target: 'closed', actions: 'noteTermination' },
        'connection.pause': { actions: 'pauseReading' },
        'connection.resume': { actions: ['resumeReading', 'readOn'] },
        'timeout.silence': { actions: 'sendHeartbeat' },
        'timeout.pong': { target: 'closed', actions: 'noteSilence' },
        'timeout.write': { target: 'closed', actions: 'noteStuckWrite' },
        'socket.end': { target: 'closed' },
        'socket.error': { target: 'closed' },
        'socket.closed': { target: 'closed' },
      },
    },
    fragmenting: {
      description: 'Inside a fragmented message; control frames may come between its frames (RFC 6455 5.4).',
      entry: [
        { type: 'announce', params: { state: 'fragmenting' } },
        { type: 'deliver' },
        { type: 'readOn' },
      ],
      on: {
        'socket.bytes': { actions: 'read' },
        'read.continue': { actions: 'readOn' },
        'fragment.end': { target: 'open' },
        'close.received': { target: 'closing.remote', actions: ['noteTheirClose', 'answerClose'] },
        'protocol.failed': { target: 'closing.failing', actions: ['noteFault', 'failConnection'] },
        'limit.breached': { target: 'closing.failing', actions: ['noteFault', 'failConnection'] },
        'callback.failed': [
          { guard: 'decidedContinue' },
          { guard: 'decidedRetry', actions: 'retryCallback' },
          { target: 'closing.failing', actions: ['noteCallbackFailure', 'failConnection'] },
        ],
        'connection.close': { target: 'closing.local.fragmenting', actions: ['noteOurClose', 'sendClose'] },
        'connection.terminate': { target: 'closed', actions: 'noteTermination' },
        'connection.pause': { actions: 'pauseReading' },
        'connection.resume': { actions: ['resumeReading', 'readOn'] },
        'timeout.message': { target: 'closing.failing', actions: ['noteLateMessage', 'failConnection'] },
        'timeout.silence': { actions: 'sendHeartbeat' },
        'timeout.pong': { target: 'closed', actions: 'noteSilence' },
        'timeout.write': { target: 'closed', actions: 'noteStuckWrite' },
        'socket.end': { target: 'closed' },
        'socket.error': { target: 'closed' },
        'socket.closed': { target: 'closed' },
      },
    },
    closing: {
      description: 'The closing handshake, or what is left of it (RFC 6455 7).',
      entry: [{ type: 'announce', params: { state: 'closing' } }],
      initial: 'local',
      states: {
        local: {
          description: 'Our Close is out; we read on until theirs (7.1.2, 7.1.3).',
          initial: 'idle',
          states: {
            idle: {
              description: 'Between messages.',
              entry: [{ type: 'deliver' }, { type: 'readOn' }],
              on: { 'fragment.begin': { target: 'fragmenting' } },
            },
            fragmenting: {
              description: 'The rest of a fragmented message is read and delivered.',
              entry: [{ type: 'deliver' }, { type: 'readOn' }],
              on: { 'fragment.end': { target: 'idle' } },
            },
          },
          on: {
            'socket.bytes': { actions: 'read' },
            'read.continue': { actions: 'readOn' },
            'close.received': { target: 'remote', actions: ['noteTheirAnswer', 'endSocket'] },
            'protocol.failed': { target: 'failing', actions: ['noteFault', 'endSocket'] },
            'limit.breached': { target: 'failing', actions: ['noteFault', 'endSocket'] },
            'callback.failed': [{ guard: 'decidedRetry', actions: 'retryCallback' }, {}],
            'connection.pause': { actions: 'pauseReading' },
            'connection.resume': { actions: ['resumeReading', 'readOn'] },
            'timeout.close': { target: '#connection.closed', actions: 'noteLateClose' },
            'socket.end': { target: '#connection.closed' },
          },
        },
        remote: {
          description: 'Both Close frames have passed; what still comes in is discarded (1.4, 5.5.1).',
          on: {
            'socket.bytes': {},
            'socket.end': {},
            'timeout.close': { target: '#connection.closed' },
          },
        },
        failing: {
          description: 'We failed the connection; what still comes in is discarded (7.1.7).',
          on: {
            'socket.bytes': {},
            'socket.end': {},
            'timeout.close': { target: '#connection.closed' },
          },
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
      entry: [{ type: 'announce', params: { state: 'closed' } }, { type: 'finish' }],
    },
  },
});

persistWithoutPort(connectionMachine);

export type ConnectionMachine = typeof connectionMachine;
export type ConnectionActor = Actor<ConnectionMachine>;
