// The explanations say what is so: the table of arcs is the machine's, and the run-to-completion page prints what it says.

import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { connectionMachine } from '../../src/machines/connection-machine.ts';
import { serverMachine } from '../../src/machines/server-machine.ts';
import { blocksOf, compile, endAll, heard, open, readPage, serve } from './pages.ts';

const runToCompletion = 'docs/explanation/run-to-completion.md';
const backpressure = 'docs/explanation/backpressure.md';
let compiled: Awaited<ReturnType<typeof compile>>;
beforeAll(async () => {
  compiled = await compile(runToCompletion, backpressure);
});
afterEach(endAll);

interface Node {
  readonly states?: Record<string, Node>;
  readonly on?: Record<string, Arc | readonly Arc[]>;
}
type Arc = { readonly target?: string; readonly guard?: string };

/** Every arc that leads somewhere, as `from event to` or `from event [guard] to`, with dotted paths. */
function arcsOf(node: Node, path: readonly string[] = []): string[] {
  const own = Object.entries(node.on ?? {}).flatMap(([event, arcs]) =>
    [arcs].flat().flatMap(({ target, guard }: Arc) => {
      if (target === undefined) return [];
      const to = target.startsWith('#')
        ? target.slice(target.indexOf('.') + 1)
        : [...path.slice(0, -1), target].join('.');
      return [`${path.join('.')} ${event}${guard === undefined ? '' : ` [${guard}]`} ${to}`];
    }),
  );
  const inner = Object.entries(node.states ?? {}).flatMap(([name, state]) => arcsOf(state, [...path, name]));
  return [...own, ...inner];
}

test.each([
  ['connection', 0, connectionMachine.config],
  ['server', 1, serverMachine.config],
])('the table of arcs has each arc of the %s machine once, and no other', (_, part, config) => {
  const text = readPage('docs/explanation/statechart.md').split('## The server’s chart')[part] ?? '';
  const rows = text.matchAll(/^\| (`.*?) +\| (`.*?) +\| (`.*?) +\| \S.* \|$/gm);
  const names = (cell = '') => Array.from(cell.matchAll(/`([^`]+)`/g), ([, name]) => name);
  const told = Array.from(rows, ([, froms, events, to]) =>
    names(froms).flatMap((from) => names(events).map((event) => `${from} ${event} ${names(to)[0]}`)),
  ).flat();
  expect(told.sort()).toEqual(arcsOf(config as Node).sort());
});

test('run to completion: the program passes the type checker and prints what the page says', async () => {
  expect(compiled.complaints).toBe('');
  const printed = blocksOf(runToCompletion)[1]?.code ?? 'missing';
  const program = await serve(compiled.programs.get(runToCompletion)?.[0]);
  const { client, closed } = await open(program.url);
  client.send('hello');
  expect((await closed).code).toBe(1000);
  expect(await heard(program, '1000')).toBe(printed);
});

describe('backpressure: the shapes that survive a bad message', () => {
  test.each([
    ['/each', 1011],
    ['/all', 1007],
    ['/handler', 1011],
  ])('%s: it closes its own connection, and the others are served on', async (path, code) => {
    const program = await serve(compiled.programs.get(backpressure)?.[0]);
    const good = await open(`${program.url}${path}`);
    const bad = await open(`${program.url}${path}`);
    bad.client.send('{no json');
    expect((await bad.closed).code).toBe(code);
    good.client.send('{"n":1}');
    expect(await good.next()).toBe('got 1');
  });
});
