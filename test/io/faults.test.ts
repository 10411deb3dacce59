/** The ladder of faults: each row can be sent, becomes an error, and is used with the values that its texts name. */
import { readFileSync } from 'node:fs';
import { parseSync } from 'vite';
import { describe, expect, test } from 'vitest';
import * as errors from '../../src/api/errors.ts';
import { readOptions } from '../../src/api/options/options.ts';
import { type FaultName, type FaultRow, fault, faults } from '../../src/io/faults.ts';
import { ABNORMAL, isWireCloseCode, MAX_REASON_BYTES } from '../../src/io/frames/close-payload.ts';
import { encodeHttpResponse, refusal } from '../../src/io/http/http-response.ts';
import { filesUnder, root } from '../package/source.ts';

const rows = Object.entries(faults) as [FaultName, FaultRow][];
const isStatus = ({ code }: FaultRow) => code >= 400 && code < 600;
const placeholdersOf = ({ reason, told = '', advice = '' }: FaultRow): string[] => [
  ...new Set(Array.from(`${reason} ${told} ${advice}`.matchAll(/\{(\w+)\}/g), ([, name = '']) => name)),
];

// ------------------------------------------------------------------ where the rows are used

/** What is read here of the parser's tree. */
interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}
const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value;

interface Use {
  readonly name: string;
  /** The values given for the row's texts; undefined where the call gives them no place. */
  readonly values: readonly string[];
}

/** The functions that take the name of a row first. */
const TAKERS = ['fault', 'fail', 'failed', 'refuseFor', 'reportFault', 'tooFast'];

function nameOf(callee: unknown): string | undefined {
  if (!isNode(callee)) return undefined;
  if (callee.type === 'MemberExpression') return nameOf(callee.property);
  return callee.name as string | undefined;
}

/** The strings that an expression may be: a literal, or one of the two branches of a choice. */
function stringsOf(node: unknown): string[] {
  if (!isNode(node)) return [];
  if (node.type === 'ConditionalExpression')
    return [...stringsOf(node.consequent), ...stringsOf(node.alternate)];
  return node.type === 'Literal' && typeof node.value === 'string' ? [node.value] : [];
}

const keysOf = (node: unknown): string[] =>
  isNode(node) && node.type === 'ObjectExpression'
    ? (node.properties as Node[]).flatMap(({ key }) => nameOf(key) ?? [])
    : [];

/** Every place of a file that names a row: `fault('cap', { bytes })` and its like, and `faults.cap`. */
function usesIn(file: string, text: string): Use[] {
  const { program, errors } = parseSync(file, text);
  expect(errors).toEqual([]);
  const uses: Use[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const each of value) visit(each);
    if (!isNode(value)) return;
    if (value.type === 'CallExpression' && TAKERS.includes(nameOf(value.callee) ?? '')) {
      const [row, values] = value.arguments as unknown[];
      for (const name of stringsOf(row)) uses.push({ name, values: keysOf(values) });
    }
    if (value.type === 'MemberExpression' && nameOf(value.object) === 'faults' && value.computed !== true) {
      uses.push({ name: nameOf(value.property) ?? '', values: [] });
    }
    for (const child of Object.values(value)) visit(child);
  };
  visit(program);
  return uses;
}

const uses = filesUnder('src')
  .filter((file) => file.endsWith('.ts') && !/^(?:io\/faults|io\/wasm\/.*|inspect\/page)\.ts$/.test(file))
  .flatMap((file) => {
    const text = readFileSync(`${root}src/${file}`, 'utf8');
    return usesIn(file, text).map((use) => ({ file, ...use }));
  });

test('the places that name a row are found', () => {
  const text = `
    // fault('comment');
    const a = fault('one');
    this.#fail(b ? 'two' : 'three', { bytes: f(1), count });
    this.fail(other);
    const { code } = faults.four;
    const row = faults[name];
  `;
  expect(usesIn('a.ts', text)).toEqual([
    { name: 'one', values: [] },
    { name: 'two', values: ['bytes', 'count'] },
    { name: 'three', values: ['bytes', 'count'] },
    { name: 'four', values: [] },
  ]);
});

