/**
 * One message sent in fragments as its pieces come (RFC 6455 5.4).
 */
import { Buffer } from 'node:buffer';
import { BINARY, CONTINUATION, TEXT } from '../io/frames/frame-encoder.ts';
import type { SendResult } from '../io/writing/outbox.ts';
import type { Message } from './recipient.ts';
import type { Sending } from './sending.ts';
import type { Session } from './session.ts';

type Pieces = Iterable<Message> | AsyncIterable<Message>;
const NOTHING = new Uint8Array(0);

/** Sends the pieces; several such messages of one connection go one after the other. */
export async function sendFragments(session: Session, pieces: Pieces): Promise<SendResult> {
  const { sending } = session;
  const before = sending.fragmentsTurn;
  let done = () => {};
  sending.fragmentsTurn = new Promise((resolve) => {
    done = resolve;
  });
  await before;
  try {
    return await sendPieces(sending, pieces);
  } catch (error) {
    // A message that has begun can be neither finished nor taken back.
    if (sending.isOpen && sending.outbox.fragmenting) session.requestClose(1011, 'internal error');
    throw error;
  } finally {
    done();
  }
}

async function sendPieces(sending: Sending, pieces: Pieces): Promise<SendResult> {
  const encoder = new PieceEncoder();
  for await (const piece of whileOpen(sending, pieces)) {
    if (!sending.isOpen) return 'closed';
    const opcode = encoder.first ? encoder.opcodeOf(piece) : CONTINUATION;
    sending.outbox.fragment(opcode, encoder.encode(piece), false);
    await sending.drained();
  }
  if (!sending.isOpen) return 'closed';
  // An empty iterable is an empty text message.
  return sending.outbox.fragment(encoder.first ? TEXT : CONTINUATION, encoder.rest(), true);
}

/** The pieces, as long as they can be sent: a source that says nothing more is not waited for. */
async function* whileOpen(sending: Sending, pieces: Pieces): AsyncGenerator<Message, void> {
  const iterator = iteratorOf(pieces);
  let isExhausted = false;
  try {
    while (sending.isOpen) {
      isExhausted = true; // unless it yields
      const step = await untilClosed(sending, () => iterator.next());
      isExhausted = step?.done === true;
      if (step === undefined || step.done) return;
      yield step.value;
    }
  } finally {
    if (!isExhausted) stop(iterator);
  }
}

/** The next piece; undefined when nothing may be sent any more before it comes. */
async function untilClosed<T>(sending: Sending, next: () => T | PromiseLike<T>): Promise<T | undefined> {
  let forget = (): void => {};
  const closed = new Promise<undefined>((resolve) => {
    forget = sending.whenClosed(() => resolve(undefined));
  });
  try {
    return await Promise.race([closed, next()]);
  } finally {
    forget();
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
