/** Pausing the transport: once each way, the deadlines told of a stop alone, and who still holds reading back. */
import { expect, test } from 'vitest';
import { Holding } from '../../src/connection/holding.ts';
import type { Rates } from '../../src/connection/rate-limit.ts';
import { TransportPause } from '../../src/connection/transport-pause.ts';
import { ManualClock } from '../../src/io/time/manual-clock.ts';
import { Ticker } from '../../src/io/time/ticker.ts';
import type { Transport } from '../../src/io/transports/transport.ts';

function make() {
  const seen: string[] = [];
  const say = (what: string) => () => void seen.push(what);
  const owner = { readingStopped: say('stopped'), readingResumed: say('resumed') };
  const transport = { pause: say('pause'), resume: say('resume') } as Pick<Transport, 'pause' | 'resume'>;
  const rates = { paused: say('rates paused'), resumed: say('rates resumed') } as Pick<
    Rates,
    'paused' | 'resumed'
  >;
  // Nothing else of the two is used.
  const pause = new TransportPause(owner, transport as Transport, new Ticker(new ManualClock()));
  return { pause, rates: rates as Rates, take: () => seen.splice(0) };
}

test('a stop is told to the deadlines and pauses, once', () => {
  const { pause, rates, take } = make();
  pause.stop(rates);
  pause.stop(rates);
  expect(pause.isPaused).toBe(true);
  expect(take()).toEqual(['stopped', 'rates paused', 'pause']);
  pause.resume(rates, undefined);
  pause.resume(rates, undefined);
  expect(pause.isPaused).toBe(false);
  expect(take()).toEqual(['resumed', 'rates resumed', 'resume']);
});

test('a pause for this turn alone is not told to the deadlines', () => {
  const { pause, rates, take } = make();
  pause.pause(rates);
  pause.resume(rates, new Holding());
  expect(take()).toEqual(['rates paused', 'pause', 'rates resumed', 'resume']);
});

test('a stop during a pause is told, and pauses no second time', () => {
  const { pause, take } = make();
  pause.pause(undefined);
  pause.stop(undefined);
  expect(take()).toEqual(['pause', 'stopped']);
});

test('whoever holds the wire back keeps it paused; the deadlines go on when the user takes more', () => {
  const { pause, take } = make();
  const holding = Object.assign(new Holding(), { paused: true, behind: true });
  pause.stop(undefined);
  take();
  pause.resume(undefined, holding);
  expect([pause.isPaused, take()]).toEqual([true, []]);
  holding.paused = false;
  pause.resume(undefined, holding);
  expect([pause.isPaused, take()]).toEqual([true, ['resumed']]);
  holding.behind = false;
  pause.resume(undefined, holding);
  expect([pause.isPaused, take()]).toEqual([false, ['resume']]);
});

test('release reads again without telling anybody, and only where there was a pause', () => {
  const { pause, rates, take } = make();
  pause.release();
  expect(take()).toEqual([]);
  pause.stop(rates);
  take();
  pause.release();
  expect([pause.isPaused, take()]).toEqual([false, ['resume']]);
});
