/**
 * One connection of a gateway: the handlers that Nest has bound to it, and the answers under way.
 */
import type { Subscribable, Unsubscribable } from 'rxjs';
import type { Connection } from '../api/connection/connection.ts';
import type { Params } from '../api/paths/router.ts';
import type { Message } from '../connection/recipient.ts';
import type { SendResult } from '../io/writing/outbox-ports.ts';
import { answerTo, type GatewayMessage, readMessage } from './messages.ts';

/** A connection as `@ConnectedSocket()` gives it. */
export type GatewayConnection<Data = unknown, P extends Params = Params> = Connection<Data, P> & {
  /** Sends `{ event, data }` as JSON. Nest's exception filters answer with it. Returns what `send` returns. */
  emit(event: string, data?: unknown): SendResult;
};

/** A method with `@SubscribeMessage`, as Nest gives it to an adapter (its `WsMessageHandler`). */
export interface MessageHandler {
  /** The event that it is for. */
  readonly message: unknown;
  callback(data: unknown, event: string): unknown;
}

/** Makes an observable of what a handler returns: Nest's, which an adapter is given. */
export type Transform = (result: unknown) => Subscribable<unknown>;

/** The handlers of one gateway. */
interface Bound {
  readonly handlers: ReadonlyMap<unknown, MessageHandler>;
  readonly transform: Transform;
}

export class BoundConnection {
  readonly connection: GatewayConnection;
  /** Several gateways may have the same path. */
  readonly #bound: Bound[] = [];
  readonly #onEnd: ((reason: string) => void)[] = [];
  readonly #answering = new Set<Unsubscribable>();
  #hasEnded = false;

  constructor(connection: Connection) {
    const emit = (event: string, data?: unknown) => connection.send(JSON.stringify({ event, data }));
    this.connection = Object.assign(connection, { emit });
  }

  bind(handlers: readonly MessageHandler[], transform: Transform): void {
    const byEvent = new Map(handlers.map((handler) => [handler.message, handler]));
    this.#bound.push({ handlers: byEvent, transform });
  }

  onEnd(callback: (reason: string) => void): void {
    this.#onEnd.push(callback);
  }

  /** Gives a message to the handlers of its event. One that is malformed, or for nobody, is ignored, as Nest does. */
  take(raw: Message): void {
    const message = readMessage(raw);
    if (message === undefined) return;
    for (const { handlers, transform } of this.#bound) {
      const handler = handlers.get(message.event);
      if (handler !== undefined) this.#answer(message, handler, transform);
    }
  }

  /** The connection has ended: whatever still answers is unsubscribed from. Throws what the first of them has thrown. */
  end(reason: string): void {
    this.#hasEnded = true;
    const errors: unknown[] = [];
    const attempt = (step: () => void) => {
      try {
        step();
      } catch (error) {
        errors.push(error);
      }
    };
    for (const subscription of this.#answering) attempt(() => subscription.unsubscribe());
    this.#answering.clear();
    for (const callback of this.#onEnd) attempt(() => callback(reason));
    if (errors.length > 0) throw errors[0];
  }

  #answer(message: GatewayMessage, handler: MessageHandler, transform: Transform): void {
    let isOver = false;
    let subscription: Unsubscribable | undefined;
    const over = () => {
      isOver = true;
      if (subscription !== undefined) this.#answering.delete(subscription);
    };
    const fail = (error: unknown) => {
      over();
      subscription?.unsubscribe();
      this.connection.failed(error);
    };
    try {
      subscription = transform(handler.callback(message.data, message.event)).subscribe({
        next: (value) => {
          try {
            if (!isOver && !this.#hasEnded) this.#send(message, value);
          } catch (error) {
            // Thrown on, it would be RxJS's to report, which ends the process.
            fail(error);
          }
        },
        error: fail,
        complete: over,
      });
    } catch (error) {
      fail(error);
      return;
    }
    if (isOver || this.#hasEnded) subscription.unsubscribe();
    else this.#answering.add(subscription);
  }

  #send(message: GatewayMessage, value: unknown): void {
    const answer = answerTo(message, value);
    if (answer !== undefined) this.connection.send(answer);
  }
}
