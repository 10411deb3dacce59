/** A message with its position: text stays text, bytes stay bytes. */
import { expect, test } from 'vitest';
import { messageOf, stampWith } from '../../../src/api/topics/stamp.ts';
import { contentOf, encodeMessage } from '../../../src/io/writing/encoded-message.ts';

test('by default the position is a line of its own before the message', () => {
  const stamp = stampWith(undefined);
  expect(messageOf(stamp(encodeMessage('héllo\n'), 'e.7'))).toBe('e.7\nhéllo\n');
  const bytes = messageOf(stamp(encodeMessage(Uint8Array.of(0, 255)), 'e.7')) as Uint8Array;
  expect([...bytes]).toEqual([...Buffer.from('e.7\n'), 0, 255]);
});

test('a function of the user makes it of the message and the position', () => {
  const stamp = stampWith((message, position) => JSON.stringify({ message, position }));
  expect(messageOf(stamp(encodeMessage('hi'), 'e.7'))).toBe('{"message":"hi","position":"e.7"}');
  const nothing = stampWith(() => undefined as never);
  expect(() => nothing(encodeMessage('hi'), 'e.7')).toThrow(TypeError);
});

test('the message that was encoded comes back; bytes are a copy', () => {
  const message = encodeMessage(Uint8Array.of(1, 2));
  const bytes = messageOf(message) as Uint8Array;
  bytes.fill(9);
  expect([...contentOf(message).bytes]).toEqual([1, 2]);
  expect(messageOf(encodeMessage('é'))).toBe('é');
});
