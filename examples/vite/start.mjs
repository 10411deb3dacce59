import { prepare } from '../frameworks.mjs';

prepare('vite');
await import('./server.mjs');
