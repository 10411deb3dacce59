// The short form of `npm run mutants`: that the suites notice when the machines' literals are changed.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { allMutants } from './mutants.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

test('no mutant of every eighth survives without a written reason', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, ['scripts/mutants.mjs', '--short'], {
    cwd: root,
  });
  expect(stdout).toMatch(/^\d{3} mutants: \d{3} died, \d+ survived, 0 of them without a reason/);
});

test('mutants have names of their own, and every transition has some', () => {
  const names = allMutants().map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  expect(names).toContain('connection: fragmenting on fragment.end: dropped');
  expect(names).toContain('connection: fragmenting on fragment.end: leads to #connection.closed');
  expect(names).toContain('connection: open on protocol.failed: without failConnection');
  expect(names).toContain('connection: closing.local on callback.failed [0]: without its guard');
  expect(names).toContain('link: up on engine.failed: without tellFailure');
  expect(names).toContain('server: draining.leaving on timeout.drain: without terminateConnections');
});
