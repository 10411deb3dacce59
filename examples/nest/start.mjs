import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { prepare } from '../frameworks.mjs';

prepare('nest');
const path = (name) => fileURLToPath(new URL(name, import.meta.url));
const tsc = path('../../node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', path('.')], { stdio: ['ignore', 2, 2] });
if (status !== 0) process.exit(1);
await import('./built/app.js');
