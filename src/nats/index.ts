/**
 * `portal-ws/nats`: joins processes by NATS. Core NATS only: at most once, nothing is stored.
 *
 * `@nats-io/transport-node` is an optional peer dependency: install it beside `portal-ws`, unless you bring a connection of your own.
 */
import { within } from '../io/time/clock.ts';
import type { Backplane, BackplaneOptions, Deliver, Envelope } from '../topics/backplane.ts';
import { checkNamespace, subjectOf } from '../topics/engine-names.ts';
import { deliverBlock, encodeEnvelope } from '../topics/envelope.ts';
import { Unconfirmed } from '../topics/unconfirmed.ts';

/** What is used of a connection of `@nats-io/transport-node`, or of another package with the same interface. */
export interface NatsConnection {
  publish(subject: string, payload: Uint8Array): void;
  subscribe(
    subject: string,
    options: { callback(error: Error | null, message: { readonly data: Uint8Array }): void },
  ): { unsubscribe(): void };
  flush(): Promise<void>;
  rtt(): Promise<number>;
  close(): Promise<void>;
  closed(): Promise<unknown>;
  isClosed(): boolean;
  status(): AsyncIterable<{ readonly type: string; readonly error?: Error }>;
}

/** How `nats` connects. Give `servers`, or a `connection`. */
export interface NatsOptions extends BackplaneOptions {
  /** Such as `nats://127.0.0.1:4222`, or several of a cluster. Default `127.0.0.1:4222`. */
  readonly servers?: string | readonly string[] | undefined;
  /** More options for `connect` of `@nats-io/transport-node`, such as `{ token }`, `{ user, pass }` or `{ tls }`. */
  readonly connect?: Readonly<Record<string, unknown>> | undefined;
  /**
   * A connection of your own, which is used and never closed. It connects again by itself; give it `noEcho: true` if it is used for
   * nothing else.
   */
  readonly connection?: NatsConnection | undefined;
  /** Milliseconds between pings; an engine that leaves two unanswered is lost. Default 5000. Not for a `connection`. */
  readonly pingInterval?: number | undefined;
}

/** Milliseconds that connecting may take. */
const CONNECT_MS = 5_000;
/** Milliseconds that the end waits for what was published to leave. */
const FLUSH_MS = 2_000;
/** Bytes after which the server is asked to confirm. */
const CONFIRM_BYTES = 256 * 1024;

/**
 * An engine for the option `backplane`, by NATS.
 * @throws RangeError for a name space that is none.
 */
export function nats(options: NatsOptions = {}): Backplane {
  return new NatsBackplane(options);
}

class NatsBackplane implements Backplane {
  readonly name = 'nats';
  readonly #options: NatsOptions;
  readonly #namespace: string;
  readonly #subscriptions = new Map<string, { unsubscribe(): void }>();
  #connection: NatsConnection | undefined;
  #unconfirmed = new Unconfirmed();
  #sinceConfirmed = 0;
  #isConfirming = false;
  #deliver: Deliver = () => {};
  #troubled: (error: Error) => void = () => {};
  /** Settles when `start` has. */
  #starting: Promise<unknown> = Promise.resolve();
  #life = 0;

  constructor(options: NatsOptions) {
    this.#options = options;
    this.#namespace = checkNamespace(options.namespace);
  }

  start(deliver: Deliver, failed: (error: Error) => void, troubled: (error: Error) => void): Promise<void> {
    this.#deliver = deliver;
    this.#troubled = troubled;
    this.#unconfirmed = new Unconfirmed();
    this.#sinceConfirmed = 0;
    this.#isConfirming = false;
    this.#life++;
    const started = this.#open(failed, this.#life);
    this.#starting = started.catch(() => {});
    return started;
  }

