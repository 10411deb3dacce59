// What `import 'portal-ws'` costs: the files and the parts of Node that it loads, and the size of the package. What a
// server does not use, such as the inspector or the testing kit, must not be loaded.
// The built files are read here; `npm test` builds them first.

import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { posix } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { importsOf, root } from './source.ts';

const run = promisify(execFile);

/**
 * Budgets in bytes, some 10 % over what is needed now, comments included. Whoever must raise one says in the commit what
 * the bytes are for, and has asked whether it can be an entry point of its own.
 */
const CORE_BYTES = 740_000;
const PACKED_BYTES = 450_000;
const UNPACKED_BYTES = 1_650_000;

/** All files of dist/ that a module loads, itself included. */
function loadedBy(entry: string, read: (file: string) => string): string[] {
  const found = new Set([entry]);
  // A Set that grows while it is iterated: files that are added in the loop are visited too.
  for (const file of found)
    for (const { specifier } of importsOf(read(file)))
      if (specifier.startsWith('.')) found.add(posix.join(posix.dirname(file), specifier));
  return [...found].sort();
}

const readBuilt = (file: string) => readFileSync(`${root}dist/${file}`, 'utf8');
const bytesOf = (files: string[]) =>
  files.reduce((sum, file) => sum + statSync(`${root}dist/${file}`).size, 0);

/** The modules of Node that importing a module adds to a fresh process. */
async function modulesOfNode(specifier: string): Promise<string[]> {
  const program = `
    const before = new Set(process.moduleLoadList);
    await import(${JSON.stringify(specifier)});
    const added = process.moduleLoadList.filter((name) => !before.has(name));
    console.log(JSON.stringify(added.map((name) => name.replace(/^NativeModule /, ''))));
  `;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', program], { cwd: root });
  return JSON.parse(stdout);
}

/** TLS, HTTP, HTTP/2, compression, the inspector and processes: a plain server uses none of them. */
const UNUSED = /^(?:_tls_\w+|tls|_http_\w+|https?|http2|zlib|inspector|child_process|cluster|dgram)$/;

test("import 'portal-ws' loads no module of Node that a plain server does not use", async () => {
  const modules = await modulesOfNode('portal-ws');
  expect(modules).toContain('net');
  expect(modules.filter((name) => UNUSED.test(name))).toEqual([]);
}, 30_000);

test.each(['tls', 'https', 'http2', 'zlib', 'inspector'])(
  'a module that imports node:%s would be found',
  async (name) => {
    const modules = await modulesOfNode(`node:${name}`);
    expect(modules.filter((each) => UNUSED.test(each))).toContain(name);
  },
  30_000,
);

test("import 'portal-ws' loads none of what is for other entry points", () => {
  const loaded = loadedBy('index.js', readBuilt);
  expect(loaded).toContain('api/server/server.js');
  expect(loaded.filter((file) => /^(?:inspect|nats|nest|redis|testing|workers)\//.test(file))).toEqual([]);
  expect(loaded).not.toContain('io/transports/memory.js');
});

test('a file that is loaded by way of another is found', () => {
  const files: Record<string, string> = {
    'index.js': "import './api/a.js';",
    'api/a.js': "export { b } from '../inspect/b.js';\nconst c = await import('./c.js');",
    'inspect/b.js': "import 'xstate';\nimport '../index.js';",
    'api/c.js': '',
  };
  const loaded = loadedBy('index.js', (file) => files[file] ?? '');
  expect(loaded).toEqual(['api/a.js', 'api/c.js', 'index.js', 'inspect/b.js']);
});

test("what import 'portal-ws' loads is within its budget", () => {
  expect(bytesOf(loadedBy('index.js', readBuilt))).toBeLessThan(CORE_BYTES);
});

test('the package is within its budget', async () => {
  const pack = ['pack', '--dry-run', '--ignore-scripts', '--json'];
  const { stdout } = await run('npm', pack, { cwd: root });
  const [{ size, unpackedSize }] = JSON.parse(stdout);
  expect(size).toBeLessThan(PACKED_BYTES);
  expect(unpackedSize).toBeLessThan(UNPACKED_BYTES);
}, 30_000);