test('every row is used, and no other is named', () => {
  const named = new Set(uses.map(({ name }) => name));
  expect(rows.map(([name]) => name).filter((name) => !named.has(name))).toEqual([]);
  expect([...named].filter((name) => !(name in faults))).toEqual([]);
});

test('every use gives the values that the texts of its row name, and no others', () => {
  const wrong = uses.filter(({ name, values }) => {
    const wanted = placeholdersOf(faults[name as FaultName]);
    return wanted.slice().sort().join() !== values.slice().sort().join();
  });
  expect(wrong).toEqual([]);
});

// ------------------------------------------------------------------ the rows

const classes: Readonly<Record<string, unknown>> = { ...errors };
const classOf = (name: string) => classes[name] as abstract new (...args: never) => errors.PortalError;
/** Every limit is an option of the server, but the one of Node. */
const options = Object.keys(readOptions({ port: 0 }));
const longest = Object.fromEntries(
  ['opcode', 'code', 'bytes', 'count', 'ratio'].map((name) => [name, Number.MAX_SAFE_INTEGER]),
);

describe.each(rows)('%s', (name, row) => {
  test('has a code that may be sent, 1006, or an HTTP status', () => {
    expect(isWireCloseCode(row.code) || row.code === ABNORMAL || isStatus(row)).toBe(true);
    if (row.headers !== undefined) expect(isStatus(row)).toBe(true);
  });

  test('has a reason that fits its Close frame, or its answer', () => {
    const { reason } = fault(name, longest);
    // What is left has no length of its own: it is in the body of an answer, or in no frame at all.
    if (!isStatus(row)) expect(Buffer.byteLength(reason)).toBeLessThanOrEqual(MAX_REASON_BYTES);
    if (isWireCloseCode(row.code)) expect(reason).not.toMatch(/[{}]/);
    else if (row.code === ABNORMAL) expect(row.reason).not.toMatch(/[{}]/);
    else expect(() => encodeHttpResponse(refusal(fault(name, longest)))).not.toThrow();
  });

  test('becomes an error that says the same', () => {
    if (row.error === undefined) return;
    expect(classOf(row.error).prototype).toBeInstanceOf(errors.PortalError);
    expect(classOf(row.error).prototype).toBeInstanceOf(
      row.by === 'peer' ? errors.PeerError : errors.UserError,
    );
    // Made where the failure is: it carries more than the row.
    if (row.error === 'InvalidMessageError') return;
    const facts = { path: '/a', remoteAddress: '192.0.2.1', origin: undefined };
    const error = errors.errorOf(fault(name), undefined, facts);
    expect(error).toBeInstanceOf(classOf(row.error));
    expect(error).toMatchObject(facts);
    if (row.error === 'LimitError') expect(error).toMatchObject({ limit: row.limit, closeCode: row.code });
    if (row.error === 'ProtocolError') expect(error).toMatchObject({ closeCode: row.code });
    if (row.error === 'HandshakeError') expect(error).toMatchObject({ status: row.code, limit: row.limit });
    if (row.error !== 'InternalError') {
      expect(error.message).toContain(row.told ?? row.reason);
      expect(error.message).toContain(row.advice ?? '');
    }
  });

  test('names a limit that is an option', () => {
    if (row.limit === undefined || row.limit === 'maxStringLength') return;
    expect(options).toContain(row.limit);
  });
});

// ------------------------------------------------------------------ one fault

test('a fault has the texts of its row with the values filled in, and only those that the row has', () => {
  expect(fault('closeCode', { code: 1005 })).toEqual({
    name: 'closeCode',
    code: 1002,
    reason: 'close code 1005 is not allowed',
  });
  expect(fault('sendLimit', { bytes: 7 })).toEqual({
    name: 'sendLimit',
    code: 1013,
    reason: 'peer reads too slowly',
    told: 'more than 7 bytes would wait for the peer',
  });
  expect(fault('noPath', { path: '/a', quotedPath: '"/a"' })).toEqual({
    name: 'noPath',
    code: 404,
    reason: 'There is nothing at /a.',
    advice: 'server.path("/a", { onMessage }) would make it.',
  });
});

test('a value that looks like a placeholder or a pattern is filled in as it is', () => {
  const { reason } = fault('noPath', { path: '/{quotedPath}$&', quotedPath: 'no' });
  expect(reason).toBe('There is nothing at /{quotedPath}$&.');
});
