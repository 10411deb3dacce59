import { expect, test } from 'vitest';
import { CONTINUATION, TEXT } from '../../../src/io/frames/frame-encoder.ts';
import type { FairTurn } from '../../../src/io/time/fair-turns.ts';
import type { SendResult } from '../../../src/io/writing/outbox-ports.ts';
import { Place } from '../../../src/io/writing/send-queue.ts';
import { SLICE_BYTES, SlicedMessage } from '../../../src/io/writing/sliced-message.ts';

function make(bytes: number, results: SendResult = 'sent') {
  const place = new Place();
  const log: unknown[] = [];
  const waiting: FairTurn[] = [];
  const target = {
    unfinished: place as Place | undefined,
    fragment(_: Place, opcode: number, payload: Uint8Array, final: boolean) {
      log.push([opcode, payload.length, final]);
      return results;
    },
  };
  const message = new SlicedMessage(target, place, TEXT, new Uint8Array(bytes));
  const begin = () =>
    message.begin(
      (work) => waiting.push(work),
      () => log.push('done'),
    );
  return { message, place, target, log, waiting, begin };
}

test('one slice a turn, the first at once', () => {
  const { log, waiting, begin } = make(2 * SLICE_BYTES + 1);
  begin();
  expect(log).toEqual([[TEXT, SLICE_BYTES, false]]);
  waiting.shift()?.onTurn();
  waiting.shift()?.onTurn();
  expect(log.slice(1)).toEqual([[CONTINUATION, SLICE_BYTES, false], [CONTINUATION, 1, true], 'done']);
  expect(waiting).toEqual([]);
});

test('after an unfinished message it waits until it is told', () => {
  const { log, waiting, target, place, begin } = make(SLICE_BYTES + 1);
  target.unfinished = undefined;
  begin();
  expect([log, waiting]).toEqual([[], []]);
  place.onTurn?.();
  expect(waiting).toHaveLength(1);
});

test('before a Close all of it is encoded, if its turn has come', () => {
  const { message, log, target, place, begin } = make(3 * SLICE_BYTES);
  begin();
  target.unfinished = undefined;
  message.finishNow();
  expect(log).toHaveLength(1);
  target.unfinished = place;
  message.finishNow();
  expect(log.slice(-2)).toEqual([[CONTINUATION, SLICE_BYTES, true], 'done']);
  message.onTurn();
  expect(log).toHaveLength(4);
});

test('ends when the connection takes nothing more', () => {
  const { log, waiting, begin } = make(3 * SLICE_BYTES, 'closed');
  begin();
  expect([log, waiting]).toEqual([[[TEXT, SLICE_BYTES, false], 'done'], []]);
});
