/**
 * `portal-ws/redis`: joins processes by Redis, Valkey, or what else speaks their protocol: by PUBLISH and SUBSCRIBE, at most once,
 * nothing is stored.
 *
 * `ioredis` and `redis` are optional peer dependencies: install one of them beside `portal-ws`.
 */
import { guard, systemClock, within } from '../io/time/clock.ts';
import type { Backplane, BackplaneOptions, Deliver, Envelope } from '../topics/backplane.ts';
import { channelOf, checkNamespace, topicOf } from '../topics/engine-names.ts';
import { deliverBlock, encodeEnvelope } from '../topics/envelope.ts';
import { Unconfirmed } from '../topics/unconfirmed.ts';
import { connectionLike, isRedisClient, type RedisClient, type RedisConnection } from './clients.ts';

export type { RedisClient } from './clients.ts';

/** How `redis` connects. */
export interface RedisOptions extends BackplaneOptions {
  /**
   * A client of `ioredis` or of `redis`. It says where Redis is and how to get in; it is used for nothing else, and need not be
   * connected: two connections like it are made, one to publish and one to subscribe.
   */
  readonly client: RedisClient;
  /** Milliseconds between pings; an engine that has not answered one before the next is lost. Default 5000. */
  readonly pingInterval?: number | undefined;
}

/** Milliseconds that connecting may take. */
const CONNECT_MS = 5_000;
/** Milliseconds that the end waits for what was published to leave. */
const END_MS = 2_000;

/**
 * An engine for the option `backplane`, by Redis.
 * @throws TypeError for what is no client; RangeError for a name space that is none.
 */
export function redis(options: RedisOptions): Backplane {
  return new RedisBackplane(options);
}

/** Two connections: one that has subscribed may do nothing else. */
interface Pair {
  readonly publisher: RedisConnection;
  readonly subscriber: RedisConnection;
  /** Ends the pings. */
  readonly still: () => void;
}

class RedisBackplane implements Backplane {
  readonly name = 'redis';
  readonly #client: RedisClient;
  readonly #namespace: string;
  readonly #pingInterval: number;
  #pair: Pair | undefined;
  #unconfirmed = new Unconfirmed();
  readonly #subscribed = new Set<string>();
  #deliver: Deliver = () => {};
  #troubled: (error: Error) => void = () => {};
  #starting: Promise<unknown> = Promise.resolve();
  #life = 0;

  constructor({ client, namespace, pingInterval = 5_000 }: RedisOptions) {
    if (!isRedisClient(client))
      throw new TypeError('option client is none; allowed is a client of ioredis or of redis');
    this.#client = client;
    this.#namespace = checkNamespace(namespace);
    this.#pingInterval = pingInterval;
  }

  start(deliver: Deliver, failed: (error: Error) => void, troubled: (error: Error) => void): Promise<void> {
    this.#deliver = deliver;
    this.#troubled = troubled;
    this.#unconfirmed = new Unconfirmed();
    this.#life++;
    const started = this.#open(failed, this.#life);
    this.#starting = started.catch(() => {});
    return started;
  }

  async #open(failed: (error: Error) => void, life: number): Promise<void> {
    const lost = (error = new Error('the connection is lost')) => {
      if (life !== this.#life) return;
      this.#life++;
      this.#forget();
      failed(error);
    };
    const publisher = connectionLike(this.#client, CONNECT_MS, lost);
    const subscriber = connectionLike(this.#client, CONNECT_MS, lost);
    const destroy = () => {
      publisher.destroy();
      subscriber.destroy();
    };
    const release = guard(CONNECT_MS, destroy);
    try {
      await Promise.all([publisher.connect(), subscriber.connect()]);
    } catch (error) {
      destroy();
      throw error;
    } finally {
      release();
    }
    if (life !== this.#life) {
      destroy();
      throw new Error('the connection is lost');
    }
    this.#pair = { publisher, subscriber, still: this.#ping([publisher, subscriber], lost) };
  }

  /** Pings both, and takes an engine for lost that has not answered before the next time. */
  #ping(connections: readonly RedisConnection[], lost: (error: Error) => void): () => void {
    let unanswered = 0;
    return systemClock.every(this.#pingInterval, () => {
      if (unanswered > 0) {
        lost(new Error(`no answer to a ping for ${this.#pingInterval} ms`));
        return;
      }
      for (const connection of connections) {
        unanswered++;
        connection.ping().then(
          () => unanswered--,
          (error: Error) => lost(error),
        );
      }
    });
  }

  #forget(): void {
    const pair = this.#pair;
    this.#pair = undefined;
    this.#subscribed.clear();
    pair?.still();
    pair?.publisher.destroy();
    pair?.subscriber.destroy();
  }

  async stop(): Promise<void> {
    this.#life++;
    const pair = this.#pair;
    this.#pair = undefined;
    this.#subscribed.clear();
    await this.#starting;
    if (pair === undefined) return;
    pair.still();
    const ended = Promise.allSettled([pair.publisher.end(), pair.subscriber.end()]);
    await within(END_MS, ended).catch(() => {});
    pair.publisher.destroy();
    pair.subscriber.destroy();
  }

  subscribe(topic: string): void {
    if (this.#pair === undefined) return;
    this.#subscribed.add(topic);
    const deliver = (channel: string, block: Uint8Array) =>
      this.#receive(topicOf(this.#namespace, channel), block);
    this.#ask(this.#pair.subscriber.subscribe(channelOf(this.#namespace, topic), deliver));
  }

  unsubscribe(topic: string): void {
    if (!this.#subscribed.delete(topic) || this.#pair === undefined) return;
    this.#ask(this.#pair.subscriber.unsubscribe(channelOf(this.#namespace, topic)));
  }

  #receive(topic: string, block: Uint8Array): void {
    if (!this.#subscribed.has(topic)) return;
    deliverBlock(topic, block, this.#deliver, this.#troubled);
  }

  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    if (this.#pair === undefined) throw new Error('there is no connection');
    const block = encodeEnvelope(envelope, bytes);
    const unconfirmed = this.#unconfirmed;
    unconfirmed.add(block.length);
    const confirmed = () => unconfirmed.confirm(block.length);
    const answer = this.#pair.publisher.publish(channelOf(this.#namespace, topic), block);
    this.#ask(answer.finally(confirmed));
  }

  /** What Redis refuses is told; what fails because the connection is lost is told by that. */
  #ask(answer: Promise<unknown>): void {
    const life = this.#life;
    answer.catch((error: Error) => {
      if (life === this.#life) this.#troubled(error);
    });
  }
}
