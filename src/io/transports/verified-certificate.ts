/**
 * The certificate of a TLS client, when there is one and it was verified.
 */
import type { PeerCertificate, TLSSocket } from 'node:tls';

/**
 * `authorized` alone is not enough: Node 20 and 22 set it for a client that resumes a session of TLS 1.3, though it has
 * never shown a certificate. `getPeerCertificate()` is an empty object then.
 */
export function verifiedCertificate(
  socket: Pick<TLSSocket, 'authorized' | 'getPeerCertificate'>,
): PeerCertificate | undefined {
  if (!socket.authorized) return undefined;
  const certificate: PeerCertificate | null = socket.getPeerCertificate();
  if (certificate === null || Object.keys(certificate).length === 0) return undefined;
  return certificate;
}
