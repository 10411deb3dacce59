/**
 * What a server is run with. Only types; `src/api/options` checks what a user gives and fills in the defaults.
 */
import type { Budget } from '../connection/memory-budget.ts';
import type { ConnectionSettings } from '../connection/settings.ts';
import type { Listener } from '../io/transports/transport.ts';

export interface ServerSettings extends ConnectionSettings {
  /** Undefined: it has no port of its own. */
  readonly port: number | undefined;
  readonly host: string | undefined;
  readonly tcp: 'handle' | 'socket';
  readonly listener: Listener | undefined;
  /** A memory budget that other servers have, too; undefined: this server has one of its own. */
  readonly sharedBudget: Budget | undefined;
}
