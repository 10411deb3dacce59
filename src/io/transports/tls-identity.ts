/**
 * Who a server is by TLS: its keys and certificates, and their renewal.
 *
 * Node's `tls.Server` does the handshakes. It never listens here: it is given each connection that a listener has accepted.
 * So a renewal makes another one and puts it in the place of the first, which open connections keep. Where that does not
 * work, on Bun and Deno, the `tls.Server` listens itself and is given a new context.
 *
 * `node:tls` is loaded when the first of these is made: a server without TLS does not pay for it.
 */
import type { Socket } from 'node:net';
import type { SecureContextOptions, Server, TLSSocket, TlsOptions } from 'node:tls';

/** What `node:tls.createServer` takes, and more certificates by host name. */
export interface ServerTlsOptions extends TlsOptions {
  /**
   * Certificates by the host name that the client asks for (SNI): `example.com` or `*.example.com`. Each has `key` and `cert`, or
   * `pfx`, of its own, and takes over `ca` and `crl`. Not together with `SNICallback`.
   */
  readonly contexts?: Readonly<Record<string, SecureContextOptions>> | undefined;
}

/** One of `contexts` cannot be used; `cause` is what `node:tls` says about it, undefined where there is a SNICallback as well. */
export class ContextError extends Error {
  readonly host: string;
  constructor(host: string, cause?: unknown) {
    super(`the context of ${host}`, { cause });
    this.host = host;
  }
}

/** Hears how handshakes end. */
export interface TlsHost {
  /** `needsCertificate`: only clients with a certificate may come in. */
  secured(socket: TLSSocket, needsCertificate: boolean): void;
  failed(error: Error, socket: TLSSocket): void;
}

/** Options that say whom the server trusts. When one of them changes, old sessions are not resumed. */
const TRUST = ['ca', 'crl', 'requestCert', 'rejectUnauthorized'] as const;
/** A key comes in one of these two forms, and a new one takes the place of either. */
const FORMS = [
  ['key', 'cert', 'passphrase'],
  ['pfx', 'passphrase'],
] as const;

/** Bun and Deno do not take connections by `emit('connection')`. */
export const listensItself = 'bun' in process.versions || 'deno' in process.versions;

export class TlsIdentity {
  #options: ServerTlsOptions;
  #server: Server;
  #host: TlsHost | undefined;

  /** @throws what `node:tls` throws for keys and certificates that it cannot read, or that do not match. */
  constructor(options: ServerTlsOptions) {
    this.#options = options;
    this.#server = this.#makeServer(options);
  }

  /** Who hears of the handshakes from here on. */
  set host(host: TlsHost | undefined) {
    this.#host = host;
  }

  /** Begins the handshake of an accepted connection. Bytes that were read of it have been put back. */
  handshake(socket: Socket): void {
    this.#server.emit('connection', socket);
  }

  /** The server that listens, where it must do that itself. */
  get server(): Server {
    return this.#server;
  }

  /**
   * Tries a renewal: what is left out stays, hosts of `contexts` too. Nothing has changed until the function that it returns is called.
   * @throws as the constructor does.
   */
  prepare(changes: ServerTlsOptions): () => void {
    const options = merge(this.#options, changes);
    const server = this.#makeServer(options);
    const keepsTickets =
      changes.ticketKeys === undefined && TRUST.every((name) => options[name] === this.#options[name]);
    return () => {
      if (keepsTickets) server.setTicketKeys(this.#server.getTicketKeys());
      this.#options = options;
      if (listensItself) this.#server.setSecureContext(options);
      else this.#server = server;
    };
  }

  #makeServer(options: ServerTlsOptions): Server {
    const { contexts = {}, ...rest } = options;
    const [host] = Object.keys(contexts);
    if (rest.SNICallback !== undefined && host !== undefined) throw new ContextError(host);
    const tls = process.getBuiltinModule('node:tls');
    const protocols = rest.ALPNCallback === undefined ? { ALPNProtocols: ['http/1.1'] } : {};
    // Our own end of a connection is ours to end, and no write waits for another.
    const server = tls.createServer({ ...protocols, ...rest, ...{ allowHalfOpen: true, noDelay: true } });
    for (const [name, context] of Object.entries(contexts)) {
      try {
        // Read here already: `addContext` would do it in the middle of a handshake in some versions.
        server.addContext(name, tls.createSecureContext({ ...trustOf(rest), ...context }) as never);
      } catch (error) {
        throw new ContextError(name, error);
      }
    }
    const needsCertificate = rest.requestCert === true && rest.rejectUnauthorized !== false;
    server.on('secureConnection', (socket) => this.#host?.secured(socket, needsCertificate));
    server.on('tlsClientError', (error, socket) => this.#host?.failed(error, socket));
    return server;
  }
}

/** Whether this is the content of a file with a certificate, in PEM or DER. */
export function holdsCertificate(value: unknown): boolean {
  if (typeof value !== 'string' && !ArrayBuffer.isView(value)) return false;
  const { X509Certificate } = process.getBuiltinModule('node:crypto');
  try {
    return new X509Certificate(value as string).raw.length > 0;
  } catch {
    return false;
  }
}

/** What a certificate of one name takes over from the others: whom to trust. */
function trustOf({ ca, crl }: ServerTlsOptions): SecureContextOptions {
  return { ...(ca && { ca }), ...(crl && { crl }) };
}

function merge(old: ServerTlsOptions, changes: ServerTlsOptions): ServerTlsOptions {
  const kept: Record<string, unknown> = { ...old };
  if (FORMS.some((names) => changes[names[0]] !== undefined)) {
    for (const name of FORMS.flat()) delete kept[name];
  }
  const contexts = changes.contexts && { contexts: { ...old.contexts, ...changes.contexts } };
  return { ...kept, ...changes, ...contexts };
}
