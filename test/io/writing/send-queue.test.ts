import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import { encodeFrame, PING, PONG } from '../../../src/io/frames/frame-encoder.ts';
import { HeldBlocks } from '../../../src/io/writing/held-blocks.ts';
import { SendQueue } from '../../../src/io/writing/send-queue.ts';

const frame = (text: string) => Buffer.from(text);
const batch = (queue: SendQueue) => queue.nextBatch().map((each) => String(Buffer.from(each)));

function queueOf(...texts: string[]): SendQueue {
  const queue = new SendQueue(new HeldBlocks());
  for (const text of texts) queue.push(frame(text), undefined);
  return queue;
}

describe('what leaves next', () => {
  test('control frames first, then data in order', () => {
    const queue = queueOf('a', 'b');
    queue.pushControl(frame('ping'));
    expect([queue.bytes, queue.hasNext, queue.controlFrames]).toEqual([6, true, 1]);
    expect(batch(queue)).toEqual(['ping', 'a', 'b']);
    expect([queue.bytes, queue.hasNext, queue.isEmpty]).toEqual([0, false, true]);
  });

  test('is about 256 KiB at a time, also within the fragments of one message', () => {
    const queue = new SendQueue(new HeldBlocks());
    const place = queue.reserve();
    for (let i = 0; i < 6; i++) queue.pushFragment(place, Buffer.alloc(100_000));
    place.isComplete = true;
    queue.push(frame('after'), undefined);
    expect([batch(queue).length, batch(queue).length]).toEqual([3, 3]);
    expect(batch(queue)).toEqual(['after']);
    expect(queue.isEmpty).toBe(true);
  });

  test('ends before a message whose fragments have not all come', () => {
    const queue = queueOf('a');
    const place = queue.reserve();
    queue.push(frame('b'), undefined);
    expect([queue.unfinished, queue.isNext(place)]).toEqual([place, false]);
    expect(batch(queue)).toEqual(['a']);
    expect([queue.hasNext, queue.isNext(place), place.hasLeft]).toEqual([false, true, false]);
    queue.pushFragment(place, frame('1'));
    expect([queue.hasNext, queue.isNext(place)]).toEqual([true, false]);
    expect([batch(queue), place.hasLeft, queue.isEmpty]).toEqual([['1'], true, false]);
    queue.pushFragment(place, frame('2'));
    place.isComplete = true;
    expect(batch(queue)).toEqual(['2', 'b']);
  });

  test('each message in fragments is told its turn once', () => {
    const queue = new SendQueue(new HeldBlocks());
    const told: string[] = [];
    const [first, second] = [queue.reserve(), queue.reserve()];
    first.onTurn = () => told.push('first');
    second.onTurn = () => told.push('second');
    queue.tellTurn();
    queue.tellTurn();
    queue.remove(first);
    queue.tellTurn();
    expect(told).toEqual(['first', 'second']);
  });
});

