/**
 * An engine in memory: it joins servers of one process as NATS or Redis join those of several.
 */
import type { Backplane, Deliver, Envelope } from '../topics/backplane.ts';

/** An engine in memory. Give each server a backplane of its own: `createServer({ backplane: engine.backplane() })`. */
export class MemoryEngine {
  readonly #members = new Set<MemoryBackplane>();
  #isUp = true;

  /** A backplane of this engine. Those of different name spaces hear nothing of each other. */
  backplane(namespace = 'portal'): Backplane {
    return new MemoryBackplane(this.#members, namespace, () => this.#isUp);
  }

  /** How many backplanes are subscribed to a topic. */
  subscribers(topic: string, namespace = 'portal'): number {
    return [...this.#members].filter((each) => each.namespace === namespace && each.topics.has(topic)).length;
  }

  /** The engine is lost, and cannot be connected to until `up`. */
  down(): void {
    this.#isUp = false;
    for (const member of [...this.#members]) member.lose(new Error('the engine is down'));
  }

  /** It can be connected to again. */
  up(): void {
    this.#isUp = true;
  }
}

class MemoryBackplane implements Backplane {
  readonly name = 'memory';
  readonly namespace: string;
  readonly topics = new Set<string>();
  readonly #members: Set<MemoryBackplane>;
  readonly #isUp: () => boolean;
  #deliver: Deliver = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(members: Set<MemoryBackplane>, namespace: string, isUp: () => boolean) {
    this.#members = members;
    this.namespace = namespace;
    this.#isUp = isUp;
  }

  async start(deliver: Deliver, failed: (error: Error) => void): Promise<void> {
    if (!this.#isUp()) throw new Error('the engine is down');
    this.#deliver = deliver;
    this.#failed = failed;
    this.#members.add(this);
  }

  async stop(): Promise<void> {
    this.#members.delete(this);
    this.topics.clear();
  }

  lose(error: Error): void {
    this.#members.delete(this);
    this.topics.clear();
    this.#failed(error);
  }

  subscribe(topic: string): void {
    this.topics.add(topic);
  }

  unsubscribe(topic: string): void {
    this.topics.delete(topic);
  }

  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    const kept = new Uint8Array(bytes); // not slice: that of a Buffer is a view
    // It arrives later, as by a network.
    queueMicrotask(() => {
      for (const member of this.#members)
        if (member !== this && member.namespace === this.namespace) member.#take(topic, kept, envelope);
    });
  }

  #take(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    if (this.topics.has(topic)) this.#deliver(topic, new Uint8Array(bytes), envelope);
  }
}
