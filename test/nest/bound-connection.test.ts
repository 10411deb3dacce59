import { Observable, of, Subject, throwError } from 'rxjs';
import { describe, expect, test, vi } from 'vitest';
import type { Connection } from '../../src/index.ts';
import { BoundConnection, type MessageHandler, type Transform } from '../../src/nest/bound-connection.ts';

/** A connection that keeps what it is told, with one handler for the event `ask`. */
function bound(
  answer: (data: unknown, event: string) => unknown,
  transform: Transform = (result) => result as never,
) {
  const sent: unknown[] = [];
  const failures: unknown[] = [];
  const connection = {
    send(text: string) {
      sent.push(JSON.parse(text));
      return 'sent';
    },
    failed(error: unknown) {
      failures.push(error);
      return true;
    },
  };
  const one = new BoundConnection(connection as unknown as Connection);
  one.bind([handler('ask', answer)], transform);
  const ask = (data?: unknown, id?: number) => one.take(JSON.stringify({ event: 'ask', data, id }));
  return { one, ask, sent, failures };
}

const handler = (message: string, callback: MessageHandler['callback']): MessageHandler => ({
  message,
  callback,
});

/** An observable, and how many are subscribed to it. */
function counted() {
  const subject = new Subject<unknown>();
  const count = { now: 0 };
  const observable = new Observable((subscriber) => {
    count.now++;
    const subscription = subject.subscribe(subscriber);
    return () => {
      count.now--;
      subscription.unsubscribe();
    };
  });
  return { subject, observable, count };
}

test('a handler gets the data and the event; its result goes through what Nest gives', () => {
  const callback = vi.fn(() => 'result');
  const transform = vi.fn((result: unknown) => of(`${result}!`));
  const { ask, sent } = bound(callback, transform);
  ask([1]);
  expect(callback.mock.calls).toEqual([[[1], 'ask']]);
  expect(transform.mock.calls).toEqual([['result']]);
  expect(sent).toEqual([{ event: 'ask', data: 'result!' }]);
});

test('the handlers of all gateways of the path answer', () => {
  const { one, ask, sent } = bound(() => of(1));
  one.bind([handler('other', () => of('no')), handler('ask', () => of(2))], (result) => result as never);
  ask(undefined, 5);
  expect(sent).toEqual([1, 2].map((data) => ({ event: 'ask', data, id: 5 })));
});

test.each(['{', '{"event":"unknown"}', '{"event":"toString"}', 'null'])('%s is passed over', (text) => {
  const { one, sent, failures } = bound(() => of(1));
  one.take(text);
  expect([sent, failures]).toEqual([[], []]);
});

test('emit sends an event', () => {
  const { one, sent } = bound(() => of());
  expect(one.connection.emit('exception', { status: 'error' })).toBe('sent');
  one.connection.emit('bare');
  expect(sent).toEqual([{ event: 'exception', data: { status: 'error' } }, { event: 'bare' }]);
});

describe('the end of the connection', () => {
  test('unsubscribes from all that still answer, and what they give meanwhile is not sent', () => {
    const { subject, observable, count } = counted();
    const { one, ask, sent } = bound(() => observable);
    ask();
    ask();
    subject.next('before');
    expect([count.now, sent.length]).toEqual([2, 2]);
    one.end('');
    subject.next('after');
    expect([count.now, sent.length]).toEqual([0, 2]);
  });

  test('unsubscribes from what is subscribed to while it ends', () => {
    const { observable, count } = counted();
    const { one, ask } = bound(() => {
      one.end('');
      return observable;
    });
    ask();
    expect(count.now).toBe(0);
  });

  test('tells the reason to all who want it', () => {
    const { one } = bound(() => of());
    const calls: string[] = [];
    one.onEnd((reason) => calls.push(`first ${reason}`));
    one.onEnd((reason) => calls.push(`second ${reason}`));
    one.end('bye');
    expect(calls).toEqual(['first bye', 'second bye']);
  });

  test('an error of one does not keep the others from their end', () => {
    const { observable, count } = counted();
    const failing = new Observable(() => () => {
      throw new Error('teardown');
    });
    const { one, ask } = bound((data) => (data === 'failing' ? failing : observable));
    const ended = vi.fn();
    one.onEnd(ended);
    ask('failing');
    ask();
    expect(() => one.end('')).toThrow(/teardown/);
    expect([count.now, ended.mock.calls]).toEqual([0, [['']]]);
  });
});

describe('failures are told to the connection', () => {
  test.each<[string, () => unknown]>([
    ['an observable that fails', () => throwError(() => new Error('no'))],
    [
      'a handler that throws',
      () => {
        throw new Error('no');
      },
    ],
    ['a value that is no JSON', () => of(1n)],
    ['no observable', () => undefined],
  ])('%s', (_, answer) => {
    const { ask, failures } = bound(answer);
    ask();
    expect(failures).toEqual([expect.any(Error)]);
  });

  test('nothing more is taken after a value that is no JSON', () => {
    const { subject, observable, count } = counted();
    const { ask, sent, failures } = bound(() => observable);
    ask();
    subject.next(1n);
    subject.next('after');
    expect([count.now, sent, failures.length]).toEqual([0, [], 1]);
  });
});
