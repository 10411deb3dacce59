import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Vitest itself takes XState's development build; the machines are proven with the one that production takes, too. */
const production = (name: string) => ({
  find: new RegExp(`^${name}$`),
  replacement: fileURLToPath(
    new URL(`node_modules/xstate/dist/${name.replace('/', '-')}.cjs.mjs`, import.meta.url),
  ),
});

export default defineConfig({
  test: {
    setupFiles: [
      'test/support/fresh-modules.ts',
      'test/support/equal-bytes.ts',
      'test/support/leak-gate.ts',
    ],
    sequence: { setupFiles: 'list' },
    testTimeout: 15_000,
    pool: 'forks',
    isolate: false,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'all', include: ['test/**/*.test.ts'], env: { XSTATE_BUILD: 'development' } },
      },
      {
        extends: true,
        test: {
          name: 'TCP by net.Socket',
          include: ['test/conformance/**/*.test.ts', 'test/api/**/*.test.ts'],
          setupFiles: ['test/support/tcp-by-socket.ts'],
        },
      },
      {
        extends: true,
        resolve: { alias: [production('xstate'), production('xstate/graph')] },
        test: {
          name: 'production XState',
          include: ['test/machines/**/*.test.ts', 'test/model/**/*.test.ts'],
          exclude: ['test/model/mutants.test.ts'],
          env: { XSTATE_BUILD: 'production' },
        },
      },
    ],
  },
});
