/**
 * The frames of one connection that cannot leave yet, in the order in which they will.
 *
 * Control frames leave before data frames (RFC 6455 5.4 allows them between any two frames). Data frames keep the order
 * of the calls. A message that is sent in fragments has a *place* among them from the call on, though its fragments come
 * later: what was sent after it waits until it is complete.
 */
import { PONG } from '../frames/frame-encoder.ts';
import type { HeldBlocks } from './held-blocks.ts';

/** About how many bytes are given to the transport at a time. */
const BATCH_BYTES = 256 * 1024;

/** A whole message that waits. */
export interface Queued {
  frame: Uint8Array;
  /** A newer message with the same key replaces this one. */
  readonly key: string | undefined;
}

/** The place of a message that is sent in fragments. */
export class Place {
  /** Fragments that cannot leave yet. */
  readonly frames: Uint8Array[] = [];
  /** Its first fragment was accepted: the message can no longer be taken back. */
  hasBegun = false;
  /** A fragment was given to the transport. */
  hasLeft = false;
  /** Its last fragment was accepted. */
  isComplete = false;
  /** Called once, when no unfinished message is before this one. */
  onTurn: (() => void) | undefined;
  /** The payload of a message that is encoded in slices, until the last one is. */
  readonly source: Uint8Array | undefined;
  /** Bytes of it that are not encoded: the others wait as fragments, or have left. */
  sourceBytes: number;
  /** No extension encodes it. */
  readonly isPlain: boolean;

  constructor(source?: Uint8Array, isPlain = false) {
    this.source = source;
    this.sourceBytes = source === undefined ? 0 : source.length;
    this.isPlain = isPlain;
  }
}

type Entry = Queued | Place;

export class SendQueue {
  /** Bytes of memory that wait here. */
  bytes = 0;
  readonly #control: Uint8Array[] = [];
  #data: Entry[] = [];
  readonly #held: HeldBlocks;

  /** What waits is counted in `held`. */
  constructor(held: HeldBlocks) {
    this.#held = held;
  }

