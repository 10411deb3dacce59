/**
 * The server under test of the conformance and the differential suites: Portal with a path that sends each
 * message back as its own type, and a record of what the server's side of every connection saw.
 */
import { type CloseReport, type Connection, createServer, type ServerOptions } from '../../src/index.ts';
import { place, start } from './carrier.ts';
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

/** Starts Portal on an ephemeral port of the loopback address. */
export async function startEchoServer(options: Partial<ServerOptions> = {}): Promise<EchoServer<Connection>> {
  const visits = new Visits<Connection>();
  const server = createServer({ ...place(), ...options });
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
  const { port, close } = await start(server);
  return {
    port,
    visit: (id) => visits.of(id),
    stop: async () => {
      await server.stop({ code: 1001, deadline: 0 });
      close();
    },
  };
}
