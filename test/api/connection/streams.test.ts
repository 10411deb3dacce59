/** The streams as RxJS sees them: hot, guarded, and done when they say so. */
import { filter, firstValueFrom, map, Subject } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { Stream } from '../../../src/api/connection/streams.ts';
import { record } from '../../support/serving.ts';

interface Caught {
  error: unknown;
  value: unknown;
}

function stream<T>(present?: () => T | undefined): { stream: Stream<T>; caught: Caught[] } {
  const caught: Caught[] = [];
  return { stream: new Stream<T>((error, value) => caught.push({ error, value }), present), caught };
}

const boom = new Error('boom');
const explode = (): never => {
  throw boom;
};

describe('a stream', () => {
  test('is hot: a value goes to those who are subscribed at the time', () => {
    const { stream: numbers } = stream<number>();
    numbers.next(1);
    const early = record(numbers.observable);
    numbers.next(2);
    const late = record(numbers.observable);
    numbers.next(3);
    expect([early.values, late.values]).toEqual([[2, 3], [3]]);
  });

  test('knows whether anybody is subscribed', () => {
    const { stream: numbers } = stream<number>();
    expect(numbers.observed).toBe(false);
    const subscription = numbers.observable.subscribe();
    expect(numbers.observed).toBe(true);
    subscription.unsubscribe();
    expect(numbers.observed).toBe(false);
  });

  test('completes its subscribers, and at once those who come after', () => {
    const { stream: numbers } = stream<number>();
    const early = record(numbers.observable);
    numbers.complete();
    expect([early.ends, record(numbers.observable).ends]).toEqual([['complete'], ['complete']]);
  });

  test('gives a subscriber the present value first, where there is one', () => {
    let now: string | undefined;
    const { stream: state } = stream<string>(() => now);
    const before = record(state.observable);
    now = 'open';
    state.next('open');
    const after = record(state.observable);
    now = 'closed';
    state.next('closed');
    expect([before.values, after.values]).toEqual([
      ['open', 'closed'],
      ['open', 'closed'],
    ]);
  });
});

describe('a subscriber that throws', () => {
  test('is caught with the value it was handling, and the others get theirs', () => {
    const { stream: numbers, caught } = stream<number>();
    numbers.observable.subscribe(explode);
    const other = record(numbers.observable);
    numbers.next(7);
    expect(caught).toEqual([{ error: boom, value: 7 }]);
    expect(other.values).toEqual([7]);
  });

  test('stays subscribed', () => {
    const { stream: numbers, caught } = stream<number>();
    numbers.observable.subscribe({ next: explode });
    numbers.next(1);
    numbers.next(2);
    expect(caught.map(({ value }) => value)).toEqual([1, 2]);
  });

  test('is caught behind any number of operators, and the operators too, with that value', () => {
    const { stream: numbers, caught } = stream<number>();
    numbers.observable.pipe(filter((n) => n > 1)).subscribe(explode);
    numbers.observable
      .pipe(map((n) => n + 1))
      .pipe(map(explode))
      .subscribe();
    numbers.next(1);
    numbers.next(2);
    expect(caught).toEqual([
      { error: boom, value: 1 },
      { error: boom, value: 2 },
    ]);
  });

  test('is caught when it throws at the present value, and at completion', () => {
    const { stream: state, caught } = stream<string>(() => 'open');
    state.observable.subscribe({ next: explode, complete: explode });
    state.complete();
    expect(caught.map(({ error }) => error)).toEqual([boom, boom]);
  });

  test('is caught when its promise rejects', async () => {
    const { stream: numbers, caught } = stream<number>();
    numbers.observable.subscribe(async () => explode());
    numbers.next(9);
    await Promise.resolve().then(() => Promise.resolve());
    expect(caught).toEqual([{ error: boom, value: 9 }]);
  });

  test('is caught with its own value when another stream speaks meanwhile', () => {
    const { stream: numbers, caught } = stream<number>();
    numbers.observable.subscribe((n) => {
      if (n < 3) numbers.next(n + 1);
    });
    numbers.observable.pipe(map(explode)).subscribe();
    numbers.next(1);
    expect(caught).toEqual([{ error: boom, value: 3 }]);
  });

  test('that takes errors itself gets what its operators throw', () => {
    const { stream: numbers, caught } = stream<number>();
    const errors: unknown[] = [];
    numbers.observable.pipe(map(explode)).subscribe({ error: (error) => errors.push(error) });
    numbers.next(1);
    expect([errors, caught]).toEqual([[boom], []]);
  });
});

describe('the forms of a subscription that RxJS has', () => {
  test('nothing, a function, three functions, an observer of a class, a Subject', () => {
    const { stream: numbers } = stream<number>();
    const seen: string[] = [];
    class Observer {
      readonly name = 'class';
      next(n: number): void {
        seen.push(`${this.name} ${n}`);
      }
    }
    const subject = new Subject<number>();
    subject.subscribe((n) => seen.push(`subject ${n}`));
    numbers.observable.subscribe();
    numbers.observable.subscribe(null);
    numbers.observable.subscribe((n) => seen.push(`function ${n}`));
    numbers.observable.subscribe(undefined, null, () => seen.push('complete'));
    numbers.observable.subscribe(new Observer());
    numbers.observable.subscribe(subject);
    numbers.next(1);
    numbers.complete();
    expect(seen).toEqual(['function 1', 'class 1', 'subject 1', 'complete']);
  });

  test('firstValueFrom takes the present value', async () => {
    const { stream: state } = stream<string>(() => 'open');
    expect(await firstValueFrom(state.observable)).toBe('open');
  });
});
