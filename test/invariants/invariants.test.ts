// Invariants of a connection under random commands of its client, its user and the clock, with shrinking.

import fc from 'fast-check';
import { describe, test } from 'vitest';
import { answer, Said, sequences } from './commands.ts';
import { checkEnd } from './invariants.ts';
import { type Setting, World } from './world.ts';

const ALL = Number.POSITIVE_INFINITY;
const anywhere = {
  overflow: fc.constantFrom<Setting['overflow']>('close', 'drop', 'drop-oldest'),
  answers: fc.boolean(),
  ending: fc.constantFrom<Setting['ending']>('silence', 'fin', 'reset', 'close', 'stop'),
};
const memory: fc.Arbitrary<Setting> = fc.record({
  carrier: fc.constant('memory' as const),
  capacityBytes: fc.constantFrom(50, 1000, ALL),
  chunkBytes: fc.constantFrom(1, 7, 100, ALL, ALL),
  shared: fc.boolean(),
  ...anywhere,
});
const tcp: fc.Arbitrary<Setting> = fc.record({
  carrier: fc.constantFrom('handle' as const, 'socket' as const),
  capacityBytes: fc.constant(1),
  chunkBytes: fc.constant(1),
  shared: fc.constant(false),
  ...anywhere,
});

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
    { numRuns, ...seeded() },
  );
}

/** A run can be repeated with PORTAL_SEED; without it each draws its own. */
function seeded(): { seed?: number } {
  const { PORTAL_SEED } = process.env;
  return PORTAL_SEED === undefined ? {} : { seed: Number(PORTAL_SEED) };
}

describe('whatever client and user do', () => {
  test('the invariants hold over transports in memory', { timeout: 60_000 }, () => holds(memory, 300));
  test('the invariants hold over sockets', { timeout: 60_000 }, () => holds(tcp, 40));
});
