/**
 * How many times longer than in `npm test` the tests that draw their inputs run. `npm run check` sets it, and by hand:
 * `PORTAL_TIMES=20 npx vitest run test/invariants --project all`.
 */
export const TIMES = Number(process.env.PORTAL_TIMES ?? 1);
