/** Tries targets on inputs made from seeds, one after the other. */
import { Finding, type Target, targets } from './targets.ts';

export { targets };

/** The seed of the `number`th input of a run: far from its neighbours', and found again from the two numbers. */
export const seedOf = (run: number, number: number): number => (Math.imul(run, 0x9e3779b1) + number) >>> 0;

/**
 * Tries `inputs` inputs of a run from the `from`th on.
 * @throws Finding that names the target and the seed, at the first input for which something does not hold.
 */
export function fuzz(target: Target, run: number, from: number, inputs: number): void {
  for (let number = from; number < from + inputs; number++) {
    const seed = seedOf(run, number);
    try {
      target.attempt(seed);
    } catch (error) {
      const what = error instanceof Finding ? error.message : `threw ${(error as Error).stack}`;
      throw new Finding(`${target.name}, seed ${seed}: ${what}`);
    }
  }
}
