/**
 * Clients of Redis, in the manner of ioredis and of redis, that the test plays by hand.
 */
import { EventEmitter } from 'node:events';

export class FakeIoRedis extends EventEmitter {
  readonly calls: string[] = [];
  readonly made: FakeIoRedis[] = [];
  overrides: object | undefined;
  refuses: Error | undefined;
  answer: Promise<unknown> = Promise.resolve(1);

  duplicate(overrides?: object): FakeIoRedis {
    const copy = new FakeIoRedis();
    copy.overrides = overrides;
    copy.refuses = this.refuses;
    this.made.push(copy);
    return copy;
  }
  async connect(): Promise<void> {
    this.calls.push('connect');
    if (this.refuses) throw this.refuses;
  }
  publish(channel: string, _bytes: Uint8Array): Promise<unknown> {
    this.calls.push(`publish ${channel}`);
    return this.answer;
  }
  subscribe(channel: string): Promise<unknown> {
    this.calls.push(`+${channel}`);
    return this.answer;
  }
  unsubscribe(channel: string): Promise<unknown> {
    this.calls.push(`-${channel}`);
    return this.answer;
  }
  ping(): Promise<unknown> {
    return this.answer;
  }
  async quit(): Promise<void> {
    this.calls.push('quit');
  }
  disconnect(): void {
    this.calls.push('disconnect');
  }
}

export class FakeNodeRedis extends EventEmitter {
  readonly calls: string[] = [];
  readonly made: FakeNodeRedis[] = [];
  readonly options = { socket: { host: 'h', port: 1 } };
  overrides: object | undefined;
  isOpen = false;
  listener: (bytes: Uint8Array) => void = () => {};

  duplicate(overrides?: object): FakeNodeRedis {
    const copy = new FakeNodeRedis();
    copy.overrides = overrides;
    this.made.push(copy);
    return copy;
  }
  async connect(): Promise<void> {
    this.isOpen = true;
  }
  async publish(channel: string, bytes: Uint8Array): Promise<void> {
    this.calls.push(`publish ${channel} ${Buffer.isBuffer(bytes)}`);
  }
  async subscribe(channel: string, listener: (bytes: Uint8Array) => void, asBytes: boolean): Promise<void> {
    this.calls.push(`+${channel} ${asBytes}`);
    this.listener = listener;
  }
  async unsubscribe(channel: string): Promise<void> {
    this.calls.push(`-${channel}`);
  }
  async ping(): Promise<void> {}
  async close(): Promise<void> {
    this.calls.push('close');
    this.isOpen = false;
  }
  destroy(): void {
    this.calls.push('destroy');
    this.isOpen = false;
  }
}
