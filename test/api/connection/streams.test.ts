/** The streams as RxJS sees them: hot, guarded, and done when they say so. */
import {
  BehaviorSubject,
  concat,
  defer,
  filter,
  firstValueFrom,
  map,
  merge,
  type Observable,
  Subject,
  share,
  switchMap,
  tap,
} from 'rxjs';
import { describe, expect, test } from 'vitest';
import { beginDelivery, Stream } from '../../../src/api/connection/streams.ts';
import type { SubscriberError } from '../../../src/api/errors.ts';
import { record } from '../../support/serving.ts';

interface Caught {
  error: unknown;
  value: unknown;
}

function stream<T>(present?: () => T | undefined) {
  const caught: Caught[] = [];
  const ends: SubscriberError[] = [];
  const traits = { name: 'numbers$', path: () => '/n', ended: (error: SubscriberError) => ends.push(error) };
  return {
    stream: new Stream<T>((error, value) => caught.push({ error, value }), present, traits),
    caught,
    ends,
  };
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

describe('a subscriber that comes while a value is handed out', () => {
  test('gets the next one, in whatever way it was added', () => {
    const { stream: numbers } = stream<number>();
    const late: number[] = [];
    numbers.observable.subscribe((n) => {
      if (n === 1) numbers.observable.subscribe((value) => late.push(value));
    });
    numbers.next(1);
    numbers.next(2);
    expect(late).toEqual([2]);
  });

  test('gets the next one of every stream of that delivery', () => {
    const { stream: first } = stream<number>();
    const { stream: second } = stream<number>();
    const late: number[] = [];
    const early = record(second.observable);
    first.observable.subscribe((n) => {
      if (n === 1) second.observable.subscribe((value) => late.push(value));
    });
    for (const n of [1, 2]) {
      const delivery = beginDelivery();
      first.next(n, delivery);
      second.next(n, delivery);
    }
    expect([early.values, late]).toEqual([[1, 2], [2]]);
  });

  test('gets a value that is handed out inside, for that comes after', () => {
    const { stream: numbers } = stream<number>();
    const late: number[] = [];
    numbers.observable.subscribe((n) => {
      if (n !== 1) return;
      numbers.observable.subscribe((value) => late.push(value));
      numbers.next(2);
    });
    numbers.next(1);
    expect(late).toEqual([2]);
  });

  test('gets the present value once, where there is one', () => {
    let now = 'open';
    const { stream: state } = stream<string>(() => now);
    const late: string[] = [];
    state.observable.subscribe((value) => {
      if (value === 'closing') state.observable.subscribe((inner) => late.push(inner));
    });
    now = 'closing';
    state.next(now);
    expect(late).toEqual(['closing']);
  });

  test('and one that leaves meanwhile gets nothing more', () => {
    const { stream: numbers } = stream<number>();
    const seen: number[] = [];
    numbers.observable.subscribe(() => second.unsubscribe());
    const second = numbers.observable.subscribe((n) => seen.push(n));
    numbers.next(1);
    expect(seen).toEqual([]);
  });
});

describe('an observable of the user’s over a stream', () => {
  const shapes: [name: string, shape: (numbers: Observable<number>) => Observable<number>][] = [
    ['merge', (numbers) => merge(numbers, new Subject<number>())],
    ['concat', (numbers) => concat(numbers, new Subject<number>())],
    ['defer', (numbers) => defer(() => numbers)],
    ['switchMap', (numbers) => new BehaviorSubject(0).pipe(switchMap(() => numbers))],
    ['share', (numbers) => numbers.pipe(share())],
    ['share behind merge', (numbers) => merge(numbers, new Subject<number>()).pipe(share())],
    [
      'a Subject',
      (numbers) => {
        const subject = new Subject<number>();
        numbers.subscribe(subject);
        return subject;
      },
    ],
    [
      'a Subject that a subscriber feeds',
      (numbers) => {
        const subject = new Subject<number>();
        numbers.subscribe((n) => subject.next(n));
        return subject;
      },
    ],
  ];

  test.each(shapes)('%s: a subscriber that throws is caught, and stays', (_, shape) => {
    const { stream: numbers, caught, ends } = stream<number>();
    shape(numbers.observable).subscribe(explode);
    numbers.next(1);
    numbers.next(2);
    expect(caught).toEqual([
      { error: boom, value: 1 },
      { error: boom, value: 2 },
    ]);
    expect(ends).toEqual([]);
  });

  test.each(shapes)('%s: an operator that throws is caught', (_, shape) => {
    const { stream: numbers, caught } = stream<number>();
    shape(numbers.observable).pipe(map(explode)).subscribe();
    numbers.next(1);
    numbers.next(2);
    expect(caught).toEqual([{ error: boom, value: 1 }]);
  });

  test('an error at the present value, and at completion, is caught', () => {
    const { stream: state, caught } = stream<string>(() => 'open');
    merge(state.observable).subscribe({ next: explode, complete: explode });
    state.complete();
    expect(caught.map(({ error }) => error)).toEqual([boom, boom]);
  });
});

describe('a subscriber that an error has ended', () => {
  test.each<[string, (numbers: Observable<number>) => unknown]>([
    ['behind an operator', (numbers) => numbers.pipe(map(explode)).subscribe()],
    ['behind merge', (numbers) => merge(numbers, new Subject()).pipe(map(explode)).subscribe()],
    ['in front of merge', (numbers) => merge(numbers.pipe(map(explode)), new Subject()).subscribe()],
    ['behind share', (numbers) => numbers.pipe(share(), tap(explode)).subscribe()],
    [
      'behind a Subject',
      (numbers) => {
        const subject = new Subject<number>();
        subject.pipe(map(explode)).subscribe();
        numbers.subscribe(subject);
      },
    ],
    [
      'a Subject itself',
      (numbers) => {
        const subject = new Subject<number>();
        subject.subscribe();
        numbers.pipe(map(explode)).subscribe(subject);
      },
    ],
  ])('is told once, by name and cause: %s', (_, subscribe) => {
    const { stream: numbers, ends, caught } = stream<number>();
    subscribe(numbers.observable);
    numbers.next(1);
    numbers.next(2);
    expect(ends).toMatchObject([{ stream: 'numbers$', path: '/n', cause: boom }]);
    expect(numbers.endedBy).toBe(ends[0]);
    expect(caught).toEqual([{ error: boom, value: 1 }]);
  });

  test('is not told where it takes errors itself, but remembered', () => {
    const { stream: numbers, ends } = stream<number>();
    numbers.observable.pipe(map(explode)).subscribe({ error: () => {} });
    numbers.next(1);
    expect([ends, numbers.endedBy?.cause]).toEqual([[], boom]);
  });

  test('of several streams: each remembers it, and it is told once', () => {
    const { stream: a, ends } = stream<number>();
    const { stream: b, ends: others } = stream<number>();
    merge(a.observable, b.observable).pipe(map(explode)).subscribe();
    a.next(1);
    expect([a.observed, b.observed, b.endedBy]).toEqual([false, false, ends[0]]);
    expect([ends.length, others.length]).toEqual([1, 0]);
  });

  test('is forgotten when another one comes', () => {
    const { stream: numbers } = stream<number>();
    numbers.observable.pipe(map(explode)).subscribe();
    numbers.next(1);
    numbers.observable.subscribe();
    expect(numbers.endedBy).toBeUndefined();
  });

  test('is not one that left while another failed', () => {
    const { stream: numbers, ends } = stream<number>();
    const leaving = numbers.observable.subscribe(() => leaving.unsubscribe());
    merge(new Subject(), numbers.observable.pipe(filter((n) => n > 1))).subscribe(explode);
    numbers.next(1);
    numbers.next(2);
    expect(ends).toEqual([]);
  });
});
