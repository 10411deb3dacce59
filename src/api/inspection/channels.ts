/**
 * What `node:diagnostics_channel` carries: each change of state. Nothing is made where nobody has subscribed.
 */
import { type Channel, channel } from 'node:diagnostics_channel';

const connectionStates = ['open', 'fragmenting', 'closing', 'closed'] as const;
const serverStates = ['stopped', 'starting', 'listening', 'draining', 'failed'] as const;

function channelsOf<Name extends string>(
  prefix: string,
  names: readonly Name[],
): Readonly<Record<Name, Channel>> {
  return Object.fromEntries(names.map((name) => [name, channel(`${prefix}.${name}`)])) as Record<
    Name,
    Channel
  >;
}

/** `portal-ws.connection.open` and the others: messages are those of `lifecycle$`. */
export const connectionChannels = channelsOf('portal-ws.connection', connectionStates);
/** `portal-ws.server.listening` and the others: messages are `{ server, from, to, at, error? }`. */
export const serverChannels = channelsOf('portal-ws.server', serverStates);
