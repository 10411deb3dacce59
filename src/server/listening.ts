/**
 * Where a server listens: opens all of its places or none, closes them, and says when they are free again.
 */
import { ErrorKinds } from '../io/error-kinds.ts';
import { warnOfOpenFiles } from '../io/transports/open-files.ts';
import { TlsHandshakeFailure } from '../io/transports/tls.ts';
import type { ServerTlsOptions } from '../io/transports/tls-identity.ts';
import type { Accept, Address, Listener } from '../io/transports/transport.ts';
import type { ServerActor } from '../machines/server-machine.ts';
import { checkUnused, explain, listenerOf, spentDescriptor } from './places.ts';
import type { ServerRecipient } from './recipient.ts';
import type { Place, ServerSettings } from './settings.ts';

/** What the places need of their server, and tell it. */
export interface ListeningHost {
  readonly settings: ServerSettings;
  /** Hears `listener.ready` and `listener.failed`. */
  readonly actor: ServerActor;
  readonly accept: Accept;
  readonly recipient: ServerRecipient;
  /** A peer did not come through its TLS handshake. */
  handshakeLost(failure: TlsHandshakeFailure): void;
  /** The places that were closed last are free. */
  portClosed(): void;
}

export class Listening {
  /** Errors of accepting, of which the first of each kind is told. */
  readonly acceptErrors = new ErrorKinds();

  readonly #host: ListeningHost;
  #listeners: readonly Listener[] = [];
  #opening: Promise<void> = Promise.resolve();
  #closed: Promise<void> = Promise.resolve();
  /** Descriptors that were listened on. Closing closes them, and then their numbers may be of something else. */
  readonly #spent = new Set<number>();

  constructor(host: ListeningHost) {
    this.#host = host;
  }

  /** Settles when the last places that were closed are free. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  /** Where it listens, in the order of the options. */
  addresses(): Address[] {
    return this.#listeners.flatMap((listener) => listener.address() ?? []);
  }

  /** Opens all places; answers with `listener.ready` or `listener.failed`. */
  open(): void {
    const host = this.#host;
    const { places, maxConnections } = host.settings;
    if (places.some(({ listener }) => listener === undefined)) warnOfOpenFiles(maxConnections);
    const listeners = places.map((place) => listenerOf(place, host.settings));
    this.#listeners = listeners;
    const early = new Early(host.accept);
    // A port that was lost may still be in the middle of being closed.
    this.#opening = this.#closed.then(() => this.#openAll(listeners, early.accept));
    this.#opening.then(
      () => {
        host.actor.send({ type: 'listener.ready' });
        early.passOn();
      },
      (error: Error) => {
        if (this.#listeners === listeners) this.#listeners = [];
        host.actor.send({ type: 'listener.failed', error });
        early.passOn();
      },
    );
  }

  /**
   * Opens one after the other. When one cannot be opened, those before it are closed. Descriptors come last: they cannot be
   * opened again, so another place that cannot be opened shall not cost them.
   */
  async #openAll(listeners: readonly Listener[], accept: Accept): Promise<void> {
    const places = listeners.map((listener, at) => ({ ...this.#host.settings.places[at], listener }));
    const isHandedDown = ({ fd }: Place) => fd !== undefined;
    const inTurn = [...places.filter((place) => !isHandedDown(place)), ...places.filter(isHandedDown)];
    const open: Listener[] = [];
    for (const { listener, ...place } of inTurn) {
      try {
        this.#spend(place.fd);
        await checkUnused(place);
        await listener.listen(accept, (error) => this.#erred(listener, error));
        open.push(listener);
      } catch (error) {
        await closeAll(open);
        throw explain(error as Error, place);
      }
    }
  }

  #spend(fd: number | undefined): void {
    if (fd === undefined) return;
    if (this.#spent.has(fd)) throw spentDescriptor(fd);
    this.#spent.add(fd);
  }

  /** A listener that has no address any more is lost. Any other error is one of accepting: the listener goes on. */
  #erred(listener: Listener, error: Error): void {
    if (error instanceof TlsHandshakeFailure) {
      this.#host.handshakeLost(error);
      return;
    }
    const isLost = () => this.#listeners.includes(listener) && listener.address() === null;
    if (isLost() || this.acceptErrors.isNews(error)) this.#host.recipient.failed(error);
    if (isLost()) this.#host.actor.send({ type: 'listener.failed', error });
  }

  /** Closes all places before the connections are closed; `close` comes later, and tells that they are free. */
  closeEarly(): void {
    void closeAll(this.#listeners);
  }

  /** Closes all places, and tells when they are free: at once when none is open. */
  close(): void {
    const listeners = this.#listeners;
    this.#listeners = [];
    // Places that are being opened are closed once they are open. An error leaves nothing that could be closed.
    const closed =
      listeners.length === 0
        ? this.#closed.then(() => {})
        : this.#opening.then(() => closeAll(listeners)).catch(() => {});
    this.#closed = closed;
    void closed.then(() => {
      if (this.#closed === closed) this.#host.portClosed();
    });
  }

  /**
   * Renews the certificates of all places that have TLS; false when none has.
   * @throws what `node:tls` throws, and then none is changed.
   */
  renewTls(changes: ServerTlsOptions): boolean {
    const identities = this.#host.settings.places.flatMap(({ tls }) => tls ?? []);
    const renewals = identities.map((identity) => identity.prepare(changes));
    for (const renew of renewals) renew();
    return identities.length > 0;
  }
}

/** Connections that come to one place while another is still being opened wait for the outcome. */
class Early {
  readonly #accept: Accept;
  #waiting: Parameters<Accept>[] | undefined = [];

  constructor(accept: Accept) {
    this.#accept = accept;
  }

  readonly accept: Accept = (transport, refusal) => {
    if (this.#waiting === undefined) this.#accept(transport, refusal);
    else this.#waiting.push([transport, refusal]);
  };

  passOn(): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const [transport, refusal] of waiting) this.#accept(transport, refusal);
  }
}

async function closeAll(listeners: readonly Listener[]): Promise<void> {
  await Promise.allSettled(listeners.map((listener) => listener.close()));
}
