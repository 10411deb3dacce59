/** The places of a server: which listener each gets, and what is said when it cannot be opened. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { HandleTcpListener } from '../../src/io/transports/handle-tcp.ts';
import { MemoryListener } from '../../src/io/transports/memory.ts';
import { TcpListener } from '../../src/io/transports/tcp.ts';
import { TlsListener } from '../../src/io/transports/tls.ts';
import { beWorker } from '../../src/io/worker-process.ts';
import { checkUnused, explain, identityOf, listenerOf } from '../../src/server/places.ts';
import type { Place, ServerSettings } from '../../src/server/settings.ts';

const settings = (tcp: 'handle' | 'socket') =>
  ({ tcp, handshakeDeadline: 10_000, maxHandshakes: 10 }) as ServerSettings;

describe('the listener of a place', () => {
  const own = new MemoryListener();
  // An identity of nobody: it can be made without a certificate, and would fail every handshake.
  const tls = identityOf({});

  test.each([
    ['a port, by handle', { port: 0 }, 'handle', HandleTcpListener],
    ['a path, by handle', { socketPath: '/run/app.sock' }, 'handle', HandleTcpListener],
    ['a descriptor, by socket', { fd: 3 }, 'socket', TcpListener],
    ['TLS', { port: 0, tls }, 'handle', TlsListener],
  ] as const)('of %s', (_, place, tcp, kind) => {
    expect(listenerOf(place, settings(tcp)).constructor).toBe(kind);
  });

  test('is the one of the user, where there is one', () => {
    expect(listenerOf({ listener: own }, settings('handle'))).toBe(own);
  });
});

describe('a place that cannot be opened', () => {
  const path = '/tmp/app.sock';
  test.each<[Place, string, string]>([
    [{ port: 80 }, 'EADDRINUSE', 'port 80 is in use'],
    [{ port: 80 }, 'EACCES', 'port 80 needs more rights'],
    [{ port: 80, reusePort: true }, 'ENOTSUP', 'cannot be shared'],
    [{ port: 80 }, 'EADDRNOTAVAIL', 'as the system says it'],
    [{ fd: 3 }, 'EINVAL', 'descriptor 3 is no socket that can listen'],
    [{ socketPath: path }, 'EADDRINUSE', `a server listens at ${path} already`],
    [{ socketPath: '\0app' }, 'EADDRINUSE', 'a server listens at \\0app already'],
    [{ socketPath: path }, 'ENOTSOCK', 'is no socket, so it is left alone'],
    [{ socketPath: path }, 'EACCES', 'may not write to /tmp/'],
    [{ socketPath: 'app.sock' }, 'EROFS', 'may not write to .'],
    [{ socketPath: path }, 'ENOENT', 'there is no folder /tmp/'],
    [{ socketPath: '/nowhere/app.sock' }, 'EACCES', 'there is no folder /nowhere/'],
    [{ socketPath: path }, 'EMFILE', 'as the system says it'],
  ])('%j, %s', (place, code, said) => {
    const error = Object.assign(new Error('as the system says it'), { code });
    expect(explain(error, place)).toBe(error);
    expect(error.message).toContain(said);
    expect(error.code).toBe(code);
  });
});

describe('in one of several workers', () => {
  const worker = { started() {}, stopped() {}, send() {}, listen: () => () => {} };
  afterEach(() => beWorker(undefined));

  test('the first makes sure that nobody listens on a port that the kernel would share', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const check = (isFirst: boolean, reusePort = true, place = {}) => {
      beWorker({ ...worker, isFirst, reusePort });
      return checkUnused({ port, host: '127.0.0.1', ...place });
    };
    await expect(check(true)).rejects.toThrow('EADDRINUSE');
    await check(false);
    await check(true, false);
    await check(true, true, { reusePort: true });
    await check(true, true, { port: 0 });
    other.close();
    await once(other, 'close');
    beWorker(undefined);
    await checkUnused({ port });
  });
});
