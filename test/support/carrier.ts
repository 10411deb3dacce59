/**
 * What carries the connections of a suite: TCP, TLS or a Unix socket, chosen by the environment variable CARRIER. The
 * suites ask for a place to listen and connect to it by a number, whatever it is.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { afterAll } from 'vitest';
import type { ServerOptions } from '../../src/index.ts';
import { HandleTcpListener } from '../../src/io/transports/handle-tcp.ts';
import { TcpListener, type TcpOptions } from '../../src/io/transports/tcp.ts';
import { TlsListener } from '../../src/io/transports/tls.ts';
import { TlsIdentity } from '../../src/io/transports/tls-identity.ts';
import { Authority, hasOpenssl, type Pair } from './certificates.ts';

export type CarrierName = 'tcp' | 'tls' | 'unix';

/** The one that this run asks for. */
export const carrier: CarrierName = (process.env.CARRIER as CarrierName | undefined) ?? 'tcp';

/** False where this machine lacks something for it. */
export const canCarry = carrier !== 'tls' || hasOpenssl;

const LOOPBACK = { port: 0, host: '127.0.0.1' };

let folder: string | undefined;
let sockets = 0;
/** Paths by the number that stands for a port. */
const paths = new Map<number, string>();
let known: { authority: Authority; pair: Pair } | undefined;

afterAll(() => {
  if (folder !== undefined) rmSync(folder, { recursive: true });
  known?.authority.end();
  [folder, known] = [undefined, undefined];
  paths.clear();
});

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

/** Where a server of a suite listens, as options. */
export function place(): Pick<ServerOptions, 'port' | 'host' | 'socketPath' | 'tls'> {
  if (carrier === 'unix') return { socketPath: socketPath() };
  return carrier === 'tls' ? { ...LOOPBACK, tls: certificate().pair } : LOOPBACK;
}

/** The number by which `dial` finds a server: its port, or one that stands for its path. */
export function numberOf(address: { family: string; address: string; port: number } | null): number {
  if (address?.family !== 'unix') return address?.port ?? 0;
  const number = sockets;
  paths.set(number, address.address);
  return number;
}

/** A listener of this carrier, by Node's handles or by sockets. */
export function makeListener(byHandle: boolean, at: TcpOptions = LOOPBACK, name = carrier): TcpListener {
  if (name === 'tls') {
    const limits = { handshakeDeadline: 10_000, maxHandshakes: 1000 };
    return new TlsListener(at, { identity: new TlsIdentity(certificate().pair), byHandle, ...limits });
  }
  const where = name === 'unix' && at.path === undefined ? { path: socketPath() } : at;
  return byHandle ? new HandleTcpListener(where) : new TcpListener(where);
}

/** Connects; with TLS, its handshake is done. Either end may outlive the other. */
export async function dial(number: number, host = '127.0.0.1', name = carrier): Promise<net.Socket> {
  const path = paths.get(number);
  const at = path === undefined ? { port: number, host } : { path };
  const socket = net.connect({ ...at, noDelay: true, allowHalfOpen: true } as net.NetConnectOpts);
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

/** Breaks a connection with a RST. Unix sockets have none. */
export function reset(socket: net.Socket): void {
  (below.get(socket) ?? socket).resetAndDestroy();
}
