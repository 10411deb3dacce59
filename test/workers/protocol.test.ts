import { expect, test } from 'vitest';
import { isOurs } from '../../src/workers/protocol.ts';

test.each([
  [{ portal: 'begin', engine: 1 }, true],
  [{}, false],
  [null, false],
  [undefined, false],
  ['portal', false],
])('%j is a message of workers: %s', (message, is) => {
  expect(isOurs(message)).toBe(is);
});
