/** Proves that the raw client writes the RFC's own examples, and that it refuses what a server must not send. */
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import {
  acceptFor,
  bytes,
  closeFrame,
  fragmented,
  frame,
  hex,
  OPCODE,
  pingFrame,
  pongFrame,
  RawClient,
  SAMPLE_HANDSHAKE_KEY,
  textFrame,
} from './raw-client.ts';

const ACCEPT_HEAD =
  'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
  `Sec-WebSocket-Accept: ${acceptFor(SAMPLE_HANDSHAKE_KEY)}\r\n\r\n`;

let close: () => Promise<void> = async () => undefined;
afterEach(async () => {
  RawClient.destroyAll();
  await close();
});

/** A client, and the server's end of its connection, to write on as one likes. */
async function connected(): Promise<{ client: RawClient; socket: net.Socket }> {
  const server = net.createServer({ allowHalfOpen: true, noDelay: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection');
  const client = await RawClient.connect((server.address() as net.AddressInfo).port);
  const [socket] = (await accepted) as [net.Socket];
  socket.on('error', () => undefined).resume();
  close = async () => {
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { client, socket };
}

/** What `nextFrame` makes of the bytes that a server sends after a good handshake. */
async function frameFrom(...sent: Uint8Array[]): Promise<unknown> {
  const { client, socket } = await connected();
  socket.write(bytes(ACCEPT_HEAD, ...sent));
  await client.handshake();
  for (const _ of sent.slice(1)) await client.nextFrame();
  return await client.nextFrame();
}

describe('the frames it builds', () => {
  test('the examples of RFC 6455 5.7', () => {
    expect(textFrame('Hello', { mask: false })).toEqual(hex('81 05 48 65 6c 6c 6f'));
    expect(textFrame('Hello')).toEqual(hex('81 85 37 fa 21 3d 7f 9f 4d 51 58'));
    expect(bytes(textFrame('Hel', { fin: false, mask: false }))).toEqual(hex('01 03 48 65 6c'));
    expect(frame({ opcode: OPCODE.continuation, payload: 'lo', mask: false })).toEqual(hex('80 02 6c 6f'));
    expect(pingFrame('Hello', { mask: false })).toEqual(hex('89 05 48 65 6c 6c 6f'));
    expect(pongFrame('Hello')).toEqual(hex('8a 85 37 fa 21 3d 7f 9f 4d 51 58'));
    expect(
      frame({ opcode: OPCODE.binary, payload: new Uint8Array(256), mask: false }).subarray(0, 5),
    ).toEqual(hex('82 7e 01 00 00'));
    expect(
      frame({ opcode: OPCODE.binary, payload: new Uint8Array(65_536), mask: false }).subarray(0, 10),
    ).toEqual(hex('82 7f 00 00 00 00 00 01 00 00'));
  });
  test('lengths and forms that are wrong on purpose', () => {
    const length = { declared: (1n << 63n) - 1n, bits: 64 } as const;
    expect(frame({ opcode: 0xb, rsv: 5, fin: false, mask: false, length })).toEqual(
      hex('5b 7f 7f ff ff ff ff ff ff ff'),
    );
    expect(textFrame('a', { mask: false, length: { bits: 16 } })).toEqual(hex('81 7e 00 01 61'));
  });
  test('a Close has its code in network order, and a message its fragments', () => {
    expect(closeFrame(1000, 'ok', { mask: false })).toEqual(hex('88 04 03 e8 6f 6b'));
    expect(closeFrame(undefined, '', { mask: false })).toEqual(hex('88 00'));
    expect(fragmented(OPCODE.text, 'abcde', 2).map((each) => (each[0] ?? 0).toString(16))).toEqual([
      '1',
      '0',
      '80',
    ]);
    expect(fragmented(OPCODE.text, '', 2)).toHaveLength(1);
  });
});

describe('what it takes from a server, and what not', () => {
  test('a good frame', async () => {
    expect(await frameFrom(hex('81 02 68 69'))).toEqual({ fin: true, opcode: 1, payload: hex('68 69') });
  });
  const faults: Record<string, [expected: RegExp, ...sent: Uint8Array[]]> = {
    'a masked frame': [/masked/, textFrame('hi')],
    'a reserved bit': [/reserved bits set/, hex('c1 00')],
    'an unknown opcode': [/reserved opcode 3/, hex('83 00')],
    'a length in too many bytes': [/not in its shortest form/, hex('81 7e 00 01 61')],
    'a length in far too many bytes': [
      /not in its shortest form/,
      hex('81 7f 00 00 00 00 00 00 00 7e'),
      hex('00'),
    ],
    'a fragmented control frame': [/fragmented control frame/, hex('09 00')],
    'a long control frame': [/control frame over 125 bytes/, hex('89 7e 00 7e')],
    'a continuation of nothing': [/continuation frame outside a message/, hex('80 00')],
    'text that is not UTF-8': [/not valid UTF-8/, hex('81 01 ff')],
    'a Close of one byte': [/close payload of one byte/, hex('88 01 03')],
    'a close code that may not be sent': [/close code 1005 is not allowed/, hex('88 02 03ed')],
    'a frame after its Close': [/after its Close/, hex('88 00'), hex('8a 00')],
  };
  for (const [name, [expected, ...sent]] of Object.entries(faults)) {
    test(`not ${name}`, async () => {
      const whole = bytes(...sent);
      const parts = name === 'a frame after its Close' ? sent : [whole];
      await expect(frameFrom(...parts)).rejects.toThrow(expected);
    });
  }
  test('a frame after a Close is seen by who awaits the end only', async () => {
    const { client, socket } = await connected();
    socket.end(bytes(ACCEPT_HEAD, hex('88 00 88 00')));
    await client.closeFrame();
    await expect(client.ended()).rejects.toThrow(/after its Close/);
  });
  test('not a 101 with a wrong Sec-WebSocket-Accept', async () => {
    const { client, socket } = await connected();
    socket.write(ACCEPT_HEAD.replace('Accept: s3', 'Accept: S3'));
    await expect(client.handshake()).rejects.toThrow(/wrong Sec-WebSocket-Accept/);
  });
  test('a FIN and a reset are told apart, and either ends an await', async () => {
    const first = await connected();
    first.socket.end();
    await expect(first.client.nextFrame()).rejects.toThrow(/ended \(fin\)/);
    expect(await first.client.ended()).toBe('fin');
    await close();
    const second = await connected();
    second.socket.resetAndDestroy();
    expect(await second.client.ended()).toBe('reset');
  });
  test('an answer that is not 101 comes with its headers and its body', async () => {
    const { client, socket } = await connected();
    socket.end('HTTP/1.1 404 Not Found\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 4\r\n\r\nnone');
    expect(await client.response()).toMatchObject({ status: 404, headers: { 'x-a': '1, 2' }, body: 'none' });
  });
  test('the bytes of a split arrive apart', async () => {
    const { client, socket } = await connected();
    const chunks: number[] = [];
    await once(socket, 'data');
    socket.on('data', (chunk: Buffer) => chunks.push(chunk.length));
    await client.sendSplit(new Uint8Array(50), 'byte-by-byte');
    client.fin();
    await once(socket, 'end');
    expect(chunks.reduce((sum, length) => sum + length)).toBe(50);
    expect(chunks.length).toBeGreaterThan(25);
  });
});
