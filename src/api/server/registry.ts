/**
 * Servers by name, as in the servers Portal descends from.
 */

import type { StopReport } from '../../server/stopping.ts';
import { NameTakenError, OptionError, UnknownServerError } from '../errors.ts';
import type { ServerOptions } from '../options/options.ts';
import type { StopOptions } from '../options/stop-options.ts';
import { Server } from './server.ts';

const servers = new Map<string, Server>();

/**
 * Makes a server that is not listening yet.
 * @throws OptionError for the first option that is wrong.
 */
export function createServer(options: ServerOptions = {}): Server {
  return new Server(options);
}

/**
 * Makes a server and gives it a name. One that was stopped, or has failed, gives its name up to the new one; so a program
 * that is evaluated twice can make its server again.
 * @throws NameTakenError when another has the name; OptionError for a wrong option or an empty name.
 */
export function newServer(name: string, options: ServerOptions = {}): Server {
  if (typeof name !== 'string' || name === '')
    throw new OptionError('name', name, 'a string that is not empty');
  if (servers.get(name)?.isOver === false) throw new NameTakenError(name);
  const server = new Server(options);
  servers.set(name, server);
  return server;
}

/** The server of that name; undefined when there is none. */
export function getServer(name: string): Server | undefined {
  return servers.get(name);
}

/**
 * Starts the server of that name, as `server.start()` does; one that is started already resolves at once.
 * Rejects with UnknownServerError when there is none, and with the reason when the port cannot be opened.
 */
export async function startServer(name: string): Promise<Server> {
  return known(name).start();
}

/**
 * Stops the server of that name, as `server.stop()` does; one that is stopped already resolves at once. It may be started
 * again, until `newServer` gives its name to another. Rejects with UnknownServerError when there is none.
 */
export async function stopServer(name: string, options?: StopOptions): Promise<StopReport> {
  return known(name).stop(options);
}

function known(name: string): Server {
  const server = servers.get(name);
  if (server === undefined) throw new UnknownServerError(name, [...servers.keys()]);
  return server;
}
