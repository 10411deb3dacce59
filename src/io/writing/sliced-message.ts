/**
 * A large message that an extension encodes: slice by slice, with a turn for others after each.
 *
 * To compress a megabyte takes some ten milliseconds. So the message goes out as fragments (RFC 6455 5.4), one for each
 * slice. It has its place among the messages of its connection from the call on, and control frames pass between its slices.
 */
import { CONTINUATION } from '../frames/frame-encoder.ts';
import type { FairTurn } from '../time/fair-turns.ts';
import type { SendResult, Sliced } from './outbox-ports.ts';
import type { Place } from './send-queue.ts';

/** What is encoded at a time; messages up to this size are encoded at once. */
export const SLICE_BYTES = 64 * 1024;

/** The outbox. */
export interface SliceTarget {
  readonly unfinished: Place | undefined;
  fragment(place: Place, opcode: number, payload: Uint8Array, final: boolean): SendResult;
}

export class SlicedMessage implements FairTurn, Sliced {
  readonly isWhole = true;
  readonly #target: SliceTarget;
  readonly #place: Place;
  #opcode: number;
  #rest: Uint8Array | undefined;
  /** Waits for a turn of the event loop. */
  #wait: (work: FairTurn) => void = () => {};
  /** Nothing is left of it. */
  #done: () => void = () => {};

  /** `payload` must not change any more. */
  constructor(target: SliceTarget, place: Place, opcode: number, payload: Uint8Array) {
    this.#target = target;
    this.#place = place;
    this.#opcode = opcode;
    this.#rest = payload;
  }

  /** Encodes the first slice, if no unfinished message comes before. `done` is called when nothing is left. */
  begin(wait: (work: FairTurn) => void, done: () => void): void {
    this.#wait = wait;
    this.#done = done;
    if (this.#target.unfinished === this.#place) this.onTurn();
    else this.#place.onTurn = () => wait(this);
  }

  onTurn(): void {
    this.#step();
    if (this.#rest !== undefined) this.#wait(this);
  }

  /** The connection is about to close: encodes all that is left. */
  finishNow(): void {
    if (this.#target.unfinished !== this.#place) return;
    while (this.#rest !== undefined) this.#step();
  }

  #step(): void {
    const rest = this.#rest;
    if (rest === undefined) return;
    const opcode = this.#opcode;
    this.#opcode = CONTINUATION;
    const final = rest.length <= SLICE_BYTES;
    this.#rest = final ? undefined : rest.subarray(SLICE_BYTES);
    const result = this.#target.fragment(this.#place, opcode, rest.subarray(0, SLICE_BYTES), final);
    if (result === 'closed') this.#rest = undefined;
    if (this.#rest === undefined) this.#done();
  }
}
