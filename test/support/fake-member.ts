/**
 * A member of topics without a connection: it keeps what it is given.
 */
import { contentOf, type EncodedMessage, encodeMessage } from '../../src/io/writing/encoded-message.ts';
import type { SendResult } from '../../src/io/writing/outbox-ports.ts';
import type { Member } from '../../src/topics/member.ts';

export class FakeMember implements Member {
  readonly id: number;
  isOpen = true;
  bufferedAmount = 0;
  /** What it was given, as text. */
  readonly heard: string[] = [];
  /** Called with each message, before it is kept; its answer is that of `deliver`. */
  answer: (text: string) => SendResult = () => 'sent';

  constructor(id: number) {
    this.id = id;
  }

  deliver(message: EncodedMessage, key: string | undefined): SendResult {
    if (!this.isOpen) return 'closed';
    const text = textOf(message);
    const result = this.answer(text);
    if (result === 'sent' || result === 'queued')
      this.heard.push(key === undefined ? text : `${key}=${text}`);
    return result;
  }
}

export const textOf = (message: EncodedMessage): string => Buffer.from(contentOf(message).bytes).toString();
export const message = (text: string): EncodedMessage => encodeMessage(text);
