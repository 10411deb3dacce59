/** Errors that RxJS would throw from a timer are caught, and its setting is as the user left it. */
import { concat, config, defer, map, merge, Observable, of, Subject, share, throwError } from 'rxjs';
import { afterEach, describe, expect, test } from 'vitest';
import { catchUnhandled } from '../../../src/api/connection/rxjs-errors.ts';

const boom = new Error('boom');
const explode = (): never => {
  throw boom;
};
afterEach(() => {
  config.useDeprecatedSynchronousErrorHandling = false;
});

describe('what nobody handles', () => {
  test.each<[string, () => unknown]>([
    ['a subscriber that throws', () => of(1).subscribe(explode)],
    ['an operator that throws', () => of(1).pipe(map(explode)).subscribe()],
    ['behind merge', () => merge(of(1), of(2)).subscribe(explode)],
    ['behind concat', () => concat(of(1), throwError(explode)).subscribe()],
    ['behind defer', () => defer(explode).subscribe()],
    [
      'behind share',
      () => {
        const values = new Subject<number>();
        const shared = values.pipe(share());
        shared.pipe(map(explode)).subscribe();
        values.next(1);
      },
    ],
    [
      'of a Subject',
      () => {
        const values = new Subject<number>();
        values.subscribe(explode);
        values.next(1);
      },
    ],
    ['that is thrown without RxJS', explode],
  ])('is returned: %s', (_, run) => {
    expect(catchUnhandled(() => void run())).toEqual({ error: boom });
  });

  test('is nothing where all goes well, or somebody handles it', () => {
    expect(catchUnhandled(() => void of(1).subscribe())).toBeUndefined();
    expect(
      catchUnhandled(
        () =>
          void of(1)
            .pipe(map(explode))
            .subscribe({ error: () => {} }),
      ),
    ).toBeUndefined();
  });

  test('goes to the outermost of two', () => {
    let inner: unknown = 'not run';
    const outer = catchUnhandled(() => {
      inner = catchUnhandled(() => void of(1).subscribe(explode));
    });
    expect([inner, outer]).toEqual([undefined, { error: boom }]);
  });
});

test.each([false, true])('the setting of RxJS is as it was before: %s', (before) => {
  config.useDeprecatedSynchronousErrorHandling = before;
  catchUnhandled(() => {});
  catchUnhandled(explode);
  expect(config.useDeprecatedSynchronousErrorHandling).toBe(before);
});

test('a subscriber that throws stays subscribed', () => {
  const seen: number[] = [];
  const values = new Observable<number>((subscriber) => {
    for (const n of [1, 2]) subscriber.next(n);
  });
  catchUnhandled(
    () =>
      void values.subscribe((n) => {
        seen.push(n);
        explode();
      }),
  );
  expect(seen).toEqual([1, 2]);
});
