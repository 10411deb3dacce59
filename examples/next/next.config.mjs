import { fileURLToPath } from 'node:url';

/** The frameworks are installed in test/frameworks here; a project of your own needs no such root. */
const root = fileURLToPath(new URL('../..', import.meta.url));

export default { turbopack: { root }, outputFileTracingRoot: root };
