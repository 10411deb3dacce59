/**
 * Messages that came while the user could not take them: a handler's promise was pending, or an iterator had not asked.
 *
 * They wait in their order. What they hold is counted, so that reading can stop when it is too much.
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

/** What a message that waits takes besides its payload. Without it, empty messages would wait without end. */
export const ITEM_BYTES = 64;

export class ReadAhead {
  /** Bytes of the payloads, and `ITEM_BYTES` for each message. */
  bytes = 0;
  #items: Waiting[] = [];
  #next = 0;

  get isEmpty(): boolean {
    return this.#next === this.#items.length;
  }

  push(item: Waiting): void {
    this.#items.push(item);
    this.bytes += item.bytes + ITEM_BYTES;
  }

  /** The oldest one. */
  shift(): Waiting | undefined {
    const item = this.#items[this.#next];
    if (item === undefined) return undefined;
    this.#items[this.#next++] = undefined as never; // released; never read again
    this.bytes -= item.bytes + ITEM_BYTES;
    if (this.isEmpty) this.clear();
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#next = 0;
    this.bytes = 0;
  }
}
