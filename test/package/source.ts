// The source files as text, and the imports in them, for tests of the code's own shape.

import { readdirSync, readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Paths of all files under a folder of the repository, relative to that folder; not those of installed packages. */
export function filesUnder(folder: string): string[] {
  return readdirSync(`${root}${folder}`, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('/node_modules', root.length))
    .map((entry) => posix.relative(`${root}${folder}`, posix.join(entry.parentPath, entry.name)))
    .sort();
}

export const readSource = (file: string) => readFileSync(`${root}src/${file}`, 'utf8');

export const withoutComments = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1');

export type Import = { specifier: string; typeOnly: boolean };

/** Everything a file imports or passes on. `import { type X }` counts as a value: it loads the module. */
export function importsOf(text: string): Import[] {
  const code = withoutComments(text);
  const from = /^\s*(?:import|export)\s+(type\s)?(?:[\w*\s{},]+?\sfrom\s+)?'([^']+)'/gm;
  const dynamic = /\bimport\(\s*'([^']+)'/g;
  return [
    ...Array.from(code.matchAll(from), ([, type, specifier = '']) => ({
      specifier,
      typeOnly: Boolean(type),
    })),
    ...Array.from(code.matchAll(dynamic), ([, specifier = '']) => ({ specifier, typeOnly: false })),
  ];
}
