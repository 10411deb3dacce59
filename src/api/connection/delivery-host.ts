/**
 * What the user's side of a connection asks of that of its server. Only types.
 */
import type { HttpResponse } from '../../io/http/http-response.ts';
import type { SubscriberError } from '../errors.ts';
import type { PlainRequest } from '../paths/handlers.ts';
import type { Path, Streams } from '../paths/path.ts';
import type { Match } from '../paths/router.ts';
import type { Connection, ConnectionTopics } from './connection.ts';
import type { HandlerHost } from './pending-handlers.ts';

/** What the user's side of a connection asks of that of its server. */
export interface DeliveryHost {
  readonly streams: Streams;
  readonly debugOnError: boolean;
  readonly onRequest:
    | ((request: PlainRequest) => HttpResponse | undefined | Promise<HttpResponse | undefined>)
    | undefined;
  match(path: string): Match<Path> | undefined;
  readonly handlers: HandlerHost;
  /** The topics of the server. */
  readonly topics: ConnectionTopics;
  /** The connection is open; it is closing or has ended. */
  opened(connection: Connection): void;
  left(connection: Connection): void;
  unheard(error: unknown): void;
  /** Tells once that a subscriber was ended by an error. */
  subscriberEnded(error: SubscriberError, streams: Streams): void;
  epochMs(): number;
}
