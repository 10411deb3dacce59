/**
 * Messages of one connection that wait for the user: who holds them back, what waits, and which one is next.
 *
 * Most connections never need this. It is made when somebody first holds messages back.
 */
import { Holding } from './holding.ts';
import { ReadAhead, type Waiting } from './read-ahead.ts';
import type { Recipient } from './recipient.ts';

export class WaitingMessages {
  readonly holding = new Holding();
  /** What was commanded while a message is given to the user outside of the machine's steps; undefined: none is. */
  #commands: (() => void)[] | undefined;
  /** Made when the first message has to wait. */
  #ahead: ReadAhead | undefined;

  get isEmpty(): boolean {
    return this.#ahead === undefined || this.#ahead.isEmpty;
  }

  /** Nobody holds messages back, and none waits. */
  get isIdle(): boolean {
    return this.isEmpty && this.holding.isFree;
  }

  /** Messages that wait; their fragments, other than the last one of each, are not counted. */
  get messages(): number {
    return this.#ahead === undefined ? 0 : this.#ahead.messages;
  }

  /** Bytes of memory held. */
  get heldBytes(): number {
    return this.#ahead === undefined ? 0 : this.#ahead.heldBytes;
  }

  // ------------------------------------------------------------------ who holds messages back

  /** An async iterator has come (+1) or gone (-1). */
  iterating(change: 1 | -1): void {
    this.holding.iterators += change;
  }

  /** An iterator waits for a message (+1) or has got one (-1). */
  pulling(change: 1 | -1): void {
    this.holding.pulls += change;
  }

  /** A handler's promise is pending (+1) or settled (-1). Without pending handlers, nobody in one awaits an answer. */
  handling(change: 1 | -1): void {
    const { holding } = this;
    holding.handlers += change;
    if (holding.handlers === 0) holding.asking?.clear();
  }

  /** A handler's promise is pending. */
  get isHandling(): boolean {
    return this.holding.isHandling;
  }

  /** The codec has not yet said what a message is (true), or it has. It counts as a pending handler. */
  decoding(isPending: boolean): void {
    this.holding.decoding = isPending;
    this.handling(isPending ? 1 : -1);
  }

  /** A subscription made in a pending handler awaits messages, until the handler has settled. */
  ask(subscription: object): void {
    this.holding.asking ??= new Set();
    this.holding.asking.add(subscription);
  }

  /** A subscription has ended. */
  askNoMore(subscription: object): void {
    this.holding.asking?.delete(subscription);
  }

  // ------------------------------------------------------------------ what waits

  /** A message that comes now must wait: messages are held back, or others wait already. */
  get mustWait(): boolean {
    return this.holding.delivery || !this.isEmpty;
  }

  add(item: Waiting): void {
    this.#ahead ??= new ReadAhead();
    this.#ahead.push(item);
  }

  /** A message waits, and the user may be given it now. */
  get canDeliver(): boolean {
    return !this.isEmpty && !this.holding.delivery && !this.holding.behind;
  }

  /** Gives the user the next message that waits; false when none does, or it must go on waiting. */
  deliverNext(recipient: Recipient): boolean {
    if (!this.canDeliver) return false;
    const item = this.#ahead?.shift();
    if (item === undefined) return false;
    if (item.kind === 'fragment') recipient.fragment(item.fragment);
    else if (item.kind === 'last') recipient.last(item.fragment, item.message);
    else recipient.whole(item.message);
    return true;
  }

  /**
   * Gives messages to the user outside of a step of the machine: after the end, or when the codec has settled. What their
   * handlers command is done afterwards, as it is in a step, so that all who await a message get it first.
   */
  deliver(give: () => void): void {
    const commands: (() => void)[] = [];
    this.#commands = commands;
    give();
    this.#commands = undefined;
    for (const command of commands) command();
  }

  /** Runs a command: at once, or when `deliver` has given its messages. */
  command(run: () => void): void {
    if (this.#commands === undefined) run();
    else this.#commands.push(run);
  }

  /** Whether no more frames may be decoded now. Messages of `readAhead` bytes, or more, are enough. */
  mustStop(readAhead: number): boolean {
    const { holding } = this;
    holding.full = holding.delivery && (this.#ahead?.bytes ?? 0) >= readAhead;
    return holding.wire;
  }

  /** Drops what waits. */
  clear(): void {
    this.#ahead?.clear();
  }
}
