/**
 * The places where a server listens: what can be said of one before it is opened, its listener, and what to do when it cannot
 * be opened.
 */
import { wrongWithDescriptor } from '../io/transports/descriptor.ts';
import { HandleTcpListener } from '../io/transports/handle-tcp.ts';
import { TcpListener, type TcpOptions } from '../io/transports/tcp.ts';
import { TlsListener } from '../io/transports/tls.ts';
import {
  ContextError,
  holdsCertificate,
  type ServerTlsOptions,
  TlsIdentity,
} from '../io/transports/tls-identity.ts';
import type { Listener } from '../io/transports/transport.ts';
import { folderOf, fromRoot, MOST_PATH_BYTES, pathBytes } from '../io/transports/unix-file.ts';
import { workerProcess } from '../io/worker-process.ts';
import type { Place, ServerSettings } from './settings.ts';

export { ContextError, fromRoot, holdsCertificate, MOST_PATH_BYTES, pathBytes, wrongWithDescriptor };

/** The listener of a place, not yet open. */
export function listenerOf(place: Place, settings: ServerSettings): Listener {
  const { port, host, socketPath: path, socketMode: mode, fd, reusePort, listener, tls } = place;
  if (listener !== undefined) return listener;
  const at: TcpOptions = { port, host, path, mode, fd, reusePort: reusePort ?? isSharedByWorkers(place) };
  const byHandle = settings.tcp === 'handle';
  if (tls !== undefined) {
    const { handshakeDeadline, maxHandshakes } = settings;
    return new TlsListener(at, { identity: tls, byHandle, handshakeDeadline, maxHandshakes });
  }
  return byHandle ? new HandleTcpListener(at) : new TcpListener(at);
}

/** Workers share a port by the kernel where it can do so. A free one that the system is to choose, they share by `node:cluster`. */
function isSharedByWorkers({ port }: Place): boolean | undefined {
  return (port !== undefined && port > 0 && workerProcess()?.reusePort) || undefined;
}

/**
 * The first worker makes sure that nobody listens on a port already: the kernel would let it share that with another program of
 * the same user. Rejects when somebody does.
 */
export async function checkUnused(place: Place): Promise<void> {
  const { port, host } = place;
  if (place.reusePort !== undefined || !workerProcess()?.isFirst || !isSharedByWorkers(place)) return;
  const probe = new TcpListener({ port, host, exclusive: true });
  await probe.listen(
    (transport) => transport.destroy(),
    () => {},
  );
  await probe.close();
}

/** @throws what `node:tls` throws for keys and certificates that it cannot read, or that do not match. */
export function identityOf(tls: ServerTlsOptions): TlsIdentity {
  return new TlsIdentity(tls);
}

/** Says what to do about a place that cannot be opened. */
export function explain(error: Error, place: Place): Error {
  const { code = '' } = error as NodeJS.ErrnoException;
  const advice = adviceOf(code, place);
  if (advice !== undefined) error.message = advice;
  return error;
}

const SPENT = 'ERR_DESCRIPTOR_SPENT';

/** The error of a descriptor that was listened on before. */
export function spentDescriptor(fd: number): Error {
  const message =
    `descriptor ${fd} was closed at the last stop, or when start() failed, and cannot be opened again; a server with a fd ` +
    'is started once, so end the process and let whoever hands the socket down start it again';
  return Object.assign(new Error(message), { code: SPENT });
}

function adviceOf(code: string, { port, socketPath, fd }: Place): string | undefined {
  if (fd !== undefined && code !== SPENT)
    return `descriptor ${fd} is no socket that can listen (${code}); hand down one that does`;
  if (socketPath !== undefined) return adviceOfPath(code, socketPath);
  if (code === 'EADDRINUSE') return `port ${port} is in use; stop what listens there or choose another port`;
  if (code === 'EACCES') return `port ${port} needs more rights than this process has; choose one above 1023`;
  if (code === 'ENOTSUP') return `port ${port} cannot be shared: this system has no reusePort`;
  return undefined;
}

function adviceOfPath(code: string, socketPath: string): string | undefined {
  const { folder, isThere } = folderOf(socketPath);
  // The first character of an abstract socket, which a terminal would not show.
  const path = socketPath.replace('\0', '\\0');
  if (code === 'EADDRINUSE') {
    return `a server listens at ${path} already; stop it or choose another socketPath`;
  }
  if (code === 'ENOTSOCK') {
    return `${path} is there and is no socket, so it is left alone; remove it or choose another socketPath`;
  }
  // libuv says EACCES for both.
  if (isThere && (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')) {
    return `the socket ${path} cannot be made (${code}): this process may not write to ${folder}, or not connect to what is there`;
  }
  if (!isThere || code === 'ENOENT' || code === 'ENOTDIR') {
    return `the socket ${path} cannot be made (${code}): there is no folder ${folder}`;
  }
  return undefined;
}
