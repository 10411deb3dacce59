// docs/how-to/stately-inspector.md is true: its code passes the type checker and does what the page says.

import { afterEach, beforeAll, expect, test } from 'vitest';
import { compile, endAll, heard, open, run, serve } from '../docs/pages.ts';

const PAGE = 'docs/how-to/stately-inspector.md';
let complaints: string;
let programs: string[];
beforeAll(async () => {
  const compiled = await compile(PAGE);
  complaints = compiled.complaints;
  programs = compiled.programs.get(PAGE) ?? [];
});
afterEach(endAll);

const [OWN, TOKEN, RECEIVER, OFFICIAL] = [0, 1, 2, 3];

test('its code passes the type checker', () => {
  expect(complaints).toBe('');
});

test('the page is served, the receiver hears of an echo, and no payload', async () => {
  const program = await serve(programs[OWN]);
  const [, url = ''] = /watch at (\S+)/.exec(await heard(program, /watch at \S+/)) ?? [];
  expect(await (await fetch(url)).text()).toContain('<title>Portal inspector</title>');
  const relay = `${url.replace('http', 'ws')}inspect`;
  const receiver = run(programs[RECEIVER]?.replace('ws://127.0.0.1:5006/inspect', relay));
  await heard(receiver, 'server');
  const { client, next } = await open(`${program.url}/echo`);
  client.send('a private word');
  expect(await next()).toBe('a private word');
  const said = await heard(receiver, 'read.continue');
  expect(said).toMatch(/connection \d+ \/echo/);
  expect(said).not.toContain('private');
});

test('beyond loopback it will not run without its token', async () => {
  const program = run(programs[TOKEN]?.replaceAll(/port: 500\d/g, 'port: 0'));
  await heard(program, /can be reached from outside: give it a token/, 'err');
});

test('the official inspector reports to whoever listens on its port', async () => {
  const bridge = await serve(programs[OWN]);
  const [, url = ''] = /watch at (\S+)/.exec(await heard(bridge, /watch at \S+/)) ?? [];
  const relay = `${url.replace('http', 'ws')}inspect`;
  const receiver = run(programs[RECEIVER]?.replace('ws://127.0.0.1:5006/inspect', relay));
  await heard(receiver, 'server');
  const { url: official } = await serve(programs[OFFICIAL]?.replace('ws://localhost:8080', relay));
  await open(`${official}/echo`);
  await heard(receiver, 'handshake.accepted');
});
