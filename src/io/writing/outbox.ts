/**
 * The frames that go out to one peer: in order, limited in bytes, with one write per turn.
 *
 * While the transport accepts everything, frames are written into the slab of the turn, and nothing is queued. When it does
 * not, or when an earlier message is sent in fragments that have not all come, frames wait in a `SendQueue` and count
 * against `sendLimit`. After a Close frame nothing is accepted (RFC 6455 5.5.1).
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
import { tooLarge, utf8Of } from './bytes.ts';
import { type EncodedMessage, formOf } from './encoded-message.ts';
import type { HeldBlocks } from './held-blocks.ts';
import { OutboxCounts } from './outbox-counts.ts';
import type { OutboxLimits, OutboxOwner, SendResult } from './outbox-ports.ts';
import { type Place, type Queued, SendQueue } from './send-queue.ts';
import { SLICE_BYTES, SlicedMessage } from './sliced-message.ts';
import { TurnWriter } from './turn-writer.ts';
import type { WriteTurn } from './write-turn.ts';

/** Messages up to this size are written into the slab. A larger one gets a block of its own and is written at once. */
const SMALL_BYTES = 16 * 1024;
/** An encoded message is longer than the plain one by less than this. */
const MOST_LONGER_BYTES = 8;

/**
 * What one connection sends.
 *
 * Many members: each kind of message has its way in, and all of them share the limit and the queue.
 */
export class Outbox extends OutboxCounts {
  /** Messages accepted. */
  messages = 0;
  /** Messages dropped at `sendLimit`. */
  dropped = 0;
  /** Encodes the payloads of messages. Undefined: they go as they are. */
  extension: Extension | undefined;

  readonly #limits: OutboxLimits;
  readonly #owner: OutboxOwner;
  readonly #held: HeldBlocks;

  #sealed = false;
  #ending = false;

  constructor(transport: Transport, limits: OutboxLimits, turn: WriteTurn, owner: OutboxOwner) {
    super(new TurnWriter(transport, turn, owner));
    this.#limits = limits;
    this.#owner = owner;
    this.#held = turn.held;
  }

  /** True once a Close frame is on its way: nothing follows it. */
  get sealed(): boolean {
    return this.#sealed;
  }

