import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Tests that take minutes: attacks, the soak, and a user who installs the packed package. */
const LONG = [
  'test/attack/**/*.test.ts',
  'test/docs/first-five-minutes.test.ts',
  'test/docs/tutorial.test.ts',
  'test/package/tarball.test.ts',
];

/** Tests that start many programs or browsers, or draw: together they would take half of the time of `npm test`. */
const STARTERS = [
  'test/clients/chromium.test.ts',
  'test/diagrams/diagrams.test.ts',
  'test/docs/{how-to,many-machines,on-your-http-server,workers}.test.ts',
  'test/e2e/chromium-tls.test.ts',
  'test/engines/**/*.test.ts',
  'test/examples/{beside-others,echo,frameworks,pages,playground,workers}.test.ts',
  'test/inspect/{how-to,page}.test.ts',
  'test/package/cli.test.ts',
  'test/runtimes/node-flags.test.ts',
  'test/workers/{forking,index,worker-main}.test.ts',
];

/** Tests that draw their inputs at random: the longer they run, the more they try. */
const DRAWN = [
  'test/clients/autobahn.test.ts',
  'test/differential/**/*.test.ts',
  'test/fuzz/**/*.test.ts',
  'test/invariants/**/*.test.ts',
  'test/api/topics/recovery.test.ts',
  'test/topics/topics.test.ts',
];

/** What connections are carried by, beside TCP: the names of `test/support/carrier.ts`. */
const TRANSPORTS = ['tls', 'unix', 'http1', 'https', 'http2', 'memory'];

/** Vitest itself takes XState's development build; the machines are proven with the one that production takes, too. */
const production = (name: string) => ({
  find: new RegExp(`^${name}$`),
  replacement: fileURLToPath(
    new URL(`node_modules/xstate/dist/${name.replace('/', '-')}.cjs.mjs`, import.meta.url),
  ),
});

/** Tests with Vite, Next and NestJS, which `npm run test:frameworks` installs. */
const FRAMEWORKS = 'test/frameworks/*.test.ts';
/** What is excluded anyway, where a project excludes nothing itself. */
const PACKAGES = '**/node_modules/**';

/** `npm test` runs the project `all`; `npm run check` runs the others. A file is run by `npx vitest run <file>`. */
export default defineConfig({
  test: {
    pool: 'forks',
    maxWorkers: '100%',
    // One process runs many files; each file begins with modules of its own.
    isolate: false,
    setupFiles: ['test/support/fresh-modules.ts', 'test/support/equal-bytes.ts', 'test/support/leak-gate.ts'],
    // In this order, one after the other.
    sequence: { setupFiles: 'list' },
    // Guards against a hang, longer than PATIENCE_MS in test/support/patience.ts, which says what was awaited.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    teardownTimeout: 60_000,
    expect: { poll: { timeout: 30_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'all',
          include: ['test/**/*.test.ts'],
          exclude: [...LONG, ...STARTERS, FRAMEWORKS, PACKAGES],
          env: { XSTATE_BUILD: 'development' },
        },
      },
      {
        extends: true,
        test: {
          name: 'programs and browsers',
          include: STARTERS,
          env: { XSTATE_BUILD: 'development' },
        },
      },
      {
        extends: true,
        test: {
          name: 'long',
          include: [...LONG, ...DRAWN],
          env: { PORTAL_TIMES: '5' },
          testTimeout: 600_000,
          // One file at a time, after all others: the attacks and the soak have processes of their own, and watch memory.
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'frameworks',
          include: [FRAMEWORKS],
          // Each of them compiles with all cores.
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'TCP by net.Socket',
          include: [
            'test/api/**/*.test.ts',
            'test/conformance/**/*.test.ts',
            'test/connection/**/*.test.ts',
            'test/server/**/*.test.ts',
          ],
          // It tests the default that is changed here.
          exclude: ['test/api/options/options.test.ts'],
          setupFiles: ['test/support/tcp-by-socket.ts'],
        },
      },
      ...TRANSPORTS.map((transport) => ({
        extends: true as const,
        test: {
          name: `over ${transport}`,
          include: [
            'test/conformance/**/*.test.ts',
            'test/faults/**/*.test.ts',
            'test/model/sockets.test.ts',
          ],
          env: { TRANSPORT: transport },
        },
      })),
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
