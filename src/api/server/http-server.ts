/**
 * What a user gives to be attached to, or hands over: checked, so that a mistake is told at the call.
 */
import type { Server as Http1Server, IncomingMessage } from 'node:http';
import type { Http2SecureServer, Http2Server } from 'node:http2';
import type { Server as HttpsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { types } from 'node:util';
import type { HttpServer } from '../../server/http-servers.ts';
import { OptionError } from '../errors.ts';
import { kindOf, refusal } from '../options/checks.ts';

/** A server of `node:http`, `node:https` or `node:http2`. */
export type AnyHttpServer = Http1Server | HttpsServer | Http2Server | Http2SecureServer;

/** What `server.attach` returns. */
export interface Attachment {
  /**
   * Takes no more requests from the HTTP server. Connections that came from it stay open. A second call does nothing.
   */
  detach(): void;
}

const ALLOWED = 'a server of node:http, node:https or node:http2, as createServer of those returns it';

/** The parts of a server of Node's that are looked at. */
interface ServerParts extends HttpServer {
  readonly listening?: boolean;
  readonly listen?: unknown;
  readonly closeAllConnections?: unknown;
  /** Set when it listens, and kept after that. */
  readonly _connectionKey?: unknown;
}

/** @throws OptionError for something that is no HTTP server, and for one that was closed. */
export function checkHttpServer(value: AnyHttpServer): HttpServer {
  const server = value as unknown as Partial<ServerParts> | null | undefined;
  if (!isHttpServer(server)) {
    throw new OptionError('httpServer', value, ALLOWED, `attach takes ${ALLOWED}; ${adviceFor(server)}`);
  }
  if (server.listening === false && server._connectionKey !== undefined) {
    const message =
      'this HTTP server was closed, so nobody can connect to it; let it listen before you attach to it';
    throw new OptionError('httpServer', value, 'an HTTP server that listens, or is going to', message);
  }
  return server;
}

const has = (server: Partial<ServerParts> | null | undefined, ...names: (keyof ServerParts)[]) =>
  names.every((name) => typeof server?.[name] === 'function');

/** A server of `node:net` or `node:tls`; those of HTTP are such servers, too. */
function isNetServer(server: Partial<ServerParts> | null | undefined): boolean {
  return has(server, 'on', 'off', 'listen', 'emit', 'listenerCount');
}

function isHttpServer(server: Partial<ServerParts> | null | undefined): server is ServerParts {
  return isNetServer(server) && (has(server, 'closeAllConnections') || has(server, 'updateSettings'));
}

/** The likeliest mistakes: the application in place of its HTTP server. */
function adviceFor(value: unknown): string {
  if (typeof value === 'function') {
    return 'this is a function: an application of Express or Koa is given to http.createServer, or its listen() returns the server';
  }
  if (isNetServer(value as Partial<ServerParts> | null | undefined)) {
    return 'this server speaks no HTTP; Portal listens on its own by the options port and tls';
  }
  const inside = (value as { server?: Partial<ServerParts> } | null | undefined)?.server;
  if (isHttpServer(inside)) return 'its member "server" is one';
  if (typeof (value as Promise<unknown> | null | undefined)?.then === 'function')
    return 'this is a promise: await it';
  if (typeof (value as { fetch?: unknown } | null | undefined)?.fetch === 'function') {
    return 'this is an application such as those of Hono: serve() of @hono/node-server returns its HTTP server';
  }
  return `this is ${kindOf(value)}`;
}

const SOCKET_METHODS = [
  'write',
  'end',
  'destroy',
  'pause',
  'resume',
  'isPaused',
  'on',
  'once',
  'off',
] as const;

/** @throws OptionError naming the argument of `handleUpgrade` that is none of what 'upgrade' gives. */
export function checkUpgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
  const { url, httpVersion, rawHeaders, headers } = request ?? {};
  const isRequest = typeof url === 'string' && typeof httpVersion === 'string' && Array.isArray(rawHeaders);
  if (!isRequest || typeof headers !== 'object' || headers === null) {
    throw refusal('request', "the IncomingMessage of the event 'upgrade'", `this is ${kindOf(request)}`);
  }
  const isSocket = SOCKET_METHODS.every((name) => typeof socket?.[name] === 'function');
  if (!isSocket) {
    throw refusal(
      'socket',
      "the socket of the event 'upgrade', or another Duplex",
      `this is ${kindOf(socket)}`,
    );
  }
  // Not `instanceof`: in a `vm` context Uint8Array is another class.
  if (!types.isUint8Array(head)) {
    throw refusal('head', "the Buffer of the event 'upgrade'", `this is ${kindOf(head)}`);
  }
}
