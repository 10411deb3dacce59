/**
 * What the adapter and its gateways may be given, and the checks that say so.
 */
import { OptionError } from '../api/errors.ts';
import { readOptions, type ServerOptions } from '../api/options/options.ts';
import { readStopOptions, type StopOptions } from '../api/options/stop-options.ts';
import type { Handlers } from '../api/paths/handlers.ts';
import { isPlainObject } from '../io/values.ts';

/** Where it listens and who is called is said by gateways, and not by the adapter. */
const OF_GATEWAYS = [
  ...['port', 'socketPath', 'socketMode', 'fd', 'listeners', 'listener', 'paths'],
  ...['onOpen', 'onMessage', 'onClose', 'onFragment', 'authorize', 'subprotocols'],
] as const;

/** Of these, an HTTP server has its own. */
const OF_OWN_PORTS = ['host', 'reusePort', 'tls', 'onRequest'] as const;

const OF_A_GATEWAY = ['path', 'authorize', 'subprotocols', 'onError'] as const;

/**
 * The options of the adapter: those of `createServer`, for each server that it makes. `host`, `reusePort`, `tls` and `onRequest`
 * are for gateways with a port of their own.
 */
export interface PortalAdapterOptions extends Omit<ServerOptions, (typeof OF_GATEWAYS)[number]> {
  /** How `app.close()` stops the servers. Default: close code 1001. */
  readonly stop?: StopOptions | undefined;
}

/** The options of a gateway: `@WebSocketGateway<GatewayOptions>({ path: '/chat' })`. */
export interface GatewayOptions<Data = unknown> extends Pick<Handlers<Data>, 'authorize' | 'onError'> {
  /** Which requests it is for, as in `server.path`: `/chat`, `/rooms/:room`, or `*`. Default `/`. */
  readonly path?: string | undefined;
  /** Subprotocols spoken here, best first (RFC 6455 1.9). */
  readonly subprotocols?: readonly string[] | undefined;
}

/** @throws OptionError for what no adapter has, and for a wrong value. */
export function readAdapterOptions(options: PortalAdapterOptions): {
  /** For a port of its own. */
  readonly own: ServerOptions;
  /** For the HTTP server of the application. */
  readonly attached: ServerOptions;
  readonly stop: StopOptions;
} {
  if (!isPlainObject(options as unknown)) {
    throw new OptionError('options', options, 'an object such as { origins, cap }');
  }
  const { stop = {}, ...own } = options;
  const misplaced = OF_GATEWAYS.find((name) => name in own);
  if (misplaced !== undefined) {
    const message = `the adapter has no option ${misplaced}: where it listens is said by @WebSocketGateway(port, { path, authorize, subprotocols }), and messages go to its handlers`;
    throw new OptionError(misplaced, (own as ServerOptions)[misplaced], 'an option of a gateway', message);
  }
  const { closeDeadline } = readOptions({ ...own, port: 0 });
  readStopOptions(stop, closeDeadline);
  const attached: Record<string, unknown> = { ...own };
  for (const name of OF_OWN_PORTS) delete attached[name];
  return { own, attached, stop };
}

/** @throws OptionError for what no gateway has. */
export function readGatewayOptions(options: GatewayOptions): {
  readonly path: string;
  readonly handlers: Handlers;
} {
  const unknown = Object.keys(options).find((name) => !(OF_A_GATEWAY as readonly string[]).includes(name));
  if (unknown !== undefined) {
    const names = OF_A_GATEWAY.join(', ');
    const message = `a gateway on Portal has no option ${unknown}; it has ${names}${adviceFor(unknown)}`;
    throw new OptionError(unknown, options[unknown as 'path'], names, message);
  }
  const { path = '/', ...handlers } = options;
  if (typeof path !== 'string') throw new OptionError('path', path, "a path, such as '/chat'");
  return { path: path.startsWith('/') || path === '*' ? path : `/${path}`, handlers: handlers as Handlers };
}

/** What Nest's other adapters call it. */
function adviceFor(name: string): string {
  if (name === 'namespace') return '. Namespaces are of Socket.IO; give each gateway a path';
  if (name === 'cors') return '. Origins are an option of the adapter: new PortalAdapter(app, { origins })';
  if (name === 'server') return '. A gateway with the port 0 is on the HTTP server of the application';
  return '. Limits are options of the adapter: new PortalAdapter(app, { cap })';
}
