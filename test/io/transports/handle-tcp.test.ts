/** TCP on Node's handle does what TCP by `net.Socket` does, and gives way to others. */
import { connect } from 'node:net';
import { expect, test } from 'vitest';
import { READ_BYTES } from '../../../src/io/frames/read-buffer.ts';
import { HandleTcpListener } from '../../../src/io/transports/handle-tcp.ts';
import type { Transport } from '../../../src/io/transports/transport.ts';
import { tcpSuite } from './tcp-suite.ts';

tcpSuite('TCP by handle', (options) => new HandleTcpListener(options));

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
