// The package as a user gets it: packed, installed into an empty folder, imported, and type-checked against.
// `npm run test:long` has built dist/ before; nothing is built here, because other test files are running from dist/.

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PATIENCE_MS } from '../support/patience.ts';
import { root } from './source.ts';

const run = promisify(execFile);

/** A user's first program: an echo server and one message through Node's own client, here a bare socket. */
const program = `
import { connect } from 'node:net';
import { createServer } from 'portal-ws';

const server = createServer({ port: 0, host: '127.0.0.1' });
server.path('/echo', { onMessage(connection, message) { connection.send(message); } });
await server.start();

const socket = connect(server.address().port, '127.0.0.1');
socket.write(
  'GET /echo HTTP/1.1\\r\\nHost: 127.0.0.1\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n' +
    'Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n',
);
socket.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69));
const heard = [];
for await (const chunk of socket) {
  heard.push(chunk);
  if (Buffer.concat(heard).subarray(-4).equals(Buffer.of(0x81, 0x02, 0x68, 0x69))) break;
}
console.log('heard hi');
await server.stop();
`;

/** A user's first test of a handler. */
const tested = `
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testServer } from 'portal-ws/testing';

test('echoes, and pings a quiet client', async () => {
  const echo = { onMessage: (connection, message) => void connection.send(message) };
  const { connect, advance, stop } = await testServer({ paths: { '/echo': echo } });
  const client = await connect('/echo');
  client.send('hello');
  assert.equal(await client.message(), 'hello');
  await advance(60_000);
  assert.equal(client.pings.length, 2);
  assert.deepEqual(await client.close(4000), { code: 4000, reason: '', wasClean: true });
  await stop();
});
`;

/** A user's first TypeScript: the types that an editor would show. \`@ts-expect-error\` marks what must not compile. */
const typed = `
import { createServer, getServer, newServer, startServer, stopServer } from 'portal-ws';
import type { Observable } from 'rxjs';

const server = createServer({ port: 0, host: '127.0.0.1', cap: 1_000_000, origins: ['https://example.com'] });

server.path('/echo', {
  onOpen(connection) {
    connection.send('welcome');
  },
  onMessage(connection, message) {
    const data: string | Uint8Array = message;
    const result: 'sent' | 'queued' | 'dropped' | 'closed' = connection.send(data);
    if (result === 'closed') connection.close('normal', 'bye');
    // @ts-expect-error a number is not a message
    connection.send(42);
  },
  onClose(_connection, { code, reason, wasClean }) {
    const report: [number, string, boolean] = [code, reason, wasClean];
    void report;
  },
  onError: () => 'continue',
});

const messages: Observable<string | Uint8Array> | undefined = undefined;
server.path('/prices/:symbol').connections$.subscribe((connection) => {
  const symbol: string | undefined = connection.params.symbol;
  connection.messages$.subscribe((message) => void [symbol, message, messages]);
  connection.closed$.subscribe(({ initiator }) => void initiator);
});

// @ts-expect-error the cap is a number of bytes
createServer({ port: 0, cap: '1MB' });

newServer('test', { port: 0 });
await startServer('test');
await getServer('test')?.stop({ code: 1001, reason: 'bye', deadline: 100 });
void stopServer;
`;

const compilerOptions = {
  target: 'ES2022',
  module: 'NodeNext',
  strict: true,
  noEmit: true,
  typeRoots: [join(root, 'node_modules/@types')],
  types: ['node'],
};

