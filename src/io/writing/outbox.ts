/**
 * The frames that go out to one peer: in order, limited in bytes, with one write per turn.
 *
 * While the transport accepts everything, frames are written into the slab of the turn, and nothing is queued. When it does
 * not, frames wait in a queue, count against `sendLimit`, and leave in batches as the peer reads; control frames leave
 * before data frames. After a Close frame nothing is accepted (RFC 6455 5.5.1).
 */
import { Buffer } from 'node:buffer';
import type { Extension } from '../extensions/extension.ts';
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  encodeFrame,
  headerBytes,
  PING,
  PONG,
  RSV1,
  TEXT,
  writeHeader,
  writeTextFrame,
} from '../frames/frame-encoder.ts';
import type { Transport } from '../transports/transport.ts';
import { type EncodedMessage, formOf } from './encoded-message.ts';
import { memoryOf } from './held-blocks.ts';
import { type Flushable, SLAB_BYTES, type WriteTurn } from './write-turn.ts';

/** `sent`: on its way; `queued`: waits until the peer reads; `dropped`, `closed`: it will never be sent. */
export type SendResult = 'sent' | 'queued' | 'dropped' | 'closed';
/** What happens to a message that would exceed `sendLimit`. */
export type Overflow = 'close' | 'drop' | 'drop-oldest';

export interface OutboxLimits {
  /** Payload bytes that may wait for one peer, the new message included. */
  readonly sendLimit: number;
  readonly overflow: Overflow;
  /** How many Pongs may wait for a peer that does not read. Above that, only the newest is kept (RFC 6455 5.5.3). */
  readonly maxPendingPongs: number;
}

interface Queued {
  frame: Uint8Array;
  /** A newer message with the same key replaces this one. A FRAGMENT is never replaced or dropped. */
  readonly key: string | typeof FRAGMENT | undefined;
}
/** The key of each frame of a fragmented message (RFC 6455 5.4). */
const FRAGMENT = Symbol('fragment');

/** Messages up to this size are written into the slab. A larger one gets a block of its own and is written at once. */
const SMALL_BYTES = 16 * 1024;
/** The list of blocks for a write of one block. It is used again, since a transport reads it before `write` returns. */
const oneBlock: Uint8Array[] = [new Uint8Array(0)];
/** About how many bytes of the queue are given to the transport at a time. */
const BATCH_BYTES = 256 * 1024;

/** Who is told of the state of an outbox. */
export interface OutboxOwner {
  /** The transport accepts no more for now. */
  onWaiting(): void;
  /** Something was put into the queue. */
  onQueued(): void;
  /** A message exceeded `sendLimit`, and the policy is `close`. */
  onOverflow(): void;
  /** Nothing waits any more. */
  onDrained(): void;
  /** The transport threw an error, which it must not. */
  onBroken(error: unknown): void;
}

export class Outbox implements Flushable {
  /** Messages accepted, and bytes given to the transport. */
  messages = 0;
  bytes = 0;
  /** Messages dropped at `sendLimit`. */
  dropped = 0;
  /** Encodes the payloads of messages. Undefined: they go as they are. */
  extension: Extension | undefined;

  readonly #transport: Transport;
  readonly #limits: OutboxLimits;
  readonly #turn: WriteTurn;
  readonly #owner: OutboxOwner;

  // The frames of this turn: one block, or several, and then the open region of the slab.
  #only: Uint8Array | undefined;
  #blocks: Uint8Array[] | undefined;
  #slab: Buffer | undefined;
  #from = 0;
  #to = 0;
  #turnBytes = 0;
  #marked = false;

  // What the transport does not accept yet.
  #waiting = false;
  #queue: { control: Queued[]; data: Queued[] } | undefined;
  #queuedBytes = 0;
  /** Blocks that the transport still has to write. */
  #writing: readonly Uint8Array[] | undefined;

