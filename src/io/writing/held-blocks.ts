/**
 * Blocks of memory that are held by queues and by transports, each counted once.
 *
 * A frame of a broadcast stands in many queues, and a slab holds bytes of many connections. Such a block costs its memory
 * once, and it costs all of its memory until the last one that holds it lets go. So blocks are counted by identity.
 */

/** About what a block costs beside its bytes: the view, its ArrayBuffer, and the record of the memory behind it. */
export const BLOCK_BYTES = 300;
/** About what each place costs that a block is held in: an entry of a queue or of a batch. */
export const PLACE_BYTES = 48;

/** What owns the memory of a block: the block itself, or the buffer it is a part of. */
type Memory = Uint8Array | ArrayBufferLike;

export class HeldBlocks {
  #bytes = 0;
  /** In how many places each is held. */
  readonly #places = new Map<Memory, number>();

  /** Bytes of memory held now, with what they cost beside. */
  get bytes(): number {
    return this.#bytes;
  }

  /** How many different blocks are held. */
  get size(): number {
    return this.#places.size;
  }

  /** One more place holds this memory. */
  hold(memory: Memory): void {
    const places = this.#places.get(memory) ?? 0;
    if (places === 0) this.#bytes += memory.byteLength + BLOCK_BYTES;
    this.#bytes += PLACE_BYTES;
    this.#places.set(memory, places + 1);
  }

  /** One place lets go of it. */
  letGo(memory: Memory): void {
    const places = this.#places.get(memory);
    if (places === undefined) return;
    this.#bytes -= PLACE_BYTES;
    if (places > 1) {
      this.#places.set(memory, places - 1);
      return;
    }
    this.#places.delete(memory);
    this.#bytes -= memory.byteLength + BLOCK_BYTES;
  }
}

/** What is kept in memory by this block: a part of a slab keeps the whole slab. */
export function memoryOf(block: Uint8Array): Memory {
  return block.byteLength === block.buffer.byteLength ? block : block.buffer;
}
