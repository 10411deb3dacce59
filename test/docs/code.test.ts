// Every page with code: all of it passes the type checker together, and each page has a test that runs it.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, test } from 'vitest';
import { filesUnder, root } from '../package/source.ts';
import { compile, programsOf } from './pages.ts';

const pages = ['README.md', ...filesUnder('docs').map((file) => `docs/${file}`)].filter(
  (page) => page.endsWith('.md') && programsOf(page).length > 0,
);

test('all code of the docs passes the type checker', async () => {
  expect(pages.length).toBeGreaterThan(10);
  expect((await compile(...pages)).complaints).toBe('');
});

test('each page with code is named by a test that runs it', () => {
  const tests = filesUnder('test')
    .filter((file) => file.endsWith('.test.ts') && file !== 'docs/code.test.ts')
    .map((file) => readFileSync(`${root}test/${file}`, 'utf8'))
    .join('\n');
  const named = (page: string) => {
    const name = basename(page, '.md');
    return tests.includes(`${name}.md`) || tests.includes(`'${name}'`);
  };
  expect(pages.filter((page) => !named(page))).toEqual([]);
});
