/**
 * Writes the frames of one connection to its transport, those of one turn in one write.
 *
 * Small frames are written into the slab that all connections share in this turn; large ones are blocks of their own. When
 * the turn ends, the blocks are given to the transport. If it cannot write all of them at once, the writer is `waiting`
 * until `onDrain`, and must be given nothing.
 */
import type { Buffer } from 'node:buffer';
import { BINARY, writeHeader } from '../frames/frame-encoder.ts';
import type { Transport } from '../transports/transport.ts';
import { memoryOf } from './held-blocks.ts';
import { type Flushable, SLAB_BYTES, type WriteTurn } from './write-turn.ts';

/** Who is told of the state of a writer. */
export interface WriterOwner {
  /** The transport accepts no more for now. */
  onWaiting(): void;
  /** The transport threw an error, which it must not. */
  onBroken(error: unknown): void;
}

/** The list of blocks for a write of one block. It is used again, since a transport reads it before `write` returns. */
const oneBlock: Uint8Array[] = [new Uint8Array(0)];

export class TurnWriter implements Flushable {
  /** Bytes given to the transport. */
  bytes = 0;
  /** Bytes of this turn that the transport has not been given yet. */
  turnBytes = 0;
  /** True while the transport holds bytes that it could not write. */
  waiting = false;

  readonly #transport: Transport;
  readonly #turn: WriteTurn;
  readonly #owner: WriterOwner;

  // The frames of this turn: one block, or several, and then the open region of the slab.
  #only: Uint8Array | undefined;
  #blocks: Uint8Array[] | undefined;
  #slab: Buffer | undefined;
  #from = 0;
  #to = 0;
  #marked = false;
  /** Blocks that the transport still has to write. */
  #writing: readonly Uint8Array[] | undefined;

  constructor(transport: Transport, turn: WriteTurn, owner: WriterOwner) {
    this.#transport = transport;
    this.#turn = turn;
    this.#owner = owner;
  }

  /** Bytes accepted that the network has not taken. */
  get bufferedAmount(): number {
    return this.turnBytes + this.unsentBytes;
  }

  /** Of the bytes given to the transport, those that it could not write yet. They become fewer as the peer reads. */
  get unsentBytes(): number {
    return this.waiting ? this.#transport.bufferedAmount : 0;
  }

  /** The slab that the place returned by `open` is in. */
  get slab(): Buffer {
    return this.#turn.slab;
  }

  /** Reserves `bytes` in the slab, directly after the last frame of this connection if that is possible. */
  open(bytes: number): number {
    const at = this.#turn.reserve(bytes);
    if (this.#slab !== this.#turn.slab || this.#to !== at) {
      this.#closeRegion();
      this.#slab = this.#turn.slab;
      this.#from = at;
      this.#to = at;
    }
    this.#markDirty();
    return at;
  }

  /** The frame in the slab ends here. */
  extend(end: number): void {
    this.turnBytes += end - this.#to;
    this.#to = end;
    this.#turn.used = end;
    if (this.turnBytes >= SLAB_BYTES) this.flush();
  }

  /** Adds a small frame, by copying it. */
  copy(frame: Uint8Array): void {
    const at = this.open(frame.length);
    this.slab.set(frame, at);
    this.extend(at + frame.length);
  }

  /** Adds a block without copying it. When much has gathered, it is written at once. */
  block(block: Uint8Array): void {
    this.#markDirty();
    this.#closeRegion();
    this.#push(block);
    this.turnBytes += block.length;
    if (this.turnBytes >= SLAB_BYTES) this.flush();
  }

  /** Writes a large binary message at once. Its payload is copied, so that the caller may change it again. */
  large(payload: Uint8Array): void {
    const block = this.#turn.borrow(10 + payload.length);
    const start = writeHeader(block, 0, BINARY, true, payload.length);
    block.set(payload, start);
    oneBlock[0] = block.subarray(0, start + payload.length);
    if (this.give(oneBlock, start + payload.length)) this.#turn.giveBack(block);
  }

  /** Gives blocks of so many bytes to the transport. False when it could not write all of them. */
  give(blocks: readonly Uint8Array[], bytes: number): boolean {
    this.bytes += bytes;
    if (this.#write(blocks)) return true;
    this.waiting = true;
    this.#writing = blocks.slice();
    for (const block of blocks) this.#turn.held.hold(memoryOf(block));
    this.#owner.onWaiting();
    return false;
  }

  /** The transport has written all that it was given. */
  written(): void {
    this.waiting = false;
    for (const block of this.#writing ?? []) this.#turn.held.letGo(memoryOf(block));
    this.#writing = undefined;
  }

  /** Writes the frames of this turn. */
  flush(): void {
    this.#marked = false;
    const { turnBytes } = this;
    if (turnBytes === 0) return;
    this.turnBytes = 0;
    this.#closeRegion();
    const blocks = this.#blocks ?? oneBlock;
    if (this.#blocks === undefined) oneBlock[0] = this.#only as Uint8Array; // a turn with bytes has a block
    this.#blocks = undefined;
    this.#only = undefined;
    if (!this.give(blocks, turnBytes)) this.#turn.pin();
  }

  /** Ends our side of the stream once everything given to the transport has left. */
  end(): void {
    try {
      this.#transport.end();
    } catch (error) {
      this.#owner.onBroken(error);
    }
  }

  /** The connection is over: forgets everything. */
  release(): void {
    this.#only = undefined;
    this.#blocks = undefined;
    this.#slab = undefined;
    this.turnBytes = 0;
    this.written();
  }

  /** A transport that a user wrote may throw. Then this connection is lost, and nothing else happens. */
  #write(blocks: readonly Uint8Array[]): boolean {
    try {
      return this.#transport.write(blocks);
    } catch (error) {
      this.#owner.onBroken(error);
      return true;
    }
  }

  #push(block: Uint8Array): void {
    if (this.#blocks !== undefined) {
      this.#blocks.push(block);
    } else if (this.#only === undefined) {
      this.#only = block;
    } else {
      this.#blocks = [this.#only, block];
      this.#only = undefined;
    }
  }

  #closeRegion(): void {
    if (this.#slab === undefined) return;
    if (this.#to > this.#from) this.#push(this.#slab.subarray(this.#from, this.#to));
    this.#slab = undefined;
  }

  #markDirty(): void {
    if (this.#marked) return;
    this.#marked = true;
    this.#turn.mark(this);
  }
}