  /** `compress` is for an extension: false leaves the message as it is, true encodes it however short it is. */
  text(text: string, key?: string, compress?: boolean): SendResult {
    if (this.queue !== undefined) this.#encodeFor(text.length * 3);
    if (this.#sealed) return 'closed';
    if (this.extension !== undefined && compress !== false)
      return this.#extended(this.extension, TEXT, utf8Of(text), key, compress);
    const most = 10 + text.length * 3;
    if (key === undefined && most <= SMALL_BYTES && this.#isClear(most)) {
      const writer = this.writer;
      const at = writer.open(most);
      this.messages++;
      writer.extend(writeTextFrame(writer.slab, at, text));
      return 'sent';
    }
    const bytes = Buffer.byteLength(text);
    const frame = Buffer.allocUnsafeSlow(headerBytes(bytes) + bytes);
    frame.write(text, writeHeader(frame, 0, TEXT, true, bytes), 'utf8');
    return this.#message(frame, bytes, key);
  }

  binary(payload: Uint8Array, key?: string, compress?: boolean): SendResult {
    if (this.queue !== undefined) this.#encodeFor(payload.length);
    if (this.#sealed) return 'closed';
    if (this.extension !== undefined && compress !== false)
      return this.#extended(this.extension, BINARY, payload, key, compress);
    const bytes = payload.length;
    if (bytes > SMALL_BYTES && key === undefined && this.#isClear(bytes)) return this.#large(payload);
    return this.#payload(BINARY, 0, payload, key);
  }

  /** A message whose payload is only lent. */
  #payload(opcode: number, rsv: number, payload: Uint8Array, key: string | undefined): SendResult {
    const bytes = payload.length;
    if (key !== undefined || bytes > SMALL_BYTES || !this.#isClear(bytes))
      return this.#message(encodeFrame(opcode, payload, true, rsv), bytes, key);
    const writer = this.writer;
    const at = writer.open(10 + bytes);
    const start = writeHeader(writer.slab, at, opcode, true, bytes, rsv);
    writer.slab.set(payload, start);
    this.messages++;
    writer.extend(start + bytes);
    return 'sent';
  }

  encoded(message: EncodedMessage, key?: string, compress?: boolean): SendResult {
    if (this.#sealed) return 'closed';
    const extension = compress === false ? undefined : this.extension;
    const { frame, payloadBytes } = formOf(message, extension, compress);
    if (this.queue !== undefined) this.#encodeFor(payloadBytes);
    if (this.#sealed) return 'closed';
    if (key !== undefined || !this.#isClear(payloadBytes)) return this.#message(frame, payloadBytes, key);
    this.messages++;
    this.writer.block(frame);
    return this.writer.waiting ? 'queued' : 'sent';
  }

  /** Bytes that are not a frame: the response to the handshake. */
  raw(bytes: Uint8Array): void {
    this.writer.block(bytes);
  }

  /** A Ping or Pong. False after our Close, and for a Ping while many control frames wait for the peer to read. */
  control(opcode: number, payload: Uint8Array): boolean {
    if (this.#sealed) return false;
    const waiting = this.queue?.controlFrames ?? 0;
    if (opcode === PING && waiting >= 2 * this.#limits.maxPendingPongs) return false;
    this.#controlFrame(opcode, payload);
    return true;
  }

  /** Keeps a place, in the order of the calls, for a message in fragments (RFC 6455 5.4). `isPlain`: they go as they are. */
  reserve(source?: Uint8Array, isPlain = false): Place {
    this.queue ??= new SendQueue(this.#held);
    return this.queue.reserve(source, isPlain);
  }

  /** The first message whose fragments have not all come. Those sent after it wait for them. */
  get unfinished(): Place | undefined {
    return this.queue?.unfinished;
  }

  /** The next fragment of the `unfinished` message. */
  fragment(place: Place, opcode: number, payload: Uint8Array, final: boolean): SendResult {
    const queue = this.queue;
    if (this.#sealed || queue === undefined) return 'closed';
    const first = opcode !== CONTINUATION;
    const encoded = place.isPlain ? undefined : this.extension?.encodeFragment(payload, first, final);
    const rsv = first && encoded !== undefined ? RSV1 : 0;
    const frame = encodeFrame(opcode, encoded ?? payload, final, rsv);
    place.hasBegun = true;
    const hadBytes = queue.bytes > 0;
    queue.encoded(place, payload.length, final);
    if (final) this.messages++;
    if (!this.waiting && queue.isNext(place)) {
      place.hasLeft = true;
      this.writer.block(frame);
      if (final) queue.remove(place);
    } else {
      queue.pushFragment(place, frame);
      this.#owner.onQueued();
    }
    if (final) this.#goOn(queue, hadBytes || queue.bytes > 0);
    return this.waiting ? 'queued' : 'sent';
  }

  /** Gives up the place of a message that has not begun. */
  leave(place: Place): void {
    const queue = this.queue;
    if (queue === undefined) return;
    const hadBytes = queue.bytes > 0;
    queue.remove(place);
    this.#goOn(queue, hadBytes);
  }

  /** A message that others waited for is complete or given up: these leave, up to the next unfinished one. */
  #goOn(queue: SendQueue, hadBytes = queue.bytes > 0): void {
    this.flush();
    if (!this.waiting) this.#giveQueue();
    queue.tellTurn();
    if (hadBytes) this.#tellDrained();
  }

  /**
   * Sends our one Close frame and accepts nothing after it. With `discard`, the queue is dropped, so that the Close leaves as
   * soon as the peer reads anything.
   */
  close(payload: Uint8Array, discard: boolean): void {
    if (this.#sealed) return;
    if (discard) this.drop();
    this.queue?.giveUpUnfinished();
    this.#sealed = true;
    const frame = encodeFrame(CLOSE, payload);
    if (this.waiting || this.queue?.hasNext) this.#enqueue(frame, undefined);
    else this.writer.copy(frame);
    this.flush();
    if (!this.waiting) this.#giveQueue();
  }

  /** Ends our side of the stream when everything has left. */
  end(): void {
    this.#ending = true;
    this.queue?.giveUpUnfinished();
    this.flush();
    if (!this.queue?.hasNext) this.writer.end();
  }

  /** Drops all that waits, other than what the transport has. */
  drop(): void {
    this.queue?.clear();
    this.queue = undefined;
  }

  /** The connection is over: drops everything. */
  release(): void {
    this.#sealed = true;
    this.writer.release();
    this.extension?.release();
    this.drop();
  }

  /** Writes the frames of this turn. */
  flush(): void {
    this.writer.flush();
  }

  /** The transport has written everything: gives it the next frames. */
  onDrain(): void {
    this.writer.written();
    this.#giveQueue();
    if (this.#ending && !this.waiting) this.writer.end();
    else this.#tellDrained();
  }

  /** Gives the queue to the transport, until that accepts no more or an unfinished message comes next. */
  #giveQueue(): void {
    const queue = this.queue;
    while (queue?.hasNext && this.queue === queue && !this.waiting) {
      const before = queue.bytes;
      const batch = queue.nextBatch();
      this.writer.give(batch, before - queue.bytes);
    }
    if (queue?.isEmpty) this.queue = undefined;
  }

  #tellDrained(): void {
    if (!this.waiting && this.queuedBytes === 0) this.#owner.onDrained();
  }

  /** A large message leaves at once, after what this turn has. */
  #large(payload: Uint8Array): SendResult {
    this.flush();
    if (this.waiting) return this.#message(encodeFrame(BINARY, payload), payload.length, undefined);
    this.messages++;
    this.writer.large(payload);
    return this.waiting ? 'queued' : 'sent';
  }

  /** True when a message may become part of this turn's write directly. */
  #isClear(bytes: number): boolean {
    const writer = this.writer;
    return !writer.waiting && this.queue === undefined && writer.turnBytes + bytes <= this.#limits.sendLimit;
  }

  /** What waits for its slices does not wait for the peer. The user may hear of that, so no lent bytes are in hand. */
  #encodeFor(bytes: number): void {
    const isEncoding = this.unfinished?.source !== undefined;
    if (isEncoding && this.bufferedAmount + bytes > this.#limits.sendLimit) this.#owner.encodeNow();
  }

  /** A message whose payload, which is only lent, an extension may encode. */
  #extended(
    extension: Extension,
    opcode: number,
    payload: Uint8Array,
    key: string | undefined,
    compress: boolean | undefined,
  ): SendResult {
    const { overflow, sendLimit } = this.#limits;
    if (payload.length > SLICE_BYTES) {
      // What has begun cannot be replaced by a message with the same key any more.
      const canBegin = key === undefined || (!this.waiting && this.queue === undefined);
      const isEncoded = canBegin && (compress || payload.length >= extension.threshold);
      return isEncoded ? this.#sliced(opcode, payload) : this.#payload(opcode, 0, payload, key);
    }
    const isNext =
      key === undefined &&
      overflow === 'close' &&
      // Encoded, it might be a little longer, and one over the limit is not sent at all.
      payload.length + MOST_LONGER_BYTES <= sendLimit &&
      this.unfinished === undefined;
    // Only such a message is sent for certain, and in the order in which messages are encoded.
    const encoded = extension.encode(payload, !isNext, compress);
    return this.#payload(opcode, encoded === undefined ? 0 : RSV1, encoded ?? payload, key);
  }

  /** A message that takes long to encode. */
  #sliced(opcode: number, payload: Uint8Array): SendResult {
    const bytes = payload.length;
    if (bytes > this.#limits.sendLimit) return this.#refuse(bytes);
    const verdict =
      this.bufferedAmount + bytes > this.#limits.sendLimit ? this.#makeRoom(bytes, undefined) : undefined;
    if (verdict !== undefined) return verdict;
    const source = new Uint8Array(payload);
    const message = new SlicedMessage(this, this.reserve(source), opcode, source);
    this.#owner.onQueued();
    this.#owner.onSliced(message);
    return 'queued';
  }

  /** A message that cannot become part of this turn's write directly. `bytes`: of its payload. */
  #message(frame: Uint8Array, bytes: number, key: string | undefined): SendResult {
    const { sendLimit } = this.#limits;
    if (bytes > sendLimit) return this.#refuse(bytes);
    const older = key === undefined ? undefined : this.queue?.find(key);
    const more = bytes - (older?.frame.length ?? 0);
    if (this.bufferedAmount + more > sendLimit) {
      const verdict = this.#makeRoom(more, older);
      if (verdict !== undefined) return verdict;
    }
    if (older !== undefined && this.queue !== undefined) {
      this.queue.replace(older, frame);
      this.#owner.onQueued();
      return 'queued';
    }
    this.messages++;
    if (this.waiting || this.queue !== undefined) {
      this.#enqueue(frame, key);
      return 'queued';
    }
    this.writer.block(frame);
    return this.writer.waiting ? 'queued' : 'sent';
  }

  /** A message that is over `sendLimit` alone: no peer could read fast enough for it. */
  #refuse(bytes: number): SendResult {
    const { overflow, sendLimit } = this.#limits;
    const error = tooLarge(bytes, sendLimit);
    if (overflow === 'close') throw error;
    this.#owner.onTooLarge(error);
    this.dropped++;
    return 'dropped';
  }

  /** Applies the overflow policy; undefined when there is room for so many bytes more now. */
  #makeRoom(bytes: number, older: Queued | undefined): SendResult | undefined {
    // The frames of this turn may leave at once, when they are written now.
    if (this.writer.turnBytes > 0) {
      this.flush();
      if (this.bufferedAmount + bytes <= this.#limits.sendLimit) return undefined;
    }
    const { overflow, sendLimit } = this.#limits;
    if (overflow === 'close') {
      this.#owner.onOverflow();
      return 'closed';
    }
    if (overflow === 'drop-oldest') {
      const count = this.queue?.dropOldest(this.bufferedAmount + bytes - sendLimit, older);
      if (count !== undefined) {
        this.messages -= count;
        this.dropped += count;
        return undefined;
      }
    }
    this.dropped++;
    return 'dropped';
  }

  #controlFrame(opcode: number, payload: Uint8Array): void {
    // While the transport accepts frames, no control frame waits, and one may pass the data frames that do.
    if (!this.waiting) {
      const writer = this.writer;
      const at = writer.open(2 + payload.length);
      const start = writeHeader(writer.slab, at, opcode, true, payload.length);
      writer.slab.set(payload, start);
      writer.extend(start + payload.length);
      return;
    }
    this.queue ??= new SendQueue(this.#held);
    if (opcode === PONG) this.queue.makeRoomForPong(this.#limits.maxPendingPongs);
    this.queue.pushControl(encodeFrame(opcode, payload));
    this.#owner.onQueued();
  }

  #enqueue(frame: Uint8Array, key: string | undefined): void {
    this.queue ??= new SendQueue(this.#held);
    this.queue.push(frame, key);
    this.#owner.onQueued();
  }
}
