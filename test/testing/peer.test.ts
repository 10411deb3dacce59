// The client's end over memory and over TCP, against a hand that writes what a server may and may not send.

import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { memoryPair } from '../../src/io/transports/memory.ts';
import { TcpTransport } from '../../src/io/transports/tcp.ts';
import type { Transport } from '../../src/io/transports/transport.ts';
import { ClientPeer, type PeerFrame } from '../../src/testing/peer.ts';
import { bytes, hex } from '../support/raw-client.ts';
import { split } from '../support/splits.ts';

const HEAD = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n';

interface Line {
  readonly client: Transport;
  readonly server: Transport;
}

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const lines: Record<string, () => Promise<Line>> = {
  async memory() {
    const [server, client] = memoryPair();
    return { client, server };
  },
  async tcp() {
    const listener = net.createServer({ allowHalfOpen: true, noDelay: true }).listen(0, '127.0.0.1');
    await once(listener, 'listening');
    const accepted = once(listener, 'connection');
    const { port } = listener.address() as net.AddressInfo;
    const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const [other] = (await accepted) as [net.Socket];
    undo.push(
      () => new Promise((resolve) => listener.close(resolve)),
      () => socket.destroy(),
      () => other.destroy(),
    );
    return { client: new TcpTransport(socket), server: new TcpTransport(other) };
  },
};

/** A peer with a server's end that notes what it is sent, and writes what the test says. */
async function meet(name: string) {
  const { client, server } = await (lines[name] as () => Promise<Line>)();
  const frames: PeerFrame[] = [];
  const calls: string[] = [];
  const peer = new ClientPeer(client, {
    onFrame: (frame) => frames.push(frame),
    onEnd: () => calls.push('end'),
    onViolation: () => calls.push('violation'),
  });
  const heard: Uint8Array[] = [];
  server.attach({
    onBytes: (chunk) => heard.push(bytes(chunk)),
    onDrain: () => {},
    onEnd: () => {},
    onError: () => {},
    onClosed: () => {},
  });
  return { peer, client, server, frames, calls, heard };
}

describe.each(Object.keys(lines))('over %s', (name) => {
  test('it sends what it is told to, and nothing of its own', async () => {
    const { peer, server, frames, heard } = await meet(name);
    await peer.send(bytes('GET / HTTP/1.1\r\n\r\n'));
    server.write([bytes(HEAD, hex('89 01 61 88 02 03e8'))]);
    await peer.until(() => frames[1]);
    await peer.send(hex('8a 80 00000000'));
    server.end();
    await peer.until(() => peer.ended);
    while (bytes(...heard).length < 24) await new Promise((resolve) => setImmediate(resolve));
    expect(bytes(...heard)).toEqual(bytes('GET / HTTP/1.1\r\n\r\n', hex('8a 80 00000000')));
    expect([peer.ended, peer.close]).toEqual(['fin', { code: 1000, reason: '' }]);
  });

  test('it reads the response and frames, however they are split', async () => {
    const { peer, server, frames } = await meet(name);
    const sent = bytes(
      HEAD,
      hex('81 02 c3a9  01 02 61e2  89 01 70  80 02 82ac  82 01 07  02 01 01  80 01 02  8a 00  88 05 03e8'),
      'bye',
    );
    for (const piece of split(sent, 'byte-by-byte')) server.write([piece]);
    await peer.until(() => peer.close);
    expect(peer.response).toMatchObject({ status: 101, headers: { upgrade: 'websocket' } });
    expect(frames).toEqual([
      { opcode: 1, final: true, data: 'é', message: 'é' },
      { opcode: 1, final: false, data: 'a' },
      { opcode: 9, final: true, data: hex('70') },
      { opcode: 0, final: true, data: '€', message: 'a€' },
      { opcode: 2, final: true, data: hex('07'), message: hex('07') },
      { opcode: 2, final: false, data: hex('01') },
      { opcode: 0, final: true, data: hex('02'), message: hex('0102') },
      { opcode: 10, final: true, data: hex('') },
      { opcode: 8, final: true, data: bytes(hex('03e8'), 'bye') },
    ]);
    expect(peer.close).toEqual({ code: 1000, reason: 'bye' });
  });

  test('it reads the body of a response that is no 101', async () => {
    const { peer, server, frames } = await meet(name);
    server.write([bytes('HTTP/1.1 404 Not Found\r\n\r\n', 'no'), bytes('thing')]);
    server.end();
    await peer.until(() => peer.ended);
    expect([peer.response?.status, peer.body.toString(), frames]).toEqual([404, 'nothing', []]);
  });

  test.each([
    ['a masked frame', 'frame from a server is masked', hex('81 80 00000000')],
    ['a reserved bit', 'reserved bits set with no extension negotiated', hex('c1 00')],
    ['text that is not UTF-8', 'text is not valid UTF-8', hex('81 01 ff')],
    ['a Close of one byte', 'close payload of one byte', hex('88 01 03')],
    ['a frame after its Close', 'a frame after its Close (5.5.1)', hex('88 00 8a 00')],
  ])('%s is a violation, and nothing after it is read', async (_, reason, sent) => {
    const { peer, server, frames, calls } = await meet(name);
    server.write([bytes(HEAD, hex('81 00'), sent, hex('81 01 61'))]);
    server.write([hex('81 01 62')]);
    server.end();
    await peer.until(() => peer.ended);
    expect(peer.violation).toBe(`the server broke the protocol: ${reason}`);
    expect(frames.filter(({ opcode }) => opcode === 1)).toHaveLength(1);
    expect(calls).toEqual(['violation', 'end']);
  });

  test('a response that is not HTTP is a violation', async () => {
    const { peer, server } = await meet(name);
    server.write([bytes('SSH-2.0-x\r\n\r\n')]);
    await peer.until(() => peer.violation);
    expect(peer.violation).toMatch(/not an HTTP\/1.1 status line/);
  });

  test('what is sent resolves when the server reads, or the connection is gone', async () => {
    const { peer, server, client } = await meet(name);
    let taken = 0;
    const send = () => peer.send(new Uint8Array(8_000_000)).then(() => taken++);
    server.pause();
    const first = send();
    if (client.bufferedAmount > 0) {
      await new Promise((resolve) => setImmediate(resolve));
      expect(taken).toBe(0);
    }
    server.resume();
    await first;
    server.pause();
    const second = send();
    client.destroy();
    await second;
    expect(taken).toBe(2);
  });
});

describe('until', () => {
  test('finds at once, or when something has come, or gives up', async () => {
    const { peer, server, frames } = await meet('memory');
    expect(await peer.until(() => 'here')).toBe('here');
    const found = peer.until(() => frames[0]?.data);
    server.write([bytes(HEAD, hex('81 01 61'))]);
    expect(await found).toBe('a');
    expect(await peer.until(() => undefined, 5)).toBeUndefined();
  });

  test('rejects with what `look` throws', async () => {
    const { peer, server } = await meet('memory');
    const look = () => {
      if (peer.ended !== undefined) throw new Error('ended');
      return undefined;
    };
    const waiting = peer.until(look);
    server.destroy();
    await expect(waiting).rejects.toThrow('ended');
  });

  test('looks again when it is woken, and the end is told once', async () => {
    const { peer, calls } = await meet('memory');
    let found: number | undefined;
    const waiting = peer.until(() => found);
    found = 1;
    peer.wake();
    expect(await waiting).toBe(1);
    peer.end('reset');
    peer.end('fin');
    expect([peer.ended, calls]).toEqual(['reset', ['end']]);
  });
});
