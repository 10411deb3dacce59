// examples/rooms, run from outside as its readers run it.

import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { type Program, start } from '../clients/example.ts';
import { Members } from '../clients/members.ts';

let program: Program;
const members = new Members();

beforeAll(async () => {
  program = await start('examples/rooms/server.mjs');
});
afterEach(() => members.leave());
afterAll(async () => {
  expect(await program?.stop()).toMatchObject({ code: 0, stderr: '' });
});

const enter = (room: string, name: string) =>
  members.join<unknown>(new URL(`/rooms/${room}?name=${name}`, program.url.replace('http', 'ws')), (data) =>
    JSON.parse(String(data)),
  );

test('a room hears who joins, says and leaves; another room hears nothing of it', async () => {
  const ada = await enter('red', 'Ada');
  expect(await ada.next()).toEqual({ name: 'Ada', did: 'joined', members: ['Ada'] });
  const alan = await enter('blue', 'Alan');
  expect(await alan.next()).toEqual({ name: 'Alan', did: 'joined', members: ['Alan'] });
  const grace = await enter('red', 'Grace');
  expect(await grace.next()).toEqual({ name: 'Ada', did: 'joined', members: ['Ada'] });
  const joined = { name: 'Grace', did: 'joined', members: ['Ada', 'Grace'] };
  expect([await ada.next(), await grace.next()]).toEqual([joined, joined]);

  grace.member.send('hello');
  const said = { name: 'Grace', did: 'said', text: 'hello', members: ['Ada', 'Grace'] };
  expect([await ada.next(), await grace.next()]).toEqual([said, said]);
  grace.member.close();
  expect(await ada.next()).toEqual({ name: 'Grace', did: 'left', members: ['Ada'] });
  alan.member.send('anybody?');
  expect(await alan.next()).toMatchObject({ name: 'Alan', text: 'anybody?' });
});

test('who comes in hears the last fifty news of the room first', async () => {
  const ada = await enter('green', 'Ada');
  await ada.next();
  for (let n = 0; n < 60; n++) ada.member.send(`line ${n}`);
  for (let n = 0; n < 60; n++) await ada.next();
  const grace = await enter('green', 'Grace');
  for (let n = 10; n < 60; n++) expect(await grace.next()).toMatchObject({ name: 'Ada', text: `line ${n}` });
  expect(await grace.next()).toMatchObject({ name: 'Grace', did: 'joined' });
});

test('a room may have any name that is not too long', async () => {
  const ada = await enter(encodeURIComponent('a/b.c *'), 'Ada');
  expect(await ada.next()).toMatchObject({ did: 'joined' });
  const long = new WebSocket(
    new URL(`/rooms/${'x'.repeat(101)}?name=Ada`, program.url.replace('http', 'ws')),
  );
  expect((await once(long, 'error'))[0].message).toBe('Unexpected server response: 414');
});

test('who says no name is not let in: 401', async () => {
  const nameless = new WebSocket(new URL('/rooms/red', program.url.replace('http', 'ws')));
  expect((await once(nameless, 'error'))[0].message).toBe('Unexpected server response: 401');
});

test.each([
  ['binary', Buffer.of(1)],
  ['more than 2000 characters', 'a'.repeat(2001)],
])('%s is no line of text: 1007', async (_, message) => {
  const { member } = await enter('red', 'Ada');
  member.send(message);
  expect((await once(member, 'close'))[0]).toBe(1007);
});
