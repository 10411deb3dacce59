/** The soak in a short form, over the built package: `npm run soak` is the long one. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { PATIENCE_MS } from '../support/patience.ts';

test('mixed traffic with random faults leaves nothing behind, and all counts add up', async () => {
  const script = fileURLToPath(new URL('../../scripts/soak.mjs', import.meta.url));
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    const args = [script, '--seconds', '4', '--connections', '100'];
    execFile(process.execPath, args, { timeout: 3 * PATIENCE_MS }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : 1, output: stdout + stderr });
    });
  });
  const lines = output.split('\n');
  expect(lines.filter((line) => line.startsWith('FAILED'))).toEqual([]);
  expect(lines.filter((line) => line.startsWith('ok')).length).toBeGreaterThan(15);
  expect(code, output).toBe(0);
});
