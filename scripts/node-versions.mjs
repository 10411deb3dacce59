// `npm run node-versions`: the packed package, then the conformance, transport and runtime tests, on each Node that
// `engines` allows, beginning with the oldest, and over both ways to carry TCP. Deno and Bun are installed for the runtime
// tests. Other versions of Node: `npm run node-versions -- 22.12 25`.
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const asked = process.argv.slice(2);
const versions = asked.length > 0 ? asked : ['20.19.0', '22', '24', '26'];
const install = ['install', '--no-save', '--prefer-offline', '--no-audit', '--no-fund'];
const suites = [
  'test/conformance',
  'test/io/transports',
  'test/runtimes',
  'test/workers',
  '--project',
  'all',
  '--project',
  'TCP by net.Socket',
  '--project',
  'programs and browsers',
];

/** Guards against a hang; a busy machine stays below. */
const SMOKE_MS = 120_000;
const SUITES_MS = 900_000;

/** A user's program with the installed package: each entry, import and require, both transports, and the testing kit. */
const smoke = `
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { test } from 'node:test';
import * as portal from 'portal-ws';
import { inspect } from 'portal-ws/inspect';
import { testServer } from 'portal-ws/testing';

const echo = { onMessage: (connection, message) => void connection.send(message) };
const head = 'GET /echo HTTP/1.1\\r\\nHost: test\\r\\nConnection: Upgrade\\r\\nUpgrade: websocket\\r\\n' +
  'Sec-WebSocket-Version: 13\\r\\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\n\\r\\n';

for (const tcp of ['handle', 'socket']) {
  test('echoes over TCP by ' + tcp, async () => {
    const server = await portal.createServer({ port: 0, host: '127.0.0.1', tcp, paths: { '/echo': echo } }).start();
    const inspector = await inspect(server, { port: 0 });
    const socket = connect(server.address().port, '127.0.0.1');
    socket.write(Buffer.concat([Buffer.from(head), Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69)]));
    let heard = Buffer.alloc(0);
    for await (const chunk of socket) {
      heard = Buffer.concat([heard, chunk]);
      if (heard.subarray(-4).equals(Buffer.of(0x81, 0x02, 0x68, 0x69))) break;
    }
    await inspector.stop();
    await server.stop();
  });
}

test('require gives the same module', () => {
  assert.equal(createRequire(import.meta.url)('portal-ws').createServer, portal.createServer);
});

test('a server in memory', async () => {
  const { connect, advance, stop } = await testServer({ paths: { '/echo': echo } });
  const client = await connect('/echo');
  client.send('hi');
  assert.equal(await client.message(), 'hi');
  await advance(31_000);
  assert.equal(client.pings.length, 1);
  await stop();
});

process.on('warning', (warning) => assert.fail(warning));
`;

/** Installs a Node from its npm package, and returns the path of its program. */
async function nodeOf(version, folder) {
  const home = join(folder, `node-${version}`);
  await mkdir(home);
  await writeFile(join(home, 'package.json'), '{ "private": true }');
  await run('npm', [...install, '--foreground-scripts=false', `node@${version}`], { cwd: home });
  return join(home, 'node_modules/node/bin/node');
}

/** Packs the package and installs it as a user would. */
async function user(folder) {
  const home = join(folder, 'user');
  await mkdir(home);
  await writeFile(join(home, 'package.json'), '{ "private": true, "type": "module" }');
  await writeFile(join(home, 'smoke.test.js'), smoke);
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--pack-destination', folder, '--json'], {
    cwd: root,
  });
  const [{ filename }] = Object.values(JSON.parse(stdout));
  await run('npm', [...install, join(folder, filename)], { cwd: home });
  return home;
}

async function check(version, folder, home) {
  const began = performance.now();
  const node = await nodeOf(version, folder);
  const { stdout: exact } = await run(node, ['--version']);
  await run(node, ['--test', 'smoke.test.js'], { cwd: home, timeout: SMOKE_MS });
  const vitest = [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...suites, '--reporter=json'];
  const { stdout } = await run(node, vitest, { cwd: root, maxBuffer: 2 ** 28, timeout: SUITES_MS });
  const { numPassedTests } = JSON.parse(stdout.slice(stdout.indexOf('{')));
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  console.log(
    `Node ${exact.trim().padEnd(9)} the package works; ${numPassedTests} tests passed; ${seconds} s`,
  );
}

const folder = await mkdtemp(join(tmpdir(), 'portal-node-'));
try {
  await run('npm', ['ci'], { cwd: join(root, 'test/runtimes') });
  const home = await user(folder);
  for (const version of versions) {
    await check(version, folder, home).catch((error) => {
      console.error(`Node ${version} failed: ${error.message}\n${error.stdout ?? ''}\n${error.stderr ?? ''}`);
      process.exitCode = 1;
    });
  }
} finally {
  await rm(folder, { recursive: true, force: true });
}
