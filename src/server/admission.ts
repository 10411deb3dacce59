/**
 * Whom a server lets in: connections and handshakes at a time, in all and for each address, and the answer to those for
 * whom there is no room.
 */

import type { Host } from '../connection/host.ts';
import { Session } from '../connection/session.ts';
import { type Fault, fault } from '../io/faults.ts';
import type { Transport } from '../io/transports/transport.ts';
import type { Counters } from './counters.ts';
import type { ServerRecipient } from './recipient.ts';
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
let nextConnectionId = 1;

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
  readonly #byAddress = new Map<string, number>();

  constructor(host: AdmissionHost, counters: Counters) {
    this.#host = host;
    this.#counters = counters;
    this.#settings = host.settings;
  }

  /** The id of the next connection, of whichever server: those that are there have smaller ones. */
  get nextId(): number {
    return nextConnectionId;
  }

  /**
   * Makes a connection of a transport, or destroys it where even a refusal would be too much. With `refusal`, the
   * connection is answered with that.
   */
  accept(transport: Transport, refusal?: Fault): void {
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
      session = new Session(this.#host, transport, nextConnectionId++);
      this.#add(session);
      session.attach();
      if (refusal !== undefined) session.refuse(refusal);
    } catch (error) {
      this.#host.recipient.broke(error);
      session?.onClosed();
    }
    if (this.#heads.size + this.#deciding.size > this.#settings.maxHandshakes) this.#crowdOut();
  }

  #add(session: Session): void {
    this.#counters.states.handshaking++;
    this.sessions.add(session);
    this.#heads.add(session);
    if (this.#countsAddresses) this.#countAddress(session.remoteAddress, 1);
  }

  /**
   * Too many handshakes: the one that has been sending its head for the longest time makes room. Who shakes hands in
   * earnest is done soon, so under a flood of slow ones newcomers still come through.
   */
  #crowdOut(): void {
    this.#counters.breached('maxHandshakes');
    const [oldest] = this.#heads;
    if (oldest === undefined) return;
    const { maxHandshakes } = this.#settings;
    oldest.refuse(fault('maxHandshakes', { count: maxHandshakes }));
    const answered = this.#counters.states.handshaking - this.#heads.size - this.#deciding.size;
    if (answered > REFUSALS_AT_A_TIME) oldest.requestTerminate();
  }

  /** The refusal of a handshake for which there is no room. */
  full(session: Session): Fault | undefined {
    const { maxConnections, maxConnectionsPerAddress } = this.#settings;
    if (this.#host.isStopping) return fault('stopping');
    if (this.open.size >= maxConnections) {
      this.#counters.breached('maxConnections');
      return fault('maxConnections', { count: maxConnections });
    }
    if ((this.#byAddress.get(session.remoteAddress) ?? 0) > maxConnectionsPerAddress) {
      this.#counters.breached('maxConnectionsPerAddress');
      return fault('maxConnectionsPerAddress', { count: maxConnectionsPerAddress });
    }
    return undefined;
  }

  /** The head of this one is read; `authorize` decides. */
  deciding(session: Session): void {
    this.#heads.delete(session);
    this.#deciding.add(session);
  }

  /** The handshake was answered, or is over. */
  handshaken(session: Session): void {
    if (!this.#heads.delete(session)) this.#deciding.delete(session);
  }

  /** The client of this one is at another address than its socket. */
  moveTo(session: Session, remoteAddress: string): void {
    if (this.#countsAddresses) this.#countAddress(session.remoteAddress, -1);
    session.remoteAddress = remoteAddress;
    if (this.#countsAddresses) this.#countAddress(remoteAddress, 1);
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
    if (this.#countsAddresses) this.#countAddress(session.remoteAddress, -1);
  }

  get #countsAddresses(): boolean {
    return this.#settings.maxConnectionsPerAddress !== Number.POSITIVE_INFINITY;
  }

  #countAddress(address: string, change: 1 | -1): void {
    const count = (this.#byAddress.get(address) ?? 0) + change;
    if (count > 0) this.#byAddress.set(address, count);
    else this.#byAddress.delete(address);
  }
}