  async #open(failed: (error: Error) => void, life: number): Promise<void> {
    const { connection } = this.#options;
    if (connection !== undefined) {
      await within(CONNECT_MS, connection.rtt(), 'the connection does not answer');
      this.#watch(connection, failed, life);
      return;
    }
    const { connect } = await import('@nats-io/transport-node');
    const { servers, pingInterval = 5_000 } = this.#options;
    const made: NatsConnection = await connect({
      ...(servers === undefined ? {} : { servers: typeof servers === 'string' ? servers : [...servers] }),
      timeout: CONNECT_MS,
      pingInterval,
      maxPingOut: 2,
      ...this.#options.connect,
      noEcho: true,
      reconnect: false,
    });
    if (life !== this.#life) await made.close();
    else this.#watch(made, failed, life);
  }

  #watch(connection: NatsConnection, failed: (error: Error) => void, life: number): void {
    this.#connection = connection;
    const lost = (error: unknown) => {
      if (life !== this.#life) return;
      this.#life++;
      this.#forget();
      failed(error instanceof Error ? error : new Error('the connection is lost'));
    };
    connection.closed().then(lost, lost);
    this.#hear(connection, lost, life).catch(lost);
  }

  async #hear(connection: NatsConnection, lost: (error?: Error) => void, life: number): Promise<void> {
    for await (const { type, error } of connection.status()) {
      if (life !== this.#life) return;
      if (type === 'error' && error !== undefined) this.#troubled(error);
      // A connection of its own tells by `closed`, and why.
      if (type === 'disconnect' && this.#options.connection !== undefined) lost();
    }
  }

  /** The connection is lost. What a connection of the user's has subscribed to is not subscribed to when it is back. */
  #forget(): void {
    this.#connection = undefined;
    const subscriptions = [...this.#subscriptions.values()];
    this.#subscriptions.clear();
    if (this.#options.connection?.isClosed() === false)
      for (const subscription of subscriptions) subscription.unsubscribe();
  }

  async stop(): Promise<void> {
    this.#life++;
    const connection = this.#connection;
    this.#forget();
    await this.#starting;
    if (connection === undefined || connection.isClosed()) return;
    await within(FLUSH_MS, connection.flush()).catch(() => {});
    if (this.#options.connection === undefined) await connection.close();
  }

  subscribe(topic: string): void {
    const subscription = this.#connection?.subscribe(subjectOf(this.#namespace, topic), {
      callback: (error, message) => {
        if (error !== null) this.#troubled(error);
        else this.#receive(topic, message.data);
      },
    });
    if (subscription !== undefined) this.#subscriptions.set(topic, subscription);
  }

  unsubscribe(topic: string): void {
    this.#subscriptions.get(topic)?.unsubscribe();
    this.#subscriptions.delete(topic);
  }

  #receive(topic: string, block: Uint8Array): void {
    if (!this.#subscriptions.has(topic)) return;
    deliverBlock(topic, block, this.#deliver, this.#troubled);
  }

  publish(topic: string, bytes: Uint8Array, envelope: Envelope): void {
    const connection = this.#connection;
    if (connection === undefined) throw new Error('there is no connection');
    const block = encodeEnvelope(envelope, bytes);
    this.#unconfirmed.add(block.length);
    try {
      connection.publish(subjectOf(this.#namespace, topic), block);
    } catch (error) {
      this.#unconfirmed.confirm(block.length);
      throw error;
    }
    this.#sinceConfirmed += block.length;
    if (this.#sinceConfirmed > CONFIRM_BYTES && !this.#isConfirming) this.#confirm(connection);
  }

  #confirm(connection: NatsConnection): void {
    const unconfirmed = this.#unconfirmed;
    const bytes = this.#sinceConfirmed;
    this.#sinceConfirmed = 0;
    this.#isConfirming = true;
    const confirmed = () => {
      if (unconfirmed !== this.#unconfirmed) return;
      this.#isConfirming = false;
      unconfirmed.confirm(bytes);
    };
    // A flush that fails is a connection that is lost, which `closed` tells.
    connection.flush().then(confirmed, () => {});
  }
}
