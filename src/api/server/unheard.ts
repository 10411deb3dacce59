/**
 * Errors that nobody listens to: this program's own faults are not swallowed, the peers' are.
 */
import { HandshakeError, PeerError, warn } from '../errors.ts';

export class Unheard {
  /** Reasons of refusals that were told as a warning. */
  readonly #advised = new Set<string | undefined>();

  tell(error: unknown): void {
    if (error instanceof HandshakeError && error.advice !== undefined) this.#advise(error);
    if (error instanceof PeerError) return;
    warn(error);
  }

  /** A refusal that a first user is likely to meet: said once for each reason, since strangers can cause it too. */
  #advise(error: HandshakeError): void {
    if (this.#advised.has(error.reason)) return;
    this.#advised.add(error.reason);
    const text = `a handshake was refused with ${error.status}: ${error.message} (Said once; errors$ tells of each.)`;
    process.emitWarning(text, 'PortalWarning');
  }
}
