/** A promise that is settled from outside. */
import { expect, test } from 'vitest';
import { deferred } from '../../src/server/deferred.ts';

test('resolves with what it is given; what comes later changes nothing', async () => {
  const { promise, settle } = deferred<number>();
  settle(1);
  settle(2);
  settle(new Error('too late'));
  expect(await promise).toBe(1);
});

test('rejects with an error', async () => {
  const { promise, settle } = deferred<number>();
  settle(new Error('lost'));
  await expect(promise).rejects.toThrow('lost');
});