  #hold(frame: Uint8Array): void {
    this.bytes += frame.length;
    this.#held.hold(frame);
  }

  #letGo(frame: Uint8Array): void {
    this.bytes -= frame.length;
    this.#held.letGo(frame);
  }

  /** Its memory is held until all of it is encoded. */
  #letGoSource(place: Place): void {
    if (place.source === undefined || place.isComplete) return;
    this.bytes -= place.sourceBytes;
    this.#held.letGo(place.source);
  }

  #letGoEntry(entry: Entry): void {
    if (!(entry instanceof Place)) {
      this.#letGo(entry.frame);
      return;
    }
    for (const frame of entry.frames) this.#letGo(frame);
    this.#letGoSource(entry);
  }

  get isEmpty(): boolean {
    return this.#control.length === 0 && this.#data.length === 0;
  }

  /** Whether something could leave now. False too when all that waits is after an unfinished message. */
  get hasNext(): boolean {
    if (this.#control.length > 0) return true;
    const first = this.#data[0];
    return first !== undefined && (!(first instanceof Place) || first.frames.length > 0);
  }

  get controlFrames(): number {
    return this.#control.length;
  }

  /** The first message whose fragments are not complete. What was sent after it waits for it. */
  get unfinished(): Place | undefined {
    return this.#data.find((entry): entry is Place => entry instanceof Place && !entry.isComplete);
  }

  /** Tells the first unfinished message that it may begin, if it has not been told. */
  tellTurn(): void {
    const place = this.unfinished;
    const tell = place?.onTurn;
    if (place !== undefined) place.onTurn = undefined;
    tell?.();
  }

  // ------------------------------------------------------------------ in

  push(frame: Uint8Array, key: string | undefined): void {
    this.#data.push({ frame, key });
    this.#hold(frame);
  }

  pushControl(frame: Uint8Array): void {
    this.#control.push(frame);
    this.#hold(frame);
  }

  /** `source`: a payload that is held until `remove` or `encoded`. */
  reserve(source?: Uint8Array, isPlain = false): Place {
    const place = new Place(source, isPlain);
    this.#data.push(place);
    if (source !== undefined) this.#hold(source);
    return place;
  }

  /** The next fragment of it is made, of so many bytes of its payload; `final`: there are no more. */
  encoded(place: Place, bytes: number, final: boolean): void {
    if (place.source !== undefined) {
      place.sourceBytes -= bytes;
      this.bytes -= bytes;
    }
    if (!final) return;
    this.#letGoSource(place);
    place.isComplete = true;
  }

  /** A fragment that cannot leave yet. */
  pushFragment(place: Place, frame: Uint8Array): void {
    place.frames.push(frame);
    this.#hold(frame);
  }

  /** Whether no frame waits before the next fragment of this message. */
  isNext(place: Place): boolean {
    return this.#data[0] === place && place.frames.length === 0;
  }

  // ------------------------------------------------------------------ out

  /** Takes out the next frames: all control frames, and data frames up to about 256 KiB. */
  nextBatch(): Uint8Array[] {
    const batch = this.#control.splice(0);
    let bytes = batch.reduce((sum, { length }) => sum + length, 0);
    let taken = 0;
    const isFull = () => bytes >= BATCH_BYTES && batch.length > 0;
    for (; taken < this.#data.length && !isFull(); taken++) {
      const entry = this.#data[taken] as Entry;
      if (!(entry instanceof Place)) {
        batch.push(entry.frame);
        bytes += entry.frame.length;
        continue;
      }
      let count = 0;
      for (; count < entry.frames.length && !isFull(); count++) {
        const frame = entry.frames[count] as Uint8Array;
        batch.push(frame);
        bytes += frame.length;
      }
      entry.frames.splice(0, count);
      entry.hasLeft ||= count > 0;
      if (entry.frames.length > 0 || !entry.isComplete) break;
    }
    this.#data.splice(0, taken);
    for (const frame of batch) this.#letGo(frame);
    return batch;
  }

  /** Removes a message whose last fragment has left, or that never began. */
  remove(place: Place): void {
    const at = this.#data.indexOf(place);
    if (at < 0) return;
    this.#data.splice(at, 1);
    this.#letGoEntry(place);
  }

  // ------------------------------------------------------------------ replacing and dropping

  /** The waiting message with this key. */
  find(key: string): Queued | undefined {
    return this.#data.find((entry): entry is Queued => !(entry instanceof Place) && entry.key === key);
  }

  replace(older: Queued, frame: Uint8Array): void {
    this.#hold(frame);
    this.#letGo(older.frame);
    older.frame = frame;
  }

  /**
   * Drops the oldest messages, until `missing` bytes are free, and says how many. Undefined, and none is dropped, when all
   * of them are too few. Fragments and `kept` stay.
   */
  dropOldest(missing: number, kept: Queued | undefined): number | undefined {
    const dropped = new Set<Queued>();
    for (const entry of this.#data) {
      if (missing <= 0) break;
      if (entry instanceof Place || entry === kept) continue;
      dropped.add(entry);
      missing -= entry.frame.length;
    }
    if (missing > 0) return undefined;
    for (const { frame } of dropped) this.#letGo(frame);
    this.#data = this.#data.filter((entry) => !(dropped as Set<Entry>).has(entry));
    return dropped.size;
  }

  /**
   * Makes room for a Pong. With `most` that wait already, the newest of them is dropped. RFC 6455 5.5.3: an endpoint "MAY
   * elect to send a Pong frame for only the most recently processed Ping frame".
   */
  makeRoomForPong(most: number): void {
    if (this.#control.length < most) return;
    const isPong = (frame: Uint8Array): boolean => ((frame[0] as number) & 0x0f) === PONG;
    if (this.#control.filter(isPong).length < most) return;
    const [newest] = this.#control.splice(this.#control.findLastIndex(isPong), 1);
    this.#letGo(newest as Uint8Array);
  }

  /**
   * No more fragments come. Messages that have not begun to leave are left out. After one that has, only control frames
   * may follow (RFC 6455 5.4), so the rest of it and all that waits after it are dropped.
   */
  giveUpUnfinished(): void {
    const kept: Entry[] = [];
    for (const entry of this.#data) {
      if (!(entry instanceof Place) || entry.isComplete) kept.push(entry);
      else if (entry.hasLeft) break;
    }
    const stays = new Set(kept);
    for (const entry of this.#data) {
      if (!stays.has(entry)) this.#letGoEntry(entry);
    }
    this.#data = kept;
  }

  /** Drops all that waits. */
  clear(): void {
    for (const frame of this.#control.splice(0)) this.#letGo(frame);
    for (const entry of this.#data.splice(0)) this.#letGoEntry(entry);
  }
}
