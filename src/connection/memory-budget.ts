/**
 * Memory that peers can make this process hold, all connections and servers together: messages that are not finished
 * and queues of peers that do not read. Over the budget, the largest holders are shed first.
 */

export interface Holder {
  /** Bytes it was last counted with, or SHED; kept by the budget. */
  countedBytes: number;
  /** It holds the most, and must let go now. */
  shed(): void;
}

/** It was told to let go: what it still holds leaves soon, and is counted no more. */
const SHED = -1;

export class MemoryBudget {
  #bytes = 0;
  readonly #holders = new Set<Holder>();

  /** Bytes held now. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Connections that hold something. */
  get holders(): number {
    return this.#holders.size;
  }

  /** Counts what `holder` holds now, and sheds until `limit` is kept. */
  count(holder: Holder, bytes: number, limit: number): void {
    if (bytes === holder.countedBytes || holder.countedBytes === SHED) return;
    const grew = bytes > holder.countedBytes;
    this.#bytes += bytes - holder.countedBytes;
    holder.countedBytes = bytes;
    if (bytes > 0) this.#holders.add(holder);
    else this.#holders.delete(holder);
    while (grew && this.#bytes > limit && this.#holders.size > 0) this.#shedLargest();
  }

  #shedLargest(): void {
    let largest: Holder | undefined;
    for (const holder of this.#holders) {
      if (largest === undefined || holder.countedBytes > largest.countedBytes) largest = holder;
    }
    if (largest === undefined) return;
    this.#holders.delete(largest);
    this.#bytes -= largest.countedBytes;
    largest.countedBytes = SHED;
    largest.shed();
  }
}

/** The budget of this process. */
export const processBudget = new MemoryBudget();
