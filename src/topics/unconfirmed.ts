/**
 * Bytes that were given to an engine and that it has not confirmed: what its client keeps for it. An engine that does not keep up
 * must not fill the memory.
 */

/** Bytes that may be unconfirmed. */
export const MAX_UNCONFIRMED = 16 * 1024 * 1024;

export class Unconfirmed {
  #bytes = 0;

  /** @throws Error when they would be too many. */
  add(bytes: number): void {
    if (this.#bytes + bytes > MAX_UNCONFIRMED) {
      throw new Error(
        `the engine does not keep up: ${this.#bytes} bytes are unconfirmed, ${MAX_UNCONFIRMED} may be`,
      );
    }
    this.#bytes += bytes;
  }

  confirm(bytes: number): void {
    this.#bytes -= bytes;
  }
}
