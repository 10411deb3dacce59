/**
 * What every TCP transport must do, on real sockets of the loopback: the same tests for each way in which Node lets
 * us use TCP.
 */
import { Buffer } from 'node:buffer';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, describe, expect, test } from 'vitest';
import type { TcpOptions } from '../../../src/io/transports/tcp.ts';
import type {
  Listener,
  Transport,
  TransportListener,
  TransportName,
} from '../../../src/io/transports/transport.ts';
import { dial as connectTo, reset } from '../../support/carrier.ts';

type Told = 'bytes' | 'drain' | 'end' | 'error' | 'closed';

/** Writes down what a transport tells, and lets a test wait for it. */
class Ear implements TransportListener {
  readonly told: Told[] = [];
  readonly chunks: Buffer[] = [];
  readonly errors: Error[] = [];
  readonly transport: Transport;
  #waiters: (() => void)[] = [];

  constructor(transport: Transport) {
    this.transport = transport;
    transport.attach(this);
  }

  onBytes(chunk: Uint8Array, _shared: boolean): void {
    this.chunks.push(Buffer.from(chunk)); // a copy: the memory may be shared
    if (this.told.at(-1) === 'bytes') this.told.pop();
    this.#note('bytes');
  }
  onDrain(): void {
    this.#note('drain');
  }
  onEnd(): void {
    this.#note('end');
  }
  onError(error: Error): void {
    this.errors.push(error);
    this.#note('error');
  }
  onClosed(): void {
    this.#note('closed');
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString();
  }

  #note(what: Told): void {
    this.told.push(what);
    for (const wake of this.#waiters.splice(0)) wake();
  }

