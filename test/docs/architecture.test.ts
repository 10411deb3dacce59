// The map of the source: every file, folder, function and name that the page tells of is there, and no folder is left out.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { expect, test } from 'vitest';
import { filesUnder, root } from '../package/source.ts';
import { readPage } from './pages.ts';

const PAGE = 'docs/explanation/architecture.md';
const page = readPage(PAGE);
const FOLDERS = 'src|test|bench|scripts|examples|playground|bin|docs';
const isFile = (name: string) => new RegExp(`^(${FOLDERS})/.*\\.(ts|mjs|md)$`).test(name);

const read = (file: string) => readFileSync(root + file, 'utf8');

/** Whether a file declares that function, method or accessor. A call of it is no declaration. */
function declares(text: string, name: string): boolean {
  const escaped = name.replace('$', '\\$');
  const modifiers = '(?:export |protected |override |static |async |get )*';
  return RegExp(`^ *${modifiers}(?:function )?${escaped}(?:<[^>]*>)?\\((?:.*[{,(]|)$`, 'm').test(text);
}

/** The items of numbered lists, each as one line. */
const steps = Array.from(page.matchAll(/^\d+\. (.*(?:\n +.*)*)/gm), ([, step = '']) =>
  step.replace(/\s+/g, ' '),
);

/** The names that a step tells of a file: those between this file and the next one. */
function namesByFile(step: string): [file: string, name: string][] {
  const found: [string, string][] = [];
  let file = '';
  for (const [, name = ''] of step.matchAll(/`([^`]+)`/g)) {
    if (isFile(name)) file = name;
    else found.push([file, name]);
  }
  return found;
}

/** The folders and files of the drawn tree, with their whole paths. */
function drawn(): string[] {
  const tree = /```text\n(src[\s\S]*?)```/.exec(page)?.[1] ?? '';
  let folder = '';
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', name = ''] = /^( *)(\S+)/.exec(line) ?? [];
    if (indent === '') folder = name;
    return name === '' ? [] : [indent === '' ? name : folder + name];
  });
}

test('every file and folder that the page names is there', () => {
  const named = Array.from(page.matchAll(RegExp(`\\b(?:${FOLDERS})/[\\w./-]*\\w`, 'g')), ([name]) => name);
  expect(named.length).toBeGreaterThan(60);
  expect([...named, ...drawn()].filter((name) => !existsSync(root + name))).toEqual([]);
});

test('the tree has every folder of src', () => {
  const folders = new Set(filesUnder('src').map((file) => `src/${dirname(file)}/`.replace('/./', '/')));
  folders.delete('src/');
  folders.delete('src/inspect/page/');
  const told = drawn();
  expect([...folders].filter((folder) => !told.includes(folder))).toEqual([]);
  expect(told.filter((name) => name.endsWith('/') && !statSync(root + name).isDirectory())).toEqual([]);
});

test('every function that a step names is declared in the file before it, and every other name is in it', () => {
  const told = steps.flatMap(namesByFile).filter(([file]) => file !== '');
  expect(told.length).toBeGreaterThan(50);
  const missing = told.filter(([file, name]) => {
    if (name.endsWith('()')) return !declares(read(file), name.slice(0, -2));
    return !name.split('.').every((part) => read(file).includes(part));
  });
  expect(missing).toEqual([]);
});

test('each interface is declared and implemented where the table says', () => {
  const rows = Array.from(page.matchAll(/^\| `(\w+)` +\| `([^`]+)` +\| `([^`]+)`/gm));
  expect(rows.length).toBe(6);
  for (const [, name, declaredIn = '', implementedIn = ''] of rows) {
    expect(read(declaredIn)).toMatch(RegExp(`export interface ${name}\\b`));
    expect(read(implementedIn)).toMatch(
      RegExp(`class \\w+(?: extends \\w+)?\\s+implements [^{]*\\b${name}\\b`),
    );
  }
});

test('a name that is gone is noticed', () => {
  const session = read('src/connection/session.ts');
  expect(declares(session, 'readHead')).toBe(true);
  expect(declares(session, 'readHeadThatIsGone')).toBe(false);
  // It calls this, and does not declare it.
  expect(session).toContain('takeOver(');
  expect(declares(session, 'takeOver')).toBe(false);
});