  #sealed = false;
  #ending = false;
  /** While a fragmented message is being sent: the messages that wait until it ends. */
  #behind: Queued[] | undefined;

  constructor(transport: Transport, limits: OutboxLimits, turn: WriteTurn, owner: OutboxOwner) {
    this.#transport = transport;
    this.#limits = limits;
    this.#turn = turn;
    this.#owner = owner;
  }

  /** Bytes accepted that the network has not taken. */
  get bufferedAmount(): number {
    return this.#turnBytes + this.#queuedBytes + (this.#waiting ? this.#transport.bufferedAmount : 0);
  }

  /** Bytes that the system has taken. */
  get takenBytes(): number {
    return this.bytes - (this.#waiting ? this.#transport.bufferedAmount : 0);
  }

  /** Bytes of memory in the queue. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** True while the transport holds bytes that the peer has not read. */
  get waiting(): boolean {
    return this.#waiting;
  }

  /** True once a Close frame is on its way: nothing follows it. */
  get sealed(): boolean {
    return this.#sealed;
  }

  text(text: string, key?: string): SendResult {
    if (this.#sealed) return 'closed';
    if (this.extension !== undefined) return this.#extended(this.extension, TEXT, Buffer.from(text), key);
    const most = 10 + text.length * 3;
    if (key === undefined && most <= SMALL_BYTES && this.#isClear(most)) {
      const at = this.#open(most);
      const end = writeTextFrame(this.#turn.slab, at, text);
      this.messages++;
      this.#extend(end);
      return 'sent';
    }
    const bytes = Buffer.byteLength(text);
    const frame = Buffer.allocUnsafeSlow(headerBytes(bytes) + bytes);
    frame.write(text, writeHeader(frame, 0, TEXT, true, bytes), 'utf8');
    return this.#message(frame, bytes, key);
  }

  binary(payload: Uint8Array, key?: string): SendResult {
    if (this.#sealed) return 'closed';
    if (this.extension !== undefined) return this.#extended(this.extension, BINARY, payload, key);
    const bytes = payload.length;
    if (key !== undefined || !this.#isClear(bytes))
      return this.#message(encodeFrame(BINARY, payload), bytes, key);
    if (bytes > SMALL_BYTES) return this.#large(payload);
    const at = this.#open(10 + bytes);
    const start = writeHeader(this.#turn.slab, at, BINARY, true, bytes);
    this.#turn.slab.set(payload, start);
    this.messages++;
    this.#extend(start + bytes);
    return 'sent';
  }

  encoded(message: EncodedMessage, key?: string): SendResult {
    if (this.#sealed) return 'closed';
    const { frame, payloadBytes } = formOf(message, this.extension);
    if (key !== undefined || !this.#isClear(payloadBytes)) return this.#message(frame, payloadBytes, key);
    this.messages++;
    this.#markDirty();
    this.#block(frame);
    return this.#waiting ? 'queued' : 'sent';
  }

  /** Bytes that are not a frame: the response to the handshake. */
  raw(bytes: Uint8Array): void {
    this.#markDirty();
    this.#block(bytes);
  }

  /** A Ping or Pong. False after our Close, and for a Ping while many control frames wait for the peer to read. */
  control(opcode: number, payload: Uint8Array): boolean {
    if (this.#sealed) return false;
    const waiting = this.#queue?.control.length ?? 0;
    if (opcode === PING && waiting >= 2 * this.#limits.maxPendingPongs) return false;
    this.#controlFrame(opcode, payload);
    return true;
  }

  /** One frame of a message that is sent in fragments (RFC 6455 5.4). */
  fragment(opcode: number, payload: Uint8Array, final: boolean): SendResult {
    if (this.#sealed) return 'closed';
    this.#behind ??= [];
    const first = opcode !== CONTINUATION;
    const encoded = this.extension?.encodeFragment(payload, first, final);
    const rsv = first && encoded !== undefined ? RSV1 : 0;
    const result = this.#frame({ frame: encodeFrame(opcode, encoded ?? payload, final, rsv), key: FRAGMENT });
    if (final) {
      this.messages++;
      this.#releaseBehind();
    }
    return result;
  }

  /** True while a fragmented message is being sent. */
  get fragmenting(): boolean {
    return this.#behind !== undefined;
  }

  /**
   * Sends our one Close frame and accepts nothing after it. With `discard`, the queue is dropped, so that the Close leaves as
   * soon as the peer reads anything.
   */
  close(payload: Uint8Array, discard: boolean): void {
    if (this.#sealed) return;
    // A fragmented message can no longer be finished, and the messages that wait for its end can no longer be sent.
    this.#dropBehind();
    if (discard && this.#queue !== undefined) this.#dropQueue();
    this.#sealed = true;
    const frame = encodeFrame(CLOSE, payload);
    if (this.#waiting || this.#queue !== undefined) this.#enqueue({ frame, key: undefined }, false);
    else this.#copy(frame);
    this.flush();
  }

  /** Ends our side of the stream when everything has left. */
  end(): void {
    this.#ending = true;
    this.flush();
    if (this.#queue === undefined) this.#endTransport();
  }

  /** Drops all that waits behind what the transport has. */
  drop(): void {
    this.#dropBehind();
    this.#dropQueue();
  }

  /** The connection is over: drops everything. */
  release(): void {
    this.#sealed = true;
    this.#only = undefined;
    this.#blocks = undefined;
    this.#slab = undefined;
    this.#turnBytes = 0;
    this.#waiting = false;
    this.#written();
    this.drop();
  }

  /** Writes the frames of this turn. */
  flush(): void {
    this.#marked = false;
    if (this.#turnBytes === 0) return;
    this.bytes += this.#turnBytes;
    this.#turnBytes = 0;
    if (!this.#write()) {
      this.#waiting = true;
      this.#turn.pin();
      this.#owner.onWaiting();
    }
  }

  #write(): boolean {
    this.#closeRegion();
    const blocks = this.#blocks;
    if (blocks !== undefined) {
      this.#blocks = undefined;
      return this.#give(blocks);
    }
    oneBlock[0] = this.#only as Uint8Array; // a turn with bytes has a block
    this.#only = undefined;
    return this.#give(oneBlock);
  }

  /** A transport that a user wrote may throw. Then this connection is lost, and nothing else happens. */
  #give(blocks: readonly Uint8Array[]): boolean {
    try {
      if (this.#transport.write(blocks)) return true;
    } catch (error) {
      this.#owner.onBroken(error);
      return true;
    }
    this.#written();
    this.#writing = blocks.slice();
    for (const block of blocks) this.#turn.held.hold(memoryOf(block));
    return false;
  }

  /** The transport needs its blocks no more. */
  #written(): void {
    for (const block of this.#writing ?? []) this.#turn.held.letGo(memoryOf(block));
    this.#writing = undefined;
  }

  #endTransport(): void {
    try {
      this.#transport.end();
    } catch (error) {
      this.#owner.onBroken(error);
    }
  }

  /** The transport has written everything: gives it the next batch. */
  onDrain(): void {
    this.#waiting = false;
    this.#written();
    while (this.#queue !== undefined) {
      if (!this.#give(this.#nextBatch(this.#queue))) {
        this.#waiting = true;
        return;
      }
    }
    if (this.#ending) this.#endTransport();
    else this.#owner.onDrained();
  }

  /** A large payload is copied once, so that the caller may change it again, and given to the transport at once. */
  #large(payload: Uint8Array): SendResult {
    this.flush();
    if (this.#waiting) return this.#message(encodeFrame(BINARY, payload), payload.length, undefined);
    const block = this.#turn.borrow(10 + payload.length);
    const start = writeHeader(block, 0, BINARY, true, payload.length);
    block.set(payload, start);
    oneBlock[0] = block.subarray(0, start + payload.length);
    this.messages++;
    this.bytes += start + payload.length;
    if (this.#give(oneBlock)) {
      this.#turn.giveBack(block);
      return 'sent';
    }
    this.#waiting = true;
    this.#owner.onWaiting();
    return 'queued';
  }

  /** True when a message may become part of this turn's write directly. */
  #isClear(bytes: number): boolean {
    return (
      !this.#waiting &&
      this.#queue === undefined &&
      this.#behind === undefined &&
      this.#turnBytes + bytes <= this.#limits.sendLimit
    );
  }

  /** A message whose payload an extension may encode. */
  #extended(extension: Extension, opcode: number, payload: Uint8Array, key: string | undefined): SendResult {
    // Only such a message is sent for certain, and in the order in which messages are encoded.
    const isNext = key === undefined && this.#behind === undefined && this.#limits.overflow === 'close';
    const encoded = extension.encode(payload, !isNext);
    const frame =
      encoded === undefined ? encodeFrame(opcode, payload) : encodeFrame(opcode, encoded, true, RSV1);
    return this.#message(frame, (encoded ?? payload).length, key);
  }

  #message(frame: Uint8Array, bytes: number, key: string | undefined): SendResult {
    const queued: Queued = { frame, key };
    if (key !== undefined && this.#replace(queued)) return 'queued';
    if (this.bufferedAmount + bytes > this.#limits.sendLimit) {
      const verdict = this.#makeRoom(bytes);
      if (verdict !== undefined) return verdict;
    }
    this.messages++;
    if (this.#behind !== undefined) {
      this.#behind.push(queued);
      this.#hold(frame);
      this.#owner.onQueued();
      return 'queued';
    }
    return this.#frame(queued);
  }

  #frame(queued: Queued): SendResult {
    if (!this.#waiting && this.#queue === undefined) {
      this.#closeRegion();
      this.#markDirty();
      this.#block(queued.frame);
      return this.#waiting ? 'queued' : 'sent';
    }
    this.#enqueue(queued, false);
    return 'queued';
  }

  /** Applies the overflow policy; undefined when there is room now. */
  #makeRoom(bytes: number): SendResult | undefined {
    // The frames of this turn may leave at once, when they are written now.
    if (this.#turnBytes > 0) {
      this.flush();
      if (this.bufferedAmount + bytes <= this.#limits.sendLimit) return undefined;
    }
    const { overflow, sendLimit } = this.#limits;
    if (overflow === 'close') {
      this.#owner.onOverflow();
      return 'closed';
    }
    if (overflow === 'drop-oldest' && this.#dropOldest(this.bufferedAmount + bytes - sendLimit)) {
      return undefined;
    }
    this.dropped++;
    return 'dropped';
  }

  /** Drops the oldest messages, until `missing` bytes are free. False, and drops none, when all of them are too few. */
  #dropOldest(missing: number): boolean {
    const lists = [this.#queue?.data ?? [], this.#behind ?? []];
    const counts = lists.map((list) => {
      let count = 0;
      for (; count < list.length && missing > 0; count++) {
        const { key, frame } = list[count] as Queued;
        if (key !== FRAGMENT) missing -= frame.length;
      }
      return count;
    });
    if (missing > 0) return false;
    lists.forEach((list, i) => {
      const oldest = list.slice(0, counts[i]);
      for (const { key, frame } of oldest) {
        if (key === FRAGMENT) continue;
        this.#letGo(frame);
        this.messages--;
        this.dropped++;
      }
      list.splice(0, oldest.length, ...oldest.filter(({ key }) => key === FRAGMENT));
    });
    return true;
  }

  /** Replaces a waiting message that has the same key, in its place. */
  #replace(newer: Queued): boolean {
    for (const list of [this.#queue?.data, this.#behind]) {
      const older = list?.find((queued) => queued.key === newer.key);
      if (older === undefined) continue;
      this.#hold(newer.frame);
      this.#letGo(older.frame);
      older.frame = newer.frame;
      return true;
    }
    return false;
  }

  #controlFrame(opcode: number, payload: Uint8Array): void {
    if (!this.#waiting && this.#queue === undefined) {
      const at = this.#open(2 + payload.length);
      const start = writeHeader(this.#turn.slab, at, opcode, true, payload.length);
      this.#turn.slab.set(payload, start);
      this.#extend(start + payload.length);
      return;
    }
    const frame = encodeFrame(opcode, payload);
    const control = this.#queue?.control ?? [];
    if (opcode === PONG && control.length >= this.#limits.maxPendingPongs) this.#dropNewestPong(control);
    this.#enqueue({ frame, key: undefined }, true);
  }

  /** 5.5.3: an endpoint "MAY elect to send a Pong frame for only the most recently processed Ping frame". */
  #dropNewestPong(control: Queued[]): void {
    const isPong = ({ frame }: Queued): boolean => ((frame[0] as number) & 0x0f) === PONG;
    if (control.filter(isPong).length < this.#limits.maxPendingPongs) return;
    const [newest] = control.splice(control.findLastIndex(isPong), 1);
    this.#letGo((newest as Queued).frame);
  }

  #enqueue(queued: Queued, control: boolean): void {
    this.#queue ??= { control: [], data: [] };
    (control ? this.#queue.control : this.#queue.data).push(queued);
    this.#hold(queued.frame);
    this.#owner.onQueued();
  }

  /** A frame waits in a queue. */
  #hold(frame: Uint8Array): void {
    this.#queuedBytes += frame.length;
    this.#turn.held.hold(frame);
  }

  /** It does so no more. */
  #letGo(frame: Uint8Array): void {
    this.#queuedBytes -= frame.length;
    this.#turn.held.letGo(frame);
  }

  #nextBatch(queue: { control: Queued[]; data: Queued[] }): Uint8Array[] {
    const batch: Uint8Array[] = [];
    let bytes = 0;
    let data = 0;
    for (const { frame } of queue.control) {
      batch.push(frame);
      this.#letGo(frame);
      bytes += frame.length;
    }
    queue.control.length = 0;
    while (data < queue.data.length && (bytes < BATCH_BYTES || batch.length === 0)) {
      const { frame } = queue.data[data++] as Queued;
      batch.push(frame);
      this.#letGo(frame);
      bytes += frame.length;
    }
    queue.data.splice(0, data);
    this.bytes += bytes;
    if (queue.data.length === 0) this.#queue = undefined;
    return batch;
  }

  #releaseBehind(): void {
    const behind = this.#behind ?? [];
    this.#behind = undefined;
    for (const queued of behind) {
      this.#letGo(queued.frame);
      this.#frame(queued);
    }
  }

  #dropBehind(): void {
    for (const { frame } of this.#behind ?? []) this.#letGo(frame);
    this.#behind = undefined;
  }

  #dropQueue(): void {
    for (const { frame } of this.#queue?.control ?? []) this.#letGo(frame);
    for (const { frame } of this.#queue?.data ?? []) this.#letGo(frame);
    this.#queue = undefined;
  }

  /** Reserves `bytes` in the slab, directly after the last frame of this connection if that is possible. */
  #open(bytes: number): number {
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
  #extend(end: number): void {
    this.#turnBytes += end - this.#to;
    this.#to = end;
    this.#turn.used = end;
    if (this.#turnBytes >= SLAB_BYTES) this.flush();
  }

  #copy(frame: Uint8Array): void {
    const at = this.#open(frame.length);
    this.#turn.slab.set(frame, at);
    this.#extend(at + frame.length);
  }

  /** Adds a block without copying it. When much has gathered, it is written at once. */
  #block(block: Uint8Array): void {
    this.#closeRegion();
    this.#push(block);
    this.#turnBytes += block.length;
    if (this.#turnBytes >= SLAB_BYTES) this.flush();
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
