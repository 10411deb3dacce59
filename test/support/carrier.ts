/**
 * What carries the connections of a suite, chosen by the environment variable TRANSPORT. The suites ask for a place to
 * listen and connect to it by a number, whatever it is: a port, or what stands for one.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import tls from 'node:tls';
import { afterAll } from 'vitest';
import type { Server, ServerOptions } from '../../src/index.ts';
import { HandleTcpListener } from '../../src/io/transports/handle-tcp.ts';
import { TcpListener, type TcpOptions } from '../../src/io/transports/tcp.ts';
import { TlsListener } from '../../src/io/transports/tls.ts';
import { TlsIdentity } from '../../src/io/transports/tls-identity.ts';
import type { Listener } from '../../src/io/transports/transport.ts';
import { Authority, hasOpenssl, type Pair } from './certificates.ts';
import { HandoverListener, type HttpKind, openHttpServer } from './http-carrier.ts';
import { MemoryCarrier } from './memory-carrier.ts';

/** All that a suite can run over. `http1` and `https` are attached servers of HTTP/1.1, `http2` one of HTTP/2. */
export const CARRIERS = ['tcp', 'tls', 'unix', 'http1', 'https', 'http2', 'memory'] as const;
export type CarrierName = (typeof CARRIERS)[number];

/** The one that this run asks for. */
export const carrier: CarrierName = (process.env.TRANSPORT as CarrierName | undefined) ?? 'tcp';
if (!CARRIERS.includes(carrier)) throw new Error(`TRANSPORT=${carrier}; there are ${CARRIERS.join(', ')}`);

/** Behind an HTTP server, which reads the request head. */
export const isAttached = carrier === 'http1' || carrier === 'https' || carrier === 'http2';

/** False where this machine lacks something for it. */
export const canCarry = (carrier !== 'tls' && carrier !== 'https') || hasOpenssl;

const LOOPBACK = { port: 0, host: '127.0.0.1' };

let folder: string | undefined;
let sockets = 0;
/** How to connect to what is no TCP port, by the number that stands for one. */
const dials = new Map<number, () => Promise<Duplex>>();
const ends = new Set<() => void>();
let known: { authority: Authority; pair: Pair } | undefined;

function endAll(): void {
  for (const end of ends) end();
  if (folder !== undefined) rmSync(folder, { recursive: true });
  known?.authority.end();
  [folder, known] = [undefined, undefined];
  ends.clear();
  dials.clear();
}
// `npm run fuzz` takes the makers of frames from the raw client, outside of Vitest, and connects nothing.
if (process.env.VITEST !== undefined) afterAll(endAll);

/** A certificate for localhost, made once for a test file. */
export function certificate(): { ca: string; pair: Pair } {
  if (known === undefined) {
    const authority = new Authority();
    known = { authority, pair: authority.issue('localhost', '127.0.0.1') };
  }
  return { ca: known.authority.ca, pair: known.pair };
}

/** A path for a Unix socket that is not there yet, in a folder of this test file. */
export function socketPath(): string {
  folder ??= mkdtempSync(join(tmpdir(), 'portal-unix-'));
  sockets += 1;
  return join(folder, `${sockets}.sock`);
}

/** A number that is no port of a test. All have as many digits. */
function numbered(connect: () => Promise<Duplex>): number {
  const number = dials.size + 100;
  dials.set(number, connect);
  return number;
}

/** Where a server of a suite listens, as options: nowhere, if it will be attached by `start`. */
export function place(): Pick<ServerOptions, 'port' | 'host' | 'socketPath' | 'tls' | 'listener'> {
  if (isAttached) return {};
  if (carrier === 'unix') return { socketPath: socketPath() };
  if (carrier === 'memory') return { port: 0, listener: new MemoryCarrier(numbered) };
  return carrier === 'tls' ? { ...LOOPBACK, tls: certificate().pair } : LOOPBACK;
}

/** Starts a server with the options of `place`. `port` is the number by which `dial` finds it. */
export async function start(server: Server): Promise<{ port: number; close(): void }> {
  if (!isAttached) {
    await server.start();
    return { port: numberOf(server.address()), close: () => {} };
  }
  const http = await openHttpServer(carrier as HttpKind, certificateOf(carrier));
  server.attach(http.server);
  await server.start();
  ends.add(http.close);
  return { port: numbered(http.dial), close: http.close };
}

const certificateOf = (name: CarrierName) => (name === 'https' ? certificate() : undefined);

/** The number by which `dial` finds a server: its port, or one that stands for its path. */
export function numberOf(address: { family: string; address: string; port: number } | null): number {
  if (address?.family !== 'unix') return address?.port ?? 0;
  const path = address.address;
  return numbered(() => connected(net.connect({ path, noDelay: true, allowHalfOpen: true }), 'connect'));
}

/** A listener of this carrier, by Node's handles or by sockets. What carries HTTP is handed over without a request of ours. */
export function makeListener(byHandle: boolean, at: TcpOptions = LOOPBACK, name = carrier): Listener {
  if (name === 'tls') {
    const limits = { handshakeDeadline: 10_000, maxHandshakes: 1000 };
    return new TlsListener(at, { identity: new TlsIdentity(certificate().pair), byHandle, ...limits });
  }
  if (name === 'memory') return new MemoryCarrier(numbered);
  if (name === 'http1' || name === 'https' || name === 'http2') {
    const listener = new HandoverListener(name, byHandle, certificateOf(name), numbered);
    ends.add(() => listener.end());
    return listener;
  }
  const where = name === 'unix' && at.path === undefined ? { path: socketPath() } : at;
  return byHandle ? new HandleTcpListener(where) : new TcpListener(where);
}

/** Connects; with TLS, its handshake is done. Either end may outlive the other. */
export async function dial(number: number, host = '127.0.0.1', name = carrier): Promise<net.Socket> {
  const connect = dials.get(number);
  // Streams of other kinds have all members of a socket that suites use, and no address.
  if (connect !== undefined) return (await connect()) as net.Socket;
  const socket = net.connect({ port: number, host, noDelay: true, allowHalfOpen: true });
  if (name !== 'tls') return connected(socket, 'connect');
  const secure = tls.connect({ socket, ca: certificate().ca, servername: 'localhost' });
  below.set(secure, socket);
  return connected(secure, 'secureConnect');
}

const below = new WeakMap<net.Socket, net.Socket>();

function connected<S extends net.Socket>(socket: S, event: string): Promise<S> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}

/** Breaks a connection as a RST does. Unix sockets have none: they just end. */
export function reset(socket: net.Socket): void {
  if (carrier === 'unix') socket.destroy();
  else (below.get(socket) ?? socket).resetAndDestroy();
}
