/**
 * Who is in one topic, and what each shows. Changes are gathered until somebody takes them, once in a turn: who comes and goes
 * within it was never there.
 */
import type { PresenceChange } from './member.ts';

/** What stands for somebody who was not there. */
const ABSENT = Symbol('absent');

export class Presence {
  readonly #present = new Map<string, unknown>();
  /** What each of those that have changed showed before. */
  #before: Map<string, unknown> | undefined;

  /** Who is there now, by `uid`. */
  get present(): ReadonlyMap<string, unknown> {
    return this.#present;
  }

  /** Whether changes wait to be taken. */
  get hasChanged(): boolean {
    return this.#before !== undefined;
  }

  show(uid: string, shown: unknown, isWatched: boolean): void {
    if (isWatched) this.#note(uid);
    this.#present.set(uid, shown);
  }

  hide(uid: string, isWatched: boolean): void {
    if (isWatched) this.#note(uid);
    this.#present.delete(uid);
  }

  #note(uid: string): void {
    this.#before ??= new Map();
    if (this.#before.has(uid)) return;
    this.#before.set(uid, this.#present.has(uid) ? this.#present.get(uid) : ABSENT);
  }

  /** What has changed since it was last taken; undefined when that is nothing. */
  take(): PresenceChange | undefined {
    const joined = new Map<string, unknown>();
    const left = new Map<string, unknown>();
    for (const [uid, before] of this.#before ?? []) {
      const isThere = this.#present.has(uid);
      const now = this.#present.get(uid);
      if (isThere && !(before !== ABSENT && Object.is(before, now))) joined.set(uid, now);
      if (!isThere && before !== ABSENT) left.set(uid, before);
    }
    this.#before = undefined;
    return joined.size + left.size === 0 ? undefined : { joined, left };
  }
}
