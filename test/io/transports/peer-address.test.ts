/** The address of a peer: of TCP, of a Unix socket, and of one that has gone before it was asked for. */
import { once } from 'node:events';
import net from 'node:net';
import { Duplex } from 'node:stream';
import { expect, test } from 'vitest';
import { HandleTransport, type StreamHandle } from '../../../src/io/transports/handle-tcp.ts';
import { peerAddress } from '../../../src/io/transports/peer-address.ts';
import { socketPath } from '../../support/carrier.ts';

/** The accepted end of a connection. */
async function accepted(at: net.ListenOptions) {
  const server = net.createServer().listen(at);
  await once(server, 'listening');
  const address = server.address();
  const client = net.connect(
    typeof address === 'string' ? { path: address } : ({ ...address, host: '127.0.0.1' } as never),
  );
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  return {
    socket,
    end: () => {
      client.destroy();
      socket.destroy();
      server.close();
    },
  };
}

test('is that of TCP, and empty for a Unix socket', async () => {
  for (const [at, address] of [
    [{ port: 0, host: '127.0.0.1' }, '127.0.0.1'],
    [{ path: socketPath() }, ''],
  ] as const) {
    const { socket, end } = await accepted(at);
    expect(peerAddress(socket)).toBe(address);
    end();
    expect(peerAddress(Object.assign(socket, { _peername: undefined }))).toBe('unknown');
  }
});

test('is unknown where TCP has no peer any more, and for what is no socket', () => {
  expect(peerAddress({ remoteAddress: undefined, localAddress: '127.0.0.1' })).toBe('unknown');
  expect(peerAddress(undefined)).toBe('unknown');
  expect(peerAddress(new Duplex() as never)).toBe('unknown');
});

test('is unknown where a handle of TCP has no peer any more, and empty for one of a Unix socket', () => {
  const handle = { useUserBuffer() {} } as unknown as StreamHandle;
  const ofTcp = { ...handle, getpeername: () => -107 } as StreamHandle;
  expect(new HandleTransport(handle, 'unix').remoteAddress).toBe('');
  expect(new HandleTransport(ofTcp, 'tcp').remoteAddress).toBe('unknown');
});
