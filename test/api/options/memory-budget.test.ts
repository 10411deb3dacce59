/** The budget that a user makes, to give it to several servers. */
import { describe, expect, test } from 'vitest';
import { OptionError } from '../../../src/api/errors.ts';
import { readOptions, type ServerOptions } from '../../../src/api/options/options.ts';
import { MemoryBudget } from '../../../src/index.ts';

const untyped = (value: unknown) => value as number;

test.each([1, 64 * 1_048_576, 2 ** 40, Number.POSITIVE_INFINITY])('may have %s bytes', (limit) => {
  const budget = new MemoryBudget(limit);
  expect([budget.limit, budget.bytes]).toEqual([limit, 0]);
});

test.each([0, -1, 1.5, 2 ** 40 + 1, Number.NaN, '1', null, undefined, {}])('may not have %s', (wrong) => {
  expect(() => new MemoryBudget(untyped(wrong))).toThrow(OptionError);
});

describe('as an option', () => {
  test('gives a server its limit, and is what the server counts in', () => {
    const budget = new MemoryBudget(1000);
    expect(readOptions({ port: 0, memoryBudget: budget })).toMatchObject({
      memoryBudget: 1000,
      sharedBudget: budget,
    });
    expect(readOptions({ port: 0, memoryBudget: 1000 }).sharedBudget).toBeUndefined();
  });

  test.each([{ limit: 1000, bytes: 0 }, '1000', null, []])('a thing like one is refused: %s', (wrong) => {
    const options = { port: 0, memoryBudget: wrong } as unknown as ServerOptions;
    expect(() => readOptions(options)).toThrow(/option memoryBudget is .*, or Infinity, or a MemoryBudget$/);
  });

  test('no other limit is given one', () => {
    const options = { port: 0, cap: new MemoryBudget(1000) } as unknown as ServerOptions;
    expect(() => readOptions(options)).toThrow(OptionError);
  });
});
