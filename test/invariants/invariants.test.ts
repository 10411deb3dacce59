// Invariants of a connection under random commands of its client, its user and the clock, with shrinking.

import fc from 'fast-check';
import { beforeEach, describe, test, vi } from 'vitest';
import { TIMES } from '../support/times.ts';
import { answer, Said, sequences } from './commands.ts';
import { checkEnd } from './invariants.ts';
import { type Setting, World } from './world.ts';

const ALL = Number.POSITIVE_INFINITY;
const anywhere = {
  deflate: fc.constantFrom<Setting['deflate']>(undefined, undefined, 'shared', 'contexts'),
  overflow: fc.constantFrom<Setting['overflow']>('close', 'drop', 'drop-oldest'),
  inspected: fc.boolean(),
  answers: fc.boolean(),
  ending: fc.constantFrom<Setting['ending']>('silence', 'fin', 'reset', 'close', 'stop'),
};
/** Contexts go only with this overflow. */
const possible = (setting: Setting): Setting =>
  setting.deflate === 'contexts' ? { ...setting, overflow: 'close' } : setting;
const memory: fc.Arbitrary<Setting> = fc
  .record({
    carrier: fc.constant('memory' as const),
    capacityBytes: fc.constantFrom(50, 1000, ALL),
    chunkBytes: fc.constantFrom(1, 7, 100, ALL, ALL),
    shared: fc.boolean(),
    ...anywhere,
  })
  .map(possible);
const tcp: fc.Arbitrary<Setting> = fc
  .record({
    carrier: fc.constantFrom('handle' as const, 'socket' as const),
    capacityBytes: fc.constant(1),
    chunkBytes: fc.constant(1),
    shared: fc.constant(false),
    ...anywhere,
  })
  .map(possible);

/** The tests repeat one series; PORTAL_SEED begins another. */
const SEED = Number(process.env.PORTAL_SEED ?? 6455);
const TIME_LIMIT_MS = 300_000 * TIMES;

/** Runs sequences of commands, each on a connection of its own, and asks for the invariants. */
async function holds(settings: fc.Arbitrary<Setting>, numRuns: number): Promise<void> {
  await fc.assert(
    fc.asyncProperty(settings, sequences, async (setting, commands) => {
      const said = new Said();
      const world = await World.begin(setting);
      try {
        await fc.asyncModelRun(() => ({ model: said, real: world }), commands);
      } finally {
        await world.end(() => answer(said, world));
      }
      checkEnd(said, world);
    }),
    { numRuns: numRuns * TIMES, seed: SEED },
  );
}

// XState's development build warns of each event that an ended actor refuses.
beforeEach(() => void vi.spyOn(console, 'warn').mockImplementation(() => undefined));

describe('whatever client and user do', () => {
  test('the invariants hold over transports in memory', { timeout: TIME_LIMIT_MS }, () => holds(memory, 300));
  test('the invariants hold over sockets', { timeout: TIME_LIMIT_MS }, () => holds(tcp, 40));
});
