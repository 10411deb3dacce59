/** What is told of a frame: a Close, a broken rule or limit, fragments, and names of frames for who inspects. */
import { expect, test } from 'vitest';
import {
  type FrameOwner,
  fragmentEvent,
  fragmentOf,
  inspectedEvent,
  tellClose,
  tellFailure,
} from '../../src/connection/frame-events.ts';
import { fault, faults } from '../../src/io/faults.ts';
import { encodeClosePayload } from '../../src/io/frames/close-payload.ts';
import { Decoded, FrameDecoder } from '../../src/io/frames/frame-decoder.ts';
import type { ConnectionState } from '../../src/machines/connection-ports.ts';
import { LIMITS } from '../fuzz/decoding.ts';
import {
  bytes,
  continuationFrame,
  frame,
  OPCODE,
  pingFrame,
  pongFrame,
  textFrame,
} from '../support/raw-client.ts';

function owner(state: ConnectionState = 'open') {
  const seen: unknown[] = [];
  const told: FrameOwner = {
    state,
    tell: (event) => void seen.push(event),
    fault: ({ name }) => void seen.push(name),
    ends: (report) => void seen.push(report),
  };
  return { told, seen };
}

test.each([
  ['open', 'peer'],
  ['closing', 'server'],
] as const)(
  'a Close in the state %s is told, then how the connection ends: begun by the %s',
  (state, initiator) => {
    const { told, seen } = owner(state);
    tellClose(told, encodeClosePayload(4000, 'done'));
    expect(seen).toEqual([
      { type: 'close.received', code: 4000, reason: 'done' },
      { code: 4000, reason: 'done', wasClean: true, initiator },
    ]);
  },
);

test('a Close with a payload of one byte breaks a rule (5.5.1)', () => {
  const { told, seen } = owner();
  tellClose(told, new Uint8Array(1));
  expect(seen).toEqual([
    expect.any(String),
    expect.objectContaining({ type: 'protocol.failed', code: 1002 }),
  ]);
});

test('a limit is told as a limit', () => {
  const { told, seen } = owner();
  tellFailure(told, fault('maxMessagesPerSecond'));
  const { code, reason } = faults.maxMessagesPerSecond;
  expect(seen).toEqual(['maxMessagesPerSecond', { type: 'limit.breached', code, reason }]);
});

test('the first and the last fragment of a message are events, and parts for the user', () => {
  const decoder = new FrameDecoder(LIMITS);
  decoder.append(bytes(textFrame('ab', { fin: false }), continuationFrame('c')));
  expect(decoder.next()).toBe(Decoded.FRAGMENT);
  expect(fragmentEvent(decoder)).toEqual({ type: 'fragment.begin', byteLength: 2, opcode: 'text' });
  expect(inspectedEvent(Decoded.FRAGMENT, decoder)).toMatchObject({ opcode: 'continuation' });
  expect(fragmentOf(decoder)).toEqual({ data: 'ab', opcode: 'text', first: true, final: false });
  expect(decoder.next()).toBe(Decoded.FRAGMENT);
  expect(fragmentEvent(decoder)).toEqual({ type: 'fragment.end', byteLength: 1, opcode: 'continuation' });
  expect(fragmentOf(decoder)).toEqual({ data: 'c', opcode: 'text', first: false, final: true });
});

test.each([
  ['text', textFrame('abc')],
  ['binary', frame({ opcode: OPCODE.binary, payload: new Uint8Array(3) })],
  ['ping', pingFrame('abc')],
  ['pong', pongFrame('abc')],
])('who inspects is told the name of a frame: %s', (opcode, chunk) => {
  const decoder = new FrameDecoder(LIMITS);
  decoder.append(chunk);
  const decoded = decoder.next();
  expect(inspectedEvent(decoded, decoder)).toMatchObject({ type: 'read.continue', opcode });
});
