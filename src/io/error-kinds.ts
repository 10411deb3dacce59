/**
 * Errors that strangers can cause by the thousand each second, such as those of accepting: the first of each kind is told, and
 * the others are counted.
 */

/** Kinds that are told apart. Errors beyond them are counted together, under `other`. */
const MOST_KINDS = 32;

export class ErrorKinds {
  /** How often each kind has come, by its error code or, without one, its message. */
  readonly counts = new Map<string, number>();

  /** Counts an error. Returns true for the first of its kind. */
  isNews(error: Error): boolean {
    const own = (error as NodeJS.ErrnoException).code ?? error.message;
    const kind = this.counts.has(own) || this.counts.size < MOST_KINDS ? own : 'other';
    const count = (this.counts.get(kind) ?? 0) + 1;
    this.counts.set(kind, count);
    return count === 1;
  }
}
