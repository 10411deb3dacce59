/**
 * Refuses handshakes for which there is no room, or no time any more. A peer that has asked for nothing is closed without an
 * answer: a browser that holds a connection in reserve would take that for the answer to its next request (RFC 9112 9.2).
 */
import type { Session } from '../connection/session.ts';
import { eventLoopTurn } from '../io/time/clock.ts';

/**
 * Calls `answer` for each that has not ended: at once where the peer has asked for something. What the others have sent may
 * not have been read yet, so they are looked at again when the event loop has polled all sockets once: an immediate may
 * come before that, the next one does not. Who has still asked for nothing then is destroyed.
 */
export function refuseAll(sessions: Iterable<Session>, answer: (session: Session) => void): void {
  const silent: Session[] = [];
  for (const session of [...sessions]) {
    if (session.asked === 'nothing') silent.push(session);
    else if (session.report === undefined) answer(session);
  }
  if (silent.length === 0) return;
  void eventLoopTurn()
    .then(eventLoopTurn)
    .then(() => {
      for (const session of silent) {
        if (session.report !== undefined) continue;
        if (session.asked === 'nothing') session.requestTerminate();
        else answer(session);
      }
    });
}