describe('replacing and dropping', () => {
  test('a key finds the message that waits, and a newer one takes its place', () => {
    const queue = queueOf('a');
    queue.push(frame('old'), 'key');
    const older = queue.find('key');
    expect([older?.frame.length, queue.find('other')]).toEqual([3, undefined]);
    if (older !== undefined) queue.replace(older, frame('newer'));
    expect([queue.bytes, batch(queue)]).toEqual([6, ['a', 'newer']]);
  });

  test('the oldest are dropped, never fragments nor the one to keep; none when all are too few', () => {
    const queue = queueOf('aa', 'bb');
    const place = queue.reserve();
    queue.pushFragment(place, frame('f'));
    place.isComplete = true;
    queue.push(frame('kk'), 'key');
    queue.push(frame('cc'), undefined);
    const kept = queue.find('key');
    expect([queue.dropOldest(100, kept), queue.bytes]).toEqual([undefined, 9]);
    expect(queue.dropOldest(3, kept)).toBe(2);
    expect(queue.dropOldest(1, kept)).toBe(1);
    expect([queue.bytes, batch(queue)]).toEqual([3, ['f', 'kk']]);
  });

  test('the oldest of very many are dropped without going through the others', () => {
    const queue = new SendQueue(new HeldBlocks());
    const count = 100_000;
    const [older, newer] = [frame('o'), frame('n')];
    for (let i = 0; i < count; i++) queue.push(older, undefined);
    // Each of these would take milliseconds if it touched all that waits: together minutes, and the test would time out.
    for (let i = 0; i < count; i++) {
      queue.push(newer, undefined);
      const drops = [queue.dropOldest(1, undefined), queue.dropOldest(count + 1, undefined)];
      if (drops[0] !== 1 || drops[1] !== undefined) throw new Error(`dropped ${drops}`);
      if (queue.unfinished !== undefined || queue.find('key 2') !== undefined) throw new Error('not found');
    }
    expect([queue.bytes, batch(queue).join('').replaceAll('n', ''), queue.bytes]).toEqual([count, '', 0]);
  });

  test('a message that is replaced, dropped or gone is not found by its key', () => {
    const queue = queueOf('a');
    queue.push(frame('b'), 'b');
    queue.push(frame('c'), 'c');
    const b = queue.find('b');
    if (b !== undefined) queue.replace(b, frame('bbbb'));
    expect([queue.dropOldest(7, undefined), queue.dropOldest(3, b), queue.bytes]).toEqual([
      undefined,
      undefined,
      6,
    ]);
    expect([queue.dropOldest(2, b), queue.find('c'), queue.find('b')]).toEqual([2, undefined, b]);
    expect([batch(queue), queue.find('b'), queue.isEmpty]).toEqual([['bbbb'], undefined, true]);
    queue.push(frame('later'), 'b');
    expect(batch(queue)).toEqual(['later']);
  });

  test('places among the messages are passed over, given up and found in order', () => {
    const queue = queueOf('a');
    const [first, second] = [queue.reserve(), queue.reserve(frame('source'))];
    queue.push(frame('b'), undefined);
    const third = queue.reserve();
    queue.push(frame('c'), undefined);
    expect([queue.dropOldest(2, undefined), queue.bytes, queue.unfinished]).toEqual([2, 7, first]);
    first.isComplete = true;
    expect(queue.unfinished).toBe(second);
    queue.remove(second);
    queue.remove(second);
    expect([queue.unfinished, queue.bytes]).toEqual([third, 1]);
    queue.remove(third);
    expect([queue.unfinished, batch(queue), queue.isEmpty]).toEqual([undefined, ['c'], true]);
  });

  test('with too many Pongs, the newest makes room, and Pings stay', () => {
    const queue = new SendQueue(new HeldBlocks());
    const control = (opcode: number, text: string) => queue.pushControl(encodeFrame(opcode, frame(text)));
    control(PONG, '1');
    control(PONG, '2');
    control(PING, 'p');
    queue.makeRoomForPong(3);
    expect(queue.controlFrames).toBe(3);
    queue.makeRoomForPong(2);
    expect(batch(queue).map((text) => text.slice(2))).toEqual(['1', 'p']);
  });
});

describe('when no more fragments come', () => {
  test('messages that have not begun to leave are left out', () => {
    const queue = queueOf('a');
    const place = queue.reserve();
    queue.pushFragment(place, frame('1'));
    queue.push(frame('b'), undefined);
    queue.pushControl(frame('ping'));
    queue.giveUpUnfinished();
    expect([queue.bytes, queue.unfinished, batch(queue)]).toEqual([6, undefined, ['ping', 'a', 'b']]);
  });

  test('after one that has begun to leave, only control frames may follow', () => {
    const queue = new SendQueue(new HeldBlocks());
    const place = queue.reserve();
    queue.pushFragment(place, frame('1'));
    expect(batch(queue)).toEqual(['1']);
    queue.pushFragment(place, frame('2'));
    queue.push(frame('b'), undefined);
    queue.pushControl(frame('ping'));
    queue.giveUpUnfinished();
    expect([queue.bytes, batch(queue), queue.isEmpty]).toEqual([4, ['ping'], true]);
  });
});

test('of a message that is encoded in parts, only the rest counts beside its fragments; its memory is held to the end', () => {
  const held = new HeldBlocks();
  const queue = new SendQueue(held);
  const place = queue.reserve(new Uint8Array(100));
  expect(queue.bytes).toBe(100);
  queue.encoded(place, 60, false);
  queue.pushFragment(place, new Uint8Array(70));
  expect([queue.bytes, held.size]).toEqual([110, 2]);
  const given = queue.reserve(new Uint8Array(50));
  queue.encoded(given, 20, false);
  expect(queue.bytes).toBe(140);
  queue.remove(given);
  expect([queue.bytes, held.size]).toEqual([110, 2]);
  queue.encoded(place, 40, true);
  expect([queue.bytes, held.size]).toEqual([70, 1]);
  queue.reserve(new Uint8Array(9));
  queue.clear();
  expect([queue.bytes, held.size, held.bytes]).toEqual([0, 0, 0]);
});
