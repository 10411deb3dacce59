/**
 * A message with its position, for clients that want to go on from there when they come back.
 */
import { Buffer } from 'node:buffer';
import type { Message } from '../../connection/recipient.ts';
import {
  contentOf,
  type EncodedMessage,
  encodeContent,
  encodeMessage,
} from '../../io/writing/encoded-message.ts';
import type { HistoryRule } from '../../topics/member.ts';

/** The message as the user's function makes it, or the position in a line of its own before the message. */
export function stampWith(
  stamp: ((message: Message, position: string) => Message) | undefined,
): HistoryRule['stamp'] {
  if (stamp === undefined) return lead;
  return (message, position) => encodeMessage(stamp(messageOf(message), position));
}

/** The message that was encoded. Bytes are its receiver's own. */
export function messageOf(message: EncodedMessage): Message {
  const { bytes, binary } = contentOf(message);
  return binary ? bytes.slice() : Buffer.from(bytes).toString();
}

function lead(message: EncodedMessage, position: string): EncodedMessage {
  const { bytes, binary } = contentOf(message);
  return encodeContent({ bytes: Buffer.concat([Buffer.from(`${position}\n`), bytes]), binary });
}
