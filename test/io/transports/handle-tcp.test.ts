/** TCP on Node's handle does what TCP by `net.Socket` does, and gives way to others. */
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type NetConnectOpts } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { READ_BYTES } from '../../../src/io/frames/read-buffer.ts';
import { HandleTcpListener } from '../../../src/io/transports/handle-tcp.ts';
import type { TcpOptions } from '../../../src/io/transports/tcp.ts';
import type { Transport } from '../../../src/io/transports/transport.ts';
import { tcpSuite } from './tcp-suite.ts';

tcpSuite('TCP by handle', (options) => new HandleTcpListener(options));

/** Connects and says hello. Tells what was heard, and whether it lay in the memory that all handles share. */
async function greet(options: object, to: (listener: HandleTcpListener) => NetConnectOpts) {
  const listener = new HandleTcpListener(options as TcpOptions);
  const heard: object[] = [];
  const accept = (transport: Transport) => {
    const nothing = () => {};
    const onBytes = (chunk: Uint8Array, shared: boolean) => {
      heard.push({ text: `${Buffer.from(chunk)}`, shared, remoteAddress: transport.remoteAddress });
      transport.write([Buffer.from('and to you')]);
      transport.end();
    };
    transport.attach({ onBytes, onDrain: nothing, onEnd: nothing, onError: nothing, onClosed: nothing });
  };
  await listener.listen(accept, nothingFailed);
  const client = connect(to(listener));
  client.write('hello');
  let answer = '';
  for await (const chunk of client) answer += chunk;
  await listener.close();
  return { heard, answer };
}

test('a connection is carried by its handle', async () => {
  const at = { port: 0, host: '127.0.0.1' };
  const told = await greet(at, (listener) => ({ ...at, port: listener.address()?.port ?? 0 }));
  const heard = [{ text: 'hello', shared: true, remoteAddress: '127.0.0.1' }];
  expect(told).toEqual({ heard, answer: 'and to you' });
});

test.skipIf(process.platform === 'win32')(
  'a Unix socket is carried by its handle, which has no address',
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'portal-'));
    const path = join(folder, 'socket');
    const told = await greet({ path }, () => ({ path }));
    const heard = [{ text: 'hello', shared: true, remoteAddress: '' }];
    expect(told).toEqual({ heard, answer: 'and to you' });
    await rm(folder, { recursive: true });
  },
);

test('a connection that floods us is read one buffer at a time, and the others between', async () => {
  const listener = new HandleTcpListener({ port: 0, host: '127.0.0.1' });
  const total = 64 * 1024 * 1024;
  let [received, full, turn, lastFullTurn, twice] = [0, 0, 0, -1, 0];
  let turning = setImmediate(function next() {
    turn++;
    turning = setImmediate(next);
  });
  let server: Transport | undefined;
  const flooded = new Promise<void>((resolve) => {
    const accept = (transport: Transport) => {
      server = transport;
      const nothing = () => {};
      const onBytes = (chunk: Uint8Array) => {
        received += chunk.length;
        if (chunk.length === READ_BYTES) {
          full++;
          if (lastFullTurn === turn) twice++;
          lastFullTurn = turn;
        }
        if (received === total) resolve();
      };
      transport.attach({ onBytes, onDrain: nothing, onEnd: nothing, onError: nothing, onClosed: nothing });
    };
    void listener.listen(accept, nothingFailed);
  });
  await new Promise((resolve) => setImmediate(resolve));
  const client = connect({ port: listener.address()?.port ?? 0, host: '127.0.0.1' });
  client.write(Buffer.alloc(total));
  await flooded;
  clearImmediate(turning);
  client.destroy();
  server?.destroy();
  await listener.close();
  expect(full).toBeGreaterThan(0);
  expect(twice).toBe(0);
});

const nothingFailed = (error: Error): never => {
  throw error;
};
