/** Proves that the leak gate sees each kind of leak, and that it lets pass what is closing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { expect, test } from 'vitest';
import { leakCounts, leaksBetween, registerLeakCheck, settledLeaks } from './leak-gate.ts';

const AT_ONCE = 0;

async function listening(): Promise<{ server: net.Server; port: number }> {
  const server = net.createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as net.AddressInfo).port };
}

test('a server that is left listening is a leak, and none once it is closed', async () => {
  const before = leakCounts();
  const { server } = await listening();
  expect(await settledLeaks(before, AT_ONCE)).toEqual(['TCPServerWrap: 1 more than the 0 before']);
  server.close();
  expect(await settledLeaks(before)).toEqual([]);
});

test('both ends of a connection that is left open are leaks, and are waited for while they close', async () => {
  const { server, port } = await listening();
  const before = leakCounts();
  const accepted = once(server, 'connection');
  const socket = net.connect(port, '127.0.0.1');
  await once(socket, 'connect');
  await accepted;
  expect(await settledLeaks(before, AT_ONCE)).toEqual(['TCPSocketWrap: 2 more than the 0 before']);
  server.on('error', () => undefined);
  for (const [peer] of [await accepted]) (peer as net.Socket).destroy();
  socket.destroy();
  expect(await settledLeaks(before)).toEqual([]);
  server.close();
});

test('a timer that is left running is a leak', async () => {
  const before = leakCounts();
  const timer = setTimeout(() => undefined, 60_000);
  expect(leaksBetween(before, leakCounts())).toEqual([expect.stringMatching(/^Timeout: 1 more than/)]);
  clearTimeout(timer);
  expect(await settledLeaks(before)).toEqual([]);
});

test('a child process that is left running is a leak', async () => {
  const before = leakCounts();
  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(child, 'spawn');
  expect(await settledLeaks(before, AT_ONCE)).toContain('ProcessWrap: 1 more than the 0 before');
  child.kill();
  await once(child, 'close');
  expect(await settledLeaks(before)).toEqual([]);
});

test('a count that a module registers is compared with its value at that time', async () => {
  let actors = 3;
  registerLeakCheck('actors', () => actors);
  const before = leakCounts();
  actors = 5;
  expect(await settledLeaks(before, AT_ONCE)).toEqual(['actors: 2 more than the 3 before']);
  actors = 3;
  expect(await settledLeaks(before)).toEqual([]);
});
