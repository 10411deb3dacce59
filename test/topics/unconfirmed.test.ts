import { expect, test } from 'vitest';
import { MAX_UNCONFIRMED, Unconfirmed } from '../../src/topics/unconfirmed.ts';

test('takes so many bytes, then no more until some are confirmed', () => {
  const unconfirmed = new Unconfirmed();
  unconfirmed.add(MAX_UNCONFIRMED - 10);
  unconfirmed.add(10);
  expect(() => unconfirmed.add(1)).toThrow(/^the engine does not keep up: 16777216 bytes are unconfirmed/);
  unconfirmed.confirm(10);
  unconfirmed.add(5);
  expect(() => unconfirmed.add(6)).toThrow(/does not keep up/);
});
