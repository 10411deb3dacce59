/**
 * For every event in every state the real cause that makes it happen, and what it shows: on the wire, and to the
 * user. Or the reason why nothing in the world can cause it there.
 *
 * What a change of state shows is not written here but follows from the specification: see `real-connection.ts`.
 */
import { setImmediate as turn } from 'node:timers/promises';
import type { ConnectionEvent } from '../../src/machines/connection-ports.ts';
import {
  bytes,
  closeFrame,
  continuationFrame,
  OPCODE,
  pingFrame,
  pongFrame,
  requestHead,
  textFrame,
} from '../support/raw-client.ts';
import type { Leaf } from './connection-spec.ts';
import { CAP, DEADLINES, FLOOD_BYTES, type RealLife } from './real-life.ts';

export interface Cause {
  readonly act: (life: RealLife) => unknown;
  /** The status that answers the request head. */
  readonly answer?: number;
  /** Frames that the client gets; `'flood'`: more than it can read. */
  readonly wire?: readonly string[] | 'flood';
  /** What the user sees before the state changes, and after. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** Events that the cause brings after this one. */
  readonly brings?: readonly ConnectionEvent[];
}

/** Why an event cannot happen in a state. */
export interface Impossible {
  readonly why: string;
}

/** A little more than a tick: a deadline that lies this far back has passed. */
const LATE_MS = 200;
const SILENCE_MS = DEADLINES.heartbeatInterval * 1.2 + LATE_MS;
const HOUR_MS = 3_600_000;

const whole = (text: string): string[] => [...piece(text), `onMessage ${text}`, `messages$ ${text}`];
const piece = (text: string): string[] => [`onFragment ${text}`, `fragments$ ${text}`];
const told = (error: string): string[] => [`errors$ ${error}`, `onError ${error}`];
const more = (text: string): Uint8Array => continuationFrame(text, { fin: false });

const isHandshaking = (leaf: Leaf): boolean => leaf.startsWith('handshaking');
const isRunning = (leaf: Leaf): boolean => leaf === 'open' || leaf === 'fragmenting';
const isLocal = (leaf: Leaf): boolean => leaf.startsWith('closing.local');
const isEnded = (leaf: Leaf): boolean =>
  leaf === 'handshaking.rejecting' || leaf === 'closing.remote' || leaf === 'closing.failing';
const isInside = (leaf: Leaf): boolean => leaf.endsWith('fragmenting');
const isReading = (leaf: Leaf): boolean => isRunning(leaf) || isLocal(leaf);

/** The cause of an event, by its name in the model, in a state. `wasOpen`: the connection was open once. */
export function causeOf(leaf: Leaf, name: string, wasOpen: boolean): Cause | Impossible {
  const [type = '', kind] = name.split('.');
  if (type === 'socket') return socketCause(leaf, name);
  if (type === 'handshake') return handshakeCause(leaf, name);
  if (type === 'timeout') return timeoutCause(leaf, name);
  if (type === 'connection') return commandCause(leaf, name, wasOpen);
  if (name.startsWith('callback.failed')) return callbackCause(leaf, name, wasOpen);
  if (isHandshaking(leaf)) return { why: 'frames are decoded only when the handshake is accepted' };
  if (leaf === 'closed') return { why: 'the decoder has been emptied and gets nothing more' };
  if (!isReading(leaf) && type === 'limit') {
    return { why: 'input is discarded; a queue that is left is bounded by the close deadline' };
  }
  if (!isReading(leaf)) return { why: 'input is discarded, so the decoder finds nothing to go on with' };
  return kind === 'continue' ? readOnCause(leaf) : frameCause(leaf, name);
}

export function isImpossible(cause: Cause | Impossible): cause is Impossible {
  return 'why' in cause;
}

