import { describe, expect, test } from 'vitest';
import { readDeflate } from '../../../src/api/options/deflate.ts';
import { createServer } from '../../../src/index.ts';
import { refusal } from '../../support/refusal.ts';

const read = (value: unknown, overflow?: 'close' | 'drop') =>
  readDeflate('perMessageDeflate', value as never, overflow);
test('off, on, and the defaults of both modes', () => {
  expect([read(undefined), read(false)]).toEqual([undefined, undefined]);
  const shared = {
    mode: 'shared',
    level: 1,
    memLevel: 8,
    serverWindowBits: 15,
    clientWindowBits: 15,
    threshold: 256,
    contextThreshold: 256,
    contextBudget: 64 * 1_048_576,
  };
  expect([read(true), read({})]).toEqual([shared, shared]);
  expect(read({ mode: 'contexts' })).toEqual({
    ...shared,
    mode: 'contexts',
    memLevel: 5,
    serverWindowBits: 12,
    contextThreshold: 32,
  });
  expect(read({ mode: 'contexts', threshold: 100 })).toMatchObject({ threshold: 100, contextThreshold: 100 });
});

describe('what is wrong is said', () => {
  test.each([
    ['perMessageDeflate', 'yes'],
    ['perMessageDeflate', null],
    ['perMessageDeflate', []],
    ['perMessageDeflate', 1],
    ['perMessageDeflate.mode', { mode: 'dedicated' }],
    ['perMessageDeflate.levels', { levels: 1 }],
    ['perMessageDeflate.level', { level: 0 }],
    ['perMessageDeflate.level', { level: 10 }],
    ['perMessageDeflate.memLevel', { memLevel: 0 }],
    ['perMessageDeflate.serverWindowBits', { serverWindowBits: 7 }],
    ['perMessageDeflate.clientWindowBits', { clientWindowBits: 16 }],
    ['perMessageDeflate.threshold', { threshold: -1 }],
    ['perMessageDeflate.contextBudget', { mode: 'contexts', contextBudget: 1000 }],
    ['perMessageDeflate.contextBudget', { contextBudget: 1e8 }],
    ['perMessageDeflate.contextBudget', { mode: 'shared', contextBudget: 1e8 }],
  ])('%s: %j', (option, value) => {
    expect(refusal(() => read(value)).option).toBe(option);
  });

  test('contexts go only with overflow close', () => {
    const error = refusal(() =>
      createServer({ port: 0, overflow: 'drop', perMessageDeflate: { mode: 'contexts' } }),
    );
    expect(error.message).toMatch(/mode: allowed is 'shared' where overflow is 'drop'/);
    expect(read(true, 'drop')).toBeDefined();
  });

  test('on a path, too, which is named', () => {
    const server = createServer({ port: 0, perMessageDeflate: true });
    const error = refusal(() => server.path('/a', { perMessageDeflate: { level: 11 } }));
    expect(error.option).toBe('perMessageDeflate of /a.level');
    server.path('/a', { perMessageDeflate: false });
  });
});
