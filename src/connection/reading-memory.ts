/**
 * What the reading side of one connection holds in memory: a decoder with what is not decoded, and messages that wait.
 *
 * `Reading` is built on this. It is a base class and not a part of its own, so that a connection has no further object.
 */
import type { Extension } from '../io/extensions/extension.ts';
import type { FrameDecoder } from '../io/frames/frame-decoder.ts';
import type { Shared } from './host.ts';
import type { Side } from './memory-budget.ts';
import { WaitingMessages } from './waiting-messages.ts';

/** What is needed of the connection. */
export interface MemoryOwner {
  /** Bytes of memory held for the request head until the handshake is answered. */
  readonly headBytes: number;
  /** Bytes that have come of it. */
  readonly receivedHeadBytes: number;
  readonly memory: { countReading(side: Side): void };
  readonly deadlines: { insideMessage(isInside: boolean, messages: number): void };
  /** What was agreed on reads and encodes payloads. */
  readonly sending: { readonly outbox: { readonly extension: Extension | undefined } };
  shed(): void;
}

export abstract class ReadingMemory<Owner extends MemoryOwner> implements Side {
  /** Messages that came. */
  messages = 0;
  protected readonly session: Owner;
  protected readonly host: Shared;
  /** Lent by the server while bytes are under way, so that an idle connection holds none. */
  protected lent: FrameDecoder | undefined;
  /** Who holds messages back, and what waits; made when somebody first does. */
  protected waiting: WaitingMessages | undefined;
  /** Bytes of memory of the chunk that is not decoded to its end, as of the last `keepRest`. */
  #restBytes = 0;
  #countedBytes = 0;

  constructor(session: Owner, host: Shared) {
    this.session = session;
    this.host = host;
  }

  get decoder(): FrameDecoder {
    if (this.lent === undefined) {
      this.lent = this.host.lendDecoder();
      this.useExtension();
    }
    return this.lent;
  }

  /** The decoder reads with the extension that was agreed on, if there is one. */
  useExtension(): void {
    if (this.lent !== undefined) this.lent.extension = this.session.sending.outbox.extension;
  }

  /** Where somebody who holds messages back says so. `Reading.readAgain` follows when a reason has gone. */
  hold(): WaitingMessages {
    this.waiting ??= new WaitingMessages();
    return this.waiting;
  }

  /** The same, but undefined where nobody has held messages back so far. */
  get held(): WaitingMessages | undefined {
    return this.waiting;
  }

  /** A `for await` loop takes the messages: a pending handler holds none back. */
  get isIterated(): boolean {
    return (this.waiting?.holding.iterators ?? 0) > 0;
  }

  /** Messages wait for the user, or for the codec to say what they are. */
  get hasWaiting(): boolean {
    return this.waiting !== undefined && (!this.waiting.isEmpty || this.waiting.holding.decoding);
  }

  /** Bytes of memory that this connection holds because of what its peer sent. */
  get heldBytes(): number {
    const message = this.lent === undefined ? 0 : this.lent.heldBytes + this.#restBytes;
    const waiting = this.waiting === undefined ? 0 : this.waiting.heldBytes;
    return message + waiting + this.session.headBytes;
  }

  /** Messages that came and do not wait. */
  get completed(): number {
    return this.messages - (this.waiting === undefined ? 0 : this.waiting.messages);
  }

  /** Bytes that have come of the head, or of the message, that is not complete. */
  get movedBytes(): number {
    return this.lent === undefined ? this.session.receivedHeadBytes : this.lent.receivedBytes;
  }

  /** The server is short of memory. */
  shed(): void {
    this.session.shed();
  }

  /** Counts what is held in the server's memory budget. */
  countMemory(): void {
    const { heldBytes } = this;
    if (heldBytes === 0 && this.#countedBytes === 0) return;
    this.#countedBytes = heldBytes;
    this.session.memory.countReading(this);
  }

  /** The chunk is done for now: what is left is copied where its memory is shared; an idle decoder is given back. */
  keepRest(shared: boolean): void {
    const decoder = this.lent;
    if (decoder !== undefined) this.#settle(decoder, shared);
    this.countMemory();
  }

  #settle(decoder: FrameDecoder, shared: boolean): void {
    this.session.deadlines.insideMessage(decoder.insideMessage, this.messages);
    if (decoder.idle) {
      this.host.takeBack(decoder);
      this.lent = undefined;
      return;
    }
    if (shared && decoder.hasMore) decoder.keepRest();
    decoder.settle();
    this.#restBytes = decoder.restBytes;
  }

  /** Nothing more is decoded: the connection is over, or its input is discarded. */
  drop(): void {
    this.lent?.discard();
    this.#restBytes = 0;
    this.countMemory();
  }
}
