/**
 * One message sent in fragments as its pieces come (RFC 6455 5.4).
 */
import { Buffer } from 'node:buffer';
import type { Message } from '../api/paths/handlers.ts';
import { BINARY, CONTINUATION, TEXT } from '../io/frames/frame-encoder.ts';
import type { SendResult } from '../io/writing/outbox.ts';
import type { Session } from './session.ts';

type Pieces = Iterable<Message> | AsyncIterable<Message>;
const NOTHING = new Uint8Array(0);

/** Sends the pieces; several such messages of one connection go one after the other. */
export async function sendFragments(session: Session, pieces: Pieces): Promise<SendResult> {
  const before = session.fragmentsTurn;
  let done = () => {};
  session.fragmentsTurn = new Promise((resolve) => {
    done = resolve;
  });
  await before;
  try {
    return await sendPieces(session, pieces);
  } catch (error) {
    // A message that has begun can be neither finished nor taken back.
    if (session.sendable && session.outbox.fragmenting) session.requestClose(1011, 'internal error');
    throw error;
  } finally {
    done();
  }
}

async function sendPieces(session: Session, pieces: Pieces): Promise<SendResult> {
  const encoder = new PieceEncoder();
  for await (const piece of whileSendable(session, pieces)) {
    if (!session.sendable) return 'closed';
    const opcode = encoder.first ? encoder.opcodeOf(piece) : CONTINUATION;
    session.outbox.fragment(opcode, encoder.encode(piece), false);
    await session.drained();
  }
  if (!session.sendable) return 'closed';
  // An empty iterable is an empty text message.
  return session.outbox.fragment(encoder.first ? TEXT : CONTINUATION, encoder.rest(), true);
}

/** The pieces, as long as they can be sent: a source that says nothing more is not waited for. */
async function* whileSendable(session: Session, pieces: Pieces): AsyncGenerator<Message, void> {
  const iterator = iteratorOf(pieces);
  let leave = (): void => {};
  let isExhausted = false;
  const subscription = session.stream('state').observable.subscribe(() => {
    if (!session.sendable) leave();
  });
  try {
    while (session.sendable) {
      isExhausted = true; // unless it yields
      const step = await new Promise<IteratorResult<Message> | undefined>((resolve, reject) => {
        leave = () => resolve(undefined);
        Promise.resolve(iterator.next()).then(resolve, reject);
      });
      isExhausted = step?.done === true;
      if (step === undefined || step.done) return;
      yield step.value;
    }
  } finally {
    subscription.unsubscribe();
    if (!isExhausted) stop(iterator);
  }
}

function iteratorOf(pieces: Pieces): Iterator<Message> | AsyncIterator<Message> {
  const source: Partial<Iterable<Message> & AsyncIterable<Message>> = pieces ?? {};
  const make: unknown = source[Symbol.asyncIterator] ?? source[Symbol.iterator];
  if (typeof make !== 'function') throw new TypeError('the pieces of a message come from an iterable');
  return make.call(pieces);
}

/** Lets a source clean up, and waits for none. */
function stop(iterator: Iterator<Message> | AsyncIterator<Message>): void {
  new Promise((resolve) => resolve(iterator.return?.())).catch(() => {});
}

/** Turns pieces into payloads; a surrogate pair cut between two strings is put together again. */
class PieceEncoder {
  first = true;
  #text = false;
  #surrogate = '';

  opcodeOf(piece: Message): number {
    this.#text = typeof piece === 'string';
    return this.#text ? TEXT : BINARY;
  }

  encode(piece: Message): Uint8Array {
    this.first = false;
    if (typeof piece === 'string' && this.#text) {
      const text = this.#surrogate + piece;
      const cut = /[\uD800-\uDBFF]$/.test(text);
      this.#surrogate = cut ? text.slice(-1) : '';
      return Buffer.from(cut ? text.slice(0, -1) : text);
    }
    if (piece instanceof Uint8Array && !this.#text) return piece;
    throw new TypeError('the pieces of a message are all strings or all Uint8Arrays');
  }

  rest(): Uint8Array {
    return this.#surrogate === '' ? NOTHING : Buffer.from(this.#surrogate);
  }
}
