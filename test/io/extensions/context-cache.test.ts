import { expect, test } from 'vitest';
import { type CacheMemory, ContextCache } from '../../../src/io/extensions/context-cache.ts';
import { type DeflateLevel, deflaterBytes } from '../../../src/io/extensions/zlib.ts';

const LEVEL: DeflateLevel = { windowBits: 12, level: 1, memLevel: 5 };
const OTHER: DeflateLevel = { windowBits: 9, level: 1, memLevel: 5 };
const EACH = deflaterBytes(LEVEL);

function make(budget: number, hasRoom: () => boolean = () => true) {
  const log: string[] = [];
  let made = 0;
  let reserved = 0;
  const memory: CacheMemory = {
    addCache: () => void log.push('added'),
    removeCache: () => void log.push('removed'),
    reserve(bytes) {
      if (!hasRoom()) return false;
      reserved += bytes;
      return true;
    },
    giveBack(bytes) {
      reserved -= bytes;
    },
  };
  const cache = new ContextCache(
    () => {
      const number = ++made;
      return {
        isFresh: true,
        deflate: () => number,
        reset: () => void log.push(`reset ${number}`),
        close: () => void log.push(`close ${number}`),
      };
    },
    budget,
    memory,
  );
  const numberOf = (owner: object, level = LEVEL) =>
    cache.take(owner, level)?.deflate(new Uint8Array(), new Uint8Array());
  return { cache, log, numberOf, reserved: () => reserved };
}

const [a, b, c] = [{}, {}, {}];

test('an owner gets the same context each time, and the least recently used one goes first', () => {
  const { cache, log, numberOf, reserved } = make(2 * EACH);
  expect([numberOf(a), numberOf(b), numberOf(a)]).toEqual([1, 2, 1]);
  // That of b is reset, and c has it now.
  expect([numberOf(c), log]).toEqual([2, ['added', 'reset 2']]);
  expect([cache.size, cache.bytes, reserved()]).toEqual([2, 2 * EACH, 2 * EACH]);
  expect(numberOf(b)).toBe(1);
});

test('a context of another kind is closed to make room', () => {
  const { cache, log, numberOf } = make(EACH);
  numberOf(a);
  expect([numberOf(b, OTHER), log, cache.bytes]).toEqual([
    2,
    ['added', 'close 1', 'removed', 'added'],
    deflaterBytes(OTHER),
  ]);
});

test('freed and evicted ones give their memory back', () => {
  const { cache, log, numberOf, reserved } = make(10 * EACH);
  for (const owner of [a, b, c]) numberOf(owner);
  cache.free(b);
  cache.free(b);
  expect([cache.evict(), cache.evict(), cache.evict()]).toEqual([true, true, false]);
  expect([log, cache.bytes, reserved()]).toEqual([
    ['added', 'close 2', 'close 1', 'close 3', 'removed'],
    0,
    0,
  ]);
});

test('none where the server has no memory for it', () => {
  let hasRoom = false;
  const { cache, numberOf } = make(10 * EACH, () => hasRoom);
  expect([numberOf(a), cache.size]).toEqual([undefined, 0]);
  hasRoom = true;
  expect(numberOf(a)).toBe(1);
});
