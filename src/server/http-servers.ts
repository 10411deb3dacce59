/**
 * The HTTP servers that Portal servers are attached to, and what happens to a request there.
 *
 * Several Portal servers may share one HTTP server, beside libraries that listen to 'upgrade' on their own. A request
 * belongs to the first Portal server that has its path, and one that runs goes before one that does not. What belongs to
 * none is left to the others; only where nobody else listens it gets a 404, since nobody would answer it.
 *
 * Most listeners answer whatever they see: `ws` with the option `path` refuses every other path with 400, and Socket.IO
 * ends what nobody has answered after a second. A WebSocket over HTTP/2 is no 'upgrade' but a 'stream' (RFC 8441), and
 * Node's own listener of that answers CONNECT with 405. So what is ours is not emitted at all. A listener of 'upgrade'
 * is there all the same: Node emits the event only where there is one, and Fastify passes it on past the server's `emit`.
 */
import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import type { Duplex } from 'node:stream';
import { asksForWebSocket, serveWithoutUpgrade } from './without-upgrade.ts';

/** What is used of an HTTP server; `updateSettings` is that of HTTP/2. */
export interface HttpServer {
  on(event: 'upgrade', listener: UpgradeListener): unknown;
  off(event: 'upgrade', listener: UpgradeListener): unknown;
  listenerCount(event: string): number;
  emit(event: string, ...values: unknown[]): boolean;
  updateSettings?(settings: { enableConnectProtocol: boolean }): void;
}

type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Uint8Array) => void;

/** Whether only what is for a path of the taker is taken, or whatever comes. */
export type Claim = 'own paths' | 'anything';

/** A Portal server, as far as it takes requests from an HTTP server. False: the request is not its, and is untouched. */
export interface Taker {
  /** It takes connections now. One that does not run answers with 503. */
  readonly isRunning: boolean;
  takeUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, claim: Claim): boolean;
  takeStream(stream: ServerHttp2Stream, rawHeaders: readonly string[], claim: Claim): boolean;
  /** A handshake that no Portal server takes was left to the others. */
  leave(request: IncomingMessage, socket: Duplex): void;
}

/** All Portal servers of one HTTP server. */
class Sharing {
  readonly #server: HttpServer;
  readonly #takers = new Set<Taker>();
  #emit: HttpServer['emit'] | undefined;
  /** What somebody else had put in the place of `emit` before. */
  #emitBefore: HttpServer['emit'] | undefined;

  constructor(server: HttpServer) {
    this.#server = server;
  }

  has(taker: Taker): boolean {
    return this.#takers.has(taker);
  }

  add(taker: Taker): void {
    this.#takers.add(taker);
    if (this.#takers.size === 1) this.#listen();
  }

  remove(taker: Taker): void {
    if (!this.#takers.delete(taker) || this.#takers.size > 0) return;
    this.#server.off('upgrade', this.#onUpgrade);
    // Somebody may have replaced `emit` after us: then ours stays in the chain, and passes everything on.
    if (this.#emit !== undefined && this.#server.emit === this.#emit) {
      if (this.#emitBefore === undefined) Reflect.deleteProperty(this.#server, 'emit');
      else this.#server.emit = this.#emitBefore;
      this.#emit = undefined;
    }
  }

  #listen(): void {
    const server = this.#server;
    server.on('upgrade', this.#onUpgrade);
    // Without this setting no client may send an extended CONNECT (RFC 8441 3).
    server.updateSettings?.({ enableConnectProtocol: true });
    if (this.#emit !== undefined) return;
    const { emit } = server;
    this.#emitBefore = Object.hasOwn(server, 'emit') ? emit : undefined;
    this.#emit = (event, ...values) => {
      if (event === 'upgrade' && this.#takeUpgrade(values as Parameters<UpgradeListener>, false)) return true;
      if (event === 'stream' && this.#takeStream(values)) return true;
      return emit.call(server, event, ...values);
    };
    server.emit = this.#emit;
  }

  readonly #onUpgrade: UpgradeListener = (request, socket, head) => {
    const server = this.#server;
    const isAlone = server.listenerCount('upgrade') === 1;
    if (isAlone && !asksForWebSocket(request) && server.listenerCount('request') > 0)
      serveWithoutUpgrade(server, request, socket, head);
    else if (!this.#takeUpgrade([request, socket, head], isAlone) && asksForWebSocket(request))
      this.#first()?.leave(request, socket);
  };

  #takeUpgrade([request, socket, head]: Parameters<UpgradeListener>, isAlone: boolean): boolean {
    return this.#offer((taker, claim) => taker.takeUpgrade(request, socket, head, claim), isAlone);
  }

  #takeStream(values: readonly unknown[]): boolean {
    const [stream, headers, , rawHeaders] = values as [
      ServerHttp2Stream,
      IncomingHttpHeaders,
      number,
      string[] | undefined,
    ];
    if (headers[':protocol'] !== 'websocket' || headers[':method'] !== 'CONNECT') return false;
    const raw = rawHeaders ?? Object.entries(headers).flatMap(([name, value]) => [name, `${value}`]);
    const take = (taker: Taker, claim: Claim) => taker.takeStream(stream, raw, claim);
    return this.#offer(take, this.#server.listenerCount('stream') === 0);
  }

  /** Offers a request to each, first to those that run; where nobody else is there, one answers it in any case. */
  #offer(take: (taker: Taker, claim: Claim) => boolean, isAlone: boolean): boolean {
    for (const taker of this.#takers) if (taker.isRunning && take(taker, 'own paths')) return true;
    for (const taker of this.#takers) if (!taker.isRunning && take(taker, 'own paths')) return true;
    const first = isAlone ? this.#first() : undefined;
    return first !== undefined && take(first, 'anything');
  }

  /** The first that runs, else the first. */
  #first(): Taker | undefined {
    const [first] = this.#takers;
    for (const taker of this.#takers) if (taker.isRunning) return taker;
    return first;
  }
}

const sharings = new WeakMap<HttpServer, Sharing>();

/** Offers the WebSocket requests of an HTTP server to this taker from now on. False: it is attached there already. */
export function attach(server: HttpServer, taker: Taker): boolean {
  const sharing = sharings.get(server) ?? new Sharing(server);
  sharings.set(server, sharing);
  if (sharing.has(taker)) return false;
  sharing.add(taker);
  return true;
}

/** Ends that. */
export function detach(server: HttpServer, taker: Taker): void {
  sharings.get(server)?.remove(taker);
}