function socketCause(leaf: Leaf, name: string): Cause | Impossible {
  if (leaf === 'closed') {
    if (name === 'socket.closed')
      return { act: ({ tap }) => tap.until('the end of the socket', () => tap.isClosed) };
    return { why: 'the socket is destroyed and tells nothing but that it is closed' };
  }
  const closed = ({ tap }: RealLife): Promise<void> => tap.until('the end of the socket', () => tap.isClosed);
  if (name === 'socket.bytes') return bytesCause(leaf);
  if (name === 'socket.error') {
    const act = async (life: RealLife): Promise<void> => {
      life.reset();
      await closed(life);
    };
    return { act, ...(isRunning(leaf) ? { before: told('ERR_CONNECTION_LOST') } : {}), ...aborts(leaf) };
  }
  if (name === 'socket.end') {
    const act = async ({ client, tap }: RealLife): Promise<void> => {
      client.fin();
      await tap.until('the FIN', () => tap.stateAtEnd !== undefined);
      await tap.until('the end of the socket', () => tap.isClosed);
    };
    // Where our side has ended already, the peer's FIN is the end of the socket as well.
    return { act, ...(isEnded(leaf) ? { brings: [{ type: 'socket.closed' }] } : {}), ...aborts(leaf) };
  }
  // Both sides have ended; before that, only a fault of this process closes a socket without a FIN or an error.
  const act = async (life: RealLife): Promise<void> => {
    if (isEnded(leaf)) life.client.fin();
    else life.tap.lose();
    await closed(life);
  };
  return { act, ...aborts(leaf) };
}

/** A connection that ends while somebody decides tells him so. */
function aborts(leaf: Leaf): { after?: string[] } {
  return leaf === 'handshaking.authorizing' ? { after: ['authorize aborted'] } : {};
}

/** A byte of a request head, wherever in it the client is: a peer that has asked for nothing gets no answer. */
async function askForSomething(life: RealLife, leaf: Leaf): Promise<void> {
  if (leaf === 'handshaking.reading') await life.send('x');
}

function bytesCause(leaf: Leaf): Cause {
  if (leaf === 'handshaking.reading') return { act: (life) => life.send(requestHead().slice(0, 40)) };
  if (!isReading(leaf)) return { act: (life) => life.send(textFrame('unheard'), 'GET / HTTP/1.1\r\n') };
  const data = isInside(leaf) ? more('-mid') : textFrame('hello');
  const seen = isInside(leaf) ? piece('-mid') : whole('hello');
  // After our Close nothing more goes out, a Pong neither (5.5.1).
  const wire = isLocal(leaf) ? [] : leaf === 'open' ? ['text "hello"', 'pong "p"'] : ['pong "p"'];
  return { act: (life) => life.send(data, pingFrame('p')), wire, before: [...seen, 'pings$ p'] };
}

function handshakeCause(leaf: Leaf, name: string): Cause | Impossible {
  const opened = { answer: 101, after: ['connections$', 'state$ open', 'onOpen'] };
  if (leaf === 'handshaking.reading') {
    if (name === 'handshake.pending') return { act: (life) => life.request({ path: '/model?wait' }) };
    if (name === 'handshake.accepted') return { act: (life) => life.request({ path: '/model' }), ...opened };
    const act = (life: RealLife): Promise<void> => life.request({ path: '/nowhere' });
    return { act, answer: 404, before: ['errors$ ERR_HANDSHAKE 404'] };
  }
  if (leaf === 'handshaking.authorizing' && name !== 'handshake.pending') {
    if (name === 'handshake.accepted') return { act: ({ verdict }) => verdict?.(true), ...opened };
    const before = ['errors$ ERR_HANDSHAKE 403', 'authorize aborted'];
    return { act: ({ verdict }) => verdict?.(false), answer: 403, before };
  }
  return { why: 'a request head is read and answered once; a verdict that comes later is void' };
}

function frameCause(leaf: Leaf, name: string): Cause | Impossible {
  const send = (...frames: Uint8Array[]): Pick<Cause, 'act'> => ({ act: (life) => life.send(...frames) });
  switch (name) {
    case 'fragment.begin':
      if (isInside(leaf)) return { why: 'a new message inside a fragmented one is a violation (5.4)' };
      return { ...send(textFrame('begin', { fin: false })), after: piece('begin') };
    case 'fragment.end': {
      if (!isInside(leaf)) return { why: 'a continuation outside a fragmented message is a violation (5.4)' };
      const after = [...piece('-end'), 'onMessage begin-end', 'messages$ begin-end'];
      return { ...send(continuationFrame('-end')), after, wire: isLocal(leaf) ? [] : ['text "begin-end"'] };
    }
    case 'close.received': {
      const answered = isLocal(leaf) ? [] : ['close 3001 ""'];
      return { ...send(closeFrame(3001, 'theirs')), wire: answered };
    }
    case 'protocol.failed': {
      // 5.2: no extension was negotiated that would own this reserved bit.
      const wrong = isInside(leaf) ? continuationFrame('-x', { rsv: 2 }) : textFrame('x', { rsv: 2 });
      const wire = isLocal(leaf) ? [] : ['close 1002 "reserved bits set with no extension negotiated"'];
      return { ...send(wrong), before: told('ERR_PROTOCOL 1002'), wire };
    }
    default: {
      // The header alone is enough: the limit is judged before a byte is kept (10.4).
      const opcode = isInside(leaf) ? OPCODE.continuation : OPCODE.binary;
      const wire = isLocal(leaf) ? [] : [`close 1009 "message is over the cap of ${CAP} bytes"`];
      return { act: (life) => life.send(life.tooLarge(opcode)), before: told('ERR_LIMIT 1009'), wire };
    }
  }
}

