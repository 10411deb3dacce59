/**
 * The listener of a server that has no port of its own: all its connections come through HTTP servers.
 */
import type { Listener } from '../io/transports/transport.ts';

export const noListener: Listener = {
  listen: () => Promise.resolve(),
  close: () => Promise.resolve(),
  address: () => null,
};
