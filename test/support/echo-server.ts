/**
 * The server under test of the conformance and the differential suites: Portal with a path that sends each
 * message back as its own type, and a record of what the server's side of every connection saw.
 */

import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { type CloseReport, type Connection, createServer, type ServerOptions } from '../../src/index.ts';
import { numberOf, place } from './carrier.ts';
import { gate } from './serving.ts';

/** What the server's side of one connection saw. */
export interface Visit<Peer> {
  messages: (string | Uint8Array)[];
  opened: Promise<Peer>;
  closed: Promise<CloseReport>;
}

/** An echo server of any make. Connect to `/echo/<id>` and ask `visit(id)` for that connection's record. */
export interface EchoServer<Peer> {
  port: number;
  visit(id: string): Visit<Peer>;
  stop(): Promise<void>;
}

/** The records of an echo server by id, made when either side first asks for them. */
export class Visits<Peer> {
  readonly #visits = new Map<
    string,
    Visit<Peer> & { open(peer: Peer): void; close(report: CloseReport): void }
  >();

  of(id: string): Visit<Peer> & { open(peer: Peer): void; close(report: CloseReport): void } {
    const known = this.#visits.get(id);
    if (known !== undefined) return known;
    const opened = gate<Peer>();
    const closed = gate<CloseReport>();
    const visit = {
      messages: [],
      opened: opened.promise,
      closed: closed.promise,
      open: opened.open,
      close: closed.open,
    };
    this.#visits.set(id, visit);
    return visit;
  }
}

/** Where Portal listens: at a place of its own, or attached to a server of `node:http`. One project of vitest says the latter. */
async function listenSomewhere(options: Partial<ServerOptions>) {
  if (process.env.PORTAL_ATTACHED !== 'http') {
    const server = createServer({ ...place(), ...options });
    await server.start();
    return { server, port: numberOf(server.address()), close: () => {} };
  }
  const server = createServer(options);
  const httpServer = http.createServer();
  server.attach(httpServer);
  await server.start();
  httpServer.listen(0, '127.0.0.1');
  await once(httpServer, 'listening');
  const close = () => {
    httpServer.close();
    httpServer.closeAllConnections();
  };
  return { server, port: (httpServer.address() as AddressInfo).port, close };
}

/** Starts Portal on an ephemeral port of the loopback address. */
export async function startEchoServer(options: Partial<ServerOptions> = {}): Promise<EchoServer<Connection>> {
  const visits = new Visits<Connection>();
  const { server, port, close } = await listenSomewhere(options);
  server.path('/echo', {
    onMessage: (connection, message) => void connection.send(message),
  });
  server.path('/echo/:id', {
    onOpen: (connection) => visits.of(connection.params.id ?? '').open(connection),
    onMessage: (connection, message) => {
      visits.of(connection.params.id ?? '').messages.push(message);
      connection.send(message);
    },
    onClose: (connection, report) => visits.of(connection.params.id ?? '').close(report),
  });
  return {
    port,
    visit: (id) => visits.of(id),
    stop: async () => {
      await server.stop({ code: 1001, deadline: 0 });
      close();
    },
  };
}
