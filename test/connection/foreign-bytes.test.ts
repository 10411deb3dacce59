/** Bytes of another realm (Jest, node:vm) are taken wherever bytes are; other views say how they go. */
import vm from 'node:vm';
import { describe, expect, test } from 'vitest';
import { type Connection, type Message, prepare } from '../../src/index.ts';
import { RawClient } from '../support/raw-client.ts';
import { serve, words } from '../support/serving.ts';

const foreign = vm.runInNewContext('new Uint8Array([0, 65, 66]).subarray(1)') as Uint8Array;
const codec = { decode: (message: Message) => message, encode: (value: unknown) => value as Message };

describe('a Uint8Array of another realm', () => {
  test.each<[string, (connection: Connection, broadcast: (m: Message) => number) => unknown, string[]]>([
    ['send', (connection) => connection.send(foreign), ['binary 4142']],
    ['send with a key', (connection) => connection.send(foreign, { key: 'k' }), ['binary 4142']],
    ['prepare', (connection) => connection.send(prepare(foreign)), ['binary 4142']],
    ['broadcast', (_, broadcast) => broadcast(foreign), ['binary 4142']],
    ['sendFragments', (connection) => connection.sendFragments([foreign]), ['binary- 4142', 'continuation']],
    ['sendPing', (connection) => connection.sendPing(foreign), ['ping AB']],
    ['sendPong', (connection) => connection.sendPong(foreign), ['pong AB']],
  ])('goes by %s', async (_, act, wanted) => {
    const { meet, server } = await serve({});
    const { client, connection } = await meet();
    await act(connection, (message) => server.path('/echo').broadcast(message));
    expect(await words(client, wanted.length)).toEqual(wanted);
  });

  test('goes as the result of a codec, sent and broadcast', async () => {
    const { meet, server } = await serve({ codec } as never);
    const { client, connection } = await meet();
    connection.send(foreign);
    server.path('/echo').broadcast(foreign as never);
    expect(await words(client, 2)).toEqual(['binary 4142', 'binary 4142']);
  });

  test('goes as the body of an HTTP answer', async () => {
    const { port } = await serve({}, { onRequest: () => ({ status: 200, body: foreign }) });
    const client = await RawClient.connect(port, { sendHead: false });
    await client.sendBytes(Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'));
    expect((await client.response()).body).toBe('AB');
  });
});

test.each([
  ['an ArrayBuffer', new ArrayBuffer(1)],
  ['a SharedArrayBuffer', new SharedArrayBuffer(1)],
  ['a DataView', new DataView(new ArrayBuffer(1))],
  ['a Uint16Array', new Uint16Array(1)],
  ['an ArrayBuffer of another realm', vm.runInNewContext('new ArrayBuffer(1)')],
])('%s is a TypeError everywhere that says new Uint8Array(…)', async (_, value) => {
  const { meet, server } = await serve({});
  const { connection } = await meet();
  const how = /new Uint8Array\(/;
  for (const act of [
    () => connection.send(value as never),
    () => prepare(value as never),
    () => server.path('/echo').broadcast(value as never),
    () => connection.sendPing(value as never),
    () => connection.sendPong(value as never),
  ]) {
    expect(act).toThrow(TypeError);
    expect(act).toThrow(how);
  }
  await expect(connection.sendFragments([value as never])).rejects.toThrow(how);
  expect(connection.state).toBe('open');
});
