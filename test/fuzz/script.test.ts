/** `npm run fuzz` starts outside of Vitest: what it imports of the tests must work there. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { root } from '../package/source.ts';

test('the script of npm run fuzz tries inputs of every target, and ends', async () => {
  const options = ['scripts/fuzz.mjs', '--seconds', '0.1', '--run', '1'];
  const { VITEST: _, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, options, { cwd: root, env });
  expect(stdout).toContain('run 1, 0.1 s: frame decoder, compressed message, request head, close payload');
  expect(stdout).toMatch(
    /frame decoder [\d,]+, compressed message [\d,]+, request head [\d,]+, close payload [\d,]+ inputs\nnothing found\n$/,
  );
});
