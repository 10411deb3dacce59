/**
 * What happens to a connection, as events for its statechart: what its transport and its deadlines tell, and what the user
 * commands.
 */
import { faults } from '../io/faults.ts';
import type { TransportListener } from '../io/transports/transport.ts';
import type { CloseReport, ConnectionEvent, ConnectionState } from '../machines/connection-ports.ts';
import type { Interpreter } from '../machines/interpreter.ts';
import type { Deadlines, Timed } from './deadlines.ts';
import type { Host } from './host.ts';
import type { Reading } from './reading.ts';
import type { Sending } from './sending.ts';

/** The half of a session that gets events. It is a base class, so that a connection stays one object. */
export abstract class SessionEvents implements TransportListener, Timed {
  abstract readonly machine: Interpreter;
  abstract readonly reading: Reading;
  abstract readonly sending: Sending;
  abstract readonly deadlines: Deadlines;
  abstract readonly state: ConnectionState;
  abstract readonly report: CloseReport | undefined;
  protected abstract readonly host: Pick<Host<never>, 'breached' | 'ticker' | 'turn'>;

  /** No message waits for the user any more. */
  abstract exhausted(): void;

  /** Frames are still read and delivered: the connection has neither failed nor ended. */
  get readsOn(): boolean {
    const { state } = this;
    if (state === 'open' || state === 'fragmenting') return true;
    return state === 'closing' && this.machine.matches({ closing: 'local' });
  }

  // ------------------------------------------------------------------ what the transport and the deadlines tell

  onBytes(chunk: Uint8Array, shared: boolean, inPieces = false): void {
    const { turn, ticker } = this.host;
    const { reading } = this;
    this.deadlines.lastByteTick = ticker.tick;
    if (!reading.count(chunk.length)) return;
    turn.begin();
    this.machine.send({ type: 'socket.bytes', chunk, shared });
    reading.keepRest(shared);
    if (inPieces) turn.endAfterReads();
    else turn.end();
  }

  onDrain(): void {
    this.sending.transportDrained();
  }

  onEnd(): void {
    this.tell({ type: 'socket.end' });
  }

  onError(error: Error): void {
    this.tell({ type: 'socket.error', error });
  }

  onClosed(): void {
    this.tell({ type: 'socket.closed' });
  }

  onTimeout(event: Extract<ConnectionEvent, { type: `timeout.${string}` }>): void {
    this.tell(event);
  }

  onAged(): void {
    const { code, reason } = faults.maxAge;
    this.host.breached('maxAge');
    this.requestClose(code, reason);
  }

  get unsentBytes(): number {
    return this.sending.outbox.unsentBytes;
  }

  /** Nothing is read from the transport. */
  get held(): boolean {
    return this.reading.isHeld;
  }

  readingStopped(): void {
    this.deadlines.readingStopped();
  }

  readingResumed(): void {
    this.deadlines.readingResumed();
  }

  // ------------------------------------------------------------------ events for the machine

  /** Sends an event to the machine; one that has ended hears nothing. */
  tell(event: ConnectionEvent): void {
    if (this.report === undefined) this.machine.send(event);
  }

  /** An event that must be processed before the next frame. */
  command(event: ConnectionEvent): void {
    this.reading.afterDelivery(() => {
      this.reading.commanded();
      this.reading.goOn(() => this.tell(event));
    });
  }

  /** When no more frames are read, messages that came before may still wait. */
  requestPause(): void {
    if (this.readsOn) this.command({ type: 'connection.pause' });
    else this.reading.pauseRest(true);
  }

  requestResume(): void {
    if (this.readsOn) this.command({ type: 'connection.resume' });
    else this.reading.pauseRest(false);
  }

  requestClose(code: number, reason: string): void {
    this.sending.sealForClose();
    // The peer is going already: who closes now wants nothing more of it.
    if (!this.readsOn && this.state !== 'handshaking') this.reading.forget();
    this.command({ type: 'connection.close', code, reason });
  }

  requestTerminate(): void {
    this.sending.seal();
    this.reading.forget();
    this.exhausted();
    this.command({ type: 'connection.terminate' });
  }
}
