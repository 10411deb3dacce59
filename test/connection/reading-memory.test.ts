/** What the reading side of a connection holds, and what it tells the memory budget of it. */
import { expect, test } from 'vitest';
import type { Shared } from '../../src/connection/host.ts';
import { type MemoryOwner, ReadingMemory } from '../../src/connection/reading-memory.ts';
import { FrameDecoder } from '../../src/io/frames/frame-decoder.ts';
import { LIMITS } from '../fuzz/decoding.ts';
import { textFrame } from '../support/raw-client.ts';

class Memory extends ReadingMemory<MemoryOwner> {}

function make() {
  const seen: unknown[] = [];
  const session = {
    receivedHeadBytes: 0,
    headBytes: 0,
    sending: { outbox: { extension: undefined } },
    memory: { countReading: ({ heldBytes }: { heldBytes: number }) => void seen.push(heldBytes) },
    deadlines: { insideMessage: (isInside: boolean) => void seen.push(isInside) },
    shed: () => void seen.push('shed'),
  };
  const decoders: FrameDecoder[] = [];
  const host = {
    lendDecoder: () => decoders.pop() ?? new FrameDecoder(LIMITS),
    takeBack: (decoder: FrameDecoder) => void decoders.push(decoder),
  } as Pick<Shared, 'lendDecoder' | 'takeBack'>;
  const memory = new Memory(session, host as Shared); // nothing else is used
  return { memory, session, decoders, take: () => seen.splice(0) };
}

test('holds nothing at first, and counts nothing', () => {
  const { memory, take } = make();
  memory.countMemory();
  expect([memory.heldBytes, memory.movedBytes, memory.completed, memory.held]).toEqual([0, 0, 0, undefined]);
  expect(take()).toEqual([]);
});

test('the head counts until it is answered, and its end is counted once', () => {
  const { memory, session, take } = make();
  session.headBytes = 100;
  session.receivedHeadBytes = 100;
  memory.countMemory();
  expect(memory.movedBytes).toBe(100);
  session.headBytes = 0;
  session.receivedHeadBytes = 0;
  memory.countMemory();
  memory.countMemory();
  expect(take()).toEqual([100, 0]);
});

test('an idle decoder is given back, one inside a frame is kept', () => {
  const { memory, decoders, take } = make();
  const chunk = textFrame('abcdef');
  memory.decoder.append(chunk.subarray(0, 8));
  memory.decoder.next();
  memory.keepRest(true);
  expect(decoders).toEqual([]);
  expect(memory.heldBytes).toBeGreaterThan(0);
  expect(memory.movedBytes).toBe(2); // of the payload
  expect(take()).toEqual([true, memory.heldBytes]);
  memory.decoder.append(chunk.subarray(8));
  memory.decoder.next();
  memory.keepRest(true);
  expect([decoders.length, memory.heldBytes]).toEqual([1, 0]);
  expect(take()).toEqual([false, 0]);
});

test('drop lets go of what was not decoded', () => {
  const { memory, take } = make();
  memory.decoder.append(textFrame('abcdef').subarray(0, 8));
  memory.decoder.next();
  memory.keepRest(true);
  take();
  memory.drop();
  memory.keepRest(false);
  expect(memory.heldBytes).toBe(0);
  expect(take()).toEqual([0, false]);
});

test('messages that wait are held, and are not completed', () => {
  const { memory } = make();
  memory.messages = 3;
  memory.hold().add({ kind: 'whole', message: 'abc' });
  expect(memory.held).toBe(memory.hold());
  expect(memory.completed).toBe(2);
  expect(memory.heldBytes).toBe(memory.hold().heldBytes);
  memory.hold().clear();
  expect([memory.completed, memory.heldBytes]).toEqual([3, 0]);
});

test('a shortage of memory is passed on', () => {
  const { memory, take } = make();
  memory.shed();
  expect(take()).toEqual(['shed']);
});
