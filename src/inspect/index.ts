/**
 * `portal-ws/inspect`: watch a server's machines run.
 *
 * An inspector is a second Portal server beside the one that it watches, on a port of its own. So it goes on when the other
 * one drains and stops; its own connections are not among those that it shows; and no proxy in front of the watched server
 * can make it reachable, since its socket listens on loopback.
 *
 *   http://127.0.0.1:5006/          the live page; it needs no internet
 *   ws://127.0.0.1:5006/inspect     the relay, for `createWebSocketReceiver` and `createWebSocketInspector`
 *
 * While an inspector runs, every frame of the watched server is an event of its own. That is slow: use it to look at a
 * server, not under load.
 */
import type { Connection } from '../api/connection/connection.ts';
import { OptionError } from '../api/errors.ts';
import { watchables } from '../api/inspection/inspection.ts';
import type { HandshakeRequest, PlainRequest } from '../api/paths/handlers.ts';
import { Server } from '../api/server/server.ts';
import { type HttpResponse, textResponse } from '../io/http/http-response.ts';
import { type Clock, systemClock } from '../io/time/clock.ts';
import { checkAccess, isOwnPage, refuse } from './access.ts';
import { Live } from './live.ts';
import { PAGE, PAGE_POLICY } from './page.ts';
import { Relay } from './relay.ts';

export { WIRE_VERSION } from './wire.ts';

const MIB = 1024 * 1024;

/** The options of `inspect`; all have a default. */
export interface InspectOptions {
  /** TCP port, 0 to 65535; 0 takes any free one. Default 5006. */
  readonly port?: number | undefined;
  /** Address to listen on. Default 127.0.0.1; one that others can reach needs a token. */
  readonly host?: string | undefined;
  /** The relay's path. Default `/inspect`. */
  readonly path?: string | undefined;
  /** What a watcher must send, as `?token=` or `Authorization: Bearer`; 16 characters or more. */
  readonly token?: string | undefined;
  /** How many past events, and how many actors without one, a new watcher gets; 0 to 100,000. Default 200. */
  readonly replay?: number | undefined;
  /** Pages of other origins that may use the relay, as the server's option of that name. Default: loopback pages. */
  readonly origins?: '*' | readonly string[] | undefined;
  /** Time, for tests. */
  readonly clock?: Clock | undefined;
}

/** A running inspector. */
export interface Inspector {
  /** The live page's address, with the token where there is one. */
  readonly url: string;
  /** The relay's address, with the token where there is one. */
  readonly relayUrl: string;
  /** The server that serves them. */
  readonly server: Server;
  /** Stops watching and stops listening; the watched server is as fast as before. */
  stop(): Promise<void>;
}

/**
 * Starts an inspector for a server; it may be started before the server or after.
 * Rejects with OptionError for a wrong option, or a host beyond loopback without a token; and with the reason when
 * the port cannot be opened.
 */
export async function inspect(server: Server, options: InspectOptions = {}): Promise<Inspector> {
  const { port = 5006, host = '127.0.0.1', path = '/inspect', token, replay = 200, origins } = options;
  const { clock = systemClock } = options;
  const watched = watchables.get(server);
  if (watched === undefined)
    throw new OptionError('server', server, 'what createServer or newServer returned');
  checkAccess(host, token);
  if (!Number.isInteger(replay) || replay < 0 || replay > 100_000) {
    throw new OptionError('replay', replay, 'a whole number from 0 to 100000');
  }

  const relay = new Relay(replay, () => clock.epochMs());
  const live = new Live(watched.core, clock);
  const inspector = new Server({
    port,
    host,
    origins,
    clock,
    // A watcher that does not keep up misses events. Events of an actor with a large context may be long.
    overflow: 'drop',
    sendLimit: 16 * MIB,
    onRequest: (request) => refuse(request, token) ?? answer(request),
  });
  const authorize = (request: HandshakeRequest) => refuse(request, token) ?? true;
  inspector.path(path, {
    authorize,
    onOpen: (watcher: Connection) => relay.join(watcher),
    onMessage(watcher: Connection, message) {
      if (!relay.receive(watcher, message)) watcher.close(1003, 'not an inspection event');
    },
    onClose: (watcher: Connection) => relay.leave(watcher),
  });
  inspector.path('/live', {
    authorize: (request) => (isOwnPage(request) ? authorize(request) : false),
    onOpen: (page: Connection) => live.join(page),
    onMessage: (page: Connection, message) => live.receive(page, message),
    onClose: (page: Connection) => live.leave(page),
  });
  await inspector.start();

  const ends = [
    watched.inspection.attach((event) => relay.hear(event)),
    watched.inspection.attach((event) => live.hear(event)),
  ];
  const at = inspector.address();
  const authority = `${at?.family === 'IPv6' ? `[${at.address}]` : at?.address}:${at?.port}`;
  const query = token === undefined ? '' : `?token=${encodeURIComponent(token)}`;
  return {
    url: `http://${authority}/${query}`,
    relayUrl: `ws://${authority}${path}${query}`,
    server: inspector,
    async stop() {
      for (const end of ends) end();
      await inspector.stop({ deadline: 500 });
    },
  };
}

/** The page contains its script and style; it requests nothing but its feed. */
function answer({ path }: PlainRequest): HttpResponse | undefined {
  if (path !== '/') return textResponse(404, 'There is nothing here. The live page is at /.');
  return {
    status: 200,
    headers: {
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': PAGE_POLICY,
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
    },
    body: PAGE,
  };
}
