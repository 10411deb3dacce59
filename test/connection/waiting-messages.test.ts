/** Messages that wait for the user: who holds them back, what must wait, and what is delivered next. */
import { describe, expect, test } from 'vitest';
import { ITEM_BYTES, type Waiting } from '../../src/connection/read-ahead.ts';
import type { Recipient } from '../../src/connection/recipient.ts';
import { WaitingMessages } from '../../src/connection/waiting-messages.ts';

const whole = (message: string): Waiting => ({ kind: 'whole', message });
const fragment = { data: 'f', opcode: 'text', first: true, final: false } as const;

function recipient() {
  const seen: unknown[] = [];
  const told: Pick<Recipient, 'whole' | 'fragment' | 'last'> = {
    whole: (message) => void seen.push(['whole', message]),
    fragment: (part) => void seen.push(['fragment', part]),
    last: (part, message) => void seen.push(['last', part, message]),
  };
  return { seen, recipient: told as Recipient }; // nothing else is called
}

test('at first nothing waits, and nothing must', () => {
  const waiting = new WaitingMessages();
  expect([waiting.isEmpty, waiting.messages, waiting.heldBytes]).toEqual([true, 0, 0]);
  expect([waiting.mustWait, waiting.canDeliver, waiting.mustStop(0)]).toEqual([false, false, false]);
  expect(waiting.deliverNext(recipient().recipient)).toBe(false);
  waiting.clear();
  expect(waiting.isEmpty).toBe(true);
});

test('a message must wait behind others, also when nobody holds messages back any more', () => {
  const waiting = new WaitingMessages();
  const { seen, recipient: user } = recipient();
  waiting.handling(1);
  expect(waiting.mustWait).toBe(true);
  waiting.add(whole('a'));
  expect([waiting.canDeliver, waiting.deliverNext(user)]).toEqual([false, false]);
  waiting.handling(-1);
  expect([waiting.mustWait, waiting.canDeliver]).toEqual([true, true]);
  expect(waiting.deliverNext(user)).toBe(true);
  expect([waiting.mustWait, waiting.canDeliver]).toEqual([false, false]);
  expect(seen).toEqual([['whole', 'a']]);
});

test('each kind is given to the user as what it is, in order', () => {
  const waiting = new WaitingMessages();
  const { seen, recipient: user } = recipient();
  waiting.add({ kind: 'fragment', fragment });
  waiting.add({ kind: 'last', fragment: undefined, message: 'fg' });
  waiting.add(whole('a'));
  expect(waiting.messages).toBe(2);
  expect(waiting.heldBytes).toBeGreaterThanOrEqual(4 + 3 * ITEM_BYTES);
  while (waiting.deliverNext(user));
  expect(seen).toEqual([
    ['fragment', fragment],
    ['last', undefined, 'fg'],
    ['whole', 'a'],
  ]);
  expect([waiting.messages, waiting.heldBytes]).toEqual([0, 0]);
});

test('is idle when nobody holds messages back and none waits', () => {
  const waiting = new WaitingMessages();
  expect(waiting.isIdle).toBe(true);
  waiting.handling(1);
  waiting.add(whole('a'));
  expect(waiting.isIdle).toBe(false);
  waiting.handling(-1);
  expect(waiting.isIdle).toBe(false);
  waiting.deliverNext(recipient().recipient);
  expect(waiting.isIdle).toBe(true);
});

test('a command runs at once, but after the messages that are being delivered', () => {
  const waiting = new WaitingMessages();
  const did: string[] = [];
  waiting.command(() => did.push('at once'));
  waiting.deliver(() => {
    waiting.command(() => did.push('later'));
    waiting.command(() => did.push('after that'));
    did.push('message');
  });
  waiting.command(() => did.push('at once'));
  expect(did).toEqual(['at once', 'message', 'later', 'after that', 'at once']);
});

test('nothing is delivered until the turn of the connection comes', () => {
  const waiting = new WaitingMessages();
  waiting.add(whole('a'));
  waiting.holding.behind = true;
  expect(waiting.canDeliver).toBe(false);
  waiting.holding.behind = false;
  expect(waiting.canDeliver).toBe(true);
});

test('clear drops what waits', () => {
  const waiting = new WaitingMessages();
  waiting.add(whole('a'));
  waiting.clear();
  expect([waiting.isEmpty, waiting.messages, waiting.heldBytes]).toEqual([true, 0, 0]);
});

describe('decoding stops', () => {
  test('once messages of readAhead bytes wait, and only while they are held back', () => {
    const waiting = new WaitingMessages();
    waiting.handling(1);
    waiting.add(whole('abc'));
    const bytes = 3 + ITEM_BYTES;
    expect([waiting.mustStop(bytes + 1), waiting.holding.full]).toEqual([false, false]);
    expect([waiting.mustStop(bytes), waiting.holding.full]).toEqual([true, true]);
    waiting.handling(-1);
    expect([waiting.mustStop(bytes), waiting.holding.full]).toEqual([false, false]);
  });

  test('for a pause, and for a turn that is over', () => {
    const waiting = new WaitingMessages();
    waiting.holding.paused = true;
    expect(waiting.mustStop(1000)).toBe(true);
    waiting.holding.paused = false;
    waiting.holding.behind = true;
    expect(waiting.mustStop(1000)).toBe(true);
  });
});

describe('who holds messages back', () => {
  test('iterators, until each waits for a message', () => {
    const waiting = new WaitingMessages();
    waiting.iterating(1);
    expect(waiting.mustWait).toBe(true);
    waiting.pulling(1);
    expect(waiting.mustWait).toBe(false);
    waiting.pulling(-1);
    expect(waiting.mustWait).toBe(true);
    waiting.iterating(-1);
    expect(waiting.mustWait).toBe(false);
  });

  test('a codec counts as a handler, but is none', () => {
    const waiting = new WaitingMessages();
    waiting.decoding(true);
    expect([waiting.mustWait, waiting.holding.handlers, waiting.isHandling]).toEqual([true, 1, false]);
    waiting.handling(1);
    expect(waiting.isHandling).toBe(true);
    waiting.handling(-1);
    waiting.decoding(false);
    expect([waiting.mustWait, waiting.holding.handlers, waiting.isHandling]).toEqual([false, 0, false]);
  });

  test('not a handler in which somebody awaits an answer, until no handler is pending', () => {
    const waiting = new WaitingMessages();
    const [one, other] = [{}, {}];
    waiting.handling(1);
    waiting.ask(one);
    waiting.ask(other);
    waiting.askNoMore(one);
    expect(waiting.mustWait).toBe(false);
    waiting.askNoMore(other);
    expect(waiting.mustWait).toBe(true);
    waiting.ask(one);
    waiting.handling(-1);
    waiting.handling(1);
    expect(waiting.mustWait).toBe(true);
  });
});
