// The reference is what the source says now, and holds every name that a user can write.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import * as portal from '../../src/index.ts';
import { root } from '../package/source.ts';

/** A page, its tables without padding. */
const page = (name: string) =>
  readFileSync(`${root}docs/reference/${name}.md`, 'utf8').replace(/ +\|/g, ' |');

test('docs/reference is what `npm run reference` makes of the source', async () => {
  const child = spawn(process.execPath, ['scripts/reference.mjs', '--check'], { cwd: root });
  const closed = once(child, 'close');
  expect(await text(child.stderr)).toBe('');
  expect((await closed)[0]).toBe(0);
});

test('every value that is exported is in the index', () => {
  const index = page('README');
  expect(Object.keys(portal).filter((name) => !index.includes(`[\`${name}\`]`))).toEqual([]);
});

test('every option that the server knows is described', () => {
  let message = '';
  try {
    portal.createServer({ port: 0, nonsense: 1 } as never);
  } catch (error) {
    ({ message } = error as Error);
  }
  const names = message.split('the options are ')[1]?.split(', ') ?? [];
  expect(names).toContain('port');
  const described = page('options') + page('handlers');
  expect(names.filter((name) => !RegExp(`\`${name}\\b`).test(described))).toEqual([]);
});

/** `@internal` in the source. */
const NOT_FOR_USERS = ['constructor', 'isOver', 'opened', 'left', 'subprotocols'];

test('every member of a server and a path is described', () => {
  const server = portal.createServer({ port: 0 });
  for (const [name, face] of [
    ['server', server],
    ['server', server.path('/')],
  ] as const) {
    const members = Object.getOwnPropertyNames(Object.getPrototypeOf(face));
    const missing = members.filter((member) => !page(name).includes(`- \`${member}`));
    expect(missing.filter((member) => !NOT_FOR_USERS.includes(member))).toEqual([]);
  }
});

test('a close code and a limit stand there with what the code says of them', () => {
  expect(page('close-codes')).toContain('| 1013 | `peer reads too slowly` |');
  expect(page('close-codes')).toMatch(/\| 1005 \| +\| no \|/);
  expect(page('options')).toMatch(/\| `cap` \| 1,048,576 \| 0 to [\d,]+ bytes \|/);
  expect(page('diagnostics')).toContain('`portal-ws.connection.closing`');
});
