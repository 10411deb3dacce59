/** What a transport, a deadline and the user tell reaches the statechart, and nothing does after the end. */
import { expect, test } from 'vitest';
import { closeFrame, textFrame } from '../support/raw-client.ts';
import { reportOf, serve, until, word } from '../support/serving.ts';

test('a connection reads on after a Close of ours, until the peer answers', async () => {
  const heard: string[] = [];
  const { meet } = await serve({ onMessage: (_, message) => void heard.push(String(message)) });
  const { client, connection } = await meet();
  connection.close(4000, 'enough');
  expect(await word(client)).toBe('close 4000 enough');
  await client.sendBytes(textFrame('late'));
  await until(() => heard.length === 1);
  await client.sendBytes(closeFrame(4000, 'enough'));
  client.fin();
  expect(await reportOf(connection)).toMatchObject({ code: 4000, wasClean: true });
  expect(heard).toEqual(['late']);
});

test('commands after the end change nothing', async () => {
  const { meet } = await serve({});
  const { connection } = await meet();
  connection.terminate();
  const report = await reportOf(connection);
  expect(report).toMatchObject({ code: 1006, initiator: 'server' });
  connection.close(4001, 'again');
  connection.pause();
  connection.resume();
  expect([connection.state, await reportOf(connection)]).toEqual(['closed', report]);
});
