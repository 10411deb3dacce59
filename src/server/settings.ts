/**
 * What a server is run with. Only types; `src/api/options` checks what a user gives and fills in the defaults.
 */
import type { Budget } from '../connection/memory-budget.ts';
import type { ConnectionSettings } from '../connection/settings.ts';
import type { TlsIdentity } from '../io/transports/tls-identity.ts';
import type { Listener } from '../io/transports/transport.ts';

/** One place where a server listens: a port, the path of a Unix socket, a descriptor, or a listener of the user's own. */
export interface Place {
  readonly port?: number | undefined;
  readonly host?: string | undefined;
  readonly socketPath?: string | undefined;
  readonly socketMode?: number | undefined;
  readonly fd?: number | undefined;
  readonly reusePort?: boolean | undefined;
  readonly listener?: Listener | undefined;
  readonly tls?: TlsIdentity | undefined;
}

export interface ServerSettings extends ConnectionSettings {
  /** None: all connections come through HTTP servers. */
  readonly places: readonly Place[];
  readonly tcp: 'handle' | 'socket';
  /** A memory budget that other servers have, too; undefined: this server has one of its own. */
  readonly sharedBudget: Budget | undefined;
}
