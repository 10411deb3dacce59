/**
 * The address of a socket's peer. A Unix socket has none, which `trustProxy: ['unix']` trusts; so a peer of TCP that has gone
 * before its address was asked for must not look like that.
 */

/** The word of RFC 7239 6.2 for an address that is not known. No proxy can be named so. */
export const UNKNOWN = 'unknown';

/** The parts of a socket that are looked at. */
interface Ends {
  readonly destroyed?: boolean;
  readonly remoteAddress?: string | undefined;
  readonly localAddress?: string | undefined;
}

/** The peer's address, empty for a Unix socket. */
export function peerAddress(socket: Ends | undefined): string {
  const address = socket?.remoteAddress;
  if (socket === undefined || address !== undefined) return address ?? UNKNOWN;
  // The system still knows our end of a connection that was reset. A stream that is no socket has no such members.
  const isUnix = 'remoteAddress' in socket && socket.destroyed !== true && socket.localAddress === undefined;
  return isUnix ? '' : UNKNOWN;
}
