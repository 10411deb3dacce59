// The shape of the source: no file is too long to read in one go, and no class has too many members to keep in mind.

import { parseSync } from 'vite';
import { expect, test } from 'vitest';
import { filesUnder, readSource } from './source.ts';

const LINES_MAX = 400;
const MEMBERS_MAX = 30;

/** Made at build. */
const generated = ['inspect/page.ts', 'io/wasm/binary.ts'];
const sources = filesUnder('src').filter(
  (file) => file.endsWith('.ts') && !file.endsWith('.as.ts') && !generated.includes(file),
);

const linesOf = (text: string) => text.trimEnd().split('\n').length;

/** What is read here of the parser's tree. */
interface Node {
  readonly type: string;
  readonly start: number;
  readonly id?: { readonly name: string } | null;
  readonly body?: { readonly body: readonly Member[] };
}
interface Member {
  readonly type: string;
  readonly kind?: string;
  readonly static?: boolean;
  readonly key?: { readonly start: number; readonly end: number };
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string';
}

/** All classes of a tree, wherever they stand, each with the statement around it that a comment stands before. */
function classesIn(tree: Node): { node: Node; start: number }[] {
  const found: { node: Node; start: number }[] = [];
  const visit = (value: unknown, start: number): void => {
    if (Array.isArray(value)) for (const each of value) visit(each, start);
    if (!isNode(value)) return;
    // The comment of an exported class stands before `export`, that of a class expression before its statement.
    const own = /Statement$|Declaration$/.test(value.type) ? Math.min(start, value.start) : start;
    if (value.type.startsWith('Class') && value.type !== 'ClassBody') found.push({ node: value, start: own });
    const inside = value.type === 'ClassBody' || value.type === 'Program' || /Block/.test(value.type);
    for (const child of Object.values(value)) visit(child, inside ? Number.POSITIVE_INFINITY : own);
  };
  visit(tree, Number.POSITIVE_INFINITY);
  return found;
}

/**
 * The classes of a file that have too many members and give no reason: "name: number". Fields, methods and accessors
 * count; a getter and its setter, or the overloads of a method, are one. The reason is a line of the comment before the
 * class that begins with "Many members:".
 */
function largeClasses(file: string, text: string): string[] {
  const { program, comments, errors } = parseSync(file, text);
  expect(errors).toEqual([]);
  return classesIn(program as unknown as Node).flatMap(({ node, start }) => {
    const keys = (node.body?.body ?? []).flatMap(({ key, kind, static: isStatic }) =>
      key === undefined || kind === 'constructor' ? [] : [`${isStatic} ${text.slice(key.start, key.end)}`],
    );
    const count = new Set(keys).size;
    const comment = comments.find(({ end }) => end <= start && text.slice(end, start).trim() === '');
    const hasReason = /^[\s*]*Many members: \S/m.test(comment?.value ?? '');
    return count > MEMBERS_MAX && !hasReason ? [`${node.id?.name ?? 'class'}: ${count}`] : [];
  });
}

test(`no file of src is longer than ${LINES_MAX} lines`, () => {
  const long = sources.map((file) => ({ file, lines: linesOf(readSource(file)) }));
  expect(long.filter(({ lines }) => lines > LINES_MAX).map(({ file, lines }) => `${file}: ${lines}`)).toEqual(
    [],
  );
});

test(`no class has more than ${MEMBERS_MAX} members without a reason`, () => {
  expect(
    sources.flatMap((file) => largeClasses(file, readSource(file)).map((each) => `${file} ${each}`)),
  ).toEqual([]);
});

test('generated files exist', () => {
  expect(generated.filter((file) => !filesUnder('src').includes(file))).toEqual([]);
});

const fields = (count: number) => Array.from({ length: count }, (_, i) => `#f${i} = ${i};`).join('\n');

test.each([
  ['fields', `class A {\n${fields(31)}\n}`, 'A: 31'],
  ['methods and accessors', `export class A {\n${fields(29)}\nget a() { return 1; }\nb() {}\n}`, 'A: 31'],
  [
    'static members beside others of their name',
    `class A {\n${fields(29)}\na = 1;\nstatic a = 2;\n}`,
    'A: 31',
  ],
  ['abstract members', `abstract class A {\n${fields(30)}\nabstract a(): void;\n}`, 'A: 31'],
  ['a class expression', `const a = () => class {\n${fields(31)}\n};`, 'class: 31'],
  ['a comment with no reason', `/** All of it.\n * Many members:\n */\nclass A {\n${fields(31)}\n}`, 'A: 31'],
  [
    'a reason of the class before',
    `/** Many members: a. */\nclass B {}\nclass A {\n${fields(31)}\n}`,
    'A: 31',
  ],
])('too many members are found: %s', (_, text, found) => {
  expect(largeClasses('a.ts', text)).toEqual([found]);
});

test.each([
  ['thirty', `class A {\n${fields(30)}\nconstructor() {}\nstatic {}\n}`],
  [
    'accessors in pairs, and overloads',
    `class A {\n${fields(28)}\nget a() { return 1; }\nset a(b) {}\nc(): void;\nc(d?: 1) {}\n}`,
  ],
  [
    'a reason',
    `/**\n * All of it.\n * Many members: users need them.\n */\nexport class A {\n${fields(31)}\n}`,
  ],
  ['two small classes', `class A {\n${fields(20)}\nb = class {\n${fields(20)}\n};\n}`],
])('what is allowed: %s', (_, text) => {
  expect(largeClasses('a.ts', text)).toEqual([]);
});
