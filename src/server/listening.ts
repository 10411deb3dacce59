/**
 * The port of a server, from being opened until it is free again.
 */
import type { Actor } from 'xstate';
import type { Settings } from '../api/options/options.ts';
import { AcceptErrors } from '../io/transports/accept-errors.ts';
import { HandleTcpListener } from '../io/transports/handle-tcp.ts';
import { warnOfOpenFiles } from '../io/transports/open-files.ts';
import { TcpListener } from '../io/transports/tcp.ts';
import type { Listener, Transport } from '../io/transports/transport.ts';
import type { serverMachine } from '../machines/server-machine.ts';
import type { ServerRecipient } from './recipient.ts';
import type { ServerSettings } from './settings.ts';

/** What the port asks of its server, and tells it. */
export interface ListeningHost {
  readonly settings: ServerSettings;
  /** Hears `listener.ready` and `listener.failed`. */
  readonly actor: Actor<typeof serverMachine>;
  accept(transport: Transport): void;
  readonly recipient: ServerRecipient;
  /** A port that was closed is free. */
  portClosed(): void;
}

export class Listening {
  /** Whether nothing of the port is left: false also while it is being closed. */
  isFree = true;
  /** Errors of accepting, of which the first of each kind is reported. */
  readonly acceptErrors = new AcceptErrors();

  readonly #host: ListeningHost;
  #listener: Listener | undefined;
  #opening: Promise<void> = Promise.resolve();
  #closed: Promise<void> = Promise.resolve();

  constructor(host: ListeningHost) {
    this.#host = host;
  }

  /** Whether the port is open or being opened. */
  get isOpen(): boolean {
    return this.#listener !== undefined;
  }

  /** Settles when the last port that was closed is free. */
  get closed(): Promise<void> {
    return this.#closed;
  }

  address() {
    return this.#listener?.address() ?? null;
  }

  /** Opens the port; the machine hears of the outcome. */
  open(): void {
    const host = this.#host;
    const { listener, port, host: address, tcp } = host.settings;
    const Tcp = tcp === 'handle' ? HandleTcpListener : TcpListener;
    if (listener === undefined) warnOfOpenFiles(host.settings.maxConnections);
    const opened = listener ?? new Tcp({ port, host: address });
    this.#listener = opened;
    this.isFree = false;
    // Behind the closing of the port that was lost, if there was one.
    this.#opening = this.#closed.then(() =>
      opened.listen(
        (transport) => host.accept(transport),
        (error) => this.#erred(error),
      ),
    );
    this.#opening.then(
      () => host.actor.send({ type: 'listener.ready' }),
      (error: Error) => host.actor.send({ type: 'listener.failed', error: explain(error, port) }),
    );
  }

  /** A listener that has no address any more is lost. Any other error is one of accepting: the listener goes on. */
  #erred(error: Error): void {
    const isLost = () => this.#listener?.address() === null;
    if (isLost() || this.acceptErrors.isNews(error)) this.#host.recipient.failed(error);
    if (isLost()) this.#host.actor.send({ type: 'listener.failed', error });
  }

  close(): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    this.#listener = undefined;
    const closed = () => {
      if (this.#listener === undefined) this.isFree = true;
      this.#host.portClosed();
    };
    // A port that is being opened can be closed when it is open.
    this.#closed = this.#opening.then(() => listener.close()).then(closed, closed);
  }

  /** The port could not be opened, or was lost. */
  lost(): void {
    this.#listener = undefined;
    this.isFree = true;
  }
}

/** Says what to do about a port that cannot be opened. */
function explain(error: Error, port: number): Error {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE')
    error.message = `port ${port} is in use; stop what listens there or choose another port`;
  if (code === 'EACCES')
    error.message = `port ${port} needs more rights than this process has; choose one above 1023`;
  return error;
}
