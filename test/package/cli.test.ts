// `npx portal-ws`, as somebody meets it who has nothing but the package: from any folder, with every option, and with
// the likeliest mistakes.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { PATIENCE_MS } from '../support/patience.ts';
import { root } from './source.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'portal-cli-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const running: ReturnType<typeof run>[] = [];
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill('SIGTERM');
    await ended;
  }
});

function run(args: string[], env: Record<string, string> = {}) {
  const { PORT: _, HOST: __, ...rest } = process.env;
  const child = spawn(process.execPath, [join(root, 'bin/portal-ws.mjs'), ...args], {
    cwd: folder,
    env: { ...rest, ...env },
    timeout: PATIENCE_MS,
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code]) => ({ code, stdout, stderr }));
  return { child, ended };
}

/** Runs it until it has printed where the playground is. */
async function start(args: string[], env: Record<string, string> = {}): Promise<string> {
  const program = run(args, env);
  running.push(program);
  let said = '';
  for await (const text of program.child.stdout) {
    said += text;
    const url = /Portal playground: (http:\S+)\n/.exec(said)?.[1];
    if (url !== undefined) return url;
  }
  throw new Error(`it ended: ${(await program.ended).stderr}`);
}

describe('npx portal-ws', () => {
  test('serves the page and its echo, from any folder', async () => {
    const url = await start(['--port', '0']);
    const page = await fetch(url, { headers: { connection: 'close' } });
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('<title>Portal')]);
    const socket = new WebSocket(new URL('/echo', url.replace('http', 'ws')));
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    socket.terminate();
  });

  test.each([
    [['-p', '0', '-H', '127.0.0.2'], {}, '127.0.0.2'],
    [['--port=0', '--host=localhost'], { HOST: '127.0.0.3' }, /localhost|127\.0\.0\.1|\[::1\]/],
    [[], { PORT: '0', HOST: '127.0.0.3' }, '127.0.0.3'],
  ])('%j with %j listens on %s', async (args, env, host) => {
    expect(new URL(await start(args, env)).hostname).toMatch(host);
  });

  test('--workers runs the playground as several processes, and ends with code 0', async () => {
    const url = await start(['--port', '0', '--workers', '2']);
    const socket = new WebSocket(new URL('/echo', url.replace('http', 'ws')));
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
    const [program] = running.splice(0);
    program?.child.kill('SIGTERM');
    expect((await once(socket, 'close'))[0]).toBe(1001);
    expect(await program?.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test('ends with code 0 on SIGTERM', async () => {
    await start(['--port', '0']);
    const [program] = running.splice(0);
    program?.child.kill('SIGTERM');
    expect(await program?.ended).toMatchObject({ code: 0, stderr: '' });
  });

  test.each(['--help', '-h'])('%s prints every option, and ends', async (option) => {
    const { code, stdout, stderr } = await run([option]).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const name of ['--port', '--host', '--workers', '--open', '--version', '--help'])
      expect(stdout).toContain(name);
  });

  test.each(['--version', '-v'])('%s prints the version of the package', async (option) => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    expect(await run([option]).ended).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  test.skipIf(process.platform !== 'linux')(
    '--open hands the address to the browser of the system',
    async () => {
      await writeFile(
        join(folder, 'xdg-open'),
        `#!/bin/sh\nprintf %s "$1" > ${folder}/opening\nmv ${folder}/opening ${folder}/opened\n`,
      );
      await chmod(join(folder, 'xdg-open'), 0o755);
      const url = await start(['--port', '0', '--open'], {
        PATH: `${folder}${delimiter}${process.env.PATH}`,
      });
      const opened = () => readFile(join(folder, 'opened'), 'utf8').catch(() => undefined);
      await expect.poll(opened).toBe(url);
    },
  );

  test.skipIf(process.platform !== 'linux')('--open without a browser says so, and serves on', async () => {
    await start(['--port', '0', '--open'], { PATH: '/nowhere' });
    const [program] = running;
    const [said] = await once(
      program?.child.stderr as NonNullable<typeof program>['child']['stderr'],
      'data',
    );
    expect(said).toMatch(/^No browser could be opened \(xdg-open\); the address is http:/);
  });
});

describe('a mistake is told in words, with what to do', () => {
  test.each([
    [['--port', 'abc'], '--port is "abc"; allowed is a whole number from 0 to 65535'],
    [['--port', '65536'], '--port is "65536"; allowed'],
    [['--port'], "Option '-p, --port <value>' argument missing"],
    [['--prot', '80'], "Unknown option '--prot'"],
    [['--host='], '--host is empty'],
    [['5005'], "Unexpected argument '5005'"],
    [['--workers', '0'], '--workers is "0"; allowed is a whole number from 1 to 1024'],
    [['--workers', '2', 'none.mjs'], 'there is no file none.mjs'],
  ])('%j', async (args, why) => {
    const { code, stdout, stderr } = await run(args).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(why);
    expect(stderr).toMatch(/npx portal-ws --help lists the options\.\n$/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test('a port that is taken', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const { code, stderr } = await run(['--port', `${port}`]).ended;
    other.close();
    await once(other, 'close');
    expect(code).toBe(1);
    expect(stderr).toBe(
      `port ${port} is in use; stop what listens there or choose another port\n` +
        'Try another --port (0 takes any free one) or --host; --help lists the options.\n',
    );
  });
});