/** Reading goes on when the promise of a handler settles: the second frame of the chunk waits for that. */
function readOnCause(leaf: Leaf): Cause {
  const frames = isInside(leaf)
    ? bytes(more('-fwait'), more('-next'))
    : bytes(textFrame('wait'), textFrame('next'));
  const act = async (life: RealLife): Promise<void> => {
    await life.send(frames);
    life.pending?.resolve();
  };
  const before = isInside(leaf)
    ? [...piece('-fwait'), ...piece('-next')]
    : [...whole('wait'), ...whole('next')];
  return { act, before, wire: leaf === 'open' ? ['text "next"'] : [] };
}

function callbackCause(leaf: Leaf, name: string, wasOpen: boolean): Cause | Impossible {
  if (isHandshaking(leaf)) return { why: 'no handler has run; what `authorize` throws is a refusal' };
  if (!wasOpen) return { why: 'it never opened, so no handler and no subscriber knows it' };
  const decision = /\((\w+)\)/.exec(name)?.[1] as 'close' | 'continue' | 'retry';
  if (isReading(leaf)) {
    const text = isInside(leaf) ? '-fboom' : 'boom';
    const call = isInside(leaf) ? `onFragment ${text}` : `onMessage ${text}`;
    const act = async (life: RealLife): Promise<void> => {
      life.decision = decision;
      await life.send(isInside(leaf) ? more(text) : textFrame(text));
    };
    const before = isInside(leaf)
      ? [call, ...told('boom'), `fragments$ ${text}`]
      : [...piece(text), call, ...told('boom'), `messages$ ${text}`];
    const isFatal = decision === 'close' && !isLocal(leaf);
    const isAnswered = decision === 'retry' && leaf === 'open';
    const wire = isFatal ? ['close 1011 "internal error"'] : isAnswered ? ['text "boom"'] : [];
    // After a handler's command comes `read.continue`, here to a connection that has failed.
    const brings: ConnectionEvent[] = isFatal ? [{ type: 'read.continue' }] : [];
    return { act, before, wire, after: decision === 'retry' ? [call] : [], brings };
  }
  if (leaf === 'closed') {
    // Subscribing late tells the last state; the subscriber throws.
    const act = (life: RealLife): void => {
      life.decision = decision;
      life.user.state$.subscribe(() => {
        throw new Error('boom');
      });
    };
    return { act, before: told('boom') };
  }
  // The promise of a handler that was called while it was open is rejected only now: see `holdHandler`.
  const act = (life: RealLife): void => {
    life.decision = decision;
    life.pending?.reject(new Error('boom'));
  };
  return { act, before: told('boom') };
}

/**
 * Leaves a handler's promise pending while reading goes on: somebody iterates, so reading waits for him and not for
 * the handler.
 */
export async function holdHandler(life: RealLife): Promise<void> {
  const messages = life.user[Symbol.asyncIterator]();
  const first = messages.next();
  await life.send(textFrame('wait'));
  await first;
  void messages.next();
}

