/**
 * `portal-ws/nest`: gateways of NestJS on Portal. A handler's observable is subscribed to, and what it gives is sent, until the
 * connection ends.
 *
 * Nothing of Nest is imported here: its shapes are described where they are needed, and a test compares them with Nest's own.
 */
import type { Connection } from '../api/connection/connection.ts';
import { OptionError } from '../api/errors.ts';
import type { Path } from '../api/paths/path.ts';
import type { AnyHttpServer, Attachment } from '../api/server/http-server.ts';
import { createServer } from '../api/server/registry.ts';
import type { Server } from '../api/server/server.ts';
import {
  BoundConnection,
  type GatewayConnection,
  type MessageHandler,
  type Transform,
} from './bound-connection.ts';
import {
  type GatewayOptions,
  type PortalAdapterOptions,
  readAdapterOptions,
  readGatewayOptions,
} from './options.ts';

export type { GatewayConnection, MessageHandler, Transform } from './bound-connection.ts';
export type { GatewayMessage } from './messages.ts';
export type { GatewayOptions, PortalAdapterOptions } from './options.ts';

/** An application of Nest: its HTTP server is asked for when the first gateway needs it. */
export interface NestApplication {
  getHttpServer(): AnyHttpServer;
}

/** The port by which Nest means the HTTP server of the application. */
const PORT_OF_APPLICATION = 0;

/** The gateways of one path. */
interface Gateways {
  readonly server: Server;
  readonly onOpen: ((connection: GatewayConnection) => void)[];
}

/**
 * Nest's `WebSocketAdapter`: `app.useWebSocketAdapter(new PortalAdapter(app))`.
 *
 * A gateway with no port, or 0, is on the HTTP server of the application; each other port has a server of its own, which
 * listens from `app.init()` on. If such a port cannot be opened, the rejection is unhandled, which ends the process.
 * `@WebSocketServer()` and `afterInit` get the gateway's `Path`; `@ConnectedSocket()`, `handleConnection` and guards the
 * connection; `handleDisconnect` the connection and the reason of the Close. `connection.signal.reason` is the whole report.
 */
export class PortalAdapter {
  readonly #application: NestApplication | AnyHttpServer | undefined;
  readonly #options: ReturnType<typeof readAdapterOptions>;
  readonly #servers = new Map<number, Server>();
  readonly #gateways = new Map<Path, Gateways>();
  readonly #connections = new Map<Connection, BoundConnection>();
  #attachment: Attachment | undefined;

  /**
   * `application` is needed for gateways without a port.
   * @throws OptionError for a wrong option.
   */
  constructor(application?: NestApplication | AnyHttpServer, options: PortalAdapterOptions = {}) {
    this.#application = application;
    this.#options = readAdapterOptions(options);
  }

  /** Portal's servers by port; 0 is the one on the HTTP server of the application. For `errors$`, `stats()` and `inspect`. */
  get servers(): ReadonlyMap<number, Server> {
    return this.#servers;
  }

  /**
   * Nest calls it once for each port and path.
   * @throws OptionError for a wrong option of the gateway, and where there is no HTTP server for the port 0.
   */
  create(port: number, options: GatewayOptions = {}): Path {
    const { path: pattern, handlers } = readGatewayOptions(options);
    const server = this.#servers.get(port) ?? this.#start(port);
    const path = server.path(pattern, handlers) as unknown as Path;
    // Paths that differ for Nest, such as 'chat' and '/chat', may be one.
    if (this.#gateways.has(path)) return path;
    const onOpen: Gateways['onOpen'] = [];
    this.#gateways.set(path, { server, onOpen });
    return path.handle({
      onOpen: (connection) => {
        const bound = new BoundConnection(connection);
        this.#connections.set(connection, bound);
        for (const callback of onOpen) callback(bound.connection);
      },
      onMessage: (connection, message) => this.#connections.get(connection)?.take(message),
      onClose: (connection, report) => {
        const bound = this.#connections.get(connection);
        this.#connections.delete(connection);
        bound?.end(report.reason);
      },
    });
  }

  /** `callback` is called with each connection that opens. */
  bindClientConnect(path: Path, callback: (connection: GatewayConnection) => void): void {
    this.#gateways.get(path)?.onOpen.push(callback);
  }

  /** `callback` is called when the connection has ended, with the reason of the Close, which may be empty. */
  bindClientDisconnect(connection: Connection, callback: (reason: string) => void): void {
    this.#connections.get(connection)?.onEnd(callback);
  }

  /**
   * Messages `{ event, data }` go to the handler of that event, several at a time. What its result gives is sent as
   * `{ event, data }`, with the `id` of the message if it has one. An error that Nest's filters have let through is told as
   * one of a handler: it closes the connection with 1011, unless `onError` decides otherwise.
   */
  bindMessageHandlers(
    connection: Connection,
    handlers: readonly MessageHandler[],
    transform: Transform,
  ): void {
    this.#connections.get(connection)?.bind(handlers, transform);
  }

  /** Turns away a connection that came before the application was ready, with 1013: try again later. */
  closeClient(connection: Connection): void {
    connection.close(1013, 'the application is starting');
  }

  /** Stops the server of a path, once for all its paths: connections are closed with 1001. */
  async close(path: Path): Promise<void> {
    await this.#gateways.get(path)?.server.stop(this.#options.stop);
  }

  /** Nest calls it when the application closes, after `close` of each path. */
  async dispose(): Promise<void> {
    await Promise.all(Array.from(this.#servers.values(), (server) => server.stop(this.#options.stop)));
    this.#attachment?.detach();
    this.#servers.clear();
    this.#gateways.clear();
  }

  #start(port: number): Server {
    const { own, attached } = this.#options;
    const isOfApplication = port === PORT_OF_APPLICATION;
    const server = createServer(isOfApplication ? attached : { ...own, port });
    if (isOfApplication) this.#attachment = server.attach(this.#httpServer());
    this.#servers.set(port, server);
    server.start();
    return server;
  }

  #httpServer(): AnyHttpServer {
    const application = this.#application;
    if (application === undefined) {
      const message = 'a gateway without a port needs the HTTP server: new PortalAdapter(app)';
      throw new OptionError('application', application, 'an application of Nest, or an HTTP server', message);
    }
    return 'getHttpServer' in application ? application.getHttpServer() : application;
  }
}
