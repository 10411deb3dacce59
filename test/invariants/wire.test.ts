// The judge of the invariants: what a server may send, and every way to break that.

import { expect, test } from 'vitest';
import { PersistentPeer } from '../support/deflate-peer.ts';
import { bytes, hex } from '../support/raw-client.ts';
import { Wire } from './wire.ts';

const SWITCHED = bytes('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n');

function judged(...parts: string[]): Wire {
  const wire = new Wire();
  for (const byte of bytes(SWITCHED, ...parts.map(hex))) wire.read(Uint8Array.of(byte));
  return wire;
}

test('messages, fragments with a Ping between them, Pongs and a Close are read byte by byte', () => {
  const wire = judged(
    '8103 61 62 63',
    '0101 64',
    '8900',
    '8001 65',
    '8a02 6869',
    `827e 007e${'00'.repeat(126)}`,
    '8805 03e8 627965',
  );
  expect(wire.fault).toBeUndefined();
  expect(wire.messages.map(({ payload, fragments }) => [payload, fragments])).toEqual([
    ['abc', 1],
    ['de', 2],
    ['\0'.repeat(126), 1],
  ]);
  expect([wire.pings, wire.pongs, wire.close]).toEqual([[''], ['hi'], '1000 bye']);
});

test('compressed messages, whole and in fragments, where that was agreed on', () => {
  const wire = new Wire(new PersistentPeer(15));
  wire.read(
    bytes(
      SWITCHED,
      hex('c107 f248cdc9c90700'),
      hex('4103 f248cd'),
      hex('8900'),
      hex('8004 c9c90700'),
      hex('8101 61'),
    ),
  );
  expect([wire.fault, wire.messages.map(({ payload }) => payload), wire.pings]).toEqual([
    undefined,
    ['Hello', 'Hello', 'a'],
    [''],
  ]);
  wire.read(hex('8003 ffffff'));
  expect(wire.fault).toMatch(/out of order/);
  const other = new Wire(new PersistentPeer(15));
  other.read(bytes(SWITCHED, hex('c103 ffffff')));
  expect(other.fault).toMatch(/7\.2\.2/);
});

test.each([
  ['a second Close (5.5.1)', ['8802 03e8', '8802 03e8']],
  ['a message behind the Close (5.5.1)', ['8800', '8100']],
  ['a Pong behind the Close (5.5.1)', ['8800', '8a00']],
  ['a reserved bit (5.2)', ['c100']],
  ['an opcode that is reserved (5.2)', ['8300']],
  ['a masked frame (5.1)', ['8180 00000000']],
  ['a control frame that is fragmented (5.5)', ['0900']],
  ['a control frame of 126 bytes (5.5)', ['897e 007e']],
  ['a length that is not in its shortest form (5.2)', ['817e 0001 61']],
  ['a continuation of nothing (5.4)', ['8000']],
  ['a message inside another (5.4)', ['0100', '8100']],
  ['text that is not UTF-8 (5.6)', ['8101 ff']],
])('%s is a fault', (_, parts) => {
  expect(judged(...parts).fault).toMatch(/^the server sent .*\(5\.\d(\.\d)?\)$/);
});
