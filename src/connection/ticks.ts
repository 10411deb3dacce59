/**
 * Moments as ticks of the server's ticker.
 */
import { Ticker } from '../io/time/ticker.ts';

/** A tick that nothing waits for. Small whole numbers cost no memory, where Infinity costs a heap number a field. */
export const NEVER = -1;

/** The tick that is `ms` milliseconds after another; NEVER for Infinity. */
export function later(tick: number, ms: number): number {
  return ms === Number.POSITIVE_INFINITY ? NEVER : tick + Ticker.ticks(ms);
}

export function isDue(due: number, tick: number): boolean {
  return due !== NEVER && due <= tick;
}

/** The earlier one of two moments, either of which may be NEVER. */
export function earliest(one: number, other: number): number {
  if (one === NEVER || other === NEVER) return Math.max(one, other);
  return Math.min(one, other);
}
