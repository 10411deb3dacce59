/** Connections in memory, with a client's end that is a stream, as sockets are. */
import { Duplex } from 'node:stream';
import { MemoryListener, type MemoryTransport } from '../../src/io/transports/memory.ts';
import type { Address } from '../../src/io/transports/transport.ts';

const SIZES = { capacityBytes: 256 * 1024, chunkBytes: 64 * 1024 };

/** A listener in memory that is found by a number. */
export class MemoryCarrier extends MemoryListener {
  readonly #number: number;

  constructor(numbered: (connect: () => Promise<Duplex>) => number) {
    super(SIZES);
    this.#number = numbered(async () => new MemoryStream(this.connect()));
  }

  override address(): Address | null {
    const address = super.address();
    return address && { ...address, port: this.#number };
  }
}

/** The client's end. */
class MemoryStream extends Duplex {
  readonly #transport: MemoryTransport;
  #written: (() => void) | undefined;

  constructor(transport: MemoryTransport) {
    super({ allowHalfOpen: true });
    this.#transport = transport;
    transport.attach({
      onBytes: (chunk) => {
        if (!this.push(chunk)) transport.pause();
      },
      onDrain: () => this.#drained(),
      onEnd: () => void this.push(null),
      onError: (error) => void this.destroy(error),
      onClosed: () => void this.destroy(),
    });
  }

  resetAndDestroy(): void {
    this.#transport.reset();
    this.destroy();
  }

  /** Who does not read takes nothing out of the other's hands. */
  override pause(): this {
    this.#transport.pause();
    return super.pause();
  }

  override resume(): this {
    this.#transport.resume();
    return super.resume();
  }

  override _read(): void {
    if (!this.isPaused()) this.#transport.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: () => void): void {
    this.#written = done;
    if (this.#transport.write([chunk])) this.#drained();
  }

  override _final(done: () => void): void {
    this.#transport.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#transport.destroy();
    done(error);
  }

  #drained(): void {
    const done = this.#written;
    this.#written = undefined;
    done?.();
  }
}
