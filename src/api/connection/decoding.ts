/**
 * What a message means by the codec of its path. A codec may answer with a promise; then the next message waits, as it does
 * for a handler.
 */

import type { Message } from '../../connection/recipient.ts';
import { isThenable } from '../../io/values.ts';
import { InvalidMessageError } from '../errors.ts';
import type { Codec } from '../messages/codec.ts';

/** What decoding needs of its connection. */
export interface DecodingOwner {
  readonly reading: {
    /** Whether messages may still be delivered. */
    readonly delivers: boolean;
    /** Holds the next message back, or no longer. */
    hold(): { decoding(isPending: boolean): void; deliver(give: () => void): void };
    readAgain(): void;
  };
  /** A stop of the server waits for what has begun here. */
  readonly handlerHost: { handlerBegan(): number; handlerEnded(began: number): void };
  /** The codec threw or rejected: the message is not what the path expects. */
  doesNotFit(error: unknown, message: Message): void;
}

/** Takes a decoded message. */
type Give = (value: unknown) => void;

/** Decodes a message, and gives the result or the error, at once or when the codec's promise settles. */
export function decode(codec: Codec, message: Message, give: Give, owner: DecodingOwner): void {
  try {
    const value = codec.decode(message);
    if (isThenable(value)) awaitDecoded(value, message, give, owner);
    else give(value);
  } catch (error) {
    owner.doesNotFit(error, message);
  }
}

function awaitDecoded(
  decoded: PromiseLike<unknown>,
  message: Message,
  give: Give,
  owner: DecodingOwner,
): void {
  const { reading, handlerHost } = owner;
  reading.hold().decoding(true);
  const began = handlerHost.handlerBegan();
  const settled =
    (act: (value: unknown) => void) =>
    (value: unknown): void => {
      reading.hold().decoding(false);
      if (reading.delivers) reading.hold().deliver(() => act(value));
      handlerHost.handlerEnded(began);
      reading.readAgain();
    };
  Promise.resolve(decoded).then(
    settled(give),
    settled((error) => owner.doesNotFit(error, message)),
  );
}

/** The error that tells of a message which does not fit, made of what the codec threw. */
export function misfit(cause: unknown): InvalidMessageError {
  if (cause instanceof InvalidMessageError) return cause;
  const why = cause instanceof Error ? cause.message : String(cause);
  return new InvalidMessageError(why, { cause });
}
