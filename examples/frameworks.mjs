// What the examples for Vite, Next and NestJS need is installed with the tests of them, in test/frameworks: once, when the
// first of these examples is run. In a project of your own, it is a dependency as any other.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, symlinkSync } from 'node:fs';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const frameworks = fileURLToPath(new URL('../test/frameworks', import.meta.url));

/** Makes the frameworks importable from the folder of an example. */
export function prepare(example) {
  if (!existsSync(`${frameworks}/node_modules/next`)) {
    console.error('installing Vite, Next and NestJS, about 400 MB …');
    const { status } = spawnSync('npm', ['ci'], { cwd: frameworks, stdio: ['ignore', 2, 2] });
    if (status !== 0) process.exit(1);
  }
  const folder = fileURLToPath(new URL(example, import.meta.url));
  rmSync(`${folder}/node_modules`, { force: true });
  symlinkSync(relative(folder, `${frameworks}/node_modules`), `${folder}/node_modules`);
}
