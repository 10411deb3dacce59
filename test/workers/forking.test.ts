// Forks as real processes: what goes wrong before they serve.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { endAll, namedPort, started, startPrimary } from './started.ts';

afterEach(endAll);

describe('a start that fails', () => {
  test('a port that is taken is told once, and ends the primary with 1', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const { code, stderr } = await startPrimary({ count: 3 }, { PORT: `${port}` }).ended;
    other.close();
    await once(other, 'close');
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: `port ${port} is in use; stop what listens there or choose another port\na worker ended with code 1 before it served; what it printed says why\n`,
    });
  });

  test('two primaries do not share a port by mistake', async () => {
    const { port } = await started({ count: 2 }, { PORT: `${await namedPort()}` });
    const { code, stderr } = await startPrimary({ count: 2 }, { PORT: `${port}` }).ended;
    expect([code, stderr]).toEqual([1, expect.stringContaining(`port ${port} is in use`)]);
  });

  test('a program that starts no server is killed at the deadline', async () => {
    const { code, stderr } = await startPrimary({ count: 2, startDeadline: 300 }, { SILENT: '1' }).ended;
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /^worker \d+ has started no server within 0\.3 s; it is killed\na worker ended by SIGKILL before/,
    );
  });
});
