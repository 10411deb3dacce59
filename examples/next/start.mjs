import { prepare } from '../frameworks.mjs';

process.env.NEXT_TELEMETRY_DISABLED = '1';
prepare('next');
await import('./server.mjs');