describe('the packed package', () => {
  let folder: string;
  let tarball: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'portal-package-'));
    await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder], { cwd: root });
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    tarball = join(folder, `portal-ws-${version}.tgz`);
    const user = join(folder, 'user');
    await mkdir(user);
    await writeFile(join(user, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
    await run('npm', ['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], { cwd: user });
  });

  afterAll(() => rm(folder, { recursive: true, force: true }));

  test('holds what is built, the playground and its command, and nothing else', async () => {
    const { stdout } = await run('tar', ['-tzf', tarball]);
    const files = stdout.trim().split('\n').sort();
    const parts = [
      /^package\/dist\/.+\.(?:js|d\.ts)$/,
      /^package\/playground\/[\w-]+\.(?:js|mjs|html|css|svg)$/,
    ];
    expect(files.filter((file) => !parts.some((part) => part.test(file)))).toEqual([
      'package/CHANGELOG.md',
      'package/LICENSE',
      'package/README.md',
      'package/bin/portal-ws.mjs',
      'package/package.json',
    ]);
    const needed = [
      ...[
        'dist/index.js',
        'dist/index.d.ts',
        'dist/inspect/index.js',
        'dist/nest/index.js',
        'dist/testing/index.d.ts',
      ],
      ...['dist/inspect/page.js', 'dist/io/wasm/binary.js'],
    ];
    expect(files).toEqual(expect.arrayContaining(needed.map((file) => `package/${file}`)));
  });

  test('publint finds nothing to say of it', async () => {
    const publint = join(root, 'node_modules/publint/src/cli.js');
    const { stdout } = await run(process.execPath, [publint, tarball, '--strict'], { cwd: root });
    expect(stdout).toMatch(/All good!/);
  });

  test('arethetypeswrong finds nothing wrong, for ES modules and bundlers', async () => {
    const attw = join(root, 'node_modules/@arethetypeswrong/cli/dist/index.js');
    // The profile stands in .attw.json: this package is ES modules alone, which Node 20.19 can also require().
    const { stdout } = await run(process.execPath, [attw, tarball, '--format', 'json'], { cwd: root });
    const { analysis, problems } = JSON.parse(stdout);
    expect(Object.keys(analysis.entrypoints).sort()).toEqual([
      '.',
      './inspect',
      './nats',
      './nest',
      './package.json',
      './redis',
      './testing',
      './workers',
    ]);
    const cjsAlone = ['NoResolution', 'CJSResolvesToESM'];
    expect(Object.keys(problems).filter((kind) => !cjsAlone.includes(kind))).toEqual([]);
  });

  test('its command runs where it is installed', async () => {
    const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    const command = join(folder, 'user/node_modules/.bin/portal-ws');
    expect((await run(command, ['--version'])).stdout).toBe(`${version}\n`);
    const child = spawn(command, ['--port', '0'], { cwd: folder, stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await once(child.stdout, 'data');
    expect(String(line)).toMatch(/^Portal playground: http:/);
    child.kill('SIGTERM');
    expect((await once(child, 'close'))[0]).toBe(0);
  });

  test('depends on xstate and rxjs, and on frameworks and engines only where they are there', async () => {
    const installed = join(folder, 'user/node_modules/portal-ws/package.json');
    const { dependencies, peerDependencies, peerDependenciesMeta, optionalDependencies, type } = JSON.parse(
      await readFile(installed, 'utf8'),
    );
    expect(Object.keys(dependencies).sort()).toEqual(['rxjs', 'xstate']);
    expect({ optionalDependencies, type }).toEqual({ type: 'module' });
    const optional = ['@nats-io/transport-node', '@nestjs/common', '@nestjs/websockets', 'ioredis', 'redis'];
    expect(Object.keys(peerDependencies).sort()).toEqual(optional);
    expect(peerDependenciesMeta).toEqual(
      Object.fromEntries(optional.map((name) => [name, { optional: true }])),
    );
    for (const name of optional) {
      await expect(access(join(folder, 'user/node_modules', name))).rejects.toThrow('ENOENT');
    }
  });

  test('a handler is tested with portal-ws/testing alone', async () => {
    await writeFile(join(folder, 'user/handler.test.mjs'), tested);
    const { stdout } = await run(process.execPath, ['--test', 'handler.test.mjs'], {
      cwd: join(folder, 'user'),
    });
    expect(stdout).toMatch(/(?:#|ℹ) pass 1\n/);
  });

  test('imports by its name and serves, and the process then ends by itself', async () => {
    await writeFile(join(folder, 'user/main.mjs'), program);
    const { stdout, stderr } = await run(process.execPath, ['main.mjs'], {
      cwd: join(folder, 'user'),
      timeout: PATIENCE_MS,
    });
    expect({ stdout, stderr }).toEqual({ stdout: 'heard hi\n', stderr: '' });
  });

  // XState's own declarations do not pass both of these at once.
  test.each([
    { exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: true },
    { skipLibCheck: false },
  ])(
    'types a strict program, and refuses what would fail, with %j',
    async (more) => {
      await writeFile(join(folder, 'user/main.ts'), typed);
      await writeFile(
        join(folder, 'user/tsconfig.json'),
        JSON.stringify({ compilerOptions: { ...compilerOptions, ...more }, files: ['main.ts'] }),
      );
      const tsc = join(root, 'node_modules/typescript/bin/tsc');
      const check = await run(process.execPath, [tsc, '-p', '.'], { cwd: join(folder, 'user') }).catch(
        (error) => error,
      );
      expect(check.stdout).toBe('');
    },
    60_000,
  );
});
