/**
 * Transports that fail at a place of one's choice, in memory: the nth read or the nth write of a connection, in one of
 * the ways in which they can.
 */
import { type MemoryTransport, memoryPair } from '../../src/io/transports/memory.ts';
import type { Listener, Transport, TransportListener } from '../../src/io/transports/transport.ts';

export const FAULTS = {
  'a read that breaks': 'read',
  'a read after which nothing more comes': 'read',
  'a read with an end of the stream in its place': 'read',
  'a write that breaks': 'write',
  'a write that is never done': 'write',
  'a write that throws': 'write',
  'a write that is lost, and the socket with it': 'write',
} as const;
export type Fault = keyof typeof FAULTS;

/** Counts what passes, and fails once: at the `at`-th read or write, from 1. */
export class FaultyTransport implements Transport, TransportListener {
  readonly name = 'memory';
  reads = 0;
  writes = 0;
  readonly #inner: Transport;
  readonly #fault: Fault | undefined;
  readonly #at: number;
  #listener: TransportListener | undefined;
  #dead = false;

  constructor(inner: Transport, fault: Fault | undefined, at: number) {
    this.#inner = inner;
    this.#fault = fault;
    this.#at = at;
  }

  get remoteAddress(): string {
    return this.#inner.remoteAddress;
  }
  get bufferedAmount(): number {
    return this.#inner.bufferedAmount;
  }
  attach(listener: TransportListener): void {
    this.#listener = listener;
    this.#inner.attach(this);
  }

  write(blocks: readonly Uint8Array[]): boolean {
    this.writes++;
    if (this.writes !== this.#at) return this.#dead ? false : this.#inner.write(blocks);
    switch (this.#fault) {
      case 'a write that throws':
        throw new Error('the transport threw');
      case 'a write that breaks':
        queueMicrotask(() => this.#break('write EPIPE'));
        return true;
      case 'a write that is never done':
        this.#dead = true;
        return false;
      case 'a write that is lost, and the socket with it':
        this.#inner.destroy();
        return true;
      default:
        return this.#inner.write(blocks);
    }
  }

  onBytes(chunk: Uint8Array, shared: boolean): void {
    if (this.#dead) return;
    this.reads++;
    if (this.reads !== this.#at) {
      this.#listener?.onBytes(chunk, shared);
      return;
    }
    switch (this.#fault) {
      case 'a read that breaks':
        this.#break('read ECONNRESET');
        break;
      case 'a read after which nothing more comes':
        this.#dead = true;
        this.#listener?.onBytes(chunk, shared);
        break;
      case 'a read with an end of the stream in its place':
        this.#dead = true;
        this.#listener?.onEnd();
        break;
      default:
        this.#listener?.onBytes(chunk, shared);
    }
  }

  #break(why: string): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#listener?.onError(Object.assign(new Error(why), { code: why.split(' ')[1] }));
    this.#inner.destroy();
  }

  pause(): void {
    this.#inner.pause();
  }
  resume(): void {
    this.#inner.resume();
  }
  end(): void {
    this.#inner.end();
  }
  destroy(): void {
    this.#inner.destroy();
  }
  onDrain(): void {
    if (!this.#dead) this.#listener?.onDrain();
  }
  onEnd(): void {
    if (!this.#dead) this.#listener?.onEnd();
  }
  onError(error: Error): void {
    if (!this.#dead) this.#listener?.onError(error);
  }
  onClosed(): void {
    this.#listener?.onClosed();
  }
}

/** A listener whose connections are made by hand, sound or with a fault. */
export class FaultyListener implements Listener {
  #accept: (transport: Transport) => void = () => {};

  listen(accept: (transport: Transport) => void): Promise<void> {
    this.#accept = accept;
    return Promise.resolve();
  }
  close(): Promise<void> {
    return Promise.resolve();
  }
  address(): null {
    return null;
  }

  connect(fault?: Fault, at = 0): { client: MemoryTransport; faulty: FaultyTransport } {
    const [server, client] = memoryPair({ chunkBytes: 48, capacityBytes: 1024 });
    const faulty = new FaultyTransport(server, fault, at);
    this.#accept(faulty);
    return { client, faulty };
  }

  /** A transport of any make. */
  give(transport: Transport): void {
    this.#accept(transport);
  }
}
