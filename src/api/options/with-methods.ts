/**
 * Parts that a user brings along, such as a clock.
 */
import { OptionError } from '../errors.ts';

/** What Portal calls must be there to be called. */
export function withMethods<Value>(name: string, value: Value, methods: readonly string[], also = ''): Value {
  const has = (method: string) => typeof (value as Record<string, unknown> | null)?.[method] === 'function';
  if (value === undefined || methods.every(has)) return value;
  throw new OptionError(name, value, `${also}an object with ${methods.join(', ')}`);
}
