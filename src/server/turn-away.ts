/**
 * Answers an opening handshake that came through an HTTP server while this server does not run: 503, and 404 for a path that
 * it does not have. No connection is made of it, since a server that does not run has none.
 */
import type { Handover } from '../connection/handover.ts';
import { noPath } from '../connection/handshaking.ts';
import { type Fault, fault } from '../io/faults.ts';
import { refusal } from '../io/http/http-response.ts';
import { encodeVerdict, type HandshakeVerdict } from '../io/http/verdict.ts';
import type { Clock } from '../io/time/clock.ts';
import type { Transport } from '../io/transports/transport.ts';
import type { ServerState } from '../machines/server-ports.ts';
import type { ServerRecipient } from './recipient.ts';

/** Why a server in that state does not take a handshake; `new` is one that nobody has started yet. */
export function whyNot(
  recipient: Pick<ServerRecipient, 'serves'>,
  { head }: Handover,
  state: ServerState | 'new',
): Fault {
  if ('fault' in head) return head.fault;
  return recipient.serves(head.path) ? notRunning(state) : noPath(head.path);
}

function notRunning(state: ServerState | 'new'): Fault {
  if (state === 'stopped') return fault('stopped');
  if (state === 'draining') return fault('stopping');
  return fault(state === 'starting' ? 'starting' : 'notStarted');
}

/** Sends the refusal and ends; a peer that does not end its side within `ms` milliseconds is dropped. */
export function turnAway(
  transport: Transport,
  handover: Handover,
  why: Fault,
  { clock, ms }: { readonly clock: Clock; readonly ms: number },
): void {
  const forget = clock.every(ms, () => transport.destroy());
  const nothing = () => {};
  transport.attach({
    onBytes: nothing,
    onDrain: nothing,
    onEnd: nothing,
    onError: nothing,
    onClosed: forget,
  });
  const verdict: HandshakeVerdict = { kind: 'refuse', response: refusal(why) };
  if (handover.answer !== undefined) handover.answer(verdict);
  else transport.write([encodeVerdict(verdict)]);
  transport.end();
}
