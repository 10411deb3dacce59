/** How many connections the limit of open files allows, and what a process says that has reached it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { readOptions } from '../../../src/api/options/options.ts';
import {
  explainAccept,
  noDescriptorLeft,
  openFilesAdvice,
  openFilesLimit,
  parseOpenFiles,
  warnOfOpenFiles,
} from '../../../src/io/transports/open-files.ts';

const isLinux = process.platform === 'linux';

afterEach(() => void vi.restoreAllMocks());

/** `/proc/self/limits` with this soft limit of open files. */
const limits = (soft: string) => `Limit                     Soft Limit           Hard Limit           Units
Max processes             1024                 4096                 processes
Max open files            ${soft.padEnd(20)} 524288               files
Max locked memory         8388608              8388608              bytes
`;

test('the soft limit is found in the text of Linux', () => {
  expect(parseOpenFiles(limits('1024'))).toBe(1024);
  expect(parseOpenFiles(limits('unlimited'))).toBe(Number.POSITIVE_INFINITY);
  expect(parseOpenFiles('')).toBeUndefined();
  expect(parseOpenFiles(limits('many'))).toBeUndefined();
});

test.skipIf(!isLinux)('it is the one that Node reports', () => {
  const { userLimits } = process.report.getReport() as unknown as {
    userLimits: { open_files: { soft: number | 'unlimited' } };
  };
  const { soft } = userLimits.open_files;
  expect(openFilesLimit()).toBe(soft === 'unlimited' ? Number.POSITIVE_INFINITY : soft);
});

describe('maxConnections', () => {
  test('that fit need no advice; a few files are left for the rest of the program', () => {
    expect(openFilesAdvice(960, 1024)).toBeUndefined();
    expect(openFilesAdvice(2 ** 31, Number.POSITIVE_INFINITY)).toBeUndefined();
    expect(openFilesAdvice(961, 1024)).toBe(
      'maxConnections is 961, but this process may open 1024 files, which is enough for about 960 connections; more are ' +
        'dropped without an answer. Either raise the limit of open files (ulimit -n, LimitNOFILE= in systemd), or set ' +
        'maxConnections to at most 960',
    );
  });

  test('without a limit fit only where there is no limit of files', () => {
    expect(openFilesAdvice(Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)).toBeUndefined();
    expect(openFilesAdvice(Number.POSITIVE_INFINITY, 1_048_576)).toContain('at most 1048512');
  });

  test('is never advised to be 0, which is not allowed', () => {
    expect(openFilesAdvice(10, 20)).toContain('at most 1');
  });

  test('that nobody set are spoken of only where few fit', () => {
    const { maxConnections } = readOptions({ port: 0 });
    expect(openFilesAdvice(maxConnections, 4_096)).toContain('maxConnections is 65536');
    expect(openFilesAdvice(maxConnections, 20_000)).toBeUndefined();
    expect(openFilesAdvice(maxConnections - 1, 20_000)).toBeDefined();
  });

  test.skipIf(!isLinux)('are a warning of the process when they do not fit', () => {
    const emitWarning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    warnOfOpenFiles(1);
    expect(emitWarning).not.toHaveBeenCalled();
    warnOfOpenFiles(2 ** 31);
    const count = Number.isFinite(openFilesLimit()) ? 1 : 0;
    expect(emitWarning).toHaveBeenCalledTimes(count);
  });
});

test('errors of accept say what to do, where it is a lack of descriptors', () => {
  const coded = (code: string) => Object.assign(new Error(`accept ${code}`), { code });
  expect(explainAccept(coded('EMFILE')).message).toMatch(/^accept EMFILE: .* this process\. .*ulimit -n/);
  expect(explainAccept(coded('ENFILE')).message).toMatch(/^accept ENFILE: .* the whole system\./);
  expect(explainAccept(coded('ECONNABORTED')).message).toBe('accept ECONNABORTED');
  expect(noDescriptorLeft(64)).toMatchObject({ code: 'EMFILE', message: expect.stringContaining('all 64') });
});

// A process of its own, from dist/, with a limit that its connections reach.
describe.skipIf(!isLinux)('a process without descriptors', () => {
  const dist = new URL('../../../dist/index.js', import.meta.url).href;
  const program = (tcp: string) => `
    import { createServer } from ${JSON.stringify(dist)};
    const say = (line) => console.log(JSON.stringify(line));
    process.on('warning', ({ message }) => say(message));
    const server = createServer({ port: 0, host: '127.0.0.1', tcp: '${tcp}' });
    await server.start();
    say(server.address().port);
    process.stdin.once('data', () => { say('that is all'); process.exit(); });`;

  async function dial(port: number): Promise<Socket> {
    const client = connect({ port, host: '127.0.0.1' });
    client.on('error', () => {});
    await once(client, 'connect');
    return client.resume();
  }

  /** The status line of an answer; empty when the connection is closed without one. */
  async function ask(port: number): Promise<string> {
    const client = await dial(port);
    const closed = new Promise<string>((resolve) => client.once('close', () => resolve('')));
    const answered = new Promise<string>((resolve) => client.once('data', (data) => resolve(`${data}`)));
    client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    const answer = await Promise.race([closed, answered]);
    client.destroy();
    return answer.split('\r\n')[0] as string;
  }

  test.each(['handle', 'socket'])(
    'says so at the start and once when it happens, and accepts again when some are closed (%s)',
    async (tcp) => {
      const command = 'ulimit -n 64; exec "$0" --input-type=module --eval "$1"';
      const child = spawn('/bin/sh', ['-c', command, process.execPath, program(tcp)]);
      const ended = once(child, 'close');
      try {
        const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
        const line = async () => JSON.parse((await lines.next()).value ?? 'null');
        const said = [await line(), await line()];
        const advice = /^maxConnections is 65536, but this process may open 64 files/;
        expect(said).toContainEqual(expect.stringMatching(advice));
        const port: number = said.find(Number.isInteger);

        const clients = await Promise.all(Array.from({ length: 80 }, () => dial(port)));
        expect(await line()).toMatch(/all 64 file descriptors of this process are in use; .*ulimit -n/);
        // 80 connections do not fit into 64 files: libuv closes those that the kernel had taken.
        await vi.waitUntil(() => clients.filter(({ destroyed }) => destroyed).length > 16, {
          timeout: 10_000,
        });
        for (const client of clients) client.destroy();

        // The server closes its sides a little later, so the first of these may still be dropped.
        let answer = '';
        while (answer === '') answer = await ask(port);
        expect(answer).toBe('HTTP/1.1 426 Upgrade Required');
        child.stdin.write('\n');
        expect(await line()).toBe('that is all');
      } finally {
        child.kill();
        await ended;
      }
    },
    30_000,
  );
});
