/**
 * The error of a wrong option or argument.
 */
import { OptionError } from '../../src/api/errors.ts';

/** What is thrown by a call that must fail with an OptionError. */
export function refusal(call: () => unknown): OptionError {
  try {
    call();
  } catch (error) {
    if (error instanceof OptionError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
