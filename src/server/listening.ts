/**
 * The port of a server: opens it, closes it, and says when it is free again.
 */
import { AcceptErrors } from '../io/transports/accept-errors.ts';
import { HandleTcpListener } from '../io/transports/handle-tcp.ts';
import { warnOfOpenFiles } from '../io/transports/open-files.ts';
import { TcpListener } from '../io/transports/tcp.ts';
import type { Listener, Transport } from '../io/transports/transport.ts';
import type { ServerActor } from '../machines/server-machine.ts';
import { noListener } from './no-listener.ts';
import type { ServerRecipient } from './recipient.ts';
import type { ServerSettings } from './settings.ts';

/** What the port needs of its server, and tells it. */
export interface ListeningHost {
  readonly settings: ServerSettings;
  /** Hears `listener.ready` and `listener.failed`. */
  readonly actor: ServerActor;
  accept(transport: Transport): void;
  readonly recipient: ServerRecipient;
  /** The port that was closed last is free. */
  portClosed(): void;
}

export class Listening {
  /** Errors of accepting, of which the first of each kind is told. */
  readonly acceptErrors = new AcceptErrors();

  readonly #host: ListeningHost;
  #listener: Listener | undefined;
  #opening: Promise<void> = Promise.resolve();
  #closed: Promise<void> = Promise.resolve();

  constructor(host: ListeningHost) {
    this.#host = host;
  }

  /** Settles when the last port that was closed is free. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  address() {
    return this.#listener?.address() ?? null;
  }

  /** Opens the port; answers with `listener.ready` or `listener.failed`. */
  open(): void {
    const host = this.#host;
    const { listener, port, host: address, tcp } = host.settings;
    const Tcp = tcp === 'handle' ? HandleTcpListener : TcpListener;
    if (listener === undefined) warnOfOpenFiles(host.settings.maxConnections);
    const opened = listener ?? (port === undefined ? noListener : new Tcp({ port, host: address }));
    this.#listener = opened;
    // A port that was lost may still be in the middle of being closed.
    this.#opening = this.#closed.then(() =>
      opened.listen(
        (transport) => host.accept(transport),
        (error) => this.#erred(error),
      ),
    );
    this.#opening.then(
      () => host.actor.send({ type: 'listener.ready' }),
      (error: Error) => {
        if (this.#listener === opened) this.#listener = undefined;
        host.actor.send({ type: 'listener.failed', error: explain(error, port) });
      },
    );
  }

  /** A listener that has no address any more is lost. Any other error is one of accepting: the listener goes on. */
  #erred(error: Error): void {
    const isLost = () => this.#listener?.address() === null;
    if (isLost() || this.acceptErrors.isNews(error)) this.#host.recipient.failed(error);
    if (isLost()) this.#host.actor.send({ type: 'listener.failed', error });
  }

  /** Closes the port, and tells when it is free: at once when none is open. */
  close(): void {
    const listener = this.#listener;
    this.#listener = undefined;
    // A port that is being opened is closed once it is open. An error leaves nothing that could be closed.
    const closed =
      listener === undefined
        ? this.#closed.then(() => {})
        : this.#opening.then(() => listener.close()).catch(() => {});
    this.#closed = closed;
    void closed.then(() => {
      if (this.#closed === closed) this.#host.portClosed();
    });
  }
}

/** Says what to do about a port that cannot be opened. */
function explain(error: Error, port: number | undefined): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    error.message = `port ${port} is in use; stop what listens there or choose another port`;
  if (code === 'EACCES')
    error.message = `port ${port} needs more rights than this process has; choose one above 1023`;
  return error;
}
