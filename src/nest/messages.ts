/**
 * The messages of a gateway: `{ event, data }` as JSON, as with Nest's own adapter for WebSockets.
 */
import type { Message } from '../connection/recipient.ts';
import { isPlainObject } from '../io/values.ts';

/** A message of a client: the name of a handler, what it is given, and a number or a text that its answers repeat. */
export interface GatewayMessage {
  readonly event: string;
  readonly data?: unknown;
  readonly id?: string | number;
}

const utf8 = new TextDecoder();

/** What a client has sent; undefined if it is not JSON, or names no event. */
export function readMessage(message: Message): GatewayMessage | undefined {
  const value = parse(typeof message === 'string' ? message : utf8.decode(message));
  if (!isPlainObject(value) || typeof value.event !== 'string') return undefined;
  const { event, data, id } = value;
  return typeof id === 'string' || typeof id === 'number' ? { event, data, id } : { event, data };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * What is sent for a value that a handler gives: an object with a text `event` is an answer already (Nest's `WsResponse`), and
 * everything else is the data of an answer to the event that was asked for. Undefined and null are no answer.
 */
export function answerTo({ event, id }: GatewayMessage, value: unknown): string | undefined {
  if (value === undefined || value === null) return undefined;
  const answer = hasEvent(value) ? value : { event, data: value };
  return JSON.stringify(id === undefined ? answer : { ...answer, id });
}

function hasEvent(value: unknown): value is { event: string } {
  return typeof value === 'object' && value !== null && 'event' in value && typeof value.event === 'string';
}
