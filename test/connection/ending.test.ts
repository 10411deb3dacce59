/** When the end of a connection is certain, when it is told, and what the abort signal says of it. */
import { expect, test } from 'vitest';
import { Ending } from '../../src/connection/ending.ts';
import { LATE_END_MS } from '../../src/connection/late-end.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { Ticker } from '../../src/io/time/ticker.ts';
import type { CloseReport } from '../../src/machines/connection-ports.ts';

const reportOf = (code: number): CloseReport => ({ code, reason: '', wasClean: true, initiator: 'peer' });

function make() {
  const clock = new ManualClock();
  const ticker = new Ticker(clock);
  ticker.start();
  const told: string[] = [];
  const owner = {
    report: undefined as CloseReport | undefined,
    recipient: { exhausted: () => void told.push('exhausted') },
    tellEnd: ({ code }: CloseReport, hasMore: boolean) => void told.push(`${code} ${hasMore}`),
  };
  const ending = new Ending(owner, ticker);
  const finish = (report: CloseReport, hasWaiting: boolean) => {
    owner.report = report;
    ending.finish(report, hasWaiting);
  };
  return { clock, ticker, told, ending, finish };
}

test('with nothing waiting, it is told at once, and only once', () => {
  const { ticker, told, ending, finish } = make();
  expect([ending.isTold, ending.isExhausted]).toEqual([false, false]);
  finish(reportOf(1000), false);
  ending.exhausted();
  expect(told).toEqual(['1000 false']);
  expect([ending.isTold, ending.isExhausted, ticker.size]).toEqual([true, true, 0]);
});

test('messages that wait delay it until they are delivered', () => {
  const { ticker, told, ending, finish } = make();
  finish(reportOf(1001), true);
  expect([told, ending.isTold, ending.isExhausted]).toEqual([[], false, false]);
  ending.exhausted();
  expect(told).toEqual(['1001 false']);
  expect([ending.isTold, ending.isExhausted, ticker.size]).toEqual([true, true, 0]);
});

test('they delay it for a second at most; that they are delivered is told afterwards', () => {
  const { clock, told, ending, finish } = make();
  finish(reportOf(1002), true);
  clock.advance(2 * LATE_END_MS);
  expect([told, ending.isTold, ending.isExhausted]).toEqual([['1002 true'], true, false]);
  ending.exhausted();
  ending.exhausted();
  expect(told).toEqual(['1002 true', 'exhausted']);
  expect(ending.isExhausted).toBe(true);
});

test('the signal aborts when the end is certain, with the first report', () => {
  const { ending, finish } = make();
  const { signal } = ending;
  expect(signal.aborted).toBe(false);
  const first = reportOf(1000);
  ending.foresee(first);
  ending.foresee(reportOf(1006));
  expect(signal.reason).toBe(first);
  finish(reportOf(1006), false);
  expect(ending.signal).toBe(signal);
  expect(signal.reason).toBe(first);
});

test('a signal that is asked for late has aborted: with what is certain, or with how it ended', () => {
  const { ending, finish } = make();
  const [certain, last] = [reportOf(1000), reportOf(1006)];
  ending.foresee(certain);
  expect(ending.signal.reason).toBe(certain);
  const other = make();
  other.ending.foresee(certain);
  other.finish(last, false);
  expect(other.ending.signal.reason).toBe(last);
  finish(last, true);
  expect(ending.signal.reason).toBe(certain);
});

test('errors of the abort are told from others, and only after it', () => {
  const { ending } = make();
  const abortError = new DOMException('gone', 'AbortError');
  const report = reportOf(1000);
  expect(ending.isAbort(abortError)).toBe(false);
  ending.foresee(report);
  expect(ending.isAbort(abortError)).toBe(false); // nobody has the signal
  void ending.signal;
  expect([abortError, report, reportOf(1000), new Error('other')].map((e) => ending.isAbort(e))).toEqual([
    true,
    true,
    false,
    false,
  ]);
});
