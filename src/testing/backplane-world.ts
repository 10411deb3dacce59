/**
 * Processes for the tests of a `Backplane`, each a backplane and what it was told.
 */
import { Buffer } from 'node:buffer';
import { guard } from '../io/time/clock.ts';
import type { Backplane, Envelope } from '../topics/backplane.ts';

export interface Heard {
  readonly topic: string;
  readonly text: string;
  readonly envelope: Envelope;
}

/** What the tests send until it arrives: a subscription takes a moment to be in force. */
export const PROBE = 'probe ';
/** Real milliseconds between two of them. */
const RETRY_MS = 20;
export const ORIGIN = 'conformance';

/** One process: a backplane, and what it was told. */
export class Party {
  readonly backplane: Backplane;
  readonly heard: Heard[] = [];
  readonly failures: Error[] = [];
  readonly #checks = new Set<() => void>();
  readonly #patienceMs: number;

  constructor(backplane: Backplane, patienceMs: number) {
    this.backplane = backplane;
    this.#patienceMs = patienceMs;
  }

  start(): Promise<void> {
    const check = () => {
      for (const each of this.#checks) each();
    };
    return this.backplane.start(
      (topic, bytes, envelope) => {
        this.heard.push({ topic, text: Buffer.from(bytes).toString('latin1'), envelope });
        check();
      },
      (error) => {
        this.failures.push(error);
        check();
      },
      () => {},
    );
  }

  /** Resolves as soon as it holds. */
  until(what: string, holds: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!holds()) return;
        release();
        this.#checks.delete(check);
        resolve();
      };
      const release = guard(this.#patienceMs, () => {
        this.#checks.delete(check);
        reject(new Error(`waited ${this.#patienceMs} ms in vain: ${what}`));
      });
      this.#checks.add(check);
      check();
    });
  }

  /** Resolves when so many messages have come. */
  hears(topic: string, count: number): Promise<void> {
    const what = `${count} messages of ${JSON.stringify(topic)}`;
    return this.until(what, () => this.messages(topic).length >= count);
  }

  say(topic: string, text: string, envelope: Partial<Envelope> = {}): void {
    const bytes = Uint8Array.from(Buffer.from(text, 'latin1'));
    this.backplane.publish(topic, bytes, { origin: ORIGIN, binary: false, ...envelope });
    bytes.fill(0x21); // they were lent
  }

  /** What came, without the probes. */
  messages(topic: string): string[] {
    return this.heard
      .filter((each) => each.topic === topic && !each.text.startsWith(PROBE))
      .map(({ text }) => text);
  }
}

/** Parties of one test, in a name space of its own. */
export class World {
  readonly #create: (namespace: string) => Backplane;
  readonly #parties: Party[] = [];
  readonly #namespace: string;
  readonly #patienceMs: number;
  #probes = 0;

  constructor(create: (namespace: string) => Backplane, namespace: string, patienceMs: number) {
    this.#create = create;
    this.#namespace = namespace;
    this.#patienceMs = patienceMs;
  }

  async party(suffix = ''): Promise<Party> {
    const party = new Party(this.#create(`${this.#namespace}${suffix}`), this.#patienceMs);
    this.#parties.push(party);
    await party.start();
    return party;
  }

  /** Resolves when a message of one has come to the other: its subscription is in force. */
  async reaches(from: Party, to: Party, topic: string): Promise<void> {
    this.#probes++;
    const probe = `${PROBE}${this.#probes}`;
    let isOver = false;
    const what = `a message of ${JSON.stringify(topic)}, sent again and again`;
    const arrived = to
      .until(what, () => to.heard.some((each) => each.topic === topic && each.text === probe))
      .finally(() => {
        isOver = true;
      });
    arrived.catch(() => {}); // the loop below tells
    while (!isOver) {
      from.say(topic, probe);
      await Promise.race([arrived, pause()]);
    }
  }

  async subscribe(to: Party, from: Party, topic: string): Promise<void> {
    to.backplane.subscribe(topic);
    await this.reaches(from, to, topic);
  }

  async end(): Promise<void> {
    for (const { backplane } of this.#parties) await backplane.stop();
  }
}

/** A moment of real time. */
export const pause = (): Promise<void> => new Promise((resolve) => void guard(RETRY_MS, resolve));