  /** Resolves when it holds; asked again whenever something is told. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) await new Promise<void>((resolve) => this.#waiters.push(resolve));
  }

  heard(what: Told): Promise<void> {
    return this.until(() => this.told.includes(what));
  }
}

/** More than the buffers of two sockets take. */
const MUCH = 32 * 1_048_576;

/** What the suite knows of a transport. */
export interface Kind {
  readonly name: TransportName;
  /** The first write of a turn is done at once (`first`), all that the kernel takes are (`all`), or none is. */
  readonly atOnce: 'all' | 'first' | 'none';
  /** What a reset of the peer is called. Default: as by TCP. */
  readonly resetCodes?: readonly string[];
  /** False: the connections come from somebody else's port. */
  readonly listens?: boolean;
  /** Connects; each side may end by itself. */
  dial(port: number): Promise<Socket>;
}

const TCP: Kind = { name: 'tcp', atOnce: 'all', dial: (port) => connectTo(port, '127.0.0.1', 'tcp') };

export function tcpSuite(
  name: string,
  makeListener: (options: TcpOptions) => Listener,
  kind: Kind = TCP,
): void {
  const { resetCodes = ['ECONNRESET', 'EPIPE'], listens = true } = kind;
  const isAtOnce = kind.atOnce !== 'none';
  /** What was told, without that a write has left where each write says so. */
  const told = (ear: Ear) => (isAtOnce ? ear.told : ear.told.filter((what) => what !== 'drain'));
  describe(name, () => {
    const open: { destroy(): void }[] = [];
    const listeners: Listener[] = [];

    afterEach(async () => {
      for (const end of open.splice(0)) end.destroy();
      for (const listener of listeners.splice(0)) await listener.close();
    });

    async function listen(options: Partial<TcpOptions> = {}, accept = (_: Transport) => {}): Promise<number> {
      const listener = makeListener({ port: 0, host: '127.0.0.1', ...options });
      listeners.push(listener);
      await listener.listen(accept, (error) => {
        throw error;
      });
      return listener.address()?.port ?? 0;
    }

    /** A connection: our ear at the server's side, and the peer's socket. */
    async function connected(): Promise<{
      ear: Ear;
      transport: Transport;
      peer: Socket;
      another(): Promise<void>;
    }> {
      const ears: Ear[] = [];
      let arrived = (): void => {};
      const port = await listen({}, (transport) => {
        open.push(transport);
        ears.push(new Ear(transport));
        arrived();
      });
      const dial = async (): Promise<{ ear: Ear; peer: Socket }> => {
        const accepted = new Promise<void>((resolve) => {
          arrived = resolve;
        });
        const [peer] = await Promise.all([kind.dial(port), accepted]);
        open.push(peer);
        // With TLS, what the server wrote for its handshake has left after this.
        await turn();
        return { ear: ears.at(-1) as Ear, peer };
      };
      const { ear, peer } = await dial();
      /** A whole conversation on another connection: what the first had to tell by now, it has told. */
      const another = async (): Promise<void> => {
        for (let i = 0; i < 3; i++) {
          const second = await dial();
          second.peer.write('x');
          await second.ear.heard('bytes');
        }
      };
      return { ear, transport: ear.transport, peer, another };
    }

    async function received(peer: Socket, bytes: number): Promise<Buffer> {
      const chunks: Buffer[] = [];
      for (let count = 0; count < bytes; ) {
        const chunk = peer.read() as Buffer | null;
        if (chunk === null) {
          await once(peer, 'readable');
          continue;
        }
        chunks.push(chunk);
        count += chunk.length;
      }
      return Buffer.concat(chunks);
    }

    test('bytes come and go, and the peer has an address', async () => {
      const { ear, transport, peer } = await connected();
      peer.write('from the peer');
      await ear.until(() => ear.text === 'from the peer');
      expect(transport.write([Buffer.from('to the '), Buffer.from('peer')])).toBe(isAtOnce);
      expect(`${await received(peer, 11)}`).toBe('to the peer');
      if (!isAtOnce) await ear.heard('drain');
      expect([transport.remoteAddress, transport.bufferedAmount]).toEqual(['127.0.0.1', 0]);
      expect(transport.name).toBe(kind.name);
    });

    test('memory of a write that left at once may be used again', async () => {
      const { ear, transport, peer } = await connected();
      const block = Buffer.alloc(1000);
      let waits = 0;
      for (let i = 0; i < 60; i++) {
        if (transport.write([block.fill(i)])) continue;
        waits++;
        await ear.until(() => ear.told.filter((what) => what === 'drain').length === waits);
      }
      expect(waits).toBeLessThanOrEqual({ all: 0, first: 59, none: 60 }[kind.atOnce]);
      const all = await received(peer, 60_000);
      expect(all.every((byte, at) => byte === Math.floor(at / 1000))).toBe(true);
    });

    test('what was written before the end of both sides still goes out, if the system has room', async () => {
      const { transport, peer } = await connected();
      transport.write([Buffer.from('one ')]);
      transport.write([Buffer.from('two ')]);
      transport.write([Buffer.from('three')]);
      transport.destroy();
      if (kind.atOnce !== 'none') expect(`${await received(peer, 13)}`).toBe('one two three');
    });

    test('a write that has to wait says so, and tells once when all of it has left', async () => {
      const { ear, transport, peer } = await connected();
      const blocks = ['a', 'b', 'c'].map((letter) => Buffer.alloc(MUCH / 4, letter));
      expect(transport.write([...blocks, Buffer.alloc(MUCH / 4, 'd')])).toBe(false);
      expect(transport.bufferedAmount).toBeGreaterThan(0);
      expect(ear.told).toEqual([]);
      const all = await received(peer, MUCH);
      await ear.heard('drain');
      expect(transport.bufferedAmount).toBe(0);
      for (const [i, letter] of ['a', 'b', 'c', 'd'].entries()) {
        const part = all.subarray((i * MUCH) / 4, ((i + 1) * MUCH) / 4);
        expect(part.equals(Buffer.alloc(MUCH / 4, letter))).toBe(true);
      }
      expect(ear.told).toEqual(['drain']);
      expect(transport.write([Buffer.from('next')])).toBe(isAtOnce);
      expect(`${await received(peer, 4)}`).toBe('next');
      if (isAtOnce) expect(ear.told).toEqual(['drain']);
    });

    test('a second write that has to wait tells once again', async () => {
      const { ear, transport, peer } = await connected();
      for (const round of [1, 2]) {
        expect(transport.write([Buffer.alloc(MUCH)])).toBe(false);
        await received(peer, MUCH);
        await ear.until(() => ear.told.length === round);
      }
      expect(ear.told).toEqual(['drain', 'drain']);
    });

    test('end comes behind what is written, also behind what waits', async () => {
      const { ear, transport, peer } = await connected();
      transport.write([Buffer.alloc(MUCH, 'x')]);
      transport.end();
      expect(ear.told).toEqual([]);
      const all = await received(peer, MUCH);
      peer.resume();
      await once(peer, 'end');
      expect(all.length).toBe(MUCH);
      peer.end();
      await ear.heard('closed');
      expect(ear.told).toEqual(['drain', 'end', 'closed']);
    });

    test('a peer that ended its side is told, and still gets what we write (half-open)', async () => {
      const { ear, transport, peer } = await connected();
      peer.end('last words');
      await ear.heard('end');
      expect(ear.text).toBe('last words');
      transport.write([Buffer.from('heard')]);
      transport.end();
      expect(`${await received(peer, 5)}`).toBe('heard');
      await ear.heard('closed');
      expect(told(ear)).toEqual(['bytes', 'end', 'closed']);
    });

    test('a second end changes nothing', async () => {
      const { ear, transport, peer } = await connected();
      transport.end();
      transport.end();
      peer.resume();
      await once(peer, 'end');
      peer.end();
      await ear.heard('closed');
      expect(ear.told).toEqual(['end', 'closed']);
    });

    test('destroy drops both sides: closed is told later, and nothing else', async () => {
      const { ear, transport, peer } = await connected();
      peer.on('error', () => {});
      peer.resume();
      transport.destroy();
      transport.destroy();
      expect(ear.told).toEqual([]);
      await Promise.all([ear.heard('closed'), once(peer, 'close').catch(() => {}), peer.end()]);
      expect(ear.told).toEqual(['closed']);
    });

    test('destroy while a write waits: it has not left, so no drain is told', async () => {
      const { ear, transport, peer, another } = await connected();
      peer.on('error', () => {});
      expect(transport.write([Buffer.alloc(MUCH)])).toBe(false);
      transport.destroy();
      await ear.heard('closed');
      await another();
      expect(ear.told).toEqual(['closed']);
      expect(transport.bufferedAmount).toBe(0);
    });

    test('a peer that resets is an error, then closed; what waited has not left, so no drain is told', async () => {
      const { ear, transport, peer, another } = await connected();
      expect(transport.write([Buffer.alloc(MUCH)])).toBe(false);
      reset(peer);
      await ear.heard('closed');
      await another();
      expect(ear.told).toEqual(['error', 'closed']);
      expect(resetCodes).toContain((ear.errors[0] as NodeJS.ErrnoException).code);
    });

    test('a peer that resets while we only read is an error, then closed', async () => {
      const { ear, peer } = await connected();
      reset(peer);
      await ear.heard('closed');
      expect(ear.told).toEqual(['error', 'closed']);
      expect(resetCodes).toContain((ear.errors[0] as NodeJS.ErrnoException).code);
    });

    test('a connection that is gone takes every call without a word', async () => {
      const { ear, transport, peer, another } = await connected();
      reset(peer);
      await ear.heard('closed');
      expect(transport.write([Buffer.from('a')])).toBe(true);
      transport.pause();
      transport.resume();
      transport.end();
      transport.destroy();
      await another();
      expect([ear.told, transport.bufferedAmount]).toEqual([['error', 'closed'], 0]);
    });

    test('pause holds everything back, the end included; resume tells it in order', async () => {
      const { ear, transport, peer, another } = await connected();
      transport.pause();
      peer.end('held back');
      await another();
      expect(ear.told).toEqual([]);
      transport.resume();
      await ear.heard('end');
      expect([ear.told, ear.text]).toEqual([['bytes', 'end'], 'held back']);
    });

    test('pause within the telling of bytes holds back the end that follows them', async () => {
      const { ear, transport, peer, another } = await connected();
      const tell = ear.onBytes.bind(ear);
      ear.onBytes = (chunk, shared) => {
        tell(chunk, shared);
        transport.pause();
      };
      peer.end('all there is');
      await ear.heard('bytes');
      await another();
      expect(ear.told).toEqual(['bytes']);
      transport.resume();
      transport.pause();
      await another();
      expect(ear.told).toEqual(['bytes']);
      transport.resume();
      await ear.heard('end');
      expect([ear.told, ear.text]).toEqual([['bytes', 'end'], 'all there is']);
    });

    test('pause within the telling of bytes stops the next ones, and flow control holds the peer', async () => {
      const { ear, transport, peer, another } = await connected();
      const tell = ear.onBytes.bind(ear);
      ear.onBytes = (chunk, shared) => {
        tell(chunk, shared);
        transport.pause();
      };
      peer.write(Buffer.alloc(MUCH));
      await ear.heard('bytes');
      await another();
      expect(ear.chunks.length).toBe(1);
      expect(peer.writableLength).toBeGreaterThan(0);
      ear.onBytes = tell;
      transport.resume();
      await ear.until(() => ear.chunks.reduce((sum, chunk) => sum + chunk.length, 0) === MUCH);
    });

    if (!listens) return;

    test('a port that is taken rejects with EADDRINUSE, and close has nothing to do', async () => {
      const port = await listen();
      const second = makeListener({ port, host: '127.0.0.1' });
      await expect(
        second.listen(
          () => {},
          () => {},
        ),
      ).rejects.toMatchObject({ code: 'EADDRINUSE' });
      await second.close();
      expect(second.address()).toBeNull();
    });

    test('an address that is not ours rejects', async () => {
      const listener = makeListener({ port: 0, host: '192.0.2.1' });
      await expect(
        listener.listen(
          () => {},
          () => {},
        ),
      ).rejects.toMatchObject({ code: 'EADDRNOTAVAIL' });
      await listener.close();
    });

    test('close frees the port at once, and connections live on', async () => {
      const { ear, transport, peer } = await connected();
      const listener = listeners[0] as Listener;
      const port = listener.address()?.port;
      await listener.close();
      expect(listener.address()).toBeNull();
      expect(await listen({ port: port as number })).toBe(port);
      peer.write('still here');
      await ear.until(() => ear.text === 'still here');
      transport.write([Buffer.from('so am I')]);
      expect(`${await received(peer, 7)}`).toBe('so am I');
    });

    test('close before listen, and twice, does nothing', async () => {
      const listener = makeListener({ port: 0, host: '127.0.0.1' });
      await listener.close();
      expect(listener.address()).toBeNull();
      await listener.listen(
        () => {},
        () => {},
      );
      expect(listener.address()).toMatchObject({ address: '127.0.0.1', family: 'IPv4' });
      await listener.close();
      await listener.close();
    });
  });
}
