import { pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { readWorkersOptions } from '../../src/workers/options.ts';
import { refusal } from '../support/refusal.ts';

const file = 'test/workers/program.mjs';

test('the defaults', () => {
  const settings = readWorkersOptions(file, {});
  expect(settings).toMatchObject({
    args: [],
    env: {},
    startDeadline: 30_000,
    stopDeadline: 10_000,
    signals: true,
  });
  expect(settings.count).toBeGreaterThan(0);
  expect(settings.file).toMatch(/^\/.*program\.mjs$/);
  expect(readWorkersOptions(pathToFileURL(settings.file), {}).file).toBe(settings.file);
});

test.each([
  ['count', 0],
  ['count', 1025],
  ['count', 1.5],
  ['count', '4'],
  ['args', 'a'],
  ['args', [1]],
  ['env', { A: 1 }],
  ['env', []],
  ['startDeadline', 0],
  ['stopDeadline', Number.POSITIVE_INFINITY],
  ['reusePort', 'yes'],
  ['signals', 1],
  ['log', 'console'],
])('%s: %j is refused', (name, value) => {
  const error = refusal(() => readWorkersOptions(file, { [name]: value }));
  expect([error.option, error.message]).toEqual([name, expect.stringContaining(name)]);
});

test.each([
  ['', 'the path of a program'],
  [5, 'the path of a program'],
  [new URL('https://a/b'), 'the path of a program'],
  ['none.mjs', 'there is no file /'],
])('the program %s is refused', (program, why) => {
  expect(refusal(() => readWorkersOptions(program as string, {})).message).toContain(why);
});

test('what is no option', () => {
  expect(refusal(() => readWorkersOptions(file, { workers: 4 } as never)).message).toContain(
    'there is no option workers in startWorkers',
  );
  expect(refusal(() => readWorkersOptions(file, null as never)).message).toContain('{ count: 4 }');
});
