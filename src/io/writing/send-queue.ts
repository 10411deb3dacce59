/**
 * The frames of one connection that cannot leave yet, in the order in which they will.
 *
 * Control frames leave before data frames (RFC 6455 5.4 allows them between any two frames). Data frames keep the order
 * of the calls. A message that is sent in fragments has a *place* among them from the call on, though its fragments come
 * later: what was sent after it waits until it is complete.
 *
 * A slow peer may leave hundreds of thousands of small messages here, so nothing that is done for each message goes through
 * all of them: data frames are a linked list, with marks at its first message that may be dropped and at its first place, and
 * messages with a key are found by it.
 */
import { PONG } from '../frames/frame-encoder.ts';
import type { HeldBlocks } from './held-blocks.ts';

/** About how many bytes are given to the transport at a time. */
const BATCH_BYTES = 256 * 1024;

/** What is before and after a message in the queue. */
interface Linked {
  before: Entry | undefined;
  after: Entry | undefined;
}

/** A whole message that waits. */
export interface Queued extends Linked {
  frame: Uint8Array;
  /** A newer message with the same key replaces this one. */
  readonly key: string | undefined;
}

/** The place of a message that is sent in fragments. */
export class Place implements Linked {
  before: Entry | undefined;
  after: Entry | undefined;
  /** It is in the queue. */
  isQueued = false;
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

/**
 * What one connection has still to send.
 *
 * Many members: ways in, ways out and ways to drop all keep the same list and the same marks.
 */
export class SendQueue {
  /** Bytes of memory that wait here. */
  bytes = 0;
  readonly #control: Uint8Array[] = [];
  #first: Entry | undefined;
  #last: Entry | undefined;
  /** Bytes of whole messages, which may be dropped. */
  #wholeBytes = 0;
  /** The oldest whole message. */
  #oldest: Queued | undefined;
  /** The oldest place that may be unfinished: all before it are complete. */
  #place: Place | undefined;
  /** Whole messages by their keys, from the first that has one. */
  #keyed: Map<string, Queued> | undefined;
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
    if (!isPlace(entry)) {
      this.#letGo(entry.frame);
      return;
    }
    for (const frame of entry.frames) this.#letGo(frame);
    this.#letGoSource(entry);
  }

  get isEmpty(): boolean {
    return this.#control.length === 0 && this.#first === undefined;
  }

