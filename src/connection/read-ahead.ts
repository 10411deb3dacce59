/**
 * Messages that came while the user could not take them: a handler's promise was pending, or an iterator had not asked.
 *
 * They wait in their order. What they hold is counted, so that reading can stop when it is too much.
 */
import { Buffer } from 'node:buffer';
import type { Fragment, Message } from './recipient.ts';

/** What a message that waits counts beside its payload. Without it, empty messages would wait without end. */
export const ITEM_BYTES = 64;
/** About what it costs in memory beyond that. */
const MORE_MEMORY_BYTES = 296;
/** So many places that are read are removed together, once they are half of the list. */
const COMPACT_FROM = 256;

export type Waiting =
  | { readonly kind: 'whole'; readonly message: Message }
  | { readonly kind: 'fragment'; readonly fragment: Fragment }
  | {
      readonly kind: 'last';
      readonly fragment: Fragment | undefined;
      readonly message: Message | undefined;
    };

export class ReadAhead {
  /** Bytes of the payloads, and `ITEM_BYTES` for each message. */
  bytes = 0;
  /** Messages that wait; their fragments, other than the last one of each, are not counted. */
  messages = 0;
  #items: Waiting[] = [];
  #next = 0;

  get isEmpty(): boolean {
    return this.#next === this.#items.length;
  }

  /** Bytes of memory held. */
  get heldBytes(): number {
    return this.bytes + (this.#items.length - this.#next) * MORE_MEMORY_BYTES;
  }

  push(item: Waiting): void {
    this.#items.push(withOwnMemory(item));
    this.bytes += bytesOf(item) + ITEM_BYTES;
    if (item.kind !== 'fragment') this.messages++;
  }

  /** The oldest one. */
  shift(): Waiting | undefined {
    const item = this.#items[this.#next];
    if (item === undefined) return undefined;
    this.#items[this.#next++] = undefined as never; // released; never read again
    this.bytes -= bytesOf(item) + ITEM_BYTES;
    if (item.kind !== 'fragment') this.messages--;
    if (this.isEmpty) this.clear();
    else if (this.#next >= COMPACT_FROM && this.#next * 2 >= this.#items.length) this.#compact();
    return item;
  }

  /** Lets go of the places that are read. */
  #compact(): void {
    this.#items.splice(0, this.#next);
    this.#next = 0;
  }

  clear(): void {
    this.#items = [];
    this.#next = 0;
    this.bytes = 0;
    this.messages = 0;
  }
}

/** What is kept: of a compressed message what was inflated, of text its bytes in UTF-8. */
function bytesOf(item: Waiting): number {
  if (item.kind === 'whole') return dataBytes(item.message);
  if (item.kind === 'fragment') return dataBytes(item.fragment.data);
  return dataBytes(item.message) + dataBytes(item.fragment?.data);
}

function dataBytes(data: Message | undefined): number {
  if (data === undefined) return 0;
  return typeof data === 'string' ? Buffer.byteLength(data) : data.length;
}

/** Small messages share a slab; one that waits must not keep all of that. */
function withOwnMemory(item: Waiting): Waiting {
  if (item.kind === 'fragment') return item;
  const { message } = item;
  if (!(message instanceof Uint8Array) || message.byteLength === message.buffer.byteLength) return item;
  return { ...item, message: new Uint8Array(message) };
}
