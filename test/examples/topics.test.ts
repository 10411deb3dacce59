// examples/topics.mjs, run from outside as its readers run it.

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, start } from '../clients/example.ts';
import { Members } from '../clients/members.ts';

let program: Program;
const members = new Members();

beforeAll(async () => {
  program = await start('examples/topics.mjs', { HISTORY: '5' });
});
afterEach(() => members.leave());
afterAll(async () => {
  expect(await program?.stop()).toMatchObject({ code: 0, stderr: '' });
});

const join = (topic: string) =>
  members.join<string | number[]>(program.url.replace(':topic', topic), (data, isBinary) =>
    isBinary ? [...(data as Buffer)] : data.toString(),
  );

test('prints one line when it listens, with its address', () => {
  expect(program.line).toMatch(/^listening on ws:\/\/127\.0\.0\.1:\d+\/topics\/:topic$/);
});

test('a message goes to all other members, as its own type', async () => {
  const [a, b, c, other] = [await join('t'), await join('t'), await join('t'), await join('u')];
  a.member.send('text');
  a.member.send(Uint8Array.of(1, 2));
  for (const { next } of [b, c]) expect([await next(), await next()]).toEqual(['text', [1, 2]]);
  b.member.send('from b');
  expect([await a.next(), await c.next()]).toEqual(['from b', 'from b']);
  await join('u').then(({ member }) => member.send('only here'));
  expect(await other.next()).toBe('only here');
});

test('who comes back with a position gets what it missed, before anything newer, or is told that it cannot', async () => {
  const speaker = await join('r');
  const witness = await join('r');
  const hasHeard = async (text: string) => expect(await witness.next()).toBe(text);
  const listener = await join('r?since=');
  const first = JSON.parse(String(await listener.next()));
  expect(first).toEqual({ position: expect.stringMatching(/^[\w-]+\.0$/), recovered: false, missed: 0 });
  speaker.member.send('one');
  const [position, text] = String(await listener.next()).split('\n');
  expect([position, text]).toEqual([first.position.replace(/0$/, '1'), 'one']);
  await hasHeard('one');
  listener.member.close();
  await once(listener.member, 'close');

  speaker.member.send('two');
  speaker.member.send('three');
  await hasHeard('two');
  await hasHeard('three');
  const back = await join(`r?since=${position}`);
  expect(JSON.parse(String(await back.next()))).toMatchObject({ recovered: true, missed: 2 });
  speaker.member.send('four');
  const heard = [await back.next(), await back.next(), await back.next()].map((each) =>
    String(each).split('\n'),
  );
  const epoch = position?.split('.')[0];
  expect(heard).toEqual([
    [`${epoch}.2`, 'two'],
    [`${epoch}.3`, 'three'],
    [`${epoch}.4`, 'four'],
  ]);

  await hasHeard('four');
  for (let n = 0; n < 5; n++) speaker.member.send(`${n}`);
  for (let n = 0; n < 5; n++) await hasHeard(`${n}`);
  const late = await join(`r?since=${position}`);
  expect(JSON.parse(String(await late.next()))).toMatchObject({ recovered: false, missed: 0 });
});

test('a name that is too long is refused', async () => {
  const long = new WebSocket(program.url.replace(':topic', 'x'.repeat(201)));
  expect((await once(long, 'error'))[0].message).toBe('Unexpected server response: 414');
});