  /** Whether something could leave now. False too when all that waits is after an unfinished message. */
  get hasNext(): boolean {
    if (this.#control.length > 0) return true;
    const first = this.#first;
    return first !== undefined && (!isPlace(first) || first.frames.length > 0);
  }

  get controlFrames(): number {
    return this.#control.length;
  }

  /** The first message whose fragments are not complete. What was sent after it waits for it. */
  get unfinished(): Place | undefined {
    while (this.#place?.isComplete) this.#place = following(this.#place, isPlace);
    return this.#place;
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
    const entry: Queued = { frame, key, before: undefined, after: undefined };
    this.#append(entry);
    this.#oldest ??= entry;
    this.#wholeBytes += frame.length;
    if (key !== undefined) {
      this.#keyed ??= new Map();
      this.#keyed.set(key, entry);
    }
    this.#hold(frame);
  }

  #append(entry: Entry): void {
    entry.before = this.#last;
    if (this.#last === undefined) this.#first = entry;
    else this.#last.after = entry;
    this.#last = entry;
  }

  /** Takes an entry out of the list; its bytes stay counted. */
  #unlink(entry: Entry): void {
    if (entry === this.#oldest) this.#oldest = following(entry, isWhole);
    if (entry === this.#place) this.#place = following(entry, isPlace);
    if (isPlace(entry)) entry.isQueued = false;
    else {
      this.#wholeBytes -= entry.frame.length;
      if (entry.key !== undefined && this.find(entry.key) === entry) this.#keyed?.delete(entry.key);
    }
    const { before, after } = entry;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    entry.before = undefined;
    entry.after = undefined;
  }

  pushControl(frame: Uint8Array): void {
    this.#control.push(frame);
    this.#hold(frame);
  }

  /** `source`: a payload that is held until `remove` or `encoded`. */
  reserve(source?: Uint8Array, isPlain = false): Place {
    const place = new Place(source, isPlain);
    this.#append(place);
    place.isQueued = true;
    this.#place ??= place;
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
    return this.#first === place && place.frames.length === 0;
  }

  // ------------------------------------------------------------------ out

  /** Takes out the next frames: all control frames, and data frames up to about 256 KiB. */
  nextBatch(): Uint8Array[] {
    const batch = this.#control.splice(0);
    let bytes = batch.reduce((sum, { length }) => sum + length, 0);
    const isFull = () => bytes >= BATCH_BYTES && batch.length > 0;
    let entry = this.#first;
    for (; entry !== undefined && !isFull(); entry = this.#first) {
      if (isPlace(entry)) {
        let count = 0;
        for (; count < entry.frames.length && !isFull(); count++) {
          const frame = entry.frames[count] as Uint8Array;
          batch.push(frame);
          bytes += frame.length;
        }
        entry.frames.splice(0, count);
        entry.hasLeft ||= count > 0;
        if (entry.frames.length > 0 || !entry.isComplete) break;
      } else {
        batch.push(entry.frame);
        bytes += entry.frame.length;
      }
      this.#unlink(entry);
    }
    for (const frame of batch) this.#letGo(frame);
    return batch;
  }

  /** Removes a message whose last fragment has left, or that never began. */
  remove(place: Place): void {
    if (place.isQueued) this.#drop(place);
  }

  #drop(entry: Entry): void {
    this.#unlink(entry);
    this.#letGoEntry(entry);
  }

  // ------------------------------------------------------------------ replacing and dropping

  /** The waiting message with this key. */
  find(key: string): Queued | undefined {
    return this.#keyed?.get(key);
  }

  replace(older: Queued, frame: Uint8Array): void {
    this.#hold(frame);
    this.#letGo(older.frame);
    this.#wholeBytes += frame.length - older.frame.length;
    older.frame = frame;
  }

  /**
   * Drops the oldest messages, until `missing` bytes are free, and says how many. Undefined, and none is dropped, when all
   * of them are too few. Fragments and `kept` stay.
   */
  dropOldest(missing: number, kept: Queued | undefined): number | undefined {
    if (missing > this.#wholeBytes - (kept?.frame.length ?? 0)) return undefined;
    const dropped: Queued[] = [];
    let oldest = this.#oldest;
    for (; missing > 0 && oldest !== undefined; oldest = following(oldest, isWhole)) {
      if (oldest === kept) continue;
      dropped.push(oldest);
      missing -= oldest.frame.length;
    }
    for (const entry of dropped) this.#drop(entry);
    return dropped.length;
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
    let hasEnded = false;
    let next: Entry | undefined;
    for (let entry = this.#first; entry !== undefined; entry = next) {
      next = entry.after;
      const isCut = isPlace(entry) && !entry.isComplete;
      if (isPlace(entry) && isCut) hasEnded ||= entry.hasLeft;
      if (isCut || hasEnded) this.#drop(entry);
    }
  }

  /** Drops all that waits. */
  clear(): void {
    for (const frame of this.#control.splice(0)) this.#letGo(frame);
    while (this.#first !== undefined) this.#drop(this.#first);
  }
}

const isPlace = (entry: Entry): entry is Place => entry instanceof Place;
const isWhole = (entry: Entry): entry is Queued => !(entry instanceof Place);

/** The next entry of a kind. */
function following<Kind extends Entry>(
  entry: Entry,
  isOne: (entry: Entry) => entry is Kind,
): Kind | undefined {
  let next = entry.after;
  while (next !== undefined && !isOne(next)) next = next.after;
  return next;
}
