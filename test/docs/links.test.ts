// Every link of the README and the docs leads somewhere: to a file that is there, and to a heading that is in it.

import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { filesUnder, root } from '../package/source.ts';

const OTHERS = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'examples/README.md', 'bench/README.md'];
const pages = [...OTHERS, ...filesUnder('docs').map((file) => `docs/${file}`)].filter((file) =>
  file.endsWith('.md'),
);

const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '');

/** The anchors of a page's headings, as forges make them. */
const anchorsOf = (file: string) =>
  Array.from(readFileSync(join(root, file), 'utf8').matchAll(/^#+ (.+)$/gm), ([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s$-]/g, '')
      .replace(/\s/g, '-'),
  );

/** What is wrong with a link of a page; undefined when it leads somewhere. */
function fault(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? page : join(dirname(page), path);
  if (!existsSync(join(root, target))) return `${page}: ${link} is not there`;
  if (anchor === undefined || statSync(join(root, target)).isDirectory()) return undefined;
  return anchorsOf(target).includes(anchor) ? undefined : `${page}: ${link} has no such heading`;
}

test('every link within the repository leads somewhere', () => {
  const links = pages.flatMap((page) =>
    Array.from(
      withoutCode(readFileSync(join(root, page), 'utf8')).matchAll(
        /\]\((?!\w+:)([^)\s]+)\)|<img src="(?!\w+:)([^"]+)"/g,
      ),
      ([, link, image]) => [page, link ?? image ?? ''] as const,
    ),
  );
  expect(links.length).toBeGreaterThan(50);
  expect(links.map(([page, link]) => fault(page, link)).filter(Boolean)).toEqual([]);
});

test('every page is linked from the index of its kind', () => {
  const index = readFileSync(join(root, 'docs/README.md'), 'utf8');
  const reference = readFileSync(join(root, 'docs/reference/README.md'), 'utf8');
  const unlinked = pages
    .filter((page) => page.startsWith('docs/') && page !== 'docs/README.md')
    .map((page) => page.slice('docs/'.length))
    .filter(
      (page) => !index.includes(`(${page})`) && !reference.includes(`(${page.replace('reference/', '')})`),
    );
  expect(unlinked).toEqual([]);
});
