// Workers as real processes: one port, topics across them, deaths, restarts and signals.

import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { startWorkers, workers } from '../../src/workers/index.ts';
import { refusal } from '../support/refusal.ts';
import { endAll, join, joinAll, type Member, namedPort, started } from './started.ts';

afterEach(endAll);

/** Each worker knows of the members of the others when a message of each has come to all. */
async function connected(members: readonly Member[]): Promise<void> {
  for (const member of members) {
    const others = members.filter((each) => each !== member);
    let isDone = false;
    const probe = async () => {
      for (let n = 0; !isDone; n++) {
        member.client.send(`probe ${member.pid} ${n}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const probing = probe();
    await Promise.all(
      others.map(async ({ next }) => {
        while (!(await next()).startsWith(`probe ${member.pid} `));
      }),
    );
    isDone = true;
    await probing;
    member.client.send(`done ${member.pid}`);
    await Promise.all(
      others.map(async ({ next }) => {
        while ((await next()) !== `done ${member.pid}`);
      }),
    );
  }
}

describe('topics', () => {
  // The kernel shares a port with a name, where it can.
  test('a message goes to the members in all workers, in order, and to nobody twice', async () => {
    const { port } = await started({ count: 3 }, { PORT: `${await namedPort()}` });
    const members = await joinAll(port, 3);
    await connected(members);
    const [speaker, ...others] = members;
    for (let n = 0; n < 100; n++) speaker?.client.send(`${n}`);
    const numbers = Array.from({ length: 100 }, (_, n) => `${n}`);
    for (const { next } of others) {
      const heard = [];
      while (heard.length < 100) heard.push(await next());
      expect(heard).toEqual(numbers);
    }
  });

  test('bytes stay bytes, of any length', async () => {
    const { port } = await started({ count: 2 });
    const members = await joinAll(port, 2);
    await connected(members);
    const [one, two] = members as [Member, Member];
    const bytes = Buffer.alloc(300_000, 7);
    one.client.send(bytes);
    const [data, isBinary] = await once(two.client, 'message');
    expect([isBinary, bytes.equals(data)]).toEqual([true, true]);
  });
});

describe('a worker that dies', () => {
  test('is replaced, and the others go on', async () => {
    const { primary, port, pids } = await started({ count: 2 });
    const [one, two] = (await joinAll(port, 2)) as [Member, Member];
    process.kill(one.pid, 'SIGKILL');
    expect(await one.closed).toMatchObject({ code: 1006 });
    await primary.heard(new RegExp(`worker ${one.pid} ended by SIGKILL; another is started`), 'stderr');
    await primary.up(3);
    const members = await joinAll(port, 2, 'other');
    expect(members.map(({ pid }) => pid)).not.toContain(one.pid);
    expect(((await primary.ask('pids')).value as number[]).length).toBe(2);
    const back = members.find(({ pid }) => pid !== two.pid) as Member;
    expect(pids).not.toContain(back.pid);
    await connected(members);
  });

  test('again and again, before it serves, ends the primary with an error', async () => {
    const folder = await mkdtemp(joinPath(tmpdir(), 'portal-workers-'));
    try {
      const broken = joinPath(folder, 'broken');
      const { primary, pids } = await started({ count: 1 }, { BROKEN: broken });
      await writeFile(broken, '');
      process.kill(pids[0] as number, 'SIGKILL');
      const { code, stderr } = await primary.ended;
      expect(code).toBe(1);
      expect(stderr).toMatch(/another is started in 0\.4 s\n/);
      expect(stderr).toMatch(
        /no worker serves, and 5 in a row did not start: a worker ended with code 3 before it served; what it printed says why\n$/,
      );
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('a rolling restart', () => {
  test('closes with 1012 one worker after the other, while newcomers get in', async () => {
    const { primary, port, pids } = await started({ count: 2 }, { PORT: `${await namedPort()}` });
    const old = await joinAll(port, 2);
    const restarted = primary.ask('restart');
    let isOver = false;
    void restarted.then(() => {
      isOver = true;
    });
    let newcomers = 0;
    while (!isOver) {
      // A handshake that was under way in the old worker gets 503; by reusePort, one that waited there is reset. Both come again.
      const member = await join(port).catch((error: Error) => {
        expect(error.message).toMatch(/server response: 503|ECONNRESET|socket hang up/);
      });
      member?.client.terminate();
      newcomers++;
    }
    expect(await restarted).toEqual({ did: 'restart' });
    for (const { closed } of old) expect(await closed).toEqual({ code: 1012, reason: 'restarting' });
    expect(newcomers).toBeGreaterThan(0);
    const now = (await primary.ask('pids')).value as number[];
    expect(now).toHaveLength(2);
    expect(now.filter((pid) => pids.includes(pid))).toEqual([]);
    await connected(await joinAll(port, 2));
  });

  test('with a program that does not start leaves the old workers alone', async () => {
    const folder = await mkdtemp(joinPath(tmpdir(), 'portal-workers-'));
    try {
      const broken = joinPath(folder, 'broken');
      const { primary, port, pids } = await started({ count: 2 }, { BROKEN: broken });
      await writeFile(broken, '');
      expect((await primary.ask('restart')).failed).toMatch(
        /^the restart ends here, and the old workers go on: .* code 3/,
      );
      expect((await primary.ask('pids')).value).toEqual(pids);
      await connected(await joinAll(port, 2));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});

describe('the calls', () => {
  test('workers() in a program that runs as one process does nothing', async () => {
    const alone = workers();
    await alone.start(
      () => {},
      () => {},
      () => {},
    );
    alone.publish('a', new Uint8Array(), { origin: 'a', binary: true });
    await alone.stop();
    expect(alone.name).toBe('workers');
  });

  test('a wrong option is told at once', async () => {
    expect(refusal(() => workers({ namespace: '' })).message).toContain('workers.namespace');
    expect(refusal(() => workers({ name: 'a' } as never)).message).toContain('there is no option name');
    await expect(startWorkers('no-such-program.mjs')).rejects.toThrow('there is no file ');
  });
});
