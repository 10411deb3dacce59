/** A guard for the hot path that no clock decides: bytes of heap that a message costs, counted on the built package. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../bench/allocations.mjs', import.meta.url));

/** About half as much again as was measured when the path was last looked at: 107, 673, 86 and 50. */
const AT_MOST = {
  'binary 64 B, 100 a chunk': 160,
  'binary 64 B, 1 a chunk': 1000,
  'text 64 B, 100 a chunk': 130,
  'binary 1 KiB, 16 a chunk': 160,
};

test('a message allocates its view or its string, and little else', async () => {
  const { stdout } = await promisify(execFile)(process.execPath, [script]);
  const measured = JSON.parse(stdout) as Record<string, number>;
  expect(Object.keys(measured)).toEqual(Object.keys(AT_MOST));
  for (const [row, bytes] of Object.entries(AT_MOST)) {
    expect(measured[row], row).toBeGreaterThan(0);
    expect(measured[row], row).toBeLessThanOrEqual(bytes);
  }
});
