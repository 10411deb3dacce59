/**
 * What is needed of a client for Redis, and how `ioredis` and `redis` do it. Each connection is made of the user's client by
 * `duplicate()`, so it has the same address, password and TLS; it does not connect again by itself, and keeps no commands for later.
 */
import { Buffer } from 'node:buffer';

/** A client of `ioredis` (`new Redis(...)`) or `redis` (`createClient(...)`). It need not be connected. */
export interface RedisClient {
  duplicate(overrides?: object): unknown;
}

/** One connection to Redis. */
export interface RedisConnection {
  connect(): Promise<unknown>;
  publish(channel: string, bytes: Uint8Array): Promise<unknown>;
  subscribe(channel: string, deliver: (channel: string, bytes: Uint8Array) => void): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  /** Ends it, after the answers that it waits for. */
  end(): Promise<unknown>;
  /** Ends it at once. */
  destroy(): void;
}

interface Emitter {
  on(event: string, listener: (...values: never[]) => void): unknown;
}

interface IoRedis extends Emitter {
  connect(): Promise<unknown>;
  publish(channel: string, bytes: Uint8Array): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  quit(): Promise<unknown>;
  disconnect(): void;
}

interface NodeRedis extends Emitter {
  readonly isOpen: boolean;
  connect(): Promise<unknown>;
  publish(channel: string, bytes: Uint8Array): Promise<unknown>;
  subscribe(channel: string, listener: (message: Uint8Array) => void, asBytes: true): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  ping(): Promise<unknown>;
  close(): Promise<unknown>;
  destroy(): void;
}

/** Whether `value` can be used. */
export function isRedisClient(value: unknown): value is RedisClient {
  return typeof (value as RedisClient | null | undefined)?.duplicate === 'function';
}

/** Makes a connection like a client's; `lost` is called when it has ended, with the reason where there is one. */
export function connectionLike(
  client: RedisClient,
  connectMs: number,
  lost: (error: Error | undefined) => void,
): RedisConnection {
  return 'isOpen' in client ? byRedis(client, connectMs, lost) : byIoRedis(client, connectMs, lost);
}

/** Tells of the end, with the last error. */
function watch(client: Emitter, ends: readonly string[], lost: (error: Error | undefined) => void): void {
  let last: Error | undefined;
  client.on('error', (error: Error) => {
    last = error;
  });
  for (const end of ends) client.on(end, () => lost(last));
}

function byIoRedis(client: RedisClient, connectMs: number, lost: (error: Error | undefined) => void) {
  const own = client.duplicate({
    lazyConnect: true,
    connectTimeout: connectMs,
    retryStrategy: () => null,
    reconnectOnError: null,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    keyPrefix: '',
  }) as IoRedis;
  watch(own, ['close', 'end'], lost);
  let deliver: (channel: string, bytes: Uint8Array) => void = () => {};
  own.on('messageBuffer', (channel: Buffer, bytes: Buffer) => deliver(channel.toString(), bytes));
  return {
    connect: () => own.connect(),
    publish: (channel: string, bytes: Uint8Array) => own.publish(channel, bytes),
    subscribe(channel: string, told: typeof deliver) {
      deliver = told;
      return own.subscribe(channel);
    },
    unsubscribe: (channel: string) => own.unsubscribe(channel),
    ping: () => own.ping(),
    end: () => own.quit(),
    destroy: () => own.disconnect(),
  };
}

function byRedis(client: RedisClient, connectMs: number, lost: (error: Error | undefined) => void) {
  const { socket } = (client as { options?: { socket?: object } }).options ?? {};
  const own = client.duplicate({
    socket: { ...socket, connectTimeout: connectMs, reconnectStrategy: false },
    disableOfflineQueue: true,
  }) as NodeRedis;
  watch(own, ['end'], lost);
  own.on('error', (error: Error) => {
    // Without a strategy to connect again, an error of the socket is its end.
    if (!own.isOpen) lost(error);
  });
  return {
    connect: () => own.connect(),
    publish: (channel: string, bytes: Uint8Array) =>
      own.publish(channel, Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)),
    subscribe: (channel: string, told: (channel: string, bytes: Uint8Array) => void) =>
      own.subscribe(channel, (bytes) => told(channel, bytes), true),
    unsubscribe: (channel: string) => own.unsubscribe(channel),
    ping: () => own.ping(),
    end: () => own.close(),
    destroy() {
      if (own.isOpen) own.destroy();
    },
  };
}
