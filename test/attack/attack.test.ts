/**
 * The attack suite in its short form, over the built package: each attack against a server in a process of its own,
 * with a healthy client beside it. `npm run attack` is the full form, with figures.
 */
import { expect, test } from 'vitest';
import { names, runAttack } from '../../scripts/attack/run.mjs';

const SHORT = 0.02;

test.each(names)(
  '%s',
  async (name) => {
    const { checks } = await runAttack(name, SHORT);
    expect(checks.length).toBeGreaterThan(5);
    expect(checks.filter(([, holds]) => !holds)).toEqual([]);
  },
  90_000,
);
