// A short run of the fuzzer, always of the same inputs; `npm run fuzz` tries others, for as long as you like.

import { expect, test } from 'vitest';
import { PerMessageDeflate } from '../../src/io/extensions/per-message-deflate.ts';
import { FrameDecoder } from '../../src/io/frames/frame-decoder.ts';
import { deflateOf } from '../support/deflate-peer.ts';
import { TIMES } from '../support/times.ts';
import { Chance } from './chance.ts';
import { compressedBytes } from './compressed.ts';
import { answersTo, LIMITS } from './decoding.ts';
import { frameBytes } from './frames.ts';
import { fuzz, seedOf, targets } from './fuzz.ts';
import { expectedAnswers } from './reference.ts';
import type { Target } from './targets.ts';

const INPUTS = 3000 * TIMES;
/** Seeds that have found something once, and what it was. None yet. */
const FOUND: Record<string, number[]> = {};

test.each(targets)(
  'the $name gives an answer or a documented error, within its bounds, for every input',
  (target) => {
    for (const seed of FOUND[target.name] ?? []) target.attempt(seed);
    fuzz(target, 1, 0, INPUTS / (target.cost ?? 1));
  },
);

test('a finding names its target and seed, and can be tried again', () => {
  const attempt = (seed: number): void => {
    if (seed === seedOf(1, 7)) throw new TypeError('boom');
  };
  const target: Target = { name: 'bomb', attempt };
  expect(() => fuzz(target, 1, 0, 7)).not.toThrow();
  expect(() => fuzz(target, 1, 0, 8)).toThrow(`bomb, seed ${seedOf(1, 7)}: threw TypeError: boom`);
});

test('inputs reach every answer and every close code, so the fuzzing is not in vain', () => {
  const counts: Record<string, number> = {};
  for (let number = 0; number < INPUTS; number++) {
    const input = frameBytes(new Chance(seedOf(1, number)));
    for (const answer of answersTo([input], { cap: 5000, maxFragments: 3 })) {
      const kind = /^fault \d+|^[a-z]+( first| last)?/.exec(answer)?.[0] ?? '';
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
  }
  const kinds = [
    'text',
    'binary',
    'fragment',
    'fragment first',
    'fragment last',
    'assembled',
    'ping',
    'pong',
    'close',
  ];
  for (const kind of [...kinds, 'fault 1002', 'fault 1007', 'fault 1008', 'fault 1009']) {
    expect.soft(counts[kind] ?? 0, kind).toBeGreaterThan(20);
  }
});

test('so do compressed ones', () => {
  const counts: Record<string, number> = {};
  for (let number = 0; number < 300; number++) {
    const decoder = new FrameDecoder({ cap: 5000, maxFragments: 5 });
    const terms = { answer: '', serverWindowBits: 15, clientWindowBits: 15, takesOver: false };
    decoder.extension = new PerMessageDeflate(deflateOf({}, { cap: 5000 }), terms);
    for (const answer of answersTo([compressedBytes(new Chance(seedOf(1, number)))], {}, {}, decoder)) {
      const kind = /^fault \d+|^[a-z]+/.exec(answer)?.[0] ?? '';
      counts[kind] = (counts[kind] ?? 0) + 1;
    }
  }
  for (const kind of ['text', 'binary', 'assembled', 'fault 1002', 'fault 1007', 'fault 1008', 'fault 1009'])
    expect.soft(counts[kind] ?? 0, kind).toBeGreaterThan(5);
});

test('the reference knows the examples of RFC 6455 5.7', () => {
  const hello = Buffer.from('818537fa213d7f9f4d5158', 'hex');
  expect(expectedAnswers(hello, LIMITS, 'messages')).toEqual(['text 48656c6c6f']);
  expect(expectedAnswers(hello.subarray(0, 3), LIMITS, 'messages')).toEqual([]);
  expect(expectedAnswers(Buffer.from('8105', 'hex'), LIMITS, 'messages')).toEqual(['fault 1002']);
});
