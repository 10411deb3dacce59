/**
 * A memory budget that a user makes, to share it among servers.
 */
import { Budget } from '../../connection/memory-budget.ts';
import { OptionError } from '../errors.ts';
import { type Rule, readLimit } from './limit.ts';

const MIB = 1_048_576;

/** What the option `memoryBudget` may be as a number. */
export const MEMORY_RULE: Rule = { default: 128 * MIB, min: 1, max: 2 ** 40, unit: 'bytes', unlimited: true };

/**
 * One memory budget for several servers: `createServer({ port, memoryBudget: budget })`. What all their connections hold
 * is counted together, and over the limit those that have held longest without progress close with 1013, whichever server
 * they are of. A server that is given a number has a budget of its own.
 */
export class MemoryBudget extends Budget {
  /**
   * @param limit Bytes that may be held, a whole number from 1 to 2^40, or Infinity.
   * @throws OptionError for any other value.
   */
  constructor(limit: number) {
    if (limit === undefined)
      throw new OptionError('memoryBudget', limit, 'a whole number of bytes, or Infinity');
    super(readLimit('memoryBudget', limit, MEMORY_RULE));
  }
}
