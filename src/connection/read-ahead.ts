/**
 * Messages that came while the user could not take them: a handler's promise was pending, or an iterator had not asked.
 *
 * They wait in their order. Their bytes are counted, so that reading can stop when there are too many.
 */
import type { Fragment, Message } from './recipient.ts';

export type Waiting = { readonly bytes: number } & (
  | { readonly kind: 'whole'; readonly message: Message }
  | { readonly kind: 'fragment'; readonly fragment: Fragment }
  | {
      readonly kind: 'last';
      readonly fragment: Fragment | undefined;
      readonly message: Message | undefined;
    }
);

export class ReadAhead {
  bytes = 0;
  #items: Waiting[] = [];
  #next = 0;

  get isEmpty(): boolean {
    return this.#next === this.#items.length;
  }

  push(item: Waiting): void {
    this.#items.push(item);
    this.bytes += item.bytes;
  }

  /** The oldest one. */
  shift(): Waiting | undefined {
    const item = this.#items[this.#next];
    if (item === undefined) return undefined;
    this.#items[this.#next++] = undefined as never; // released; never read again
    this.bytes -= item.bytes;
    if (this.isEmpty) this.clear();
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#next = 0;
    this.bytes = 0;
  }
}
