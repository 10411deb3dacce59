/** TLS of our own, by the handle and by the socket: the suite of all transports, mTLS, and handshakes that fail. */
import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterAll, afterEach, describe, expect, test } from 'vitest';
import type { Fault } from '../../../src/io/faults.ts';
import { TlsHandshakeFailure, TlsListener, type TlsListenerOptions } from '../../../src/io/transports/tls.ts';
import { type ServerTlsOptions, TlsIdentity } from '../../../src/io/transports/tls-identity.ts';
import type { Transport } from '../../../src/io/transports/transport.ts';
import { Authority, hasOpenssl, skippedTls } from '../../support/certificates.ts';

describe.skipIf(!hasOpenssl)(`TLS of our own${skippedTls}`, () => {
  const authority = new Authority();
  const { ca } = authority;
  const pair = authority.issue('localhost');
  const ada = authority.issue('ada');
  const stranger = new Authority('Stranger');
  const eve = stranger.issue('eve');
  afterAll(() => {
    authority.end();
    stranger.end();
  });

  const listeners: TlsListener[] = [];
  const open: { destroy(): void }[] = [];
  afterEach(async () => {
    for (const one of open.splice(0)) one.destroy();
    for (const listener of listeners.splice(0)) await listener.close();
  });

  async function listen(more: ServerTlsOptions = {}, limits: Partial<TlsListenerOptions> = {}) {
    const identity = new TlsIdentity({ ...pair, ...more });
    const standard = { identity, byHandle: true, handshakeDeadline: 10_000, maxHandshakes: 100 };
    const listener = new TlsListener({ port: 0, host: '127.0.0.1' }, { ...standard, ...limits });
    listeners.push(listener);
    const accepted: { transport: Transport; refusal: Fault | undefined }[] = [];
    const failures: TlsHandshakeFailure[] = [];
    const waiting: (() => void)[] = [];
    const wake = () => {
      for (const go of waiting.splice(0)) go();
    };
    await listener.listen(
      (transport, refusal) => {
        open.push(transport);
        accepted.push({ transport, refusal });
        wake();
      },
      (error) => {
        failures.push(error as TlsHandshakeFailure);
        wake();
      },
    );
    const until = async (holds: () => boolean) => {
      while (!holds()) await new Promise<void>((resolve) => waiting.push(resolve));
    };
    return { port: listener.address()?.port ?? 0, accepted, failures, until };
  }

  function dial(port: number, options: tls.ConnectionOptions = {}): tls.TLSSocket {
    const socket = tls.connect({ port, host: '127.0.0.1', servername: 'localhost', ca, ...options });
    socket.on('error', () => {});
    open.push(socket);
    return socket;
  }

  /** Answers each connection with a line, so that a client that is let in hears it. */
  function greet({ transport }: { transport: Transport }): void {
    const nothing = () => {};
    transport.attach({
      onBytes: nothing,
      onDrain: nothing,
      onEnd: nothing,
      onError: nothing,
      onClosed: nothing,
    });
    transport.write([Buffer.from('hello')]);
  }

  describe.each([
    ['handle', true],
    ['socket', false],
  ])('by %s', (_, byHandle) => {
    test('bytes come and go; name, address and certificate are told', async () => {
      const { port, accepted, until } = await listen({}, { byHandle });
      const client = dial(port);
      await until(() => accepted.length === 1);
      const { transport } = accepted[0] as { transport: Transport };
      expect([transport.name, transport.remoteAddress]).toEqual(['tls', '127.0.0.1']);
      expect(transport.peerCertificate?.()).toBeUndefined();
      greet({ transport });
      expect(`${(await once(client, 'data'))[0]}`).toBe('hello');
    });

    test('a client with a certificate is known by it, also when it resumes its session (TLS 1.3)', async () => {
      const { port, accepted, until } = await listen(
        { requestCert: true, rejectUnauthorized: false, ca },
        { byHandle },
      );
      const names: unknown[] = [];
      const come = async (options: tls.ConnectionOptions) => {
        const count = accepted.length;
        const client = dial(port, options);
        // A resumed session brings no new one.
        const ticket = options.session === undefined ? once(client, 'session') : [undefined];
        await until(() => accepted.length > count);
        const { transport } = accepted.at(-1) as { transport: Transport };
        names.push(transport.peerCertificate?.()?.subject.CN);
        greet({ transport });
        await once(client, 'data');
        const [session] = (await ticket) as [Buffer | undefined];
        return { session, client };
      };
      const known = await come(ada);
      const again = await come({ ...ada, session: known.session });
      expect(again.client.isSessionReused()).toBe(true);
      // A client without one, which Node 20 and 22 call authorized once it resumes; and one of another authority.
      const nobody = await come({});
      await come({ session: nobody.session });
      await come(eve);
      expect(names).toEqual(['ada', 'ada', undefined, undefined, undefined]);
    });

    test('where a certificate is needed, nobody comes in without one', async () => {
      const { port, accepted, failures, until } = await listen({ requestCert: true, ca }, { byHandle });
      dial(port);
      await until(() => failures.length === 1);
      dial(port, eve);
      await until(() => failures.length === 2);
      dial(port, ada);
      await until(() => accepted.length === 1);
      expect(accepted[0]?.transport.peerCertificate?.()?.subject.CN).toBe('ada');
      expect(failures.map(({ limit }) => limit)).toEqual([undefined, undefined]);
    });

    test('a flood that is not read stays with the peer, and all of it comes after', async () => {
      const { port, accepted, until } = await listen({}, { byHandle });
      const client = dial(port);
      await until(() => accepted.length === 1);
      const { transport } = accepted[0] as { transport: Transport };
      const total = 32 * 1024 * 1024;
      let received = 0;
      let pausedAt = 0;
      await new Promise<void>((resolve) => {
        const nothing = () => {};
        const onBytes = (chunk: Uint8Array) => {
          received += chunk.length;
          if (received === total) resolve();
          if (pausedAt > 0) return;
          pausedAt = received;
          transport.pause();
          // Two conversations later, nothing more has come.
          void (async () => {
            for (let i = 0; i < 2; i++) {
              const count = accepted.length;
              dial(port);
              await until(() => accepted.length > count);
            }
            expect(received).toBe(pausedAt);
            expect(client.writableLength).toBeGreaterThan(0);
            transport.resume();
          })();
        };
        transport.attach({ onBytes, onDrain: nothing, onEnd: nothing, onError: nothing, onClosed: nothing });
        client.write(Buffer.alloc(total));
      });
      expect(received).toBe(total);
    });
  });

  test('who speaks HTTP without TLS is passed on with a refusal that says so', async () => {
    const { port, accepted, until } = await listen();
    const client = net.connect(port, '127.0.0.1');
    open.push(client);
    client.write('GET / HTTP/1.1\r\n\r\n');
    await until(() => accepted.length === 1);
    expect(accepted[0]).toMatchObject({ refusal: { name: 'plain', code: 400 }, transport: { name: 'tcp' } });
    expect(accepted[0]?.refusal?.reason).toContain('wss://');
  });

  test('a handshake that fails is told with its reason', async () => {
    const { port, failures, until } = await listen();
    const client = net.connect(port, '127.0.0.1');
    open.push(client);
    client.write(Buffer.from('16030100050100000100', 'hex'));
    await until(() => failures.length === 1);
    expect(failures[0]).toBeInstanceOf(TlsHandshakeFailure);
    expect(failures[0]).toMatchObject({ remoteAddress: expect.any(String), limit: undefined });
  });

  test.each([
    ['says nothing', ''],
    ['begins and does not go on', '16'],
  ])('who %s is dropped at the deadline, and that is told once', async (_, first) => {
    const handshakeDeadline = 50;
    const { port, failures, until } = await listen(
      { handshakeTimeout: handshakeDeadline },
      { handshakeDeadline },
    );
    const client = net.connect(port, '127.0.0.1');
    open.push(client);
    client.on('error', () => {});
    client.write(Buffer.from(first, 'hex'));
    await once(client.resume(), 'close');
    await until(() => failures.length === 1);
    expect(failures.map(({ limit }) => limit)).toEqual(['handshakeDeadline']);
  });

  test('a close ends those that are not through with TLS, and nobody is told', async () => {
    const { port, failures } = await listen();
    const ended: Promise<unknown>[] = [];
    for (const first of ['', '16', '160301']) {
      const client = net.connect(port, '127.0.0.1');
      open.push(client);
      client.on('error', () => {});
      await once(client, 'connect');
      client.write(Buffer.from(first, 'hex'));
      ended.push(once(client.resume(), 'close'));
    }
    // Accepted in turn: this one is through, so the others have come.
    await once(dial(port), 'secureConnect');
    for (const listener of listeners.splice(0)) await listener.close();
    await Promise.all(ended);
    expect(failures).toEqual([]);
  });

  test('the oldest of too many handshakes makes room', async () => {
    const { port, failures, accepted, until } = await listen({}, { maxHandshakes: 2 });
    const silent = [1, 2].map(() => net.connect(port, '127.0.0.1'));
    for (const socket of silent) {
      open.push(socket);
      socket.on('error', () => {});
      await once(socket, 'connect');
    }
    dial(port);
    await until(() => accepted.length === 1);
    expect(failures.map(({ limit }) => limit)).toEqual(['maxHandshakes']);
  });
});
