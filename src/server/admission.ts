/**
 * Whom a server lets in: connections and handshakes at a time, in all and for each address, and the answer to those for
 * whom there is no room.
 */

import type { Handover } from '../connection/handover.ts';
import type { Host } from '../connection/host.ts';
import { Session } from '../connection/session.ts';
import { type Fault, fault } from '../io/faults.ts';
import { addressKey } from '../io/http/addresses.ts';
import type { Transport } from '../io/transports/transport.ts';
import type { Counters } from './counters.ts';
import type { ServerRecipient } from './recipient.ts';
import { refuseAll } from './refusing.ts';
import type { ServerSettings } from './settings.ts';

/** What admission asks of its server, and what each connection will. */
export interface AdmissionHost extends Host<Session> {
  /** Whether connections are taken from the port, be it to refuse them. */
  readonly accepts: boolean;
  /** Whether a stop is under way: nobody is let in any more. */
  readonly isStopping: boolean;
  readonly settings: ServerSettings;
  readonly recipient: ServerRecipient;
}

/** Connections over `maxConnections` that may wait for their 503 at a time; more are dropped unanswered. */
const REFUSALS_AT_A_TIME = 1024;

export class AdmissionControl {
  /** Every connection that was accepted and has not ended. */
  readonly sessions = new Set<Session>();
  /** Those that came to be open. */
  readonly open = new Set<Session>();

  readonly #host: AdmissionHost;
  readonly #counters: Counters;
  readonly #settings: ServerSettings;
  /** Handshakes whose head is being read, the oldest first, and those that `authorize` decides about. */
  readonly #heads = new Set<Session>();
  readonly #deciding = new Set<Session>();
  /** Those that have to make room, for the moment until they are refused. */
  readonly #crowdedOut = new WeakSet<Session>();
  /** Opening handshakes and connections of each address or network, and where each is counted. */
  readonly #byAddress = new Map<string, number>();
  readonly #countedAt = new Map<Session, string>();

  constructor(host: AdmissionHost, counters: Counters) {
    this.#host = host;
    this.#counters = counters;
    this.#settings = host.settings;
  }

  /**
   * Makes a connection of a transport, or destroys it where even a refusal would be too much. With `refusal`, the
   * connection is answered with that.
   */
  accept(transport: Transport, refusal?: Fault, handover?: Handover): void {
    const most = this.#settings.maxConnections + REFUSALS_AT_A_TIME;
    const { accepts } = this.#host;
    if (!accepts || this.sessions.size >= most) {
      if (accepts) this.#counters.breached('maxConnections');
      transport.destroy();
      return;
    }
    // A transport of the user's own may throw where none should.
    let session: Session | undefined;
    try {
      session = new Session(this.#host, transport, handover);
      this.#add(session);
      // A head that was read elsewhere is judged by `attach`, so whether there is room is asked before.
      if (handover !== undefined) this.#limitHandshakes();
      session.attach();
      if (refusal !== undefined) {
        session.asked = 'something'; // its listener has seen that
        session.refuse(refusal);
      }
    } catch (error) {
      this.#host.recipient.broke(error);
      session?.onClosed();
    }
    this.#limitHandshakes();
  }

  #limitHandshakes(): void {
    if (this.#heads.size + this.#deciding.size > this.#settings.maxHandshakes) this.#crowdOut();
  }

  #add(session: Session): void {
    this.#counters.states.handshaking++;
    this.sessions.add(session);
    this.#heads.add(session);
  }

  /**
   * Too many handshakes: the one that has been sending its head for the longest time makes room. Who shakes hands in
   * earnest is done soon, so under a flood of slow ones newcomers still come through.
   */
  #crowdOut(): void {
    this.#counters.breached('maxHandshakes');
    const [oldest] = this.#heads;
    if (oldest === undefined) return;
    this.#heads.delete(oldest);
    this.#crowdedOut.add(oldest);
    refuseAll([oldest], (session) => session.refuse(this.#tooManyHandshakes()));
    const answered = this.#counters.states.handshaking - this.#heads.size - this.#deciding.size;
    if (answered > REFUSALS_AT_A_TIME) oldest.requestTerminate();
  }

  #tooManyHandshakes(): Fault {
    return fault('maxHandshakes', { count: this.#settings.maxHandshakes });
  }

  /** The refusal of an opening handshake for which there is no room. One that has room is counted at its address. */
  full(session: Session): Fault | undefined {
    const { maxConnections } = this.#settings;
    if (this.#host.isStopping) return fault('stopping');
    if (this.#crowdedOut.has(session)) return this.#tooManyHandshakes();
    if (this.open.size >= maxConnections) {
      this.#counters.breached('maxConnections');
      return fault('maxConnections', { count: maxConnections });
    }
    return this.#fullAtAddress(session);
  }

  #fullAtAddress(session: Session): Fault | undefined {
    const { maxConnectionsPerAddress: most, ipv6Prefix } = this.#settings;
    if (most === Number.POSITIVE_INFINITY || this.#countedAt.has(session)) return undefined;
    const key = addressKey(session.remoteAddress, ipv6Prefix);
    const count = this.#byAddress.get(key) ?? 0;
    if (count >= most) {
      this.#counters.breached('maxConnectionsPerAddress');
      return fault('maxConnectionsPerAddress', { count: most });
    }
    this.#byAddress.set(key, count + 1);
    this.#countedAt.set(session, key);
    return undefined;
  }

  #leaveAddress(session: Session): void {
    const key = this.#countedAt.get(session);
    if (key === undefined) return;
    this.#countedAt.delete(session);
    const count = (this.#byAddress.get(key) ?? 0) - 1;
    if (count > 0) this.#byAddress.set(key, count);
    else this.#byAddress.delete(key);
  }

  /** The head of this one is read; `authorize` decides. */
  deciding(session: Session): void {
    this.#heads.delete(session);
    this.#deciding.add(session);
  }

  /** The handshake was answered, or is over. */
  handshaken(session: Session): void {
    if (!this.#heads.delete(session)) this.#deciding.delete(session);
    if (session.accepted === undefined) this.#leaveAddress(session);
  }

  /** A connection is open now. */
  opened(session: Session): void {
    this.open.add(session);
    this.#counters.opened();
  }

  /** A connection has ended. */
  left(session: Session): void {
    this.sessions.delete(session);
    this.#counters.ended(session, this.open.delete(session));
    this.#leaveAddress(session);
  }
}
