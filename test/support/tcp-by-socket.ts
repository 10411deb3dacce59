/** Makes `'socket'` the default of the option `tcp`: for the project that runs the suites over the public way. */
import { vi } from 'vitest';
import type { ServerOptions } from '../../src/api/options/options.ts';

vi.mock('../../src/api/options/options.ts', async (importOriginal) => {
  const original = await importOriginal<typeof import('../../src/api/options/options.ts')>();
  const isObject = (value: unknown) => typeof value === 'object' && value !== null;
  return {
    ...original,
    readOptions: (options: ServerOptions) =>
      original.readOptions(isObject(options) ? { tcp: 'socket', ...options } : options),
  };
});
