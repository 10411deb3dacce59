// No two files of src import each other in a circle, types included: a file can then be read, tested and moved with only
// the files below it in mind. (Biome's noImportCycles does not see `import('./x.ts').Type`, and reports each import of a
// circle by itself.)

import { posix } from 'node:path';
import { expect, test } from 'vitest';
import { filesUnder, importsOf, readSource } from './source.ts';

type Graph = ReadonlyMap<string, readonly string[]>;

function graphOf(files: readonly string[], read: (file: string) => string): Graph {
  const importedBy = (file: string) =>
    importsOf(read(file))
      .filter(({ specifier }) => specifier.startsWith('.'))
      .map(({ specifier }) => posix.join(posix.dirname(file), specifier));
  return new Map(files.map((file) => [file, importedBy(file)]));
}

/** The shortest way from a file along imports back to itself; undefined where there is none. */
function circleFrom(graph: Graph, start: string): string[] | undefined {
  const ways = [[start]];
  const seen = new Set<string>();
  // Breadth first: the list grows while it is iterated.
  for (const way of ways) {
    for (const next of graph.get(way.at(-1) ?? '') ?? []) {
      if (next === start) return [...way, start];
      if (seen.has(next)) continue;
      seen.add(next);
      ways.push([...way, next]);
    }
  }
  return undefined;
}

/**
 * The circles of a graph, "a -> b -> a". For each file the shortest one through it, each once: as long as a circle is left,
 * one is reported, and every file that is in a circle is named.
 */
function circlesOf(graph: Graph): string[] {
  const found = new Map<string, string>();
  for (const file of [...graph.keys()].sort()) {
    const circle = circleFrom(graph, file);
    if (circle === undefined) continue;
    const members = [...new Set(circle)].sort().join();
    if (!found.has(members)) found.set(members, circle.join(' -> '));
  }
  return [...found.values()];
}

const sources = filesUnder('src').filter((file) => file.endsWith('.ts') && !file.endsWith('.as.ts'));

test('no files of src import each other in a circle', () => {
  expect(circlesOf(graphOf(sources, readSource))).toEqual([]);
});

test('every import of src leads to a file of src', () => {
  const graph = graphOf(sources, readSource);
  expect(graph.size).toBeGreaterThan(50);
  expect([...graph.values()].flat().filter((file) => !graph.has(file))).toEqual([]);
});

test.each<[string, Record<string, string>, string[]]>([
  ['itself', { 'a.ts': "import './a.ts';" }, ['a.ts -> a.ts']],
  [
    'two files',
    { 'a.ts': "import { b } from './b.ts';", 'b.ts': "import { a } from './a.ts';" },
    ['a.ts -> b.ts -> a.ts'],
  ],
  [
    'types alone, passed on, and named in place',
    {
      'a.ts': "import type { B } from './b.ts';",
      'b.ts': "export type { C } from './io/c.ts';",
      'io/c.ts': "export type C = import('../a.ts').A;",
    },
    ['a.ts -> b.ts -> io/c.ts -> a.ts'],
  ],
  [
    'two circles with a file in common',
    { 'a.ts': "import './b.ts';", 'b.ts': "import './a.ts';\nimport './c.ts';", 'c.ts': "import './b.ts';" },
    ['a.ts -> b.ts -> a.ts', 'c.ts -> b.ts -> c.ts'],
  ],
  [
    'a circle that is not at the start',
    { 'a.ts': "import './b.ts';", 'b.ts': "import './c.ts';", 'c.ts': "import './b.ts';" },
    ['b.ts -> c.ts -> b.ts'],
  ],
])('a circle is found: %s', (_, files, circles) => {
  expect(circlesOf(graphOf(Object.keys(files), (file) => files[file] ?? ''))).toEqual(circles);
});

test('two ways to one file, packages and comments are no circle', () => {
  const files: Record<string, string> = {
    'a.ts': "import './b.ts';\nimport './c.ts';",
    'b.ts': "import './d.ts';",
    'c.ts': "import './d.ts';",
    'd.ts': "import 'rxjs';\n// import './a.ts';",
  };
  expect(circlesOf(graphOf(Object.keys(files), (file) => files[file] ?? ''))).toEqual([]);
});
