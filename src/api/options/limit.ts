/**
 * What a limit may be, and the check that says so.
 */
import { OptionError } from '../errors.ts';

/** The numbers that a limit may be. */
export interface Rule {
  readonly default: number;
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  /** Whether Infinity is a value too. */
  readonly unlimited: boolean;
  /** What may be given in place of a number. */
  readonly also?: string;
}

/** @throws OptionError for a value that the rule does not allow. */
export function readLimit(name: string, value: number | undefined, rule: Rule): number {
  if (value === undefined) return rule.default;
  if (rule.unlimited && value === Number.POSITIVE_INFINITY) return value;
  if (Number.isInteger(value) && value >= rule.min && value <= rule.max) return value;
  const unit = rule.unit === '' ? '' : ` ${rule.unit}`;
  const allowed = `a whole number from ${rule.min} to ${rule.max}${unit}${rule.unlimited ? ', or Infinity' : ''}${rule.also ?? ''}`;
  throw new OptionError(name, value, allowed);
}
