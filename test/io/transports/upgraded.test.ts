/** What is taken of a socket that an HTTP server hands over, and what is left as it is. */
import { once } from 'node:events';
import http from 'node:http';
import { connect, type Socket } from 'node:net';
import { duplexPair } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Transport } from '../../../src/io/transports/transport.ts';
import { takeSocket } from '../../../src/io/transports/upgraded.ts';
import { ending, listen } from '../../support/attached.ts';
import { dial, makeListener as makeCarrier } from '../../support/carrier.ts';
import { hasOpenssl, skippedTls } from '../../support/certificates.ts';
import { until } from '../../support/serving.ts';
import { tcpSuite } from './tcp-suite.ts';

const HEAD = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n';
type Parts = Socket & { _handle: object | null };

/** The socket of an upgrade, both ends of it, and the server that counts it. */
async function upgraded(early = '') {
  const server = http.createServer();
  const port = await listen(server);
  const came = once(server, 'upgrade');
  const client = ending(connect(port, '127.0.0.1'));
  client.write(HEAD + early);
  const [, socket, head] = (await came) as [unknown, Parts, Buffer];
  return { server, client, socket: ending(socket), head };
}

/** Notes what a transport tells. */
function hear(transport: Transport) {
  const told: string[] = [];
  let text = '';
  const note = (what: string) => () => void told.push(what);
  transport.attach({
    onBytes: (chunk) => {
      text += Buffer.from(chunk).toString();
    },
    onDrain: note('drain'),
    onEnd: note('end'),
    onError: note('error'),
    onClosed: note('closed'),
  });
  return { told, text: () => text };
}

const handedOver = [
  ['http1', 'handle', 'all'],
  ['http1', 'socket', 'all'],
  ['https', 'handle', 'first'],
  ['https', 'socket', 'none'],
] as const;

for (const [carrier, way, atOnce] of handedOver) {
  const name = `handed over by ${carrier}, by ${way}`;
  if (carrier === 'https' && !hasOpenssl) {
    test.skip(`${name}${skippedTls}`, () => {});
    continue;
  }
  tcpSuite(name, () => makeCarrier(way === 'handle', undefined, carrier), {
    name: 'http1',
    atOnce,
    listens: false,
    dial: (port) => dial(port),
  });
}

describe.each(['handle', 'socket'] as const)('by the %s', (way) => {
  test('bytes go both ways, the ends are told, and the server does not count it', async () => {
    const { server, client, socket, head } = await upgraded('early');
    const { transport, early } = takeSocket(socket, head, way);
    expect(`${Buffer.from(early)}`).toBe('early');
    expect(socket._handle === null).toBe(way === 'handle');
    expect([transport.name, transport.remoteAddress, socket.remoteAddress]).toEqual([
      'http1',
      '127.0.0.1',
      '127.0.0.1',
    ]);
    const { told, text } = hear(transport);
    const closed = once(server, 'close');
    server.close();
    await closed;
    client.write('more');
    await until(() => text() === 'more');
    transport.write([Buffer.from('ans'), Buffer.from('wer')]);
    expect(`${(await once(client, 'data'))[0]}`).toBe('answer');
    client.end();
    await until(() => told.includes('end'));
    expect(told).toEqual(['end']);
    transport.end();
    await until(() => told.includes('closed'));
  });

  test('bytes that the socket has read already are not lost', async () => {
    const { client, socket, head } = await upgraded();
    // What somebody does who looks before he decides.
    client.write('read before');
    await once(socket, 'readable');
    const { transport, early } = takeSocket(socket, head, way);
    const { text } = hear(transport);
    await until(() => Buffer.from(early).toString() + text() === 'read before');
    transport.destroy();
  });

  test('a socket that is destroyed by somebody else ends the transport', async () => {
    const { socket, head } = await upgraded();
    const { told } = hear(takeSocket(socket, head, way).transport);
    socket.destroy();
    await until(() => told.includes('closed'));
  });

  test('a socket that was paused flows again', async () => {
    const { client, socket, head } = await upgraded();
    socket.pause();
    const { transport } = takeSocket(socket, head, way);
    const { text } = hear(transport);
    client.write('on');
    await until(() => text() === 'on');
    transport.destroy();
  });
});

describe('the handle stays in the socket', () => {
  test('whose peer has ended behind bytes that nobody has read yet', async () => {
    const { client, socket, head } = await upgraded();
    client.end('the last');
    await once(socket, 'readable');
    await until(() => (socket as unknown as { _readableState: { ended: boolean } })._readableState.ended);
    const { transport } = takeSocket(socket, head, 'handle');
    expect(socket._handle).not.toBe(null);
    const { told, text } = hear(transport);
    await until(() => told.includes('end'));
    expect(text()).toBe('the last');
    transport.destroy();
  });

  test('that still has to write', async () => {
    const { client, socket, head } = await upgraded();
    client.pause();
    while (socket.writableLength === 0) socket.write(Buffer.alloc(1_000_000));
    const { transport } = takeSocket(socket, head, 'handle');
    expect(socket._handle).not.toBe(null);
    hear(transport);
    transport.destroy();
  });

  test('whose handle is not as expected', async () => {
    const { client, socket, head } = await upgraded();
    Object.assign(socket._handle as object, { writev: undefined });
    const { transport } = takeSocket(socket, head, 'handle');
    const { text } = hear(transport);
    expect(socket._handle).not.toBe(null);
    client.write('as well');
    await until(() => text() === 'as well');
    transport.destroy();
  });
});

test('a Duplex that is no socket', async () => {
  const [ours, theirs] = duplexPair();
  const { transport } = takeSocket(ours, Buffer.alloc(0), 'handle');
  const { told, text } = hear(transport);
  theirs.write('hello');
  await until(() => text() === 'hello');
  expect(transport.write([Buffer.from('you')])).toBeTypeOf('boolean');
  expect(`${(await once(theirs, 'data'))[0]}`).toBe('you');
  theirs.end();
  await until(() => told.includes('end'));
  transport.end();
  await until(() => told.includes('closed'));
});