function commandCause(leaf: Leaf, name: string, wasOpen: boolean): Cause | Impossible {
  if (!wasOpen) {
    // Before it is open, only a server that stops has it in hand.
    const isAnswered = leaf === 'handshaking.rejecting' || leaf === 'closed';
    if (name === 'connection.close') {
      const act = async (life: RealLife): Promise<void> => {
        await askForSomething(life, leaf);
        void life.server.stop({ deadline: HOUR_MS });
      };
      return isAnswered ? { act } : { act, answer: 503, before: aborts(leaf).after ?? [] };
    }
    if (name === 'connection.terminate' && isAnswered) {
      const act = ({ server, clock }: RealLife): void => {
        void server.stop({ deadline: 0 });
        clock.advance(LATE_MS);
      };
      return { act };
    }
    // A server that stops asks it to close first; one that has lost its port drops it. No listener here can lose
    // its port yet, so that is told to the server's actor.
    if (name === 'connection.terminate') {
      const act = ({ server }: RealLife): void =>
        server.actor.send({ type: 'listener.failed', error: new Error('port lost') });
      return { act, ...aborts(leaf) };
    }
    return { why: 'it has not been open, so nobody has it in hand' };
  }
  switch (name) {
    case 'connection.close':
      return {
        act: ({ user }) => user.close(3002, 'ours'),
        wire: isRunning(leaf) ? ['close 3002 "ours"'] : [],
      };
    case 'connection.terminate':
      return { act: ({ user }) => user.terminate() };
    case 'connection.pause': {
      const act = ({ user, tap }: RealLife): void => {
        user.pause();
        if (tap.isPaused !== isReading(leaf)) throw new Error(`the transport is paused: ${tap.isPaused}`);
      };
      return { act };
    }
    default: {
      if (!isReading(leaf)) return { act: ({ user }) => user.resume() };
      const act = async (life: RealLife): Promise<void> => {
        life.user.pause();
        await life.sendUnread(isInside(leaf) ? more('-held') : textFrame('held'));
        life.user.resume();
        await life.handled();
      };
      const before = isInside(leaf) ? piece('-held') : whole('held');
      return { act, before, wire: leaf === 'open' ? ['text "held"'] : [] };
    }
  }
}

function timeoutCause(leaf: Leaf, name: string): Cause | Impossible {
  const pass =
    (...times: number[]) =>
    async (life: RealLife): Promise<void> => {
      // Between the times the client gives a sign of life: a Pong that nobody asked for (5.5.3).
      for (const [index, ms] of times.entries()) {
        if (index > 0) await life.send(pongFrame('alive'));
        life.clock.advance(ms);
      }
    };
  const alive = (times: number): string[] => new Array<string>(times).fill('pongs$ alive');
  if (leaf === 'closed') return { act: pass(HOUR_MS) };
  const deadline = `${name} is not armed here`;
  switch (name) {
    case 'timeout.handshake': {
      if (leaf !== 'handshaking.reading' && leaf !== 'handshaking.authorizing') return { why: deadline };
      const before = ['errors$ ERR_HANDSHAKE 408', ...(aborts(leaf).after ?? [])];
      const act = async (life: RealLife): Promise<void> => {
        await askForSomething(life, leaf);
        await pass(DEADLINES.handshakeDeadline + LATE_MS)(life);
      };
      return { act, answer: 408, before };
    }
    case 'timeout.message': {
      const wire = ['close 1008 "message took too long"'];
      if (leaf === 'open') {
        // The beginning of one long frame; what follows it is its payload.
        const act = async (life: RealLife): Promise<void> => {
          await life.send(Uint8Array.of(0x82, 0xfe, 0x03, 0x84, 0, 0, 0, 0));
          await pass(19_000, 19_000, 19_000, 3_000 + LATE_MS)(life);
        };
        return { act, before: told('ERR_LIMIT 1008'), wire };
      }
      if (leaf !== 'fragmenting') return { why: deadline };
      const before = [...alive(3), ...told('ERR_LIMIT 1008')];
      return { act: pass(19_000, 19_000, 19_000, 3_000 + LATE_MS), before, wire };
    }
    case 'timeout.silence':
      if (!isRunning(leaf)) return { why: deadline };
      return { act: pass(SILENCE_MS), wire: [HEARTBEAT] };
    case 'timeout.pong': {
      if (!isRunning(leaf)) return { why: deadline };
      const act = async ({ clock }: RealLife): Promise<void> => {
        clock.advance(SILENCE_MS);
        await turn();
        clock.advance(DEADLINES.pongDeadline + LATE_MS);
      };
      return { act, wire: [HEARTBEAT], before: told('ERR_CONNECTION_LOST') };
    }
    case 'timeout.write': {
      if (!isRunning(leaf)) return { why: deadline };
      const act = async (life: RealLife): Promise<void> => {
        life.client.pause();
        life.user.send(new Uint8Array(FLOOD_BYTES), { compress: false });
        await pass(19_000, DEADLINES.writeDeadline - 19_000 + LATE_MS)(life);
      };
      return { act, wire: 'flood', before: [...alive(1), ...told('ERR_CONNECTION_LOST')] };
    }
    default:
      if (!isLocal(leaf) && !isEnded(leaf)) return { why: deadline };
      return { act: pass(DEADLINES.closeDeadline + LATE_MS) };
  }
}

/** The first Ping of a connection's heartbeat: its number, in four bytes. */
const HEARTBEAT = `ping ${JSON.stringify('\u0000\u0000\u0000\u0001')}`;
