// What runs in each worker, as real processes: it ends them in order, whoever says so.
import { afterEach, describe, expect, test } from 'vitest';
import { endAll, joinAll, started } from './started.ts';

afterEach(endAll);

describe('the end', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '%s to the primary: goodbyes, then all processes end, with 0',
    async (signal) => {
      const { primary, port } = await started({ count: 2 });
      const members = await joinAll(port, 2);
      primary.child.kill(signal);
      for (const { closed } of members) expect((await closed).code).toBe(1001);
      expect(await primary.ended).toMatchObject({ code: 0, stderr: '' });
    },
  );

  test('Ctrl-C reaches all processes at once, and is the same', async () => {
    const { primary, port } = await started({ count: 2 });
    const members = await joinAll(port, 2);
    process.kill(-(primary.child.pid as number), 'SIGINT');
    for (const { closed } of members) expect((await closed).code).toBe(1001);
    expect(await primary.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test("the program's own handler of SIGTERM closes as it likes", async () => {
    const { primary, port } = await started({ count: 2 }, { OWN_END: '1' });
    const members = await joinAll(port, 2);
    primary.child.kill('SIGTERM');
    for (const { closed } of members)
      expect(await closed).toEqual({ code: 4000, reason: 'by its own handler' });
    expect(await primary.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('stop() of the program that starts them', async () => {
    const { primary, port } = await started({ count: 2 });
    const members = await joinAll(port, 2);
    await primary.ask('stop');
    for (const { closed } of members) expect((await closed).code).toBe(1001);
    expect(await primary.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test.each(['an error in', 'SIGKILL to'])(
    '%s the primary: the workers say goodbye and end',
    async (what) => {
      const { primary, port } = await started({ count: 2 });
      const members = await joinAll(port, 2);
      if (what === 'SIGKILL to') primary.child.kill('SIGKILL');
      else primary.child.send('fail');
      for (const { closed } of members) expect((await closed).code).toBe(1001);
      const { code, signal, stderr } = await primary.ended;
      if (what === 'SIGKILL to') expect(signal).toBe('SIGKILL');
      else expect([code, stderr]).toEqual([1, expect.stringContaining('a defect of the primary')]);
    },
  );
});
