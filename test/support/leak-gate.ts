/**
 * The leak gate: a setup file of vitest that fails a test file which leaves something open. When the file's
 * last hook has run, the process must hold no more sockets, servers, timers and child processes than when the
 * file began, and every count that a module has registered must be back where it was.
 *
 * Closing takes the kernel and libuv a few turns, so the gate waits for that, up to a bound, and polls without
 * leaving a timer of its own in the count.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { PATIENCE_MS } from './patience.ts';

/**
 * What is counted, under the names of `process.getActiveResourcesInfo()`. Pipes, message ports and immediates
 * are left out: the test runner talks to its worker through them. Handles and timers that are unreferenced are
 * not listed by Node; what is made of them registers its own count.
 */
const WATCHED = [
  'TCPSocketWrap',
  'TCPServerWrap',
  'TCPConnectWrap',
  'TLSWrap',
  'UDPWrap',
  'PipeServerWrap',
  'ProcessWrap',
  'Worker',
  'FSEventWrap',
  'Timeout',
] as const;

/** How many of each watched kind are held, by name. */
export type LeakCounts = Record<string, number>;

const registered = new Map<string, () => number>();
let baseline: LeakCounts = {};

/**
 * Adds a count of your own, such as actors alive, to what the gate compares. The value now is its baseline.
 * Registering a name again replaces it.
 */
export function registerLeakCheck(name: string, count: () => number): void {
  registered.set(name, count);
  baseline[name] = count();
}

/** What the process holds now. */
export function leakCounts(): LeakCounts {
  const counts: LeakCounts = {};
  const active = process.getActiveResourcesInfo();
  for (const kind of WATCHED) counts[kind] = active.filter((name) => name === kind).length;
  for (const [name, count] of registered) counts[name] = count();
  return counts;
}

/** What `after` holds beyond `before`, one line a kind, such as `TCPServerWrap: 1 more than the 0 before`. */
export function leaksBetween(before: LeakCounts, after: LeakCounts): string[] {
  return Object.entries(after).flatMap(([name, count]) => {
    const had = before[name] ?? 0;
    return count > had ? [`${name}: ${count - had} more than the ${had} before`] : [];
  });
}

/** The leaks that are still there once everything that is closing has had time to close. */
export async function settledLeaks(before: LeakCounts, limit_ms = PATIENCE_MS): Promise<string[]> {
  const deadline = performance.now() + limit_ms;
  let leaks = leaksBetween(before, leakCounts());
  while (leaks.length > 0 && performance.now() < deadline) {
    await turn();
    leaks = leaksBetween(before, leakCounts());
  }
  return leaks;
}

baseline = leakCounts();

afterAll(async () => {
  const leaks = await settledLeaks(baseline);
  if (leaks.length > 0) throw new Error(`this test file left something open:\n  ${leaks.join('\n  ')}`);
});
